/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories.
 *
 * off len field	rule
 *   0   8 position	as lseek() said; it means something to the file system
 *			that gave it only
 *   8   - path		fd_path.h
 */
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_path.h"

static int
probe_dir(int fd, const struct stat *st)
{
	(void)fd;
	return S_ISDIR(st->st_mode);
}

static int
check_dir(struct hs_fd_reg *d)
{
	char path[HS_FD_PATH_BYTES];

	if (d->how != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how must be 0 for a directory", d->fd);
	return hs_fd_path_find(d, path, NULL);
}

static int
query_dir(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	char path[HS_FD_PATH_BYTES];
	off_t pos;
	int rc;

	rc = hs_fd_path_find(d, path, NULL);
	if (rc < 0)
		return rc;
	pos = lseek(d->fd, 0, SEEK_CUR);
	hs_wr_u64(&out->head, pos < 0 ? 0 : (uint64_t)pos);
	hs_fd_path_write(&out->head, path);
	return 0;
}

static int
restore_dir(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	char path[HS_FD_PATH_BYTES];
	uint64_t pos;
	int fd;

	pos = hs_rd_u64(&in->head);
	hs_rd_require(&in->head, pos <= LLONG_MAX);
	hs_fd_path_read(&in->head, path);
	if (hs_rd_end(&in->head) < 0)
		return HS_ECORRUPT;
	fd = hs_fd_path_open(d, path, O_DIRECTORY);
	if (fd >= 0 && pos != 0 && lseek(fd, (off_t)pos, SEEK_SET) < 0) {
		(void)close(fd);
		return hs_why(HS_EFD,
		    "fd %d: %s: its position is not one of this file system: "
		    "rewind directories before a checkpoint",
		    d->fd, path);
	}
	return fd;
}

const struct hs_fd_ops hs_fd_dir = {
	.abi = HS_FD_ABI,
	.name = "directory",
	.id = HS_FD_ID_DIR,
	.probe = probe_dir,
	.check = check_dir,
	.query = query_dir,
	.restore = restore_dir,
};
