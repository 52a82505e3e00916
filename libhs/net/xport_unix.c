/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two members and a socket between them.
 *
 * U1  own[] holds what this end sent and has not delivered to itself; the
 *     eventfd is non-zero iff own[] is not empty or a view is due.
 * U2  Once the peer's end was read from the socket, the view without it is the
 *     next event, and the socket has left the epoll set.
 */
#include "net/xport.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fdhigh.h"

/* A skb of this size and its overhead fit in the default send buffer twice. */
#define UNIX_MAX_BYTES (64u << 10)
/* Asked for; the kernel gives what net.core.wmem_max allows. */
#define UNIX_SNDBUF_BYTES (1 << 20)
/* Own messages that wait for dispatch(): as many as the peer's may be. */
#define UNIX_OWN_BYTES (1u << 20)

struct own_msg {
	struct own_msg *next;
	size_t len;
	uint8_t buf[];
};

struct unix_xport {
	struct hs_xport x;
	struct hs_xport_addr peer;
	int sock;
	int event;
	int epoll;
	bool joined;		/* the view of both was delivered */
	bool peer_gone;		/* its end was read */
	bool alone;		/* the view without it was delivered */
	struct own_msg *own;
	struct own_msg **own_tail;
	size_t own_bytes;
	uint8_t buf[UNIX_MAX_BYTES];
};

static struct unix_xport *
to_unix(struct hs_xport *x)
{
	return (struct unix_xport *)x;
}

static void
raise_event(const struct unix_xport *u)
{
	const uint64_t one = 1;

	/* Full means readable already. */
	if (write(u->event, &one, sizeof(one)) < 0)
		return;
}

static void
lower_event(const struct unix_xport *u)
{
	uint64_t n;

	if (read(u->event, &n, sizeof(n)) < 0)
		return;
}

/* A copy of buf at the end of own[]; -EAGAIN when there is no room. */
static int
queue_own(struct unix_xport *u, const void *buf, size_t len)
{
	struct own_msg *m;

	m = malloc(sizeof(*m) + len);
	if (m == NULL)
		return -EAGAIN;
	m->next = NULL;
	m->len = len;
	memcpy(m->buf, buf, len);
	*u->own_tail = m;
	u->own_tail = &m->next;
	u->own_bytes += len;
	return 0;
}

static int
unix_send(struct hs_xport *x, const void *buf, size_t len)
{
	struct unix_xport *u = to_unix(x);
	ssize_t n;

	if (len == 0 || len > x->max_bytes)
		return -EMSGSIZE;
	if (u->own_bytes > UNIX_OWN_BYTES) {
		x->again++;
		return -EAGAIN;
	}
	do
		n = send(u->sock, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
		x->again++;
		return -EAGAIN;
	}
	/* A peer that is gone is a matter of the view (X3). */
	if (n < 0 && errno != EPIPE && errno != ECONNRESET)
		return HS_ETRANSPORT;
	x->sends++;
	/* Without memory only this end misses its own message. */
	if (queue_own(u, buf, len) == 0)
		raise_event(u);
	return 0;
}

static void
deliver_view(struct unix_xport *u)
{
	const struct hs_xport_addr member[] = { u->x.self, u->peer };
	const struct hs_xport_change joined[] = {
		{ .addr = u->x.self, .why = HS_XPORT_JOIN },
		{ .addr = u->peer, .why = HS_XPORT_JOIN },
	};
	const struct hs_xport_change left[] = {
		{ .addr = u->peer, .why = HS_XPORT_PROCDOWN },
	};
	struct hs_xport_view v = { .member = member };

	if (!u->joined) {
		u->joined = true;
		v.nmember = v.nchange = 2;
		v.change = joined;
	} else {
		u->alone = true;
		v.nmember = v.nchange = 1;
		v.change = left;
	}
	u->x.ev->view(u->x.arg, &v);
}

