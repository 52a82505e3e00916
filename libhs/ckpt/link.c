/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/link.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fdhigh.h"
#include "base/sock.h"
#include "ckpt/impl.h"

#define LINK_ENV "HOTSPARE_FD"
/* More than any message of the link takes. */
#define LINK_BYTES 1024
/* Messages of hsinit() may find the agent busy; it is never so for long. */
#define LINK_WRITE_MS 5000

static int
parse_fd(const char *s)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || fd < 0 || fd > 1 << 20)
		return -1;
	return (int)fd;
}

int
hs_link_inherit(char *why, size_t why_size)
{
	/* hsinit() runs alone: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *env = getenv(LINK_ENV);
	socklen_t len = sizeof(int);
	int fd, type = 0;

	if (env == NULL)
		return -1;
	fd = parse_fd(env);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_SEQPACKET || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		(void)snprintf(why, why_size,
		    LINK_ENV
		    "=%.16s is not the link "
		    "to hs-agent: start the program through hs-agent, without "
		    "closing inherited descriptors, or unset it",
		    env);
		return HS_EAGENT;
	}
	(void)unsetenv(LINK_ENV);	/* NOLINT(concurrency-mt-unsafe) */
	return hs_fdhigh_move(fd);
}

/* A message of hsinit(): waits for room, within bounds. */
static int
send_waiting(int fd, const uint8_t *buf, int len)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int rc;

	if (len < 0)
		return len;
	rc = hs_sock_send(fd, buf, (size_t)len, NULL, 0);
	if (rc == -EAGAIN && poll(&p, 1, LINK_WRITE_MS) > 0)
		rc = hs_sock_send(fd, buf, (size_t)len, NULL, 0);
	return rc < 0 ? HS_EAGENT : 0;
}

int
hs_link_hello(int fd, const struct hs_msg_hello *m)
{
	const struct hs_msg_head h = { .type = HS_MSG_HELLO };
	uint8_t buf[LINK_BYTES];

	return send_waiting(fd, buf,
	    hs_msg_encode_hello(buf, sizeof(buf), &h, m));
}

int
hs_link_running(int fd, uint64_t term)
{
	const struct hs_msg_head h = { .type = HS_MSG_RUNNING, .term = term };
	uint8_t buf[LINK_BYTES];

	return send_waiting(fd, buf, hs_msg_encode_bare(buf, sizeof(buf), &h));
}

static void
say(int fd, uint8_t type, const char *text)
{
	const struct hs_msg_head h = { .type = type };
	struct hs_msg_text m = { .text = "" };
	uint8_t buf[LINK_BYTES];
	int len;

	(void)snprintf(m.text, sizeof(m.text), "%s", text);
	len = hs_msg_encode_text(buf, sizeof(buf), &h, &m);
	/* Nobody is left to tell if this fails, too. */
	if (len > 0 && hs_sock_send(fd, buf, (size_t)len, NULL, 0) < 0)
		return;
}

void
hs_link_failed(int fd, const char *text)
{
	say(fd, HS_MSG_FAILED, text);
}

void
hs_link_note(int fd, const char *text)
{
	say(fd, HS_MSG_NOTE, text);
}

int
hs_link_ping(int fd, uint64_t term)
{
	const struct hs_msg_head h = { .type = HS_MSG_PING, .term = term };
	uint8_t buf[HS_MSG_HEAD_BYTES];
	int rc;

	rc = hs_msg_encode_bare(buf, sizeof(buf), &h);
	if (rc > 0)
		rc = hs_sock_send(fd, buf, (size_t)rc, NULL, 0);
	return rc == 0 || rc == -EAGAIN ? rc : HS_EAGENT;
}

static int
receive_go(int fd, struct hs_msg_head *h, struct hs_msg_go *go, int fds[2])
{
	uint8_t buf[LINK_BYTES];
	const uint8_t *body;
	size_t body_len;
	ssize_t n;
	int nfd = 2, rc;

	n = hs_sock_recv(fd, buf, sizeof(buf), fds, &nfd, MSG_DONTWAIT);
	if (n <= 0)
		return n == -EAGAIN ? -EAGAIN : HS_EAGENT;
	rc = hs_msg_open(buf, (size_t)n, h, &body, &body_len);
	if (rc == 0 && h->type == HS_MSG_GO)
		rc = hs_msg_decode_go(body, body_len, go);
	/* A policy before GO is of no use to anybody. */
	else if (rc == 0)
		rc = h->type == HS_MSG_POLICY ? -EAGAIN : HS_EWIRE;
	if (rc == 0)
		return 0;
	while (nfd > 0)
		(void)close(fds[--nfd]);
	fds[0] = fds[1] = -1;
	return rc;
}

