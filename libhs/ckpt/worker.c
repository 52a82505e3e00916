/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/worker.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ckpt/cut.h"
#include "ckpt/extra.h"
#include "ckpt/impl.h"
#include "ckpt/link.h"
#include "ckpt/pump.h"

#define MS UINT64_C(1000000)

/* The thread's stack, libcpg's message buffer on it included. */
#define STACK_BYTES (HS_XPORT_STACK_BYTES + (256u << 10))
/* The transport is full: corosync drains in some 100 us. */
#define FULL_NS (100 * UINT64_C(1000))
/* No corosync: between two attempts. */
#define REOPEN_NS (200 * MS)
/* Between two STATS. */
#define STATS_NS (200 * MS)
/* Between two bites of settling: a bite holds up a checkpoint. */
#define SETTLE_NS (2 * MS)
/*
 * Epochs between two questions whether there is more to settle: by then the
 * program may have touched memory that it had not, and asking takes tracking's
 * lock for microseconds.
 */
#define SETTLE_EPOCHS 16
/* Buffers reserved at a time: some 100 us. */
#define RESERVE_PAGES 64
/*
 * A thread that took over the transport (drive.h) is likely to come back: the
 * worker keeps off it for as long, so that a message wakes one thread only.
 */
#define YIELD_NS (10 * MS)
#define NEVER UINT64_MAX

/* What the worker itself remembers between two rounds. */
struct round {
	uint64_t stats_ns;	/* of the last STATS */
	uint64_t stats_mark;	/* sum of what they said, to see a change */
	uint64_t settle_at;	/* epoch sealed: when to settle, or ask to */
	size_t reserved;	/* buffers that the pool was told to have */
	uint64_t reopen_ns;	/* no transport: when to try again */
	bool outage_told;	/* the agent knows why there is none */
	uint64_t drives;	/* as c->drives was at the last look */
};

void
hs_worker_nudge(struct hs_ckpt *c)
{
	const uint64_t one = 1;

	/* Full means that it has not woken up yet. */
	if (write(c->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void
hs_worker_kick(struct hs_ckpt *c)
{
	atomic_store(&c->wanted, true);
	hs_worker_nudge(c);
}

/* io is held. */
static void
try_open(struct hs_ckpt *c, struct round *r)
{
	char why[HS_MSG_TEXT_BYTES] = "";

	if (hs_clock_ns() < r->reopen_ns)
		return;
	if (hs_pump_open(c, why, sizeof(why)) == 0) {
		r->outage_told = false;
		return;
	}
	r->reopen_ns = hs_clock_ns() + REOPEN_NS;
	if (!r->outage_told && why[0] != '\0')
		hs_link_failed(c->link_fd, why);
	r->outage_told = true;
}

/*
 * One turn of all that io guards.  Returns how long nothing has to be done
 * unless a descriptor says so.
 */
static uint64_t
run_io(struct hs_ckpt *c, struct round *r, enum hs_send_step *step)
{
	const enum hs_ckpt_state s = hs_ckpt_state_now(c);

	/* A driver found it out (drive.h). */
	if (c->x != NULL && s == HS_CKPT_BROKEN)
		hs_pump_lose(c);
	if (c->x == NULL && (s == HS_CKPT_JOINING || s == HS_CKPT_BROKEN))
		try_open(c, r);
	*step = hs_pump_run(c);
	if (*step == HS_SEND_LOST) {
		if (c->x != NULL) {
			hs_pump_lose(c);
			r->reopen_ns = hs_clock_ns() + REOPEN_NS;
		}
		return s == HS_CKPT_FENCED ? NEVER : REOPEN_NS;
	}
	if (*step == HS_SEND_FULL)
		return FULL_NS;
	return *step == HS_SEND_MORE ? 0 : NEVER;
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

/*
 * Have the buffers for an epoch like the last one before its pause, a few at a
 * time: a pause that wants some meanwhile waits for the pool.
 */
static uint64_t
run_reserve(struct hs_ckpt *c, struct round *r)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = c->last_pages;
	pthread_mutex_unlock(&c->lock);
	if (n > c->inflight_bound / HS_TWIN_PAGE_BYTES)
		n = c->inflight_bound / HS_TWIN_PAGE_BYTES;
	/* What it gave before comes back with the twins. */
	if (n <= r->reserved)
		return NEVER;
	if (n > r->reserved + RESERVE_PAGES)
		n = r->reserved + RESERVE_PAGES;
	r->reserved = n;
	/* Without memory the pause tries again, and says so. */
	return hs_twin_reserve(c->twin, n) == 0 ? 0 : NEVER;
}

static uint64_t
run_settle(struct hs_ckpt *c, struct round *r)
{
	uint64_t sealed;

	pthread_mutex_lock(&c->lock);
	sealed = c->sealed;
	pthread_mutex_unlock(&c->lock);
	if (sealed < r->settle_at)
		return NEVER;
	if (hs_dirty_settle(c->dirty) == 1)
		return SETTLE_NS;
	r->settle_at = sealed + SETTLE_EPOCHS;
	return NEVER;
}

/*
 * True if the transport is to be left to a driver for *ns; else the descriptors
 * to watch are in *link_fd and *xport_fd.
 */
static bool
leave_to_driver(struct hs_ckpt *c, struct round *r, bool busy, uint64_t *ns,
    int *link_fd, int *xport_fd)
{
	const bool wanted = atomic_exchange(&c->wanted, false);
	bool leave = false;

	pthread_mutex_lock(&c->lock);
	*link_fd = c->agent_gone ? -1 : c->link_fd;
	*xport_fd = c->xport_fd;
	if (!busy && !wanted && (c->driving || c->drives != r->drives)) {
		leave = true;
		/* It has been at it for long: it says when it ends. */
		c->parked = c->driving && c->drives == r->drives;
		if (!c->parked && *ns > YIELD_NS)
			*ns = YIELD_NS;
	}
	c->watching = !leave;
	r->drives = c->drives;
	pthread_mutex_unlock(&c->lock);
	return leave;
}

/* busy: there is something to send. */
static void
wait_work(struct hs_ckpt *c, struct round *r, bool busy, uint64_t ns)
{
	struct pollfd p[] = {
		{ .fd = c->wake_fd, .events = POLLIN },
		{ .events = POLLIN },
		{ .events = POLLIN },
	};
	const bool leave = leave_to_driver(c, r, busy, &ns, &p[1].fd, &p[2].fd);
	struct timespec ts = { .tv_sec = (time_t)(ns / (1000 * MS)),
		.tv_nsec = (long)(ns % (1000 * MS)) };
	uint64_t n;

	if (ppoll(p, leave ? 1 : 3, ns == NEVER ? NULL : &ts, NULL) <= 0 ||
	    (p[0].revents & POLLIN) == 0)
		return;
	if (read(c->wake_fd, &n, sizeof(n)) < 0)
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
		enum hs_send_step step;
		uint64_t ns;

		/* What is kept for it costs the program's writes. */
		hs_cut_settle(c);
		pthread_mutex_lock(&c->io);
		ns = run_io(c, &r, &step);
		pthread_mutex_unlock(&c->io);
		if (hs_ckpt_state_now(c) == HS_CKPT_FENCED)
			hs_extra_end(c);
		ns = min_u64(ns, run_stats(c, &r));
		if (step == HS_SEND_IDLE) {
			ns = min_u64(ns, run_reserve(c, &r));
			ns = min_u64(ns, run_settle(c, &r));
		}
		if (ns != 0)
			wait_work(c, &r, step != HS_SEND_IDLE, ns);
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
