/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_unix.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fdhigh.h"
#include "base/why.h"
#include "state/fd_sockopt.h"

#define US_PER_S 1000000
#define NO_PEEK_OFF 0xffffffffu
/* Of a message's memory, to each byte that its chunk has; and never more. */
#define MEMORY_PER_BYTE 128
#define MOST_SNDBUF ((size_t)64 << 20)
#define NAME_BYTES sizeof(((struct sockaddr_un *)NULL)->sun_path)

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76		/* asm-generic/socket.h, from Linux 6.5 on */
#endif

/* Kept open: it is asked at each checkpoint.  -1: not open. */
static int diag_fd = -1;

static int
ask_int(int fd, int option)
{
	socklen_t len = sizeof(int);
	int v = 0;

	return getsockopt(fd, SOL_SOCKET, option, &v, &len) == 0 ? v : 0;
}

int
hs_fd_unix_type(int fd, const struct stat *st)
{
	if (!S_ISSOCK(st->st_mode) || ask_int(fd, SO_DOMAIN) != AF_UNIX)
		return 0;
	return ask_int(fd, SO_TYPE);
}

bool
hs_fd_unix_listens(int fd)
{
	return ask_int(fd, SO_ACCEPTCONN) != 0;
}

int
hs_fd_unix_check(const struct hs_fd_reg *d)
{
	struct hs_fd_unix_diag diag;
	int rc;

	if (d->how != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how must be 0 for a UNIX socket", d->fd);
	if (ask_int(d->fd, SO_PASSSEC) != 0 ||
	    ask_int(d->fd, SO_PASSPIDFD) != 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): SO_PASSSEC and SO_PASSPIDFD tell of "
		    "processes that stay behind: take them off",
		    d->fd);
	rc = hs_fd_sockopt_check(d->fd);
	return rc < 0 ? rc : hs_fd_unix_ask(d, &diag);
}

/* ---- unix_diag ---- */

static void
read_attribute(unsigned type, const uint8_t *data, struct hs_fd_unix_diag *out)
{
	struct unix_diag_rqlen q;
	struct unix_diag_vfs v;

	switch (type) {
	case UNIX_DIAG_PEER:
		memcpy(&out->peer_ino, data, 4);
		break;
	case UNIX_DIAG_VFS:
		memcpy(&v, data, sizeof(v));
		out->file_ino = v.udiag_vfs_ino;
		break;
	case UNIX_DIAG_RQLEN:
		memcpy(&q, data, sizeof(q));
		out->backlog = q.udiag_wqueue;
		break;
	case UNIX_DIAG_SHUTDOWN:
		memcpy(&out->shutdown, data, 1);
		break;
	default:
		break;
	}
}

static void
read_attributes(const uint8_t *p, size_t left, struct hs_fd_unix_diag *out)
{
	struct rtattr a;
	size_t step;

	while (left >= sizeof(a)) {
		memcpy(&a, p, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > left)
			return;
		read_attribute(a.rta_type, p + RTA_LENGTH(0), out);
		step = RTA_ALIGN(a.rta_len);
		if (step >= left)
			return;
		p += step;
		left -= step;
	}
}

