/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * eventfd(2).
 *
 * off len field		rule
 *   0   8 count		not 2^64 - 1
 *   8   1 semaphore		0 or 1
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_info.h"
#include "state/fd_ops.h"

#define INFO_BYTES 512

static int
probe_event(int fd, const struct stat *st)
{
	(void)st;
	return hs_fd_info_is(fd, "anon_inode:[eventfd]");
}

static int
read_event(int fd, uint64_t *count, uint8_t *semaphore)
{
	char info[INFO_BYTES];
	const char *c, *s;
	int rc = hs_fd_info_read(fd, info, sizeof(info));

	if (rc < 0)
		return hs_why(HS_EFD, "fd %d (eventfd): /proc/self/fdinfo: %s",
		    fd, hs_err_text(rc));
	c = hs_fd_info_find(info, "eventfd-count");
	s = hs_fd_info_find(info, "eventfd-semaphore");
	if (c == NULL || s == NULL)
		return hs_why(HS_EFD,
		    "fd %d (eventfd): this kernel does not tell "
		    "whether it counts as a semaphore; use Linux 6.5 or later, "
		    "or a pipe",
		    fd);
	*count = strtoull(c, NULL, 16);
	*semaphore = *s == '1';
	return 0;
}

static int
check_event(struct hs_fd_reg *d)
{
	uint64_t count;
	uint8_t semaphore;

	if (d->how != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how is 0 for an eventfd", d->fd);
	return read_event(d->fd, &count, &semaphore);
}

static int
query_event(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	uint64_t count = 0;
	uint8_t semaphore = 0;
	int rc = read_event(d->fd, &count, &semaphore);

	if (rc < 0)
		return rc;
	hs_wr_u64(&out->head, count);
	hs_wr_u8(&out->head, semaphore);
	return 0;
}

static int
restore_event(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	const uint64_t count = hs_rd_u64(&in->head);
	const uint8_t semaphore = hs_rd_u8(&in->head);
	int fd;

	hs_rd_require(&in->head, count != UINT64_MAX && semaphore <= 1);
	if (hs_rd_end(&in->head) < 0)
		return HS_ECORRUPT;
	fd = eventfd(0, EFD_CLOEXEC | (semaphore != 0 ? EFD_SEMAPHORE : 0));
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d (eventfd): eventfd(): %s", d->fd,
		    hs_err_text(-errno));
	if (count != 0 && write(fd, &count, sizeof(count)) < 0) {
		const int err = errno;

		(void)close(fd);
		return hs_why(HS_EFD, "fd %d (eventfd): write(): %s", d->fd,
		    hs_err_text(-err));
	}
	return fd;
}

const struct hs_fd_ops hs_fd_event = {
	.abi = HS_FD_ABI,
	.name = "eventfd",
	.id = HS_FD_ID_EVENTFD,
	.probe = probe_event,
	.check = check_event,
	.query = query_event,
	.restore = restore_event,
};
