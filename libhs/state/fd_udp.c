/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A UDP socket, with the datagrams that were not read.
 *
 * off len field		rule
 *   0   2 family		AF_INET, AF_INET6
 *   2  40 name			fd_inet.h; family 0: not bound
 *  42  40 peer			family 0: not connected
 *  82   - options		fd_sockopt.h
 *   -   - groups		fd_mcast.h
 *   -   4 n			at most 65536
 *
 * body, n times:
 *
 *   0  40 source
 *  40  40 destination		family 0: the program did not ask for it
 *  80   4 len			at most 65535
 *  84   - bytes
 *
 * UDP may lose datagrams, and so may a takeover: those beyond 16 MiB; empty
 * ones that an earlier checkpoint has looked at, which the kernel shows but
 * once; and all, where the spare may not open a raw socket.
 */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_feed.h"
#include "state/fd_inet.h"
#include "state/fd_mcast.h"
#include "state/fd_ops.h"
#include "state/fd_sockopt.h"

#define DATAGRAM_BYTES (2 * HS_FD_INET_NAME_BYTES + 4)
#define MOST_DATA 65535
#define MOST_DATAGRAMS 65536
#define MOST_BODY ((size_t)16 << 20)

#ifndef UDP_GRO
#define UDP_GRO 104		/* linux/udp.h */
#endif

static int
probe_udp(int fd, const struct stat *st)
{
	return S_ISSOCK(st->st_mode) && hs_fd_inet_is(fd, SOCK_DGRAM);
}

static int
check_udp(struct hs_fd_reg *d)
{
	int rc;

	if ((d->how & ~(unsigned)HS_FD_EMPTY) != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how is 0 or HS_FD_EMPTY for a UDP socket",
		    d->fd);
	rc = hs_fd_inet_check(d->fd, IPPROTO_UDP);
	if (rc < 0)
		return rc;
	if (hs_fd_inet_int(d->fd, IPPROTO_UDP, UDP_GRO) > 0 ||
	    hs_fd_inet_int(d->fd, IPPROTO_UDP, UDP_ENCAP) > 0 ||
	    hs_fd_inet_int(d->fd, IPPROTO_UDP, UDP_CORK) > 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): a UDP socket with UDP_GRO, UDP_ENCAP or "
		    "UDP_CORK is not carried over: turn the option off",
		    d->fd);
	if ((d->how & HS_FD_EMPTY) == 0 && hs_fd_feed_may() < 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): unread datagrams come back through a raw "
		    "socket: give the service CAP_NET_RAW, or register with "
		    "HS_FD_EMPTY and lose what was not read",
		    d->fd);
	return 0;
}

/* ---- query ---- */

/* Where the datagram was sent to, if the program had the kernel tell. */
static void
find_destination(struct msghdr *m, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
	struct in6_pktinfo info6;
	struct in_pktinfo info4;

	memset(to, 0, sizeof(*to));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	     c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info4, CMSG_DATA(c), sizeof(info4));
			to->ss_family = AF_INET;
			v4->sin_addr = info4.ipi_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(c), sizeof(info6));
			to->ss_family = AF_INET6;
			v6->sin6_addr = info6.ipi6_addr;
		}
	}
}

/* The next one, from the peek offset on: 1; 0: there is none. */
static int
peek_datagram(int fd, struct hs_fd_out *out)
{
	struct sockaddr_storage from = { .ss_family = 0 }, to;
	_Alignas(struct cmsghdr) uint8_t control[1024];
	struct iovec iov = { .iov_len = MOST_DATA };
	struct msghdr m = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct hs_wr *w = &out->body;
	ssize_t len;
	int rc;

	rc = hs_fd_reserve(out, DATAGRAM_BYTES + MOST_DATA);
	if (rc < 0)
		return rc;
	iov.iov_base = w->buf + w->len + DATAGRAM_BYTES;
	len = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);
	if (len < 0)
		return 0;
	find_destination(&m, &to);
	hs_fd_inet_put(w, &from);
	hs_fd_inet_put(w, &to);
	hs_wr_u32(w, (uint32_t)len);
	w->len += (size_t)len;
	return 1;
}

