/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/common/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client that acknowledges nothing for so long has lost its machine. */
#define DEAD_AFTER_MS 10000

struct net_conn {
	int fd;			/* -1: slot is free */
	uint64_t id;
	void *user;
	int owed;
	bool eof;		/* the client sends no more */
	bool closing;		/* closed once out is empty */
	bool broken;		/* closed now */
	bool skip_lf;		/* a CR ended the last line */
	size_t in_len;
	size_t out_len;		/* bytes queued, from out_off */
	size_t out_off;
	size_t out_size;
	char *out;
	char in[NET_IN_BYTES];
};

struct net {
	int listen_fd[2];	/* IPv4, IPv6 or -1 */
	const struct net_ops *ops;
	void *arg;
	uint64_t ids;
	struct net_conn conn[NET_CONNS];
};

static int
open_listener(int family, uint16_t port)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr *sa = (struct sockaddr *)&in4;
	socklen_t len = sizeof(in4);
	int fd, on = 1;

	in4.sin_addr.s_addr = htonl(INADDR_ANY);
	in4.sin_port = htons(port);
	in6.sin6_addr = in6addr_any;
	in6.sin6_port = htons(port);
	if (family == AF_INET6) {
		sa = (struct sockaddr *)&in6;
		len = sizeof(in6);
	}
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		goto fail;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, sa, len) < 0 || listen(fd, 128) < 0)
		goto fail;
	return fd;
fail:
	on = -errno;
	close(fd);
	return on;
}

int
net_create(struct net **out, uint16_t port, const struct net_ops *ops,
    void *arg)
{
	struct net *n;
	int i, fd;

	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return -ENOMEM;
	for (i = 0; i < NET_CONNS; i++)
		n->conn[i].fd = -1;
	n->ops = ops;
	n->arg = arg;
	fd = open_listener(AF_INET, port);
	if (fd < 0) {
		free(n);
		return fd;
	}
	n->listen_fd[0] = fd;
	n->listen_fd[1] = open_listener(AF_INET6, port);
	*out = n;
	return 0;
}

static void
free_conn(struct net *n, struct net_conn *c)
{
	n->ops->closed(n->arg, c);
	close(c->fd);
	free(c->out);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

void
net_destroy(struct net *n)
{
	struct net_conn *c;
	int i;

	if (n == NULL)
		return;
	for (c = net_next(n, NULL); c != NULL; c = net_next(n, c))
		free_conn(n, c);
	for (i = 0; i < 2; i++)
		if (n->listen_fd[i] >= 0)
			close(n->listen_fd[i]);
	free(n);
}

static void
set_options(int fd)
{
	unsigned dead_ms = DEAD_AFTER_MS;
	int on = 1;

	/* Without them it works too, only slower to answer and to notice. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms,
	    sizeof(dead_ms));
}

static struct net_conn *
free_slot(struct net *n)
{
	int i;

	for (i = 0; i < NET_CONNS; i++)
		if (n->conn[i].fd < 0)
			return &n->conn[i];
	return NULL;
}

static void
accept_all(struct net *n, int listen_fd)
{
	struct net_conn *c;
	int fd;

	while ((c = free_slot(n)) != NULL) {
		fd = accept4(listen_fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		set_options(fd);
		c->fd = fd;
		/* The low bits name the slot, the others its tenant. */
		c->id = ++n->ids * NET_CONNS + (uint64_t)(c - n->conn);
		n->ops->opened(n->arg, c);
	}
}

static void
flush_conn(struct net_conn *c)
{
	ssize_t len;

	while (c->out_len > 0 && !c->broken) {
		len = send(c->fd, c->out + c->out_off, c->out_len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0) {
			if (errno != EAGAIN)
				c->broken = true;
			return;
		}
		c->out_off += (size_t)len;
		c->out_len -= (size_t)len;
	}
	c->out_off = 0;
}

/* Room for len more bytes behind what is queued; false: drop the client. */
static bool
grow_out(struct net_conn *c, size_t len)
{
	size_t size;
	char *out;

	if (c->out_len + len > NET_OUT_BYTES)
		return false;
	if (c->out_off > 0) {
		memmove(c->out, c->out + c->out_off, c->out_len);
		c->out_off = 0;
	}
	for (size = c->out_size; size < c->out_len + len;)
		size = size == 0 ? 4096 : size * 2;
	if (size == c->out_size)
		return true;
	out = realloc(c->out, size);
	if (out == NULL)
		return false;
	c->out = out;
	c->out_size = size;
	return true;
}