int
hs_link_await_go(int fd, struct hs_msg_head *h, struct hs_msg_go *go,
    int fds[2], char *why, size_t why_size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int rc;

	fds[0] = fds[1] = -1;
	do {
		(void)poll(&p, 1, -1);	/* EINTR: ask the socket */
		rc = receive_go(fd, h, go, fds);
	} while (rc == -EAGAIN);
	if (rc == 0)
		return 0;
	if (rc == HS_EAGENT)
		(void)snprintf(why, why_size,
		    "hs-agent ended before the "
		    "service's turn came");
	else
		(void)snprintf(why, why_size,
		    "hs-agent speaks another "
		    "version: install the same release of hs-agent and "
		    "libhotspare");
	return HS_EAGENT;
}

/*
 * The agent says that it wants a full epoch for as long as it has none: not
 * another one while one is on its way.
 */
static bool
full_is_coming(const struct hs_ckpt *c, uint64_t off)
{
	return c->full_epoch > c->sent || off < c->full_off;
}

static void
apply_policy(struct hs_ckpt *c, const struct hs_msg_policy *m, uint64_t off)
{
	pthread_mutex_lock(&c->lock);
	hs_ack_own(&c->ack, off);
	hs_ack_need(&c->ack, m->min_spares);
	if (m->full != 0 && !full_is_coming(c, off))
		c->want_full = true;
	if (c->state != HS_CKPT_FENCED) {
		c->protection = (enum hs_protection)m->protection;
		if (c->protection == HS_ALONE)
			c->protection = HS_BLOCKED;
	}
	if (m->protection == HS_FENCED)
		hs_ckpt_goto(c, HS_CKPT_FENCED);
	hs_ckpt_advance(c);
	hs_ckpt_announce(c);
	pthread_mutex_unlock(&c->lock);
}

static void
lose_agent(struct hs_ckpt *c)
{
	pthread_mutex_lock(&c->lock);
	c->agent_gone = true;
	if (c->state != HS_CKPT_FENCED)
		c->protection = HS_BLOCKED;
	hs_ckpt_announce(c);
	pthread_mutex_unlock(&c->lock);
}

void
hs_link_drain(struct hs_ckpt *c)
{
	uint8_t buf[LINK_BYTES];

	while (!c->agent_gone) {
		struct hs_msg_policy m;
		struct hs_msg_head h;
		const uint8_t *body;
		size_t len;
		ssize_t n;

		n = hs_sock_recv(c->link_fd, buf, sizeof(buf), NULL, NULL,
		    MSG_DONTWAIT);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			lose_agent(c);
			return;
		}
		/* A damaged policy changes nothing; the next one will. */
		if (hs_msg_open(buf, (size_t)n, &h, &body, &len) == 0 &&
		    h.type == HS_MSG_POLICY && h.term == c->role.term &&
		    hs_msg_decode_policy(body, len, &m) == 0)
			apply_policy(c, &m, h.off);
	}
}

void
hs_link_stats(struct hs_ckpt *c)
{
	struct hs_msg_head h = { .type = HS_MSG_STATS, .term = c->role.term };
	struct hs_msg_stats m;
	uint8_t buf[LINK_BYTES];
	int len;

	pthread_mutex_lock(&c->lock);
	h.epoch = c->held;
	m = (struct hs_msg_stats){
		.epoch_sealed = c->sealed,
		.epoch_sent = c->sent,
		.pages_dirty = c->count.pages_dirty,
		.bytes_sent = c->count.bytes_sent,
		.pause_ns_last = c->count.pause_ns_last,
		.pause_ns_max = c->count.pause_ns_max,
		.held_ns_last = c->count.held_ns_last,
	};
	pthread_mutex_unlock(&c->lock);
	len = hs_msg_encode_stats(buf, sizeof(buf), &h, &m);
	/* The next ones say it again. */
	if (len > 0 && hs_sock_send(c->link_fd, buf, (size_t)len, NULL, 0) < 0)
		return;
}