/* Their number. */
static int
peek_all(int fd, struct hs_fd_out *out)
{
	const int before = hs_fd_inet_int(fd, SOL_SOCKET, SO_PEEK_OFF);
	const int begin = 0;
	int n = 0, rc = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &begin, sizeof(begin)) < 0)
		return hs_why(HS_EFD, "fd %d (UDP): SO_PEEK_OFF: %s", fd,
		    hs_err_text(-errno));
	while (rc > 0 && n < MOST_DATAGRAMS && out->body.len < MOST_BODY) {
		rc = peek_datagram(fd, out);
		n += rc > 0;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before));
	return rc < 0 ? rc : n;
}

static void
put_names(int fd, struct hs_wr *w)
{
	struct sockaddr_storage name = { .ss_family = 0 };
	struct sockaddr_storage peer = { .ss_family = 0 };
	struct sockaddr_storage *const ss[] = { &name, &peer };
	socklen_t len = sizeof(name);

	hs_wr_u16(w, (uint16_t)hs_fd_inet_int(fd, SOL_SOCKET, SO_DOMAIN));
	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0 ||
	    hs_fd_inet_port(&name) == 0)
		memset(&name, 0, sizeof(name));
	len = sizeof(peer);
	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		memset(&peer, 0, sizeof(peer));
	for (int i = 0; i < 2; i++)
		hs_fd_inet_put(w, ss[i]);
}

static int
query_udp(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	int rc, n = 0;

	put_names(d->fd, &out->head);
	hs_fd_sockopt_put(&out->head, d->fd);
	rc = hs_fd_mcast_put(&out->head, d->fd);
	if (rc == 0 && (d->how & HS_FD_EMPTY) == 0)
		n = peek_all(d->fd, out);
	if (rc < 0 || n < 0)
		return rc < 0 ? rc : n;
	hs_wr_u32(&out->head, (uint32_t)n);
	return 0;
}

/* ---- restore ---- */

struct udp {
	uint16_t family;
	struct sockaddr_storage name;
	struct sockaddr_storage peer;
};

static bool
is_source(const struct udp *u, const struct sockaddr_storage *ss)
{
	return ss->ss_family == u->family;
}

static int
decode_datagram(const struct udp *u, struct hs_rd *r, struct hs_fd_datagram *g)
{
	hs_fd_inet_get(r, &g->from);
	hs_fd_inet_get(r, &g->to);
	g->len = hs_rd_u32(r);
	hs_rd_require(r,
	    is_source(u, &g->from) && g->len <= MOST_DATA &&
		(g->to.ss_family == 0 || is_source(u, &g->to)));
	g->data = g->len == 0 ? r->p : hs_rd_bytes(r, g->len);
	return r->err != 0 ? HS_ECORRUPT : 0;
}

/* All of the body is good before any of it is used. */
static int
check_body(const struct udp *u, const struct hs_fd_in *in, uint32_t n)
{
	struct hs_fd_datagram g;
	struct hs_rd r;
	int rc = n <= MOST_DATAGRAMS ? 0 : HS_ECORRUPT;

	hs_rd_init(&r, in->body, in->body_len);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = decode_datagram(u, &r, &g);
	if (rc == 0 && hs_rd_end(&r) < 0)
		rc = HS_ECORRUPT;
	return rc;
}