static int
send_question(uint32_t ino)
{
	const struct {
		struct nlmsghdr h;
		struct unix_diag_req r;
	} q = {
		.h = { .nlmsg_len = sizeof(q),
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST },
		.r = { .sdiag_family = AF_UNIX,
		    .udiag_states = ~0u,
		    .udiag_ino = ino,
		    .udiag_show =
			UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_VFS,
		    .udiag_cookie = { ~0u, ~0u } },
	};

	if (diag_fd < 0)
		diag_fd = hs_fdhigh_move(socket(AF_NETLINK,
		    SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
	if (diag_fd < 0)
		return -errno;
	return send(diag_fd, &q, sizeof(q), 0) < 0 ? -errno : 0;
}

static int
read_answer(struct hs_fd_unix_diag *out)
{
	union {
		struct nlmsghdr h;
		uint8_t bytes[2048];
	} a;
	const struct unix_diag_msg *m;
	struct nlmsgerr e;
	ssize_t n;

	/* The kernel answered in send(): there is nothing to wait for. */
	n = recv(diag_fd, &a, sizeof(a), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(&a.h, (size_t)n))
		return -EPROTO;
	if (a.h.nlmsg_type == NLMSG_ERROR) {
		memcpy(&e, NLMSG_DATA(&a.h), sizeof(e));
		return e.error;
	}
	m = NLMSG_DATA(&a.h);
	read_attributes((const uint8_t *)(m + 1),
	    NLMSG_PAYLOAD(&a.h, sizeof(*m)), out);
	return 0;
}

int
hs_fd_unix_ask(const struct hs_fd_reg *d, struct hs_fd_unix_diag *out)
{
	int rc;

	*out = (struct hs_fd_unix_diag){ .peer_ino = 0 };
	rc = send_question((uint32_t)d->st.st_ino);
	if (rc == 0)
		rc = read_answer(out);
	if (rc == 0)
		return 0;
	hs_fd_unix_hangup();
	return hs_why(HS_EFD,
	    "fd %d: the kernel does not tell of UNIX sockets (unix_diag: %s): "
	    "modprobe unix_diag",
	    d->fd, hs_err_text(rc));
}

void
hs_fd_unix_hangup(void)
{
	if (diag_fd >= 0)
		(void)close(diag_fd);
	diag_fd = -1;
}

/* ---- options ---- */

static uint64_t
ask_time(int fd, int option)
{
	struct timeval tv = { .tv_sec = 0 };
	socklen_t len = sizeof(tv);

	if (getsockopt(fd, SOL_SOCKET, option, &tv, &len) < 0)
		return 0;
	return (uint64_t)tv.tv_sec * US_PER_S + (uint64_t)tv.tv_usec;
}

void
hs_fd_unix_write_options(struct hs_wr *w, int fd)
{
	socklen_t len = sizeof(int);
	int off = -1;

	(void)getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, &len);
	hs_wr_u32(w, ask_int(fd, SO_PASSCRED) != 0);
	hs_wr_u32(w, (uint32_t)ask_int(fd, SO_SNDBUF));
	hs_wr_u32(w, (uint32_t)ask_int(fd, SO_RCVBUF));
	hs_wr_u32(w, (uint32_t)off);
	hs_wr_u64(w, ask_time(fd, SO_RCVTIMEO));
	hs_wr_u64(w, ask_time(fd, SO_SNDTIMEO));
}

static int
set_int(int fd, int option, int v)
{
	return setsockopt(fd, SOL_SOCKET, option, &v, sizeof(v)) < 0 ? -errno
								     : 0;
}

/* The kernel tells twice what it was given. */
static int
set_buffer(int fd, int option, int force, uint32_t v)
{
	if ((uint32_t)ask_int(fd, option) == v)
		return 0;
	if (set_int(fd, force, (int)(v / 2)) == 0)
		return 0;
	return set_int(fd, option, (int)(v / 2));
}

static int
set_time(int fd, int option, uint64_t us)
{
	const struct timeval tv = { .tv_sec = (time_t)(us / US_PER_S),
		.tv_usec = (suseconds_t)(us % US_PER_S) };

	if (us == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)) < 0 ? -errno
								       : 0;
}

