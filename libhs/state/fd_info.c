/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_info.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"

#define FIRST_BYTES 4096

int
hs_fd_info_link(int fd, char *buf, size_t size)
{
	char name[32];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, buf, size);
	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return (int)n;
}

int
hs_fd_info_check(int fd)
{
	char link[64];
	const int rc = hs_fd_info_link(fd, link, sizeof(link));

	if (rc >= 0 || rc == -ENAMETOOLONG)
		return 0;
	return hs_why(HS_EFD,
	    "fd %d: /proc/self/fd does not tell what it is (%s): mount /proc "
	    "where the service runs",
	    fd, hs_err_text(rc));
}

bool
hs_fd_info_is(int fd, const char *link)
{
	char buf[64];

	return hs_fd_info_link(fd, buf, sizeof(buf)) >= 0 &&
	    strcmp(buf, link) == 0;
}

int
hs_fd_info_next(dev_t dev, ino_t ino, int after)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	int lowest = -1, fd;
	struct stat st;

	if (dir == NULL)
		return -1;
	/* No other thread reads this stream: readdir() is safe. */
	while ((e = readdir(dir)) != NULL) { /* NOLINT */
		if (e->d_name[0] == '.')
			continue;
		fd = (int)strtol(e->d_name, NULL, 10);
		if (fd > after && (lowest < 0 || fd < lowest) &&
		    fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino)
			lowest = fd;
	}
	(void)closedir(dir);
	return lowest;
}

int
hs_fd_info_read(int fd, char *buf, size_t size)
{
	char name[32];
	size_t len = 0;
	ssize_t n = 1;
	int in, rc = 0;

	(void)snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	in = open(name, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return -errno;
	while (n > 0 && len < size) {
		n = read(in, buf + len, size - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		rc = -errno;
	else if (len == size)
		rc = -EMSGSIZE;
	(void)close(in);
	if (rc < 0)
		return rc;
	buf[len] = '\0';
	return (int)len;
}

int
hs_fd_info_whole(int fd, char **buf, size_t *size)
{
	int rc = -EMSGSIZE;

	if (*size != 0)
		rc = hs_fd_info_read(fd, *buf, *size);
	while (rc == -EMSGSIZE) {
		const size_t more = *size == 0 ? FIRST_BYTES : *size * 2;
		char *p = realloc(*buf, more);

		if (p == NULL)
			return -ENOMEM;
		*buf = p;
		*size = more;
		rc = hs_fd_info_read(fd, p, more);
	}
	return rc;
}

const char *
hs_fd_info_find(const char *info, const char *key)
{
	const size_t len = strlen(key);
	const char *line = info;

	while (line != NULL && *line != '\0') {
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	return NULL;
}
