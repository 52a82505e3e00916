/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/park.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/why.h"
#include "state/held.h"
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

/* In the count of whom is waited for: a thread says that it is in vain. */
#define HURRY (1u << 31)

/*
 * Of the thread that stops the others; a hook that it calls is to find it as a
 * thread that is not registered.
 */
#define STOPS 1
#define STOPS_REGISTERED 2

#define LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

__thread struct hs_park_self hs_park_self;
unsigned hs_park_stop;

static struct {
	pthread_once_t once;
	bool has_membarrier;
	/*
	 * How many threads a stop waits for, and above it the stop's ticket: a
	 * thread that comes when the stop was given up must not count for the
	 * next one.
	 */
	uint64_t pending;
	unsigned sleepers;		/* threads that a stop holds up */
	uint64_t held_up_ns;		/* since when there always were some */
	int timeout_ms;
	/* Of the lock rule, in this stop; the list's lock guards it. */
	char breach[HS_WHY_BYTES];
} park = {
	.once = PTHREAD_ONCE_INIT,
	.timeout_ms = DEFAULT_TIMEOUT_MS,
};

/* The halves of park.pending. */
static unsigned
count_of(uint64_t pending)
{
	return (unsigned)pending;
}

static unsigned
ticket_of(uint64_t pending)
{
	return (unsigned)(pending >> 32);
}

/* The half that a stopper sleeps on. */
static const unsigned *
count_word(void)
{
	const unsigned *half = (const unsigned *)(const void *)&park.pending;

	return __BYTE_ORDER == __LITTLE_ENDIAN ? half : half + 1;
}

/* ---- fences ---- */

#ifdef __SANITIZE_THREAD__
#define HAVE_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN
#endif
#endif

