/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two UNIX sockets connected to each other, both ours, or one whose other end
 * is closed.
 *
 * off len field	rule
 *   0   1 type		SOCK_STREAM (1), SOCK_DGRAM (2), SOCK_SEQPACKET (5)
 *   1   1 shutdown	1 receive, 2 send
 *   2   1 peer's shutdown	0 if it is alone
 *   3   1 alone	0, 1: the other end is closed
 *   4   4 peer		number of the other end; its own if it is alone
 *   8  32 options	fd_unix.h
 *
 * The end with the higher number carries both queues (fd_unix_peek.h) in its
 * body: 4 bytes, the length of the one to be read at this end; then that; then
 * the one to be read at the other end.
 *
 * R1  The lower end makes the pair, and puts the other in place.
 * R2  The higher end's finish fills the queues, and only then shuts down.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_info.h"
#include "state/fd_table.h"
#include "state/fd_unix_peek.h"

static int
probe_pair(int fd, const struct stat *st)
{
	const int type = hs_fd_unix_type(fd, st);
	struct hs_fd_unix_name n;

	if (type == 0 || hs_fd_unix_listens(fd) ||
	    hs_fd_unix_name(fd, false, &n) < 0)
		return 0;
	/* Connected to a name is the other kind (fd_unix_dgram.c). */
	return type != SOCK_DGRAM || n.len <= sizeof(sa_family_t);
}

static int
check_pair(struct hs_fd_reg *d)
{
	struct hs_fd_unix_diag diag = { .peer_ino = 0 };
	int rc;

	rc = hs_fd_unix_check(d);
	if (rc == 0)
		rc = hs_fd_info_check(d->fd);
	if (rc == 0)
		rc = hs_fd_unix_ask(d, &diag);
	if (rc < 0)
		return rc;
	if (diag.peer_ino != 0 &&
	    hs_fd_info_next(d->st.st_dev, diag.peer_ino, -1) < 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): the other end of this connection is in "
		    "another process, which stays behind: close it and let the "
		    "peer connect again after HS_RESTORED",
		    d->fd);
	return 0;
}

/* ---- checkpoint ---- */

static int
take_queues(const struct hs_fd_reg *d, const struct hs_fd_reg *peer,
    uint8_t shut, uint8_t peer_shut, struct hs_fd_out *out)
{
	struct hs_wr len;
	int rc;

	rc = hs_fd_reserve(out, 4);
	if (rc < 0)
		return rc;
	hs_wr_zeros(&out->body, 4);
	rc = hs_fd_unix_peek(d->fd, shut, out);
	hs_wr_init(&len, out->body.buf, 4);
	hs_wr_u32(&len, (uint32_t)(out->body.len - 4));
	if (rc == 0 && peer != d)
		rc = hs_fd_unix_peek(peer->fd, peer_shut, out);
	return rc;
}

static int
query_pair(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	struct hs_fd_unix_diag diag, peer_diag = { .shutdown = 0 };
	const struct hs_fd_reg *peer = d;
	int rc;

	rc = hs_fd_unix_ask(d, &diag);
	if (rc < 0)
		return rc;
	if (diag.peer_ino != 0) {
		peer = hs_fd_table_find(d->st.st_dev, diag.peer_ino, -1);
		if (peer == NULL || peer->ops != d->ops)
			return hs_why(HS_EFD,
			    "fd %d: the other end of this socket pair is open "
			    "and not registered: call hsfdreg() on it too, or "
			    "hsfdunreg(%d)",
			    d->fd, d->fd);
		rc = hs_fd_unix_ask(peer, &peer_diag);
	}
	if (rc == 0 && d->fd >= peer->fd)
		rc = take_queues(d, peer, diag.shutdown, peer_diag.shutdown,
		    out);
	if (rc < 0)
		return rc;
	hs_wr_u8(&out->head, (uint8_t)hs_fd_unix_type(d->fd, &d->st));
	hs_wr_u8(&out->head, diag.shutdown);
	hs_wr_u8(&out->head, peer_diag.shutdown);
	hs_wr_u8(&out->head, peer == d);
	hs_wr_u32(&out->head, (uint32_t)peer->fd);
	hs_fd_unix_write_options(&out->head, d->fd);
	return 0;
}

/* ---- restore ---- */

struct record {
	uint8_t type;
	uint8_t shutdown;
	uint8_t peer_shutdown;
	bool alone;
	int peer;
	struct hs_rd options;
};

static int
read_record(const struct hs_fd_reg *d, struct hs_fd_in *in, struct record *r)
{
	struct hs_rd *h = &in->head;
	uint32_t peer;
	uint8_t alone;

	r->type = hs_rd_u8(h);
	r->shutdown = hs_rd_u8(h);
	r->peer_shutdown = hs_rd_u8(h);
	alone = hs_rd_u8(h);
	peer = hs_rd_u32(h);
	r->options = *h;
	(void)hs_rd_bytes(h, 32);
	hs_rd_require(h,
	    (r->type == SOCK_STREAM || r->type == SOCK_DGRAM ||
		r->type == SOCK_SEQPACKET) &&
		r->shutdown <= 3 && r->peer_shutdown <= 3 && alone <= 1 &&
		(alone == 1) == (peer == (uint32_t)d->fd) && peer <= INT32_MAX);
	r->alone = alone == 1;
	r->peer = (int)peer;
	return hs_rd_end(h) < 0 ? HS_ECORRUPT : 0;
}

