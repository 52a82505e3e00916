/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/park_stop.h"

#include <assert.h>
#include <limits.h>

#include "base/clock.h"
#include "base/futex.h"
#include "state/park_impl.h"
#include "state/park_list.h"
#include "state/park_tell.h"

#define NS_PER_MS UINT64_C(1000000)
#define DEFAULT_TIMEOUT_MS 1000
/* As long as a scheduler's slices: who waits longer has been starved. */
#define FAIR_NS (10 * NS_PER_MS)

/*
 * A thread that became idle just as the stop began may have been overlooked.
 * After this its store has been seen, but for what no machine promises: */
#define SPIN_NS UINT64_C(1000)
/*
 * so after this it is looked for with a fence.  More than a scheduler's tick:
 * for less the kernel would program the timer, at 11 us in a virtual machine,
 * which is as long as the stop.
 */
#define OVERSIGHT_NS (10 * NS_PER_MS)

/*
 * Of the thread that stops the others; a hook that it calls is to find it as a
 * thread that is not registered.
 */
#define STOPS 1
#define STOPS_REGISTERED 2

static struct {
	int timeout_ms;
	uint64_t held_up_ns;	/* since when there always were sleepers */
} patience = {
	.timeout_ms = DEFAULT_TIMEOUT_MS,
};

int
hs_park_stop_timeout(int ms)
{
	return __atomic_exchange_n(&patience.timeout_ms, ms, __ATOMIC_RELAXED);
}

static uint64_t
deadline_ns(void)
{
	const int ms = LOAD(&patience.timeout_ms);

	return ms < 0 ? HS_FUTEX_FOREVER
		      : hs_clock_ns() + (uint64_t)ms * NS_PER_MS;
}

/*
 * Whom the stop before held up, and who has not run since, is held up again by
 * this one: that is cheap, but must not go on.  After FAIR_NS they are let go
 * first.
 */
static void
let_sleepers_go(void)
{
	unsigned n = LOAD_ACQUIRE(&hs_park.sleepers);
	uint64_t now, until;
	int rc = 0;

	if (n == 0) {
		patience.held_up_ns = 0;
		return;
	}
	now = hs_clock_ns();
	if (patience.held_up_ns == 0)
		patience.held_up_ns = now;
	if (now - patience.held_up_ns < FAIR_NS)
		return;
	until = deadline_ns();
	while (rc == 0 && (n = LOAD_ACQUIRE(&hs_park.sleepers)) != 0)
		rc = hs_futex_wait(&hs_park.sleepers, n, until);
	patience.held_up_ns = 0;
}

/* t is idle: if it is still counted as one to come, it is no longer. */
static void
settle_thread(struct hs_park_thread *t, unsigned ticket)
{
	if (__atomic_exchange_n(&t->awaited, 0, __ATOMIC_ACQ_REL) == ticket)
		hs_park_count_in(ticket);
}

/*
 * If t is busy, have it count itself in.  false: it may be idle, which only
 * hs_park_fence_all() makes sure of; it stays awaited if it was.  P5 makes sure
 * of one that waits.
 */
static bool
await_thread(struct hs_park_thread *t, unsigned ticket, bool fenced)
{
	if (t->self == &hs_park_self)
		return true;
	if (LOAD_ACQUIRE(&t->self->busy) != 0) {
		if (LOAD(&t->awaited) != ticket) {
			(void)__atomic_fetch_add(&hs_park.pending, 1,
			    __ATOMIC_RELAXED);
			__atomic_store_n(&t->awaited, ticket, __ATOMIC_SEQ_CST);
		}
		fence();
		if (LOAD_ACQUIRE(&t->self->busy) != 0)
			return true;
	}
	if (!fenced && !LOAD_ACQUIRE(&t->self->waits))
		return false;
	settle_thread(t, ticket);
	return true;
}

/*
 * Look at all threads, the list being locked.  The fence of all processors that
 * run one costs more than all else here, so it is left out where no thread
 * seems idle: those that are busy come by themselves.
 */
static bool
look_at_all(struct hs_park_thread *t, unsigned ticket, bool fenced)
{
	bool sure = true;

	if (fenced)
		hs_park_fence_all();
	for (; t != NULL; t = t->next)
		sure &= await_thread(t, ticket, fenced);
	return sure;
}

/*
 * Begin a stop; what it waits for is counted.  -> were all threads fenced?
 * Else one that became idle as the stop began may have been overlooked.
 */
