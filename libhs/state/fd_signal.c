/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signalfd(2): its mask.  What is pending belongs to the process, not to the
 * descriptor.
 *
 * off len field		rule
 *   0   8 mask			bit n - 1: signal n; not SIGKILL, not SIGSTOP
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/why.h"
#include "state/fd_info.h"
#include "state/fd_ops.h"

#define INFO_BYTES 512
#define BIT_OF(signo) ((uint64_t)1 << ((signo) - 1))

static int
probe_signal(int fd, const struct stat *st)
{
	(void)st;
	return hs_fd_info_is(fd, "anon_inode:[signalfd]");
}

static int
read_mask(int fd, uint64_t *mask)
{
	char info[INFO_BYTES];
	const char *m = NULL;
	int rc = hs_fd_info_read(fd, info, sizeof(info));

	if (rc >= 0)
		m = hs_fd_info_find(info, "sigmask");
	if (m == NULL)
		return hs_why(HS_EFD,
		    "fd %d (signalfd): /proc/self/fdinfo does not "
		    "tell its mask: mount /proc",
		    fd);
	*mask = strtoull(m, NULL, 16);
	return 0;
}

static int
check_signal(struct hs_fd_reg *d)
{
	uint64_t mask;

	if (d->how != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how is 0 for a signalfd", d->fd);
	return read_mask(d->fd, &mask);
}

static int
query_signal(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	uint64_t mask = 0;
	int rc = read_mask(d->fd, &mask);

	if (rc < 0)
		return rc;
	hs_wr_u64(&out->head, mask);
	return 0;
}

/*
 * The mask is copied whole: sigaddset() refuses the signals that the C library
 * keeps for itself, and the kernel's mask may have them.
 */
static int
restore_signal(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	const uint64_t mask = hs_rd_u64(&in->head);
	sigset_t set;
	int fd;

	hs_rd_require(&in->head,
	    (mask & (BIT_OF(SIGKILL) | BIT_OF(SIGSTOP))) == 0);
	if (hs_rd_end(&in->head) < 0)
		return HS_ECORRUPT;
	sigemptyset(&set);
	memcpy(&set, &mask, sizeof(mask));
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d (signalfd): signalfd(): %s", d->fd,
		    hs_err_text(-errno));
	return fd;
}

const struct hs_fd_ops hs_fd_signal = {
	.abi = HS_FD_ABI,
	.name = "signalfd",
	.id = HS_FD_ID_SIGNALFD,
	.probe = probe_signal,
	.check = check_signal,
	.query = query_signal,
	.restore = restore_signal,
};
