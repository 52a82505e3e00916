/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rig/client_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t
link_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * LINK_MS + (uint64_t)t.tv_nsec;
}

bool
link_init(struct client_link *l, const char *address, const char *port)
{
	unsigned long n = strtoul(port, NULL, 10);

	memset(l, 0, sizeof(*l));
	l->fd = -1;
	l->to.sin_family = AF_INET;
	l->to.sin_port = htons((uint16_t)n);
	return n > 0 && n < 65536 &&
	    inet_pton(AF_INET, address, &l->to.sin_addr) == 1;
}

void
link_break(struct client_link *l, uint64_t now_ns)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->state = LINK_DOWN;
	l->in_len = 0;
	l->out_len = 0;
	l->try_ns = now_ns;
}

static void
fail_link(struct client_link *l, uint64_t now_ns)
{
	link_break(l, now_ns);
	l->try_ns = now_ns + LINK_RETRY_NS;
}

static void
start_connect(struct client_link *l, uint64_t now_ns)
{
	int on = 1;

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		fail_link(l, now_ns);
		return;
	}
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(l->fd, (struct sockaddr *)&l->to, sizeof(l->to)) < 0 &&
	    errno != EINPROGRESS) {
		fail_link(l, now_ns);
		return;
	}
	l->state = LINK_CONNECTING;
	l->try_ns = now_ns + LINK_CONNECT_NS;
}

static bool
finish_connect(struct client_link *l, short revents, uint64_t now_ns)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (revents == 0) {
		if (now_ns >= l->try_ns)
			fail_link(l, now_ns);
		return false;
	}
	(void)getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err != 0) {
		fail_link(l, now_ns);
		return false;
	}
	l->state = LINK_UP;
	l->heard_ns = now_ns;
	l->ups++;
	return true;
}

void
link_flush(struct client_link *l, uint64_t now_ns)
{
	ssize_t len;

	if (l->state != LINK_UP || l->out_len == 0)
		return;
	len = send(l->fd, l->out, l->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (len < 0) {
		if (errno != EAGAIN && errno != EINTR)
			fail_link(l, now_ns);
		return;
	}
	l->out_len -= (size_t)len;
	memmove(l->out, l->out + len, l->out_len);
}

static void
fill_in(struct client_link *l, uint64_t now_ns)
{
	ssize_t len;

	if (l->in_len == sizeof(l->in))
		return;
	len = recv(l->fd, l->in + l->in_len, sizeof(l->in) - l->in_len, 0);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		fail_link(l, now_ns);
		return;
	}
	l->in_len += (size_t)len;
	l->heard_ns = now_ns;
}

struct pollfd
link_pollfd(const struct client_link *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	if (l->state == LINK_CONNECTING)
		p.events = POLLOUT;
	else if (l->out_len > 0)
		p.events |= POLLOUT;
	return p;
}

bool
link_step(struct client_link *l, short revents, uint64_t now_ns)
{
	switch (l->state) {
	case LINK_DOWN:
		if (now_ns >= l->try_ns)
			start_connect(l, now_ns);
		return false;
	case LINK_CONNECTING:
		return finish_connect(l, revents, now_ns);
	case LINK_UP:
		if (revents & (POLLIN | POLLERR | POLLHUP))
			fill_in(l, now_ns);
		if (revents & POLLOUT)
			link_flush(l, now_ns);
		return false;
	}
	return false;
}

bool
link_put(struct client_link *l, const char *text)
{
	size_t len = strlen(text);

	if (l->state != LINK_UP || len > sizeof(l->out) - l->out_len)
		return false;
	memcpy(l->out + l->out_len, text, len);
	l->out_len += len;
	return true;
}

bool
link_line(struct client_link *l, char *out, size_t size)
{
	char *nl = memchr(l->in, '\n', l->in_len);
	size_t len;

	if (nl == NULL)
		return false;
	len = (size_t)(nl - l->in);
	*nl = '\0';
	if (len >= size)
		len = size - 1;
	memcpy(out, l->in, len);
	out[len] = '\0';
	l->in_len -= (size_t)(nl - l->in) + 1;
	memmove(l->in, nl + 1, l->in_len);
	return true;
}

void
link_discard(struct client_link *l)
{
	l->in_len = 0;
}