void
net_send(struct net_conn *c, const void *buf, size_t len)
{
	if (c->broken || c->closing || len == 0)
		return;
	if (!grow_out(c, len)) {
		c->broken = true;
		return;
	}
	memcpy(c->out + c->out_len, buf, len);
	c->out_len += len;
	flush_conn(c);
}

static void
read_conn(struct net *n, struct net_conn *c)
{
	ssize_t len;

	len = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (len < 0) {
		if (errno != EAGAIN && errno != EINTR)
			c->broken = true;
		return;
	}
	c->eof = len == 0;
	c->in_len += (size_t)len;
	n->ops->input(n->arg, c);
	/* What fills the buffer and was not taken is no line of ours. */
	if (c->in_len == sizeof(c->in))
		c->broken = true;
}

static void
reap_conns(struct net *n)
{
	struct net_conn *c;

	for (c = net_next(n, NULL); c != NULL; c = net_next(n, c))
		if (c->broken ||
		    (c->out_len == 0 &&
			(c->closing || (c->eof && c->owed <= 0))))
			free_conn(n, c);
}

static short
wanted_events(const struct net_conn *c, bool reading)
{
	short ev = 0;

	if (reading && !c->eof && !c->closing)
		ev |= POLLIN;
	if (c->out_len > 0)
		ev |= POLLOUT;
	return ev;
}

int
net_wait(struct net *n, int event_fd, bool reading, int timeout_ms)
{
	struct pollfd p[NET_CONNS + 3];
	struct net_conn *c;
	nfds_t i, nfds = 3;
	bool room;
	int rc;

	reap_conns(n);
	room = reading && free_slot(n) != NULL;
	for (i = 0; i < 2; i++)
		p[i] = (struct pollfd){ .events = POLLIN,
			.fd = room ? n->listen_fd[i] : -1 };
	p[2] = (struct pollfd){ .fd = event_fd, .events = POLLIN };
	for (c = net_next(n, NULL); c != NULL; c = net_next(n, c), nfds++)
		p[nfds] = (struct pollfd){ .fd = c->fd,
			.events = wanted_events(c, reading) };
	rc = poll(p, nfds, timeout_ms);
	if (rc < 0)
		return errno == EINTR ? 0 : -errno;
	/* The table is walked as above: nothing was opened or closed since. */
	for (c = net_next(n, NULL), i = 3; i < nfds; c = net_next(n, c), i++) {
		if (p[i].revents & POLLOUT)
			flush_conn(c);
		if (p[i].revents & POLLIN)
			read_conn(n, c);
		else if (p[i].revents & (POLLERR | POLLHUP))
			c->broken = true;
	}
	for (i = 0; i < 2; i++)
		if (p[i].revents & POLLIN)
			accept_all(n, n->listen_fd[i]);
	return (p[2].revents & POLLIN) != 0;
}

size_t
net_take(struct net_conn *c, char *buf, size_t size)
{
	size_t len = c->in_len < size ? c->in_len : size;

	memcpy(buf, c->in, len);
	c->in_len -= len;
	memmove(c->in, c->in + len, c->in_len);
	return len;
}

ssize_t
net_line(struct net_conn *c, char *buf, size_t size)
{
	char eol;
	size_t i;

	if (c->skip_lf && c->in_len > 0) {
		c->skip_lf = false;
		if (c->in[0] == '\n')
			(void)net_take(c, buf, 1);
	}
	for (i = 0; i < c->in_len; i++)
		if (c->in[i] == '\n' || c->in[i] == '\r')
			break;
	if (i == c->in_len || i + 1 > size)
		return -EAGAIN;
	(void)net_take(c, buf, i + 1);
	eol = buf[i];
	buf[i] = '\0';
	c->skip_lf = eol == '\r';
	return (ssize_t)i;
}

size_t
net_queued(const struct net_conn *c)
{
	return c->out_len;
}

void
net_owe(struct net_conn *c, int n)
{
	c->owed += n;
}

void
net_close(struct net_conn *c)
{
	c->closing = true;
}

void *
net_user(const struct net_conn *c)
{
	return c->user;
}

void
net_set_user(struct net_conn *c, void *user)
{
	c->user = user;
}

uint64_t
net_id(const struct net_conn *c)
{
	return c->id;
}

struct net_conn *
net_find(struct net *n, uint64_t id)
{
	struct net_conn *c = &n->conn[id % NET_CONNS];

	return c->fd >= 0 && c->id == id ? c : NULL;
}

struct net_conn *
net_next(struct net *n, struct net_conn *c)
{
	size_t i = c == NULL ? 0 : (size_t)(c - n->conn) + 1;

	for (; i < NET_CONNS; i++)
		if (n->conn[i].fd >= 0)
			return &n->conn[i];
	return NULL;
}