static int
refuse_queue(const struct hs_fd_reg *d, int rc)
{
	if (rc == HS_ECORRUPT)
		return hs_why(rc, "fd %d: what was in flight is damaged",
		    d->fd);
	return hs_why(HS_EFD,
	    "fd %d: what was in flight does not fit here (%s): set "
	    "net.unix.max_dgram_qlen and net.core.wmem_max as on the other "
	    "node",
	    d->fd, hs_err_text(rc));
}

static int
fill_queue(int through, const uint8_t *bytes, size_t len)
{
	struct hs_fd_unix_name from;
	const int was = hs_fd_unix_raise(through, len);
	const uint8_t *chunk;
	struct hs_rd r;
	size_t n;
	int rc;

	hs_rd_init(&r, bytes, len);
	while ((rc = hs_fd_unix_peek_next(&r, &from, &chunk, &n)) == 1)
		if (send(through, chunk, n, MSG_DONTWAIT | MSG_NOSIGNAL) !=
		    (ssize_t)n) {
			rc = -errno;
			break;
		}
	hs_fd_unix_lower(through, was);
	return rc;
}

/* Of a body: the queue of its own end, then that of the other. */
static int
split_body(const struct hs_fd_in *in, size_t *own)
{
	struct hs_rd r;

	*own = 0;
	hs_rd_init(&r, in->body, in->body_len);
	*own = hs_rd_u32(&r);
	hs_rd_require(&r, *own <= r.left);
	return r.err != 0 ? HS_ECORRUPT : 0;
}

static int
shut(int fd, uint8_t bits)
{
	static const int how[] = { -1, SHUT_RD, SHUT_WR, SHUT_RDWR };

	return bits != 0 && shutdown(fd, how[bits]) < 0 && errno != ENOTCONN
	    ? -errno
	    : 0;
}

/* The other end lives until the queue is filled, and closes as it did there. */
static int
restore_alone(const struct hs_fd_reg *d, const struct hs_fd_in *in,
    const int end[2])
{
	size_t own;
	int rc;

	rc = split_body(in, &own);
	if (rc == 0 && own != in->body_len - 4)
		rc = HS_ECORRUPT;
	if (rc == 0)
		rc = fill_queue(end[1], in->body + 4, own);
	if (rc < 0)
		rc = refuse_queue(d, rc);
	(void)close(end[1]);
	return rc;
}

static int
restore_pair(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct record r;
	int end[2], rc;

	rc = read_record(d, in, &r);
	if (rc < 0)
		return rc;
	if (!r.alone && r.peer < d->fd)
		return HS_ECORRUPT;	/* R1: it would be in place */
	if (socketpair(AF_UNIX, r.type | SOCK_CLOEXEC, 0, end) < 0)
		return hs_why(HS_EFD, "fd %d: socketpair: %s", d->fd,
		    hs_err_text(-errno));
	if (r.alone)
		rc = restore_alone(d, in, end);
	else
		rc = hs_fd_restore_place(r.peer, end[1], d->ops);
	if (rc < 0)
		(void)close(end[0]);
	return rc < 0 ? rc : end[0];
}

/* R2 */
static int
refill(const struct hs_fd_reg *d, const struct hs_fd_in *in,
    const struct record *r)
{
	const uint8_t *bytes = in->body + 4;
	size_t own;
	int rc;

	rc = split_body(in, &own);
	if (rc == 0)
		rc = fill_queue(r->peer, bytes, own);
	if (rc == 0)
		rc = fill_queue(d->fd, bytes + own, in->body_len - 4 - own);
	if (rc == 0)
		rc = shut(r->peer, r->peer_shutdown);
	return rc;
}

static int
finish_pair(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct record r;
	int rc;

	rc = read_record(d, in, &r);
	if (rc == 0)
		rc = hs_fd_unix_read_options(&r.options, d->fd, d->fd);
	if (rc < 0 || r.peer > d->fd)
		return rc;
	if (!r.alone)
		rc = refill(d, in, &r);
	if (rc == 0)
		rc = shut(d->fd, r.shutdown);
	return rc < 0 ? refuse_queue(d, rc) : 0;
}

static void
forget_pair(struct hs_fd_reg *d)
{
	(void)d;
	hs_fd_unix_hangup();
}

const struct hs_fd_ops hs_fd_unix_pair = {
	.abi = HS_FD_ABI,
	.name = "UNIX socket pair",
	.id = HS_FD_ID_UNIX_PAIR,
	.probe = probe_pair,
	.check = check_pair,
	.query = query_pair,
	.restore = restore_pair,
	.finish = finish_pair,
	.forget = forget_pair,
};