int
hs_fd_unix_read_options(struct hs_rd *r, int fd, int number)
{
	const uint32_t passcred = hs_rd_u32(r);
	const uint32_t sndbuf = hs_rd_u32(r);
	const uint32_t rcvbuf = hs_rd_u32(r);
	const uint32_t peekoff = hs_rd_u32(r);
	const uint64_t rcvtimeo = hs_rd_u64(r);
	const uint64_t sndtimeo = hs_rd_u64(r);
	int rc = 0;

	hs_rd_require(r, passcred <= 1);
	if (r->err != 0)
		return 0;		/* the caller's hs_rd_end() tells */
	if (passcred != 0)
		rc = set_int(fd, SO_PASSCRED, 1);
	if (rc == 0)
		rc = set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, sndbuf);
	if (rc == 0)
		rc = set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, rcvbuf);
	if (rc == 0 && peekoff != NO_PEEK_OFF)
		rc = set_int(fd, SO_PEEK_OFF, (int)peekoff);
	if (rc == 0)
		rc = set_time(fd, SO_RCVTIMEO, rcvtimeo);
	if (rc == 0)
		rc = set_time(fd, SO_SNDTIMEO, sndtimeo);
	if (rc < 0)
		return hs_why(HS_EFD, "fd %d: options of a UNIX socket: %s",
		    number, hs_err_text(rc));
	return 0;
}

int
hs_fd_unix_raise(int fd, size_t queue_bytes)
{
	const int was = ask_int(fd, SO_SNDBUF);
	size_t want = MOST_SNDBUF;

	if (queue_bytes < MOST_SNDBUF / MEMORY_PER_BYTE)
		want = queue_bytes * MEMORY_PER_BYTE;
	if (want > (size_t)was)
		(void)set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, (uint32_t)want);
	return was;
}

void
hs_fd_unix_lower(int fd, int was)
{
	(void)set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, (uint32_t)was);
}

/* ---- names ---- */

int
hs_fd_unix_name(int fd, bool own, struct hs_fd_unix_name *n)
{
	int rc;

	memset(n, 0, sizeof(*n));
	n->len = sizeof(n->a);
	if (own)
		rc = getsockname(fd, (struct sockaddr *)&n->a, &n->len);
	else
		rc = getpeername(fd, (struct sockaddr *)&n->a, &n->len);
	if (rc < 0 || n->len < sizeof(sa_family_t))
		n->len = sizeof(sa_family_t);
	/* The kernel counts a path's NUL; here no length does. */
	if (hs_fd_unix_is_path(n))
		n->len = (socklen_t)(sizeof(sa_family_t) +
		    strnlen(n->a.sun_path, NAME_BYTES));
	return rc < 0 ? -errno : 0;
}

bool
hs_fd_unix_is_path(const struct hs_fd_unix_name *n)
{
	return n->len > sizeof(sa_family_t) && n->a.sun_path[0] != '\0';
}

void
hs_fd_unix_write_name(struct hs_wr *w, const struct hs_fd_unix_name *n)
{
	size_t len = 0;

	if (hs_fd_unix_is_path(n))
		len = strnlen(n->a.sun_path, NAME_BYTES);
	else if (n->len > sizeof(sa_family_t))
		len = n->len - sizeof(sa_family_t) - 1;
	hs_wr_u8(w, (uint8_t)len);
	hs_wr_u8(w, len > 0 && !hs_fd_unix_is_path(n));
	hs_wr_bytes(w, n->a.sun_path + !hs_fd_unix_is_path(n), len);
}

void
hs_fd_unix_read_name(struct hs_rd *r, struct hs_fd_unix_name *n)
{
	const uint8_t len = hs_rd_u8(r);
	const uint8_t abstract = hs_rd_u8(r);

	memset(n, 0, sizeof(*n));
	n->a.sun_family = AF_UNIX;
	n->len = sizeof(sa_family_t);
	hs_rd_require(r, len + (size_t)abstract <= NAME_BYTES && abstract <= 1);
	if (r->err != 0 || len == 0)
		return;
	hs_rd_copy(r, n->a.sun_path + abstract, len);
	hs_rd_require(r, abstract == 1 || n->a.sun_path[0] != '\0');
	n->len = (socklen_t)(sizeof(sa_family_t) + abstract + len);
}
