/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/drive.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ckpt/impl.h"
#include "ckpt/pump.h"
#include "ckpt/worker.h"

#define NS_PER_S UINT64_C(1000000000)

/* Of this thread's stack, asked once; top 0: not asked yet. */
static _Thread_local uintptr_t stack_low, stack_top;

static void
ask_stack(void)
{
	pthread_attr_t attr;
	size_t size = 0;
	void *low = NULL;

	stack_low = 0;
	stack_top = 1;			/* none, if it cannot be known */
	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	if (pthread_attr_getstack(&attr, &low, &size) == 0) {
		stack_low = (uintptr_t)low;
		stack_top = stack_low + size;
	}
	(void)pthread_attr_destroy(&attr);
}

/* Also false on a stack that is not the thread's own, as coroutines have. */
static bool
has_stack(void)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (stack_top == 0)
		ask_stack();
	return here < stack_top && here > stack_low &&
	    here - stack_low > HS_XPORT_STACK_BYTES;
}

void
hs_drive_send(struct hs_ckpt *c)
{
	enum hs_send_step step;

	/* Taken: the worker is at it, but may be past its look at the queue. */
	if (pthread_mutex_trylock(&c->io) != 0) {
		hs_worker_kick(c);
		return;
	}
	step = hs_pump_send(c);
	pthread_mutex_unlock(&c->io);
	if (step != HS_SEND_IDLE)
		hs_worker_kick(c);
}

bool
hs_drive_begin(struct hs_ckpt *c)
{
	if (c->driving || c->state != HS_CKPT_FLOWING || c->xport_fd < 0 ||
	    c->agent_gone || !has_stack())
		return false;
	c->driving = true;
	c->driver = pthread_self();
	c->drives++;
	/*
	 * Both would wake up for each message; and one that the driver was
	 * quicker to take would leave the worker asleep, with its own work
	 * undone.
	 */
	if (c->watching)
		hs_worker_nudge(c);
	c->watching = false;
	return true;
}

void
hs_drive_end(struct hs_ckpt *c)
{
	c->driving = false;
	/* Another one that waits may drive now. */
	pthread_cond_broadcast(&c->changed);
	if (c->parked)
		hs_worker_nudge(c);
	c->parked = false;
}

void
hs_drive_wake(struct hs_ckpt *c)
{
	const uint64_t one = 1;

	/* Full means that it has not woken up yet. */
	if (c->driving && !pthread_equal(c->driver, pthread_self()) &&
	    write(c->drive_fd, &one, sizeof(one)) < 0)
		return;
}

/* Wait for the descriptors until the deadline; false: it has passed. */
static bool
wait_event(struct pollfd *p, nfds_t n, uint64_t deadline_ns)
{
	const uint64_t now = deadline_ns != UINT64_MAX ? hs_clock_ns() : 0;
	const uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	const struct timespec ts = { .tv_sec = (time_t)(left / NS_PER_S),
		.tv_nsec = (long)(left % NS_PER_S) };

	/* A signal is as good as an event: there is another turn. */
	return ppoll(p, n, deadline_ns != UINT64_MAX ? &ts : NULL, NULL) != 0;
}

/* One turn with what there is.  c->lock is not held. */
static int
pump_once(struct hs_ckpt *c)
{
	enum hs_send_step step;

	pthread_mutex_lock(&c->io);
	step = hs_pump_run(c);
	pthread_mutex_unlock(&c->io);
	/* What cannot be sent at once is the worker's. */
	if (step != HS_SEND_IDLE)
		hs_worker_kick(c);
	return step == HS_SEND_LOST ? HS_ETRANSPORT : 0;
}

int
hs_drive_turn(struct hs_ckpt *c, uint64_t deadline_ns)
{
	struct pollfd p[] = {
		{ .fd = c->drive_fd, .events = POLLIN },
		{ .fd = c->link_fd, .events = POLLIN },
		{ .fd = c->xport_fd, .events = POLLIN },
	};
	uint64_t n;
	bool event;
	int rc = 0;

	pthread_mutex_unlock(&c->lock);
	event = wait_event(p, 3, deadline_ns);
	if (event && (p[0].revents & POLLIN) != 0 &&
	    read(c->drive_fd, &n, sizeof(n)) < 0)
		rc = 0;		/* the wake-up was for the one before */
	if (event)
		rc = pump_once(c);
	pthread_mutex_lock(&c->lock);
	return event ? rc : HS_ETIMEDOUT;
}