/* TSan knows no fences; this is one on all machines that it runs on. */
static void
fence(void)
{
#ifdef HAVE_TSAN
	unsigned word = 0;

	(void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static long
membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

void
hs_park_use_fences(bool on)
{
	const unsigned off = park.has_membarrier ? HS_PARK_FENCED : 0;

	if (on)
		(void)__atomic_fetch_or(&hs_park_stop, HS_PARK_FENCED,
		    __ATOMIC_SEQ_CST);
	else
		(void)__atomic_fetch_and(&hs_park_stop, ~off, __ATOMIC_SEQ_CST);
}

/* What the stopper has written is seen by all, and what all have by it. */
static void
fence_all(void)
{
	fence();
	if ((LOAD(&hs_park_stop) & HS_PARK_FENCED) == 0 &&
	    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) < 0)
		abort();		/* it was registered: cannot be */
}

/* ---- the process ---- */

static void
set_up(void)
{
	park.has_membarrier =
	    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
	hs_park_use_fences(!park.has_membarrier);
}

static int
create_record(void)
{
	(void)pthread_once(&park.once, set_up);
	return hs_park_list_join();
}

void
hs_park_forget(void)
{
	hs_park_list_forget();
	park.sleepers = 0;
	hs_park_self = (struct hs_park_self){ .busy = 0 };
	/* Whether the kernel knows this process is not known. */
	park.has_membarrier = false;
	hs_park_stop = HS_PARK_FENCED;
}

/* ---- threads ---- */

/* busy is 0: if the stop with this ticket waits for it, it has come. */
static void
count_in(unsigned ticket)
{
	uint64_t now = LOAD(&park.pending);

	do {
		if (ticket_of(now) != ticket)
			return;
	} while (!__atomic_compare_exchange_n(&park.pending, &now, now - 1,
	    true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (count_of(now - 1) == 0)
		hs_futex_wake(count_word(), 1);
}

void
hs_park_arrive(void)
{
	struct hs_park_thread *t = hs_park_self.thread;
	unsigned ticket;

	if (t == NULL || hs_park_self.busy != 0)
		return;
	fence();
	ticket = __atomic_exchange_n(&t->awaited, 0, __ATOMIC_ACQ_REL);
	if (ticket != 0)
		count_in(ticket);
}

/* busy is n: may it be? */
static bool
may_be_busy(unsigned n)
{
	STORE(&hs_park_self.busy, n);
	fence();
	return (LOAD_ACQUIRE(&hs_park_stop) & HS_PARK_STOP) == 0 ||
	    hs_park_self.stops != 0;
}

/* Raise busy from 0 to n once no checkpoint is being taken. */
static void
raise_busy(unsigned n)
{
	unsigned stop;

	if (may_be_busy(n))
		return;
	/* Until it is busy it is one that may be starved. */
	(void)__atomic_fetch_add(&park.sleepers, 1, __ATOMIC_SEQ_CST);
	STORE_RELEASE(&hs_park_self.waits, 1);
	do {
		STORE_RELEASE(&hs_park_self.busy, 0);
		hs_park_arrive();
		stop = LOAD_ACQUIRE(&hs_park_stop);
		if ((stop & HS_PARK_STOP) != 0)
			(void)hs_futex_wait(&hs_park_stop, stop,
			    HS_FUTEX_FOREVER);
	} while (!may_be_busy(n));
	STORE_RELEASE(&hs_park_self.waits, 0);
	if (__atomic_fetch_sub(&park.sleepers, 1, __ATOMIC_SEQ_CST) == 1)
		hs_futex_wake(&park.sleepers, 1);
}

/* Tell a stop that is under way, if one is, that it waits in vain. */
static int
break_stop(int rc)
{
	if ((LOAD_ACQUIRE(&hs_park_stop) & HS_PARK_STOP) == 0)
		return rc;
	(void)hs_park_list_lock();
	if (park.breach[0] == '\0')
		memcpy(park.breach, hs_why_line(), HS_WHY_BYTES);
	hs_park_list_unlock();
	(void)__atomic_fetch_or(&park.pending, HURRY, __ATOMIC_SEQ_CST);
	hs_futex_wake(count_word(), 1);
	return rc;
}

static int
refuse_busy(const char *call, const void *but)
{
	const struct hs_park_held *h = hs_held_last(but);
	char who[HS_PARK_TELL_BYTES], what[HS_PARK_TELL_BYTES];

	hs_park_tell_name(hs_park_self.thread, who);
	if (h == NULL)
		return hs_why(HS_ELOCK,
		    "%s: %s is between hsenter() and hsleave(), where no "
		    "checkpoint may be taken: call hsleave() first",
		    call, who);
	hs_park_tell_lock(h, what);
	return hs_why(HS_ELOCK, "%s: %s holds %s; unlock it first", call, who,
	    what);
}

int
hs_park_breach(const char *call, const void *but)
{
	return break_stop(refuse_busy(call, but));
}

int
hs_park_poll(void)
{
	const struct hs_park_self *self = &hs_park_self;

	if (self->locks != 0)
		return hs_park_breach("hssafepoint", NULL);
	if (self->busy == 1 && self->base == 1 && self->stops == 0)
		raise_busy(1);
	return 0;
}

int
hs_park_enter(void)
{
	int rc;

	if (hs_park_self.thread == NULL) {
		rc = create_record();
		if (rc < 0)
			return rc;
	}
	raise_busy(1);
	return 0;
}

bool
hs_park_try_raise(void)
{
	if (may_be_busy(1))
		return true;
	STORE_RELEASE(&hs_park_self.busy, 0);
	hs_park_arrive();
	return false;
}

int
hs_park_refuse_block(void)
{
	return hs_park_breach("hsblock", NULL);
}

int
hs_park_refuse_unblock(void)
{
	return hs_why(HS_EMISUSE,
	    "hsunblock: this thread is not in hsblock(), or took a lock or "
	    "entered a region there and has not left it");
}

int
hs_park_refuse_leave(void)
{
	return hs_why(HS_EMISUSE,
	    "hsleave: this thread is not between hsenter() and hsleave()");
}

/* ---- registration, and calls that may wait for a checkpoint ---- */

static void
become_idle(void)
{
	struct hs_park_self *self = &hs_park_self;

	self->base = 0;
	STORE_RELEASE(&self->busy, 0);
	hs_park_arrive();
}

int
hs_park_check(const char *call)
{
	const struct hs_park_self *self = &hs_park_self;

	if (self->stops != 0)
		return hs_why(HS_EMISUSE,
		    "%s: called from a hook of a checkpoint, which would wait "
		    "for itself",
		    call);
	return self->busy == self->base ? 0 : refuse_busy(call, NULL);
}

int
hs_park_begin(const char *call)
{
	int rc = hs_park_check(call);

	if (rc < 0 || hs_park_self.busy == 0)
		return rc;
	become_idle();
	return 1;
}

void
hs_park_end(int began)
{
	struct hs_park_self *self = &hs_park_self;

	if (began <= 0)
		return;
	self->base = 1;
	/* A hook may have kept a lock: it was told, and is counted on. */
	if (self->busy != 0)
		STORE(&self->busy, self->busy + 1);
	else
		raise_busy(1);
}

int
hs_park_register(const char *name, void (*end)(void *), void *arg)
{
	struct hs_park_self *self = &hs_park_self;
	struct hs_park_thread *t;
	int rc;

	rc = hs_park_check("hsthreadreg");
	if (rc < 0)
		return rc;
	if (self->reg != 0)
		return hs_why(HS_EMISUSE,
		    "hsthreadreg: this thread is registered already");
	rc = self->thread != NULL ? 0 : create_record();
	if (rc < 0)
		return rc;
	t = self->thread;
	(void)hs_park_list_lock();
	strncpy(t->name, name, sizeof(t->name) - 1);
	hs_park_list_unlock();
	t->end = end;
	t->end_arg = arg;
	STORE(&self->reg, 1);
	self->base = 1;
	raise_busy(1);
	return 0;
}

int
hs_park_unregister(void)
{
	struct hs_park_self *self = &hs_park_self;
	int rc;

	if (self->reg == 0)
		return hs_why(HS_EMISUSE,
		    "hsthreadunreg: this thread is not registered");
	rc = hs_park_check("hsthreadunreg");
	if (rc < 0)
		return rc;
	self->thread->end = NULL;
	STORE(&self->reg, 0);
	become_idle();
	return 0;
}

/* ---- who stops ---- */

int
hs_park_timeout(int ms)
{
	return __atomic_exchange_n(&park.timeout_ms, ms, __ATOMIC_RELAXED);
}

static uint64_t
deadline_ns(void)
{
	const int ms = LOAD(&park.timeout_ms);

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
	unsigned n = LOAD_ACQUIRE(&park.sleepers);
	uint64_t now, until;
	int rc = 0;

	if (n == 0) {
		park.held_up_ns = 0;
		return;
	}
	now = hs_clock_ns();
	if (park.held_up_ns == 0)
		park.held_up_ns = now;
	if (now - park.held_up_ns < FAIR_NS)
		return;
	until = deadline_ns();
	while (rc == 0 && (n = LOAD_ACQUIRE(&park.sleepers)) != 0)
		rc = hs_futex_wait(&park.sleepers, n, until);
	park.held_up_ns = 0;
}

/* t is idle: if it is still counted as one to come, it is no longer. */
static void
settle_thread(struct hs_park_thread *t, unsigned ticket)
{
	if (__atomic_exchange_n(&t->awaited, 0, __ATOMIC_ACQ_REL) == ticket)
		count_in(ticket);
}

/*
 * If t is busy, have it count itself in.  false: it may be idle, which only
 * fence_all() makes sure of; it stays awaited if it was.  P5 makes sure of one
 * that waits.
 */
static bool
await_thread(struct hs_park_thread *t, unsigned ticket, bool fenced)
{
	if (t->self == &hs_park_self)
		return true;
	if (LOAD_ACQUIRE(&t->self->busy) != 0) {
		if (LOAD(&t->awaited) != ticket) {
			(void)__atomic_fetch_add(&park.pending, 1,
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
		fence_all();
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

	park.breach[0] = '\0';
	ticket = ticket_of(park.pending) + 1;
	if (ticket == 0)
		ticket = 1;
	/* One of them this: the count is 0 only once all were looked at. */
	__atomic_store_n(&park.pending, (uint64_t)ticket << 32 | 1,
	    __ATOMIC_SEQ_CST);
	/* A thread that comes into the list later sees the bit. */
	(void)__atomic_fetch_or(&hs_park_stop, HS_PARK_STOP, __ATOMIC_SEQ_CST);
	fence();
	fenced = !look_at_all(threads, ticket, false);
	if (fenced)
		(void)look_at_all(threads, ticket, true);
	hs_park_list_unlock();
	count_in(ticket);
	return fenced;
}

/* Find whom the first look has overlooked.  As look_at_all(). */
static bool
look_again(bool fenced)
{
	struct hs_park_thread *threads = hs_park_list_lock();
	bool sure;

	sure = look_at_all(threads, ticket_of(LOAD(&park.pending)), fenced);
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
		if (count_of(LOAD_ACQUIRE(&park.pending)) == 0)
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

	if (count_of(LOAD_ACQUIRE(&park.pending)) == 0)
		return 0;
	fenced = fenced || await_running();
	until = deadline_ns();
	look = hs_clock_ns() + OVERSIGHT_NS;
	while ((n = count_of(LOAD_ACQUIRE(&park.pending))) != 0) {
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
		hs_park_tell_late(t, LOAD(&park.timeout_ms), line);
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
	rc = hs_why(HS_ELOCK, "%s", park.breach);
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
		hs_park_resume();
	return rc;
}

int
hs_park_still(void)
{
	return hs_park_self.busy == 0
	    ? 0
	    : refuse_busy("hook before a checkpoint", NULL);
}

void
hs_park_resume(void)
{
	if (hs_park_self.stops == STOPS_REGISTERED)
		STORE(&hs_park_self.reg, 1);
	hs_park_self.stops = 0;
	(void)__atomic_fetch_and(&hs_park_stop, ~HS_PARK_STOP,
	    __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&park.sleepers, __ATOMIC_SEQ_CST) != 0)
		hs_futex_wake(&hs_park_stop, INT_MAX);
}