static bool
begin_stop(void)
{
	struct hs_park_thread *threads = hs_park_list_lock();
	unsigned ticket;
	bool fenced;

	hs_park.breach[0] = '\0';
	ticket = ticket_of(LOAD(&hs_park.pending)) + 1;
	if (ticket == 0)
		ticket = 1;
	/* One of them this: the count is 0 only once all were looked at. */
	__atomic_store_n(&hs_park.pending, (uint64_t)ticket << 32 | 1,
	    __ATOMIC_SEQ_CST);
	/* A thread that comes into the list later sees the bit. */
	(void)__atomic_fetch_or(&hs_park_stop, HS_PARK_STOP, __ATOMIC_SEQ_CST);
	fence();
	fenced = !look_at_all(threads, ticket, false);
	if (fenced)
		(void)look_at_all(threads, ticket, true);
	hs_park_list_unlock();
	hs_park_count_in(ticket);
	return fenced;
}

/* Find whom the first look has overlooked.  As look_at_all(). */
static bool
look_again(bool fenced)
{
	struct hs_park_thread *threads = hs_park_list_lock();
	bool sure;

	sure = look_at_all(threads, ticket_of(LOAD(&hs_park.pending)), fenced);
	hs_park_list_unlock();
	return sure;
}

/*
 * Threads that run come while one would still be falling asleep.  true: all
 * have been fenced, because one of them has become idle.
 */
static bool
await_running(void)
{
	const uint64_t until = hs_clock_ns() + SPIN_NS;

	do
		if (count_of(LOAD_ACQUIRE(&hs_park.pending)) == 0)
			return false;
	while (hs_clock_ns() < until);
	if (look_again(false))
		return false;
	(void)look_again(true);
	return true;
}

/* 0: all have come; HS_ESTOP or HS_ELOCK. */
static int
await_all(bool fenced)
{
	uint64_t until, look;
	unsigned n;
	int rc = 0;

	if (count_of(LOAD_ACQUIRE(&hs_park.pending)) == 0)
		return 0;
	fenced = fenced || await_running();
	until = deadline_ns();
	look = hs_clock_ns() + OVERSIGHT_NS;
	while ((n = count_of(LOAD_ACQUIRE(&hs_park.pending))) != 0) {
		if ((n & HURRY) != 0)
			return HS_ELOCK;
		if (rc < 0 && fenced)
			return HS_ESTOP;
		if (rc < 0)
			fenced = look_again(true);
		rc = hs_futex_wait(count_word(), n,
		    fenced || until < look ? until : look);
	}
	return 0;
}

/* Say who has not come.  One that came meanwhile is as good as any. */
static int
tell_late(void)
{
	const struct hs_park_thread *t = hs_park_list_lock();
	char line[HS_WHY_BYTES];

	while (t != NULL && LOAD(&t->awaited) == 0)
		t = t->next;
	line[0] = '\0';
	if (t != NULL)
		hs_park_tell_late(t, LOAD(&patience.timeout_ms), line);
	hs_park_list_unlock();
	return hs_why(HS_ESTOP, "%s",
	    line[0] != '\0' ? line
			    : "hscpt: a thread came to its safepoint too late; "
			      "raise hsthreadtimeout()");
}

static int
tell_breach(void)
{
	int rc;

	(void)hs_park_list_lock();
	rc = hs_why(HS_ELOCK, "%s", hs_park.breach);
	hs_park_list_unlock();
	return rc;
}

int
hs_park_stop_all(void)
{
	int rc;

	assert(hs_park_self.busy == 0);
	rc = hs_park_list_check();
	if (rc < 0)
		return rc;
	let_sleepers_go();
	hs_park_self.stops = hs_park_self.reg != 0 ? STOPS_REGISTERED : STOPS;
	STORE(&hs_park_self.reg, 0);
	rc = await_all(begin_stop());
	/* It ended in this stop, and so was no longer waited for. */
	if (rc == 0)
		rc = hs_park_list_check();
	else if (rc == HS_ELOCK)
		rc = tell_breach();
	else if (rc == HS_ESTOP)
		rc = tell_late();
	if (rc < 0)
		hs_park_stop_resume();
	return rc;
}

int
hs_park_stop_still(void)
{
	return hs_park_self.busy == 0
	    ? 0
	    : hs_park_refuse_busy("hook before a checkpoint", NULL);
}

void
hs_park_stop_resume(void)
{
	if (hs_park_self.stops == STOPS_REGISTERED)
		STORE(&hs_park_self.reg, 1);
	hs_park_self.stops = 0;
	(void)__atomic_fetch_and(&hs_park_stop, ~HS_PARK_STOP,
	    __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&hs_park.sleepers, __ATOMIC_SEQ_CST) != 0)
		hs_futex_wake(&hs_park_stop, INT_MAX);
}
