/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_info.h"

#define DELETED " (deleted)"

/* Of open()'s flags, those that fcntl(F_SETFL) cannot set afterwards. */
#define ONLY_OPEN (O_ACCMODE | O_SYNC)

static int
refuse_deleted(const struct hs_fd_reg *d, const char *path)
{
	return hs_why(HS_EFD,
	    "fd %d: %s was deleted, so a spare cannot open it: call "
	    "hsfdunreg(%d)%s",
	    d->fd, path, d->fd,
	    S_ISREG(d->st.st_mode) ? ", or register it with HS_FD_CONTENT"
				   : "");
}

/* Below a process's directory of /proc, which another process has not. */
static bool
is_of_process(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 && path[6] >= '1' &&
	    path[6] <= '9';
}

static int
refuse_link(const struct hs_fd_reg *d)
{
	const int rc = hs_fd_info_check(d->fd);

	if (rc < 0)
		return rc;
	return hs_why(HS_EFD,
	    "fd %d: its path has more than %d bytes: open it by a shorter one",
	    d->fd, HS_FD_PATH_BYTES - 1);
}

int
hs_fd_path_find(const struct hs_fd_reg *d, char path[HS_FD_PATH_BYTES],
    bool *deleted)
{
	const size_t tail = strlen(DELETED);
	struct stat st;
	int len;

	len = hs_fd_info_link(d->fd, path, HS_FD_PATH_BYTES);
	if (len < 0)
		return refuse_link(d);
	if (strncmp(path, "/memfd:", 7) == 0)
		return hs_why(HS_EFD,
		    "fd %d is memory without a path (memfd): keep what it "
		    "holds in checkpoint memory",
		    d->fd);
	if (path[0] != '/')
		return hs_why(HS_EFD,
		    "fd %d: no path of this process leads to it (%s): open it "
		    "anew after HS_RESTORED",
		    d->fd, path);
	if (is_of_process(path))
		return hs_why(HS_EFD,
		    "fd %d: %s tells of one process, which stays behind: open "
		    "it anew after HS_RESTORED",
		    d->fd, path);
	if (deleted != NULL)
		*deleted = d->st.st_nlink == 0;
	if (d->st.st_nlink == 0) {
		if ((size_t)len > tail &&
		    strcmp(path + len - tail, DELETED) == 0)
			path[(size_t)len - tail] = '\0';
		return deleted != NULL ? 0 : refuse_deleted(d, path);
	}
	if (stat(path, &st) < 0 || st.st_dev != d->st.st_dev ||
	    st.st_ino != d->st.st_ino)
		return hs_why(HS_EFD,
		    "fd %d: %s is now another file, or none: open it by a path "
		    "that stays, or call hsfdunreg(%d)",
		    d->fd, path, d->fd);
	return 0;
}

void
hs_fd_path_write(struct hs_wr *w, const char *path)
{
	const size_t len = strlen(path);

	hs_wr_u16(w, (uint16_t)len);
	hs_wr_bytes(w, path, len);
}

void
hs_fd_path_read(struct hs_rd *r, char path[HS_FD_PATH_BYTES])
{
	const uint16_t len = hs_rd_u16(r);

	path[0] = '\0';
	hs_rd_require(r, len < HS_FD_PATH_BYTES);
	hs_rd_copy(r, path, r->err == 0 ? len : 0);
	path[r->err == 0 ? len : 0] = '\0';
	hs_rd_require(r, path[0] == '/' && strlen(path) == len);
}

int
hs_fd_path_open(const struct hs_fd_reg *d, const char *path, int flags)
{
	int fd;

	fd = open(path,
	    (d->flags & ONLY_OPEN) | flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
	    0600);
	if (fd >= 0)
		return fd;
	return hs_why(HS_EFD,
	    "fd %d: %s: %s: the spare needs what the service has registered, "
	    "at the same path",
	    d->fd, path, hs_err_text(-errno));
}

int
hs_fd_path_reopen(const struct hs_fd_reg *d, int of)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", of);
	return hs_fd_path_open(d, name, 0);
}
