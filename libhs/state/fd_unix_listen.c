/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A UNIX socket that listens.  Connections that were not accepted yet are lost
 * with their other ends.
 *
 * off len field	rule
 *   0   1 type		SOCK_STREAM (1) or SOCK_SEQPACKET (5)
 *   1   3 reserved	0
 *   4   4 backlog
 *   8  32 options	fd_unix.h
 *  40   - name		fd_unix_bind.h
 */
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_unix_bind.h"

static int
probe_listen(int fd, const struct stat *st)
{
	return hs_fd_unix_type(fd, st) != 0 && hs_fd_unix_listens(fd);
}

static int
check_listen(struct hs_fd_reg *d)
{
	struct hs_fd_unix_bound b;
	int rc;

	rc = hs_fd_unix_check(d);
	return rc < 0 ? rc : hs_fd_unix_bind_ask(d, &b);
}

static int
query_listen(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	struct hs_fd_unix_diag diag;
	struct hs_fd_unix_bound b;
	int rc;

	rc = hs_fd_unix_ask(d, &diag);
	if (rc == 0)
		rc = hs_fd_unix_bind_ask(d, &b);
	if (rc < 0)
		return rc;
	hs_wr_u8(&out->head, (uint8_t)hs_fd_unix_type(d->fd, &d->st));
	hs_wr_zeros(&out->head, 3);
	hs_wr_u32(&out->head, diag.backlog);
	hs_fd_unix_write_options(&out->head, d->fd);
	hs_fd_unix_bind_write(&out->head, &b);
	return 0;
}

static int
restore_listen(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	const uint8_t type = hs_rd_u8(&in->head);
	struct hs_fd_unix_bound b;
	uint32_t backlog;
	int fd, rc;

	hs_rd_zeros(&in->head, 3);
	backlog = hs_rd_u32(&in->head);
	hs_rd_require(&in->head,
	    (type == SOCK_STREAM || type == SOCK_SEQPACKET) &&
		backlog <= INT_MAX);
	if (in->head.err != 0)
		return HS_ECORRUPT;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d: socket: %s", d->fd,
		    hs_err_text(-errno));
	rc = hs_fd_unix_read_options(&in->head, fd, d->fd);
	hs_fd_unix_bind_read(&in->head, &b);
	if (rc == 0 && hs_rd_end(&in->head) < 0)
		rc = HS_ECORRUPT;
	if (rc == 0)
		rc = hs_fd_unix_bind_again(fd, type, d->fd, &b);
	if (rc == 0 && listen(fd, (int)backlog) < 0)
		rc = hs_why(HS_EFD, "fd %d: listen: %s", d->fd,
		    hs_err_text(-errno));
	if (rc < 0)
		(void)close(fd);
	return rc < 0 ? rc : fd;
}

static void
forget_listen(struct hs_fd_reg *d)
{
	(void)d;
	hs_fd_unix_hangup();
}

const struct hs_fd_ops hs_fd_unix_listen = {
	.abi = HS_FD_ABI,
	.name = "listening UNIX socket",
	.id = HS_FD_ID_UNIX_LISTEN,
	.probe = probe_listen,
	.check = check_listen,
	.query = query_listen,
	.restore = restore_listen,
	.forget = forget_listen,
};