/* A takeover is not given up for datagrams, which UDP may lose. */
static void
feed(const struct hs_fd_reg *d, const struct udp *u, int fd,
    const struct hs_fd_in *in, uint32_t n)
{
	struct hs_fd_datagram g;
	struct hs_fd_feed f;
	struct hs_rd r;
	uint32_t lost = 0;
	int rc;

	if (n == 0)
		return;
	hs_rd_init(&r, in->body, in->body_len);
	rc = hs_fd_feed_begin(&f, fd, n, in->body_len);
	if (rc < 0) {
		(void)hs_why(0, "fd %d (UDP): %u unread datagrams are lost: %s",
		    d->fd, n, hs_err_text(rc));
		return;
	}
	for (uint32_t i = 0; i < n && decode_datagram(u, &r, &g) == 0; i++) {
		rc = hs_fd_feed_put(&f, &g);
		lost += rc < 0;
		/* No packet arrives here at all: do not wait for each. */
		if (rc < 0 && lost > i)
			break;
	}
	hs_fd_feed_end(&f);
	if (lost > 0)
		(void)hs_why(0,
		    "fd %d (UDP): unread datagrams are lost, %u of %u: %s: "
		    "they come through the loopback interface",
		    d->fd, lost, n, hs_err_text(rc));
}

static int
name_again(const struct hs_fd_reg *d, const struct udp *u, int fd)
{
	char text[HS_FD_INET_TEXT_BYTES];
	int rc = 0;

	if (u->name.ss_family != 0)
		rc = hs_fd_inet_bind(fd, &u->name);
	if (rc < 0) {
		hs_fd_inet_text(&u->name, text, sizeof(text));
		return hs_why(HS_EFD, "fd %d: cannot bind UDP %s: %s%s", d->fd,
		    text, hs_err_text(rc),
		    rc == -EADDRINUSE
			? "; another process of this machine has it"
			: "");
	}
	if (u->peer.ss_family != 0)
		rc = hs_fd_inet_connect(fd, &u->peer);
	if (rc < 0) {
		hs_fd_inet_text(&u->peer, text, sizeof(text));
		return hs_why(HS_EFD, "fd %d: cannot connect UDP to %s: %s",
		    d->fd, text, hs_err_text(rc));
	}
	return 0;
}

/*
 * Unread datagrams before the options, which may keep what comes through the
 * loopback away; options before the name, which some do not go with.
 */
static int
rebuild_udp(const struct hs_fd_reg *d, const struct udp *u, int fd,
    struct hs_fd_in *in)
{
	struct hs_rd tail;
	uint32_t n;
	int rc;

	/* n stands at the end. */
	if (in->head.left < 4)
		return HS_ECORRUPT;
	hs_rd_init(&tail, in->head.p + in->head.left - 4, 4);
	n = hs_rd_u32(&tail);
	rc = check_body(u, in, n);
	if (rc < 0)
		return rc;
	feed(d, u, fd, in, n);
	rc = hs_fd_sockopt_get(&in->head, fd, d->fd);
	if (rc == 0)
		rc = name_again(d, u, fd);
	if (rc == 0)
		rc = hs_fd_mcast_get(&in->head, fd, d->fd);
	(void)hs_rd_u32(&in->head);
	if (rc == 0 && hs_rd_end(&in->head) < 0)
		rc = HS_ECORRUPT;
	return rc;
}

static int
restore_udp(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct udp u = { .family = hs_rd_u16(&in->head) };
	int fd, rc;

	hs_fd_inet_get(&in->head, &u.name);
	hs_fd_inet_get(&in->head, &u.peer);
	hs_rd_require(&in->head, u.family == AF_INET || u.family == AF_INET6);
	hs_rd_require(&in->head,
	    u.name.ss_family == 0 || u.name.ss_family == u.family);
	hs_rd_require(&in->head,
	    u.peer.ss_family == 0 || u.peer.ss_family == u.family);
	if (in->head.err != 0)
		return HS_ECORRUPT;
	fd = socket(u.family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d (UDP): socket(): %s", d->fd,
		    hs_err_text(-errno));
	rc = rebuild_udp(d, &u, fd, in);
	if (rc < 0) {
		(void)close(fd);
		return rc;
	}
	return fd;
}

const struct hs_fd_ops hs_fd_udp = {
	.abi = HS_FD_ABI,
	.name = "UDP socket",
	.id = HS_FD_ID_UDP,
	.probe = probe_udp,
	.check = check_udp,
	.query = query_udp,
	.restore = restore_udp,
};
