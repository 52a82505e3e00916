/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A listening TCP socket.  Connections that were not accepted are gone with the
 * machine that had them.
 *
 * off len field		rule
 *   0  40 name			fd_inet.h; with a port
 *  40   4 backlog		of listen()
 *  44   - options		fd_sockopt.h
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_inet.h"
#include "state/fd_ops.h"
#include "state/fd_sockopt.h"

#define LISTEN 10		/* TCP_LISTEN, in the kernel's enum */
#define CLOSE 7

static int
probe_tcp(int fd, const struct stat *st)
{
	return S_ISSOCK(st->st_mode) && hs_fd_inet_is(fd, SOCK_STREAM);
}

/*
 * Of a listening socket, tcpi_unacked is how many wait to be accepted and
 * tcpi_sacked how many may: the backlog, cut to the machine's limit.
 */
static int
ask_state(int fd, uint32_t *backlog)
{
	struct tcp_info info = { .tcpi_state = CLOSE };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	*backlog = info.tcpi_sacked;
	return info.tcpi_state;
}

static int
check_tcp(struct hs_fd_reg *d)
{
	uint32_t backlog;
	int rc;

	if (d->how != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how is 0 for a TCP socket", d->fd);
	rc = hs_fd_inet_check(d->fd, IPPROTO_TCP);
	if (rc < 0)
		return rc;
	rc = ask_state(d->fd, &backlog);
	if (rc == LISTEN)
		return 0;
	if (rc == CLOSE)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): a TCP socket that does not listen: call "
		    "listen() first",
		    d->fd);
	return hs_why(HS_EFD,
	    "hsfdreg(%d): a TCP connection is not carried over: leave it "
	    "unregistered, and let the client connect again after a takeover",
	    d->fd);
}

static int
query_tcp(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	struct sockaddr_storage ss = { .ss_family = 0 };
	socklen_t len = sizeof(ss);
	uint32_t backlog = 0;

	if (ask_state(d->fd, &backlog) != LISTEN ||
	    getsockname(d->fd, (struct sockaddr *)&ss, &len) < 0)
		return hs_why(HS_EFD,
		    "fd %d (TCP) listens no longer: call hsfdunreg(%d) before "
		    "shutdown()",
		    d->fd, d->fd);
	hs_fd_inet_put(&out->head, &ss);
	hs_wr_u32(&out->head, backlog);
	hs_fd_sockopt_put(&out->head, d->fd);
	return 0;
}

static int
rebuild_tcp(const struct hs_fd_reg *d, struct hs_rd *r, int fd,
    const struct sockaddr_storage *ss, uint32_t backlog)
{
	char text[HS_FD_INET_TEXT_BYTES];
	int rc;

	rc = hs_fd_sockopt_get(r, fd, d->fd);
	if (rc == 0 && hs_rd_end(r) < 0)
		rc = HS_ECORRUPT;
	if (rc < 0)
		return rc;
	rc = hs_fd_inet_bind(fd, ss);
	if (rc == 0 && listen(fd, (int)backlog) < 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	hs_fd_inet_text(ss, text, sizeof(text));
	return hs_why(HS_EFD, "fd %d: cannot listen at TCP %s: %s%s", d->fd,
	    text, hs_err_text(rc),
	    rc == -EADDRINUSE
		? "; another process of this machine listens there, or, "
		  "without SO_REUSEADDR, had connections there"
		: "");
}

static int
restore_tcp(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct sockaddr_storage ss;
	uint32_t backlog;
	int fd, rc;

	hs_fd_inet_get(&in->head, &ss);
	backlog = hs_rd_u32(&in->head);
	hs_rd_require(&in->head,
	    ss.ss_family != 0 && backlog <= INT32_MAX && in->body_len == 0);
	if (in->head.err != 0)
		return HS_ECORRUPT;
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d (TCP): socket(): %s", d->fd,
		    hs_err_text(-errno));
	rc = rebuild_tcp(d, &in->head, fd, &ss, backlog);
	if (rc < 0) {
		(void)close(fd);
		return rc;
	}
	return fd;
}

const struct hs_fd_ops hs_fd_tcp = {
	.abi = HS_FD_ABI,
	.name = "TCP socket",
	.id = HS_FD_ID_TCP_LISTEN,
	.probe = probe_tcp,
	.check = check_tcp,
	.query = query_tcp,
	.restore = restore_tcp,
};