/* Deliver own messages; those that the callbacks send meanwhile, too. */
static size_t
deliver_own(struct unix_xport *u)
{
	size_t bytes = 0;

	while (u->own != NULL) {
		struct own_msg *m = u->own;

		u->own = m->next;
		if (u->own == NULL)
			u->own_tail = &u->own;
		u->own_bytes -= m->len;
		bytes += m->len;
		u->x.ev->deliver(u->x.arg, &u->x.self, m->buf, m->len);
		free(m);
	}
	return bytes;
}

/* 1: *len bytes are in buf; 0: nothing there; or lost. */
static int
receive_one(struct unix_xport *u, size_t *len)
{
	ssize_t n;

	if (u->peer_gone)
		return 0;
	do
		n = recv(u->sock, u->buf, sizeof(u->buf),
		    MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		u->peer_gone = true;
		(void)epoll_ctl(u->epoll, EPOLL_CTL_DEL, u->sock, NULL);
		return 0;
	}
	if (n < 0 || (size_t)n > sizeof(u->buf))
		return HS_ETRANSPORT;
	*len = (size_t)n;
	return 1;
}

static int
unix_dispatch(struct hs_xport *x, size_t max_bytes)
{
	struct unix_xport *u = to_unix(x);
	size_t bytes = 0, len = 0;
	int rc;

	lower_event(u);
	if (!u->joined)
		deliver_view(u);
	do {
		bytes += deliver_own(u);
		rc = receive_one(u, &len);
		if (rc == 1) {
			x->ev->deliver(x->arg, &u->peer, u->buf, len);
			bytes += len;
		}
	} while (rc == 1 && bytes < max_bytes);
	if (u->peer_gone && !u->alone)
		deliver_view(u);
	if (u->own != NULL)
		raise_event(u);
	return rc < 0 ? rc : 0;
}

static int
unix_fd(const struct hs_xport *x)
{
	return ((const struct unix_xport *)x)->epoll;
}

/* Frees u and what it opened; the socket stays. */
static void
destroy_unix(struct unix_xport *u)
{
	while (u->own != NULL) {
		struct own_msg *m = u->own;

		u->own = m->next;
		free(m);
	}
	if (u->epoll >= 0)
		(void)close(u->epoll);
	if (u->event >= 0)
		(void)close(u->event);
	free(u);
}

static void
unix_close(struct hs_xport *x)
{
	struct unix_xport *u = to_unix(x);

	(void)close(u->sock);
	destroy_unix(u);
}

static const struct hs_xport_ops unix_ops = {
	.abi = HS_XPORT_ABI,
	.name = "unix",
	.send = unix_send,
	.dispatch = unix_dispatch,
	.fd = unix_fd,
	.close = unix_close,
};

static int
watch_fd(const struct unix_xport *u, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(u->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int
hs_xport_unix_open(struct hs_xport **out, int fd, struct hs_xport_addr self,
    struct hs_xport_addr peer, const struct hs_xport_events *ev, void *arg)
{
	const int sndbuf = UNIX_SNDBUF_BYTES;
	struct unix_xport *u;
	int rc;

	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return -ENOMEM;
	u->x = (struct hs_xport){ .ops = &unix_ops,
		.ev = ev,
		.arg = arg,
		.self = self,
		.max_bytes = UNIX_MAX_BYTES };
	u->peer = peer;
	u->own_tail = &u->own;
	u->sock = fd;
	/* Primed: the first view is due. */
	u->event = hs_fdhigh_move(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
	u->epoll = hs_fdhigh_move(epoll_create1(EPOLL_CLOEXEC));
	rc = u->event < 0 || u->epoll < 0 ? -errno : 0;
	if (rc == 0)
		rc = watch_fd(u, u->event);
	if (rc == 0)
		rc = watch_fd(u, u->sock);
	if (rc < 0) {
		destroy_unix(u);
		return rc;
	}
	/* A smaller buffer only makes -EAGAIN come sooner. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	*out = &u->x;
	return 0;
}
