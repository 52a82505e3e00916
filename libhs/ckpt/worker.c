/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/worker.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "ckpt/impl.h"
#include "ckpt/link.h"

#define MS UINT64_C(1000000)

/* The thread's stack, libcpg's message buffer on it included. */
#define STACK_BYTES (HS_XPORT_STACK_BYTES + (256u << 10))
/* Delivered at a time, before the queue has its turn. */
#define DISPATCH_BYTES (1u << 20)
/* Messages sent at a time, before acks and policy have theirs. */
#define SEND_BURST 16
/* The transport is full: corosync drains in some 100 us. */
#define FULL_NS (100 * UINT64_C(1000))
/* No corosync: between two attempts. */
#define REOPEN_NS (200 * MS)
/* Between two STATS. */
#define STATS_NS (200 * MS)
/* Between two bites of settling: a bite holds up a checkpoint. */
#define SETTLE_NS (2 * MS)
#define NEVER UINT64_MAX

/* What the worker itself remembers between two rounds. */
struct round {
	uint64_t stats_ns;	/* of the last STATS */
	uint64_t stats_mark;	/* sum of what they said, to see a change */
	bool settled;
	size_t reserved;	/* buffers that the pool was told to have */
};

void
hs_worker_kick(struct hs_ckpt *c)
{
	const uint64_t one = 1;

	/* Full means that it has not woken up yet. */
	if (write(c->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* c->lock is held. */
static void
take_ack(struct hs_ckpt *c, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const uint8_t digest[HS_DIGEST_BYTES])
{
	if (h->term != c->role.term || hs_fault(HS_FAULT_ACK_DROP))
		return;
	if (hs_ack_note(&c->ack, from, h->epoch, digest))
		hs_ckpt_advance(c);
}

/* c->lock is held.  How far from has got with the stream. */
static void
take_progress(struct hs_ckpt *c, const struct hs_xport_addr *from,
    const struct hs_msg_head *h)
{
	if (h->term != c->role.term)
		return;
	hs_ack_progress(&c->ack, from, h->off);
	/* Over UNIX the agent is the only other member. */
	if (from->nodeid == c->role.nodeid ||
	    c->role.transport == HS_TRANSPORT_UNIX)
		hs_ack_own(&c->ack, h->off);
}

/* c->lock is held. */
static void
take_message(struct hs_ckpt *c, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const uint8_t *body, size_t len)
{
	struct hs_msg_term term;
	struct hs_msg_ack ack;

	switch (h->type) {
	case HS_MSG_ACK:
		if (hs_msg_decode_ack(body, len, &ack) == 0) {
			take_progress(c, from, h);
			take_ack(c, from, h, ack.digest);
		}
		break;
	case HS_MSG_PROGRESS:
		/* Addressed: of an image's transfer, between two agents. */
		if (h->to == 0)
			take_progress(c, from, h);
		break;
	case HS_MSG_TERM:
		if (hs_msg_decode_term(body, len, &term) == 0 &&
		    h->term > c->role.term)
			hs_ckpt_goto(c, HS_CKPT_FENCED);
		break;
	default:
		break;
	}
}

static void
on_deliver(void *arg, const struct hs_xport_addr *from, const uint8_t *buf,
    size_t len)
{
	struct hs_ckpt *c = arg;
	struct hs_msg_head h;
	const uint8_t *body;
	size_t body_len;

	/* Its own stream comes back to it; no need to look inside. */
	if (from->nodeid == c->x->self.nodeid && from->pid == c->x->self.pid)
		return;
	/* A damaged message is a lost one: whoever sent it says it again. */
	if (hs_msg_open(buf, len, &h, &body, &body_len) < 0)
		return;
	pthread_mutex_lock(&c->lock);
	take_message(c, from, &h, body, body_len);
	pthread_mutex_unlock(&c->lock);
}

static void
on_view(void *arg, const struct hs_xport_view *v)
{
	struct hs_ckpt *c = arg;
	bool member = false;

	for (size_t i = 0; i < v->nmember; i++)
		member |= v->member[i].nodeid == c->x->self.nodeid &&
		    v->member[i].pid == c->x->self.pid;
	pthread_mutex_lock(&c->lock);
	hs_ack_view(&c->ack, v);
	if (member && c->state == HS_CKPT_JOINING)
		hs_ckpt_goto(c, HS_CKPT_FLOWING);
	hs_ckpt_advance(c);
	hs_ckpt_announce(c);
	pthread_mutex_unlock(&c->lock);
}

static const struct hs_xport_events events = {
	.deliver = on_deliver,
	.view = on_view,
};

static int
open_xport(struct hs_ckpt *c, char *why, size_t why_size)
{
	/* Not of this node, or its acks would not count (K3). */
	const struct hs_xport_addr peer = { .nodeid = ~c->role.nodeid,
		.pid = c->role.peer_pid };
	const struct hs_xport_addr self = { .nodeid = c->role.nodeid,
		.pid = (uint32_t)getpid() };
	int rc;

	if (c->role.transport == HS_TRANSPORT_CPG)
		return hs_xport_cpg_open(&c->x, c->role.group, &events, c, why,
		    why_size);
	if (c->role.data_fd < 0)
		return HS_ETRANSPORT;	/* it was lost; there is no second */
	rc = hs_xport_unix_open(&c->x, c->role.data_fd, self, peer, &events, c);
	if (rc == 0)
		c->role.data_fd = -1;
	return rc;
}

/* The transport is lost, or could not be opened.  io is held. */
static void
lose_xport(struct hs_ckpt *c)
{
	const struct hs_xport_view none = { .nmember = 0 };

	hs_xport_close(&c->x);
	c->reopen_ns = hs_clock_ns() + REOPEN_NS;
	hs_send_break(c);
	pthread_mutex_lock(&c->lock);
	hs_ack_view(&c->ack, &none);			/* K4 */
	if (c->state != HS_CKPT_FENCED && c->state != HS_CKPT_BROKEN)
		hs_ckpt_goto(c, HS_CKPT_BROKEN);
	pthread_mutex_unlock(&c->lock);
}

static void
try_open(struct hs_ckpt *c)
{
	char why[HS_MSG_TEXT_BYTES] = "";
	bool again;

	if (hs_clock_ns() < c->reopen_ns)
		return;
	if (open_xport(c, why, sizeof(why)) < 0) {
		c->reopen_ns = hs_clock_ns() + REOPEN_NS;
		if (why[0] != '\0')
			hs_link_failed(c->link_fd, why);
		return;
	}
	if (c->x->max_bytes < HS_SEND_MIN_BYTES) {
		lose_xport(c);
		return;
	}
	pthread_mutex_lock(&c->lock);
	again = c->state == HS_CKPT_BROKEN;
	if (again)
		hs_ckpt_goto(c, HS_CKPT_JOINING);
	pthread_mutex_unlock(&c->lock);
}

static enum hs_ckpt_state
state_of(struct hs_ckpt *c)
{
	enum hs_ckpt_state s;

	pthread_mutex_lock(&c->lock);
	s = c->state;
	pthread_mutex_unlock(&c->lock);
	return s;
}

/* Send until something is in the way, or burst messages went out. */
static enum hs_send_step
send_some(struct hs_ckpt *c, unsigned burst)
{
	enum hs_send_step step = HS_SEND_IDLE;

	if (c->x == NULL || state_of(c) != HS_CKPT_FLOWING)
		return HS_SEND_IDLE;
	do
		step = hs_send_next(c);
	while (step == HS_SEND_MORE && --burst > 0);
	return step;
}

void
hs_worker_assist(struct hs_ckpt *c)
{
	enum hs_send_step step;

	/* Taken: the worker is at it, but may be past its look at the queue. */
	if (pthread_mutex_trylock(&c->io) != 0) {
		hs_worker_kick(c);
		return;
	}
	step = send_some(c, SEND_BURST);
	pthread_mutex_unlock(&c->io);
	if (step != HS_SEND_IDLE)
		hs_worker_kick(c);
}

/*
 * One turn of all that io guards.  Returns how long nothing has to be done
 * unless a descriptor says so.
 */
static uint64_t
run_io(struct hs_ckpt *c)
{
	enum hs_send_step step;

	hs_link_drain(c);
	if (c->x == NULL) {
		enum hs_ckpt_state s = state_of(c);

		if (s != HS_CKPT_JOINING && s != HS_CKPT_BROKEN)
			return NEVER;
		try_open(c);
		if (c->x == NULL)
			return REOPEN_NS;
	}
	if (hs_xport_dispatch(c->x, DISPATCH_BYTES) < 0) {
		lose_xport(c);
		return REOPEN_NS;
	}
	step = send_some(c, SEND_BURST);
	if (step == HS_SEND_LOST) {
		lose_xport(c);
		return REOPEN_NS;
	}
	if (step == HS_SEND_FULL)
		return FULL_NS;
	return step == HS_SEND_MORE ? 0 : NEVER;
}

/* Returns when they are to be sent, from now on; NEVER if nothing changed. */
static uint64_t
run_stats(struct hs_ckpt *c, struct round *r)
{
	uint64_t now = hs_clock_ns(), mark;

	pthread_mutex_lock(&c->lock);
	/* Each term only grows, so the sum changes iff one of them does. */
	mark = c->sealed + c->sent + c->held + c->count.bytes_sent;
	pthread_mutex_unlock(&c->lock);
	if (mark == r->stats_mark)
		return NEVER;
	if (now - r->stats_ns < STATS_NS)
		return r->stats_ns + STATS_NS - now;
	hs_link_stats(c);
	r->stats_ns = now;
	r->stats_mark = mark;
	return NEVER;
}

/* Have the buffers for an epoch like the last one before its pause. */
static void
run_reserve(struct hs_ckpt *c, struct round *r)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = c->last_pages;
	pthread_mutex_unlock(&c->lock);
	if (n > c->inflight_bound / HS_TWIN_PAGE_BYTES)
		n = c->inflight_bound / HS_TWIN_PAGE_BYTES;
	/* What it gave last comes back with the twins. */
	if (n <= r->reserved)
		return;
	/* Without memory the pause tries again, and says so. */
	if (hs_twin_reserve(c->twin, n) == 0)
		r->reserved = n;
}

static uint64_t
run_settle(struct hs_ckpt *c, struct round *r)
{
	if (r->settled)
		return NEVER;
	r->settled = hs_dirty_settle(c->dirty) != 1;
	return r->settled ? NEVER : SETTLE_NS;
}

static void
wait_work(struct hs_ckpt *c, int xport_fd, uint64_t ns)
{
	struct pollfd p[] = {
		{ .fd = c->wake_fd, .events = POLLIN },
		{ .fd = c->agent_gone ? -1 : c->link_fd, .events = POLLIN },
		{ .fd = xport_fd, .events = POLLIN },
	};
	struct timespec ts = { .tv_sec = (time_t)(ns / (1000 * MS)),
		.tv_nsec = (long)(ns % (1000 * MS)) };
	uint64_t n;

	if (ppoll(p, 3, ns == NEVER ? NULL : &ts, NULL) > 0 &&
	    (p[0].revents & POLLIN) != 0 && read(c->wake_fd, &n, sizeof(n)) < 0)
		return;
}

static bool
stopping(struct hs_ckpt *c)
{
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return stop;
}

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void *
run_worker(void *arg)
{
	struct hs_ckpt *c = arg;
	struct round r = { .stats_ns = 0 };

	while (!stopping(c)) {
		uint64_t ns;
		int fd;

		pthread_mutex_lock(&c->io);
		ns = run_io(c);
		fd = c->x != NULL ? hs_xport_fd(c->x) : -1;
		pthread_mutex_unlock(&c->io);
		ns = min_u64(ns, run_stats(c, &r));
		run_reserve(c, &r);
		/* Only the worker closes the transport, so fd stays good. */
		if (ns != 0)
			ns = min_u64(ns, run_settle(c, &r));
		if (ns != 0)
			wait_work(c, fd, ns);
	}
	pthread_mutex_lock(&c->io);
	hs_xport_close(&c->x);
	pthread_mutex_unlock(&c->io);
	return NULL;
}

int
hs_worker_start(struct hs_ckpt *c)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int rc;

	rc = pthread_attr_init(&attr);
	if (rc != 0)
		return -rc;
	/* The service's signals are for the service's threads. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (rc == 0)
		rc = pthread_create(&c->worker, &attr, run_worker, c);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	if (rc != 0)
		return -rc;
	(void)pthread_setname_np(c->worker, "hs-worker");
	c->worker_runs = true;
	return 0;
}

void
hs_worker_stop(struct hs_ckpt *c)
{
	if (!c->worker_runs)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_mutex_unlock(&c->lock);
	hs_worker_kick(c);
	(void)pthread_join(c->worker, NULL);
	c->worker_runs = false;
}
