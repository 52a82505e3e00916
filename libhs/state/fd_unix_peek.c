/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_unix_peek.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/why.h"

/* Most messages fit; one that does not is asked for again. */
#define ROOM_BYTES ((size_t)64 << 10)
#define PREFIX_BYTES (4 + 2 + sizeof(struct sockaddr_un))

struct look {
	int fd;
	size_t off;		/* of the next message */
	struct hs_fd_unix_name from;
};

static int
set_offset(int fd, int off)
{
	return setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) < 0
	    ? -errno
	    : 0;
}

/*
 * One message to buf: its length, which may be above size; negative.  Its
 * descriptors have no room and are not installed: MSG_CTRUNC tells of them.
 */
static ssize_t
look_once(struct look *l, uint8_t *buf, size_t size)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	socklen_t len = sizeof(int);
	int creds = 0;
	ssize_t n;

	memset(&l->from, 0, sizeof(l->from));
	m.msg_name = &l->from.a;
	m.msg_namelen = sizeof(l->from.a);
	(void)getsockopt(l->fd, SOL_SOCKET, SO_PASSCRED, &creds, &len);
	if (creds != 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	n = recvmsg(l->fd, &m, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return -errno;
	if ((m.msg_flags & MSG_CTRUNC) != 0)
		return hs_why(HS_EFD,
		    "fd %d: descriptors are in flight to this socket "
		    "(SCM_RIGHTS), and cannot be carried over: receive them "
		    "before the checkpoint",
		    l->fd);
	l->from.len = m.msg_namelen < sizeof(sa_family_t) ? sizeof(sa_family_t)
							  : m.msg_namelen;
	return n;
}

static void
write_chunk(struct hs_wr *w, const struct look *l, const uint8_t *bytes,
    size_t len)
{
	hs_wr_u32(w, (uint32_t)len);
	hs_fd_unix_write_name(w, &l->from);
	if (w->buf + w->len != bytes)
		memmove(w->buf + w->len, bytes, len);
	w->len += len;
}

/* The next message, into the body: 1; 0: there is none. */
static int
look_next(struct look *l, struct hs_fd_out *out, uint8_t shutdown)
{
	size_t room = ROOM_BYTES;
	uint8_t *at;
	ssize_t n;
	int rc;

	for (;;) {
		rc = hs_fd_reserve(out, PREFIX_BYTES + room);
		if (rc < 0)
			return rc;
		at = out->body.buf + out->body.len + PREFIX_BYTES;
		n = look_once(l, at, room);
		if (n == -EAGAIN || (n == 0 && (shutdown & 1) != 0))
			return 0;
		if (n < 0)
			return (int)n;
		if ((size_t)n <= room)
			break;
		room = (size_t)n;
		rc = set_offset(l->fd, (int)l->off);
		if (rc < 0)
			return rc;
	}
	l->off += (size_t)n;
	write_chunk(&out->body, l, at, (size_t)n);
	return 1;
}

int
hs_fd_unix_peek(int fd, uint8_t shutdown, struct hs_fd_out *out)
{
	struct look l = { .fd = fd };
	socklen_t len = sizeof(int);
	int was = -1, rc;

	if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &was, &len) < 0)
		rc = -errno;
	else
		rc = set_offset(fd, 0);
	if (rc == 0) {
		do {
			rc = look_next(&l, out, shutdown);
		} while (rc == 1);
		(void)set_offset(fd, was);
	}
	if (rc < 0 && rc != HS_EFD)
		return hs_why(HS_EFD, "fd %d: what is in flight: %s", fd,
		    hs_err_text(rc));
	return rc;
}

int
hs_fd_unix_peek_next(struct hs_rd *r, struct hs_fd_unix_name *from,
    const uint8_t **bytes, size_t *len)
{
	if (r->err == 0 && r->left == 0)
		return 0;
	*len = hs_rd_u32(r);
	hs_fd_unix_read_name(r, from);
	*bytes = *len == 0 ? (const uint8_t *)"" : hs_rd_bytes(r, *len);
	return r->err == 0 ? 1 : HS_ECORRUPT;
}
