/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/procfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"

#define FIRST_BYTES 4096

static int
tell_failure(int e, const char *path)
{
	return hs_why(-e,
	    "cannot read %s: %s; is /proc mounted, and the program dumpable?",
	    path, strerrordesc_np(e));
}

/* Up to size bytes; the number of them or -errno. */
static ssize_t
read_file(const char *path, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;
	int fd, e;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (n > 0 && len < size) {
		n = read(fd, buf + len, size - len);
		if (n > 0)
			len += (size_t)n;
	}
	e = errno;
	(void)close(fd);
	return n < 0 ? -e : (ssize_t)len;
}

int
hs_procfile_head(const char *path, char *buf, size_t size)
{
	ssize_t n = read_file(path, buf, size - 1);

	if (n < 0)
		return tell_failure((int)-n, path);
	buf[n] = '\0';
	return (int)n;
}

int
hs_procfile_whole(const char *path, size_t most, char **out, size_t *len)
{
	size_t size = FIRST_BYTES;

	for (;;) {
		char *buf = malloc(size);
		ssize_t n;

		if (buf == NULL)
			return tell_failure(ENOMEM, path);
		n = read_file(path, buf, size);
		if (n >= 0 && (size_t)n < size) {
			buf[n] = '\0';
			*out = buf;
			*len = (size_t)n;
			return 0;
		}
		free(buf);
		if (n < 0)
			return tell_failure((int)-n, path);
		if (size > most)
			return hs_why(-E2BIG, "%s has more than %zu bytes",
			    path, most);
		size *= 2;
	}
}
