/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A UNIX datagram socket that has a name, or is connected to one.
 *
 * off len field	rule
 *   0   1 shutdown	1 receive, 2 send
 *   1   3 reserved	0
 *   4  32 options	fd_unix.h
 *  36   - name		fd_unix_bind.h
 *   -   - peer		fd_unix.h; none: not connected
 *
 * The body is what was not read yet (fd_unix_peek.h).  A datagram gets its
 * sender's name again if that is a registered socket's, or is free here.  A
 * peer that is not there is as one that died: the socket is not connected.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_table.h"
#include "state/fd_unix_bind.h"
#include "state/fd_unix_peek.h"

#define MOST_QUEUE ((size_t)1 << 20)	/* in flight through one sender */

static int
probe_dgram(int fd, const struct stat *st)
{
	return hs_fd_unix_type(fd, st) == SOCK_DGRAM;
}

static int
check_dgram(struct hs_fd_reg *d)
{
	struct hs_fd_unix_bound b;
	int rc;

	rc = hs_fd_unix_check(d);
	return rc < 0 ? rc : hs_fd_unix_bind_ask(d, &b);
}

static int
query_dgram(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	struct hs_fd_unix_name peer;
	struct hs_fd_unix_diag diag;
	struct hs_fd_unix_bound b;
	int rc;

	rc = hs_fd_unix_ask(d, &diag);
	if (rc == 0)
		rc = hs_fd_unix_bind_ask(d, &b);
	if (rc == 0)
		rc = hs_fd_unix_peek(d->fd, diag.shutdown, out);
	if (rc < 0)
		return rc;
	if (hs_fd_unix_name(d->fd, false, &peer) < 0)
		peer.len = sizeof(sa_family_t);
	hs_wr_u8(&out->head, diag.shutdown);
	hs_wr_zeros(&out->head, 3);
	hs_fd_unix_write_options(&out->head, d->fd);
	hs_fd_unix_bind_write(&out->head, &b);
	hs_fd_unix_write_name(&out->head, &peer);
	return 0;
}

/* ---- restore ---- */

struct record {
	uint8_t shutdown;
	struct hs_rd options;
	struct hs_fd_unix_bound bound;
	struct hs_fd_unix_name peer;
};

static int
read_record(struct hs_fd_in *in, struct record *r)
{
	struct hs_rd *h = &in->head;

	r->shutdown = hs_rd_u8(h);
	hs_rd_zeros(h, 3);
	r->options = *h;
	(void)hs_rd_bytes(h, 32);
	hs_fd_unix_bind_read(h, &r->bound);
	hs_fd_unix_read_name(h, &r->peer);
	hs_rd_require(h, r->shutdown <= 3);
	return hs_rd_end(h) < 0 ? HS_ECORRUPT : 0;
}

static int
restore_dgram(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct record r;
	int fd, rc;

	rc = read_record(in, &r);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d: socket: %s", d->fd,
		    hs_err_text(-errno));
	rc = hs_fd_unix_read_options(&r.options, fd, d->fd);
	if (rc == 0)
		rc = hs_fd_unix_bind_again(fd, SOCK_DGRAM, d->fd, &r.bound);
	if (rc < 0)
		(void)close(fd);
	return rc < 0 ? rc : fd;
}

/* A registered socket of that name; -1. */
static int
find_sender(const struct hs_fd_reg *d, const struct hs_fd_unix_name *from)
{
	struct hs_fd_unix_name n;

	for (const struct hs_fd_reg *o = hs_fd_table_next(-1); o != NULL;
	     o = hs_fd_table_next(o->fd))
		if (o->ops == d->ops && hs_fd_unix_name(o->fd, true, &n) == 0 &&
		    n.len == from->len && memcmp(&n.a, &from->a, n.len) == 0)
			return o->fd;
	return -1;
}

static int
send_datagram(int through, const struct hs_fd_unix_name *to,
    const uint8_t *bytes, size_t len)
{
	const int was = hs_fd_unix_raise(through, MOST_QUEUE);
	int rc = 0;

	if (sendto(through, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&to->a, to->len) != (ssize_t)len)
		rc = -errno;
	hs_fd_unix_lower(through, was);
	return rc;
}

/* From a socket that bears the name for that long, or none. */
static int
send_as_stranger(const struct hs_fd_unix_name *from,
    const struct hs_fd_unix_name *to, const uint8_t *bytes, size_t len)
{
	char path[sizeof(from->a.sun_path) + 1] = "";
	bool bound = false;
	int fd, rc;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (from->len > sizeof(sa_family_t))
		bound =
		    bind(fd, (const struct sockaddr *)&from->a, from->len) == 0;
	rc = send_datagram(fd, to, bytes, len);
	(void)close(fd);
	if (bound && hs_fd_unix_is_path(from)) {
		memcpy(path, from->a.sun_path, sizeof(from->a.sun_path));
		(void)unlink(path);
	}
	return rc;
}

static int
fill_queue(const struct hs_fd_reg *d, const struct hs_fd_in *in,
    const struct hs_fd_unix_name *to)
{
	struct hs_fd_unix_name from;
	const uint8_t *bytes;
	struct hs_rd r;
	size_t len;
	int rc, fd;

	hs_rd_init(&r, in->body, in->body_len);
	while ((rc = hs_fd_unix_peek_next(&r, &from, &bytes, &len)) == 1) {
		fd = find_sender(d, &from);
		rc = fd >= 0 ? send_datagram(fd, to, bytes, len) : -ENOENT;
		if (rc < 0)
			rc = send_as_stranger(&from, to, bytes, len);
		if (rc < 0)
			return hs_why(HS_EFD,
			    "fd %d: a datagram that was not read yet does not "
			    "fit here (%s): set net.unix.max_dgram_qlen and "
			    "net.core.wmem_max as on the other node",
			    d->fd, hs_err_text(rc));
	}
	return rc;
}

/* All names are there; a socket that is connected hears only its peer. */
static int
finish_dgram(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	static const int how[] = { -1, SHUT_RD, SHUT_WR, SHUT_RDWR };
	struct record r;
	int rc;

	rc = read_record(in, &r);
	if (rc == 0)
		rc = fill_queue(d, in, &r.bound.name);
	if (rc < 0)
		return rc;
	if (r.peer.len > sizeof(sa_family_t))
		(void)connect(d->fd, (const struct sockaddr *)&r.peer.a,
		    r.peer.len);
	if (r.shutdown != 0)
		(void)shutdown(d->fd, how[r.shutdown]);
	return 0;
}

static void
forget_dgram(struct hs_fd_reg *d)
{
	(void)d;
	hs_fd_unix_hangup();
}

const struct hs_fd_ops hs_fd_unix_dgram = {
	.abi = HS_FD_ABI,
	.name = "UNIX datagram socket",
	.id = HS_FD_ID_UNIX_DGRAM,
	.probe = probe_dgram,
	.check = check_dgram,
	.query = query_dgram,
	.restore = restore_dgram,
	.finish = finish_dgram,
	.forget = forget_dgram,
};
