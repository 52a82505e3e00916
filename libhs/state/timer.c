/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/timer.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rd.h"
#include "base/why.h"
#include "base/wr.h"
#include "state/clock.h"
#include "state/code.h"
#include "state/signal.h"

#define VERSION 1
#define TIMER_BYTES 88
#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_US UINT64_C(1000)
/* Two looks at a timer and its clock are not at the same time (M2). */
#define SAME_NS UINT64_C(1000000)
#define LAST_ITIMER ITIMER_PROF

enum notify {
	NOTIFY_NONE = 0,
	NOTIFY_SIGNAL = 1,
	NOTIFY_THREAD = 2,
	NOTIFY_DEFAULT = 3,	/* SIGALRM with the timer's id */
};

struct timer {
	uint8_t notify;
	int32_t clock;
	uint32_t signo;
	uint64_t value;
	uint64_t id;
	uint64_t expiry_ns;
	uint64_t interval_ns;
	struct hs_code function;
};

_Static_assert(sizeof(timer_t) == 8, "state/timer.h");

/*
 * M1: restored, and not armed yet.  Set by hsinit(), which runs alone; queries
 * leave the records as they are.
 */
static bool waiting;

static const char *const itimer_names[] = {
	[ITIMER_REAL] = "ITIMER_REAL",
	[ITIMER_VIRTUAL] = "ITIMER_VIRTUAL",
	[ITIMER_PROF] = "ITIMER_PROF",
};
static const int itimer_signals[] = {
	[ITIMER_REAL] = SIGALRM,
	[ITIMER_VIRTUAL] = SIGVTALRM,
	[ITIMER_PROF] = SIGPROF,
};

/* ---- bytes ---- */

static int
put_timer(struct hs_store *s, uint64_t key, const struct timer *t)
{
	uint8_t buf[TIMER_BYTES];
	struct hs_wr w;
	int rc;

	hs_wr_init(&w, buf, sizeof(buf));
	hs_wr_u8(&w, VERSION);
	hs_wr_u8(&w, t->notify);
	hs_wr_zeros(&w, 2);
	hs_wr_u32(&w, (uint32_t)t->clock);
	hs_wr_u32(&w, t->signo);
	hs_wr_zeros(&w, 4);
	hs_wr_u64(&w, t->value);
	hs_wr_u64(&w, t->id);
	hs_wr_u64(&w, t->expiry_ns);
	hs_wr_u64(&w, t->interval_ns);
	hs_code_encode(&w, &t->function);
	rc = hs_wr_end(&w);
	if (rc >= 0)
		rc = hs_store_put(s, HS_STORE_TIMER, key, buf, (size_t)rc);
	return rc;
}

static bool
is_clock(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC ||
	    clock == CLOCK_BOOTTIME || clock == CLOCK_TAI ||
	    clock == CLOCK_PROCESS_CPUTIME_ID;
}

static int
decode_timer(const struct hs_store_rec *rec, struct timer *t)
{
	struct hs_rd r;

	hs_rd_init(&r, rec->bytes, rec->len);
	hs_rd_require(&r, hs_rd_u8(&r) == VERSION);
	t->notify = hs_rd_u8(&r);
	hs_rd_zeros(&r, 2);
	t->clock = (int32_t)hs_rd_u32(&r);
	t->signo = hs_rd_u32(&r);
	hs_rd_zeros(&r, 4);
	t->value = hs_rd_u64(&r);
	t->id = hs_rd_u64(&r);
	t->expiry_ns = hs_rd_u64(&r);
	t->interval_ns = hs_rd_u64(&r);
	hs_code_decode(&r, &t->function);
	hs_rd_require(&r,
	    t->notify <= NOTIFY_DEFAULT && is_clock(t->clock) &&
		t->signo <= (uint32_t)SIGRTMAX && t->expiry_ns < INT64_MAX &&
		t->interval_ns < INT64_MAX &&
		(rec->key > LAST_ITIMER || t->notify == NOTIFY_NONE));
	if (hs_rd_end(&r) == 0)
		return 0;
	return hs_why(HS_ECORRUPT,
	    "the record of timer %#llx is not valid: it was written by another "
	    "version of libhotspare, or damaged",
	    (unsigned long long)rec->key);
}

/* ---- times ---- */

static uint64_t
ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec;
}

static struct timespec
ts_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S) };
}

static uint64_t
ns_of_tv(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * NS_PER_S +
	    (uint64_t)tv->tv_usec * NS_PER_US;
}

/* Rounded up: not armed is not the same as due. */
static struct timeval
tv_of(uint64_t ns)
{
	const uint64_t us = (ns + NS_PER_US - 1) / NS_PER_US;

	return (struct timeval){ .tv_sec = (time_t)(us / 1000000),
		.tv_usec = (suseconds_t)(us % 1000000) };
}

/* Where what is left of clock is counted from, in a record. */
static uint64_t
now_of(int clock)
{
	struct timespec ts;

	if (clock == CLOCK_PROCESS_CPUTIME_ID)
		return 0;
	if (clock != CLOCK_REALTIME && clock != CLOCK_TAI)
		return hs_clock_from_mono(hs_clock_ns());
	(void)clock_gettime(clock, &ts);
	return ns_of(&ts);
}

/*
 * left_ns of a timer that had old's expiry at the last checkpoint: the same one
 * if that is what it comes to (M2).
 */
static void
set_expiry(struct timer *t, const struct timer *old, uint64_t left_ns,
    uint64_t interval_ns)
{
	uint64_t expiry, off;

	t->interval_ns = interval_ns;
	t->expiry_ns = 0;
	if (left_ns == 0)
		return;
	expiry = now_of(t->clock) + left_ns;
	off = expiry > old->expiry_ns ? expiry - old->expiry_ns
				      : old->expiry_ns - expiry;
	t->expiry_ns =
	    old->expiry_ns != 0 && off < SAME_NS ? old->expiry_ns : expiry;
}

/* ---- setitimer(2) ---- */

/* ITIMER_REAL is as a timer of the service's clock. */
static int
clock_of_itimer(int which)
{
	return which == ITIMER_REAL ? CLOCK_MONOTONIC
				    : CLOCK_PROCESS_CPUTIME_ID;
}

static int
query_itimer(struct hs_store *s, int which, const struct timer *old)
{
	struct timer t = { .clock = clock_of_itimer(which) };
	struct itimerval v;

	/* Cannot fail: which is one. */
	(void)getitimer((__itimer_which_t)which, &v);
	set_expiry(&t, old, ns_of_tv(&v.it_value), ns_of_tv(&v.it_interval));
	return put_timer(s, (uint64_t)which, &t);
}

static int
check_itimer(const char *call, int which)
{
	if (which >= ITIMER_REAL && which <= LAST_ITIMER)
		return 0;
	return hs_why(HS_EMISUSE,
	    "%s: there is no interval timer %d: use ITIMER_REAL, "
	    "ITIMER_VIRTUAL or ITIMER_PROF",
	    call, which);
}

static int
check_signal(const struct hs_store *s, const char *call, int signo)
{
	if (hs_signal_is_kept(s, signo))
		return 0;
	return hs_why(HS_EMISUSE,
	    "%s: signal %d is not registered, so a spare may not handle it "
	    "when the timer expires: call hssigreg(%d) first",
	    call, signo, signo);
}

int
hs_timer_add_itimer(struct hs_store *s, int which)
{
	static const struct timer none;
	int rc;

	rc = check_itimer("hsitimerreg", which);
	if (rc == 0)
		rc =
		    check_signal(s, itimer_names[which], itimer_signals[which]);
	if (rc < 0)
		return rc;
	hs_clock_need();
	return query_itimer(s, which, &none);
}

int
hs_timer_del_itimer(struct hs_store *s, int which)
{
	int rc = check_itimer("hsitimerunreg", which);

	if (rc == 0 && hs_store_del(s, HS_STORE_TIMER, (uint64_t)which) < 0)
		return hs_why(HS_EMISUSE, "hsitimerunreg: %s is not registered",
		    itimer_names[which]);
	return rc;
}

/*
 * It can be set to run for a time only, not from one.  What passed meanwhile is
 * one signal now, and the next one comes when it would have.
 */
static void
arm_itimer(int which, const struct timer *t)
{
	const uint64_t now = now_of(t->clock);
	struct itimerval v = { .it_interval = tv_of(t->interval_ns) };
	uint64_t left = 0;

	if (t->expiry_ns > now) {
		left = t->expiry_ns - now;
	} else if (t->expiry_ns != 0) {
		(void)kill(getpid(), itimer_signals[which]);
		if (t->interval_ns != 0)
			left = t->interval_ns -
			    (now - t->expiry_ns) % t->interval_ns;
	}
	v.it_value = tv_of(left);
	(void)setitimer((__itimer_which_t)which, &v, NULL);
}

/* ---- POSIX timers ---- */

static timer_t
id_of(const struct timer *t)
{
	timer_t id;

	memcpy(&id, &t->id, sizeof(id));
	return id;
}

static int
query_posix(struct hs_store *s, uint64_t key, const struct timer *old)
{
	const void *slot = (const void *)(uintptr_t)key;
	struct timer t = *old;
	struct itimerspec v;

	/* A stray id may be no address of the C library's: look first. */
	if (memcmp(slot, &old->id, sizeof(old->id)) != 0 ||
	    timer_gettime(id_of(old), &v) < 0)
		return hs_why(HS_EMISUSE,
		    "the timer in %p is not the one that was registered: call "
		    "hstimerunreg() before timer_delete(), or before its "
		    "memory is used for something else",
		    slot);
	set_expiry(&t, old, ns_of(&v.it_value), ns_of(&v.it_interval));
	return put_timer(s, key, &t);
}

static int
check_clock(int clock)
{
	if (is_clock(clock))
		return 0;
	return hs_why(HS_EMISUSE,
	    "hstimerreg: a timer of clock %d cannot be carried over, as that "
	    "is of one thread, process or device: use CLOCK_REALTIME, "
	    "CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI or "
	    "CLOCK_PROCESS_CPUTIME_ID",
	    clock);
}

static int
take_event(struct hs_store *s, const struct sigevent *ev, struct timer *t)
{
	void *function;

	if (ev == NULL) {
		t->notify = NOTIFY_DEFAULT;
		t->signo = SIGALRM;
		return check_signal(s, "hstimerreg", SIGALRM);
	}
	memcpy(&t->value, &ev->sigev_value, sizeof(t->value));
	if (ev->sigev_notify == SIGEV_NONE)
		return 0;
	if (ev->sigev_notify == SIGEV_SIGNAL) {
		t->notify = NOTIFY_SIGNAL;
		t->signo = (uint32_t)ev->sigev_signo;
		return check_signal(s, "hstimerreg", ev->sigev_signo);
	}
	if (ev->sigev_notify != SIGEV_THREAD)
		return hs_why(HS_EMISUSE,
		    "hstimerreg: the thread of SIGEV_THREAD_ID does not exist "
		    "on a spare: use SIGEV_SIGNAL or SIGEV_THREAD");
	if (ev->sigev_notify_attributes != NULL)
		return hs_why(HS_EMISUSE,
		    "hstimerreg: the thread's attributes cannot be carried "
		    "over: leave sigev_notify_attributes NULL");
	t->notify = NOTIFY_THREAD;
	memcpy(&function, &ev->sigev_notify_function, sizeof(function));
	return hs_code_ref(function, &t->function);
}

int
hs_timer_add(struct hs_store *s, void *slot, int clock,
    const struct sigevent *ev)
{
	struct timer t = { .clock = clock };
	struct itimerspec v;
	int rc;

	rc = check_clock(clock);
	if (rc == 0)
		rc = take_event(s, ev, &t);
	if (rc < 0)
		return rc;
	memcpy(&t.id, slot, sizeof(t.id));
	if (timer_gettime(id_of(&t), &v) < 0)
		return hs_why(HS_EMISUSE,
		    "hstimerreg: no timer has the id in %p: create it there, "
		    "by timer_create(), first",
		    slot);
	hs_clock_need();
	return query_posix(s, (uintptr_t)slot, &t);
}

int
hs_timer_del(struct hs_store *s, void *slot)
{
	if ((uintptr_t)slot > LAST_ITIMER &&
	    hs_store_del(s, HS_STORE_TIMER, (uintptr_t)slot) == 0)
		return 0;
	return hs_why(HS_EMISUSE, "hstimerunreg: no timer is registered in %p",
	    slot);
}

static int
create_posix(struct timer *t)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	void *function = NULL;
	timer_t id;
	int rc;

	memcpy(&ev.sigev_value, &t->value, sizeof(t->value));
	if (t->notify == NOTIFY_SIGNAL) {
		ev.sigev_notify = SIGEV_SIGNAL;
		ev.sigev_signo = (int)t->signo;
	} else if (t->notify == NOTIFY_THREAD) {
		rc = hs_code_ptr(&t->function, &function);
		if (rc < 0)
			return rc;
		ev.sigev_notify = SIGEV_THREAD;
		memcpy(&ev.sigev_notify_function, &function, sizeof(function));
	}
	if (timer_create(t->clock, t->notify == NOTIFY_DEFAULT ? NULL : &ev,
		&id) < 0)
		return hs_why(-errno,
		    "a timer cannot be made anew: timer_create(): %s",
		    strerrordesc_np(errno));
	memcpy(&t->id, &id, sizeof(t->id));
	return 0;
}

/*
 * From a time, that is in the past if it expired meanwhile: then the kernel
 * says at once that it did, with all that it missed as its overrun.
 */
static void
arm_posix(const struct timer *t)
{
	const uint64_t now = now_of(t->clock);
	struct itimerspec v = { .it_interval = ts_of(t->interval_ns) };
	struct timespec ts;
	uint64_t at = t->expiry_ns;

	if (t->clock == CLOCK_PROCESS_CPUTIME_ID) {
		v.it_value = ts_of(at);
		(void)timer_settime(id_of(t), 0, &v, NULL);
		return;
	}
	(void)clock_gettime(t->clock, &ts);
	if (at != 0) {
		const uint64_t here = ns_of(&ts);

		at = at >= now	      ? here + (at - now)
		    : here > now - at ? here - (now - at)
				      : 1;
	}
	v.it_value = ts_of(at);
	(void)timer_settime(id_of(t), TIMER_ABSTIME, &v, NULL);
}

/* ---- all of them ---- */

/* One step of a walk: 1 and *rec, *t; 0; negative. */
static int
next_timer(const struct hs_store *s, uint64_t key, struct hs_store_rec *rec,
    struct timer *t)
{
	int rc = hs_store_next(s, HS_STORE_TIMER, key, rec);

	if (rc == 1 && decode_timer(rec, t) < 0)
		return HS_ECORRUPT;
	return rc;
}

int
hs_timer_check_unused(const struct hs_store *s, int signo)
{
	struct hs_store_rec rec = { .key = 0 };
	struct timer t;
	int rc;

	for (uint64_t key = 0; (rc = next_timer(s, key, &rec, &t)) == 1;
	     key = rec.key + 1) {
		if (rec.key <= LAST_ITIMER && itimer_signals[rec.key] == signo)
			return hs_why(HS_EMISUSE,
			    "hssigunreg: signal %d is what %s sends: call "
			    "hsitimerunreg() first",
			    signo, itimer_names[rec.key]);
		if (t.signo == (uint32_t)signo)
			return hs_why(HS_EMISUSE,
			    "hssigunreg: signal %d is what the timer in %p "
			    "sends: call hstimerunreg() first",
			    signo, (void *)(uintptr_t)rec.key);
	}
	return rc;
}

static int
query_timers(struct hs_store *s)
{
	struct hs_store_rec rec;
	struct timer t;
	uint64_t key = 0;
	int rc;

	if (waiting)
		return 0;
	while ((rc = next_timer(s, key, &rec, &t)) == 1) {
		key = rec.key;
		rc = key <= LAST_ITIMER ? query_itimer(s, (int)key, &t)
					: query_posix(s, key, &t);
		if (rc < 0)
			break;
		key++;
	}
	return rc;
}

static int
restore_timers(struct hs_store *s)
{
	struct hs_store_rec rec;
	struct timer t;
	uint64_t key = 0;
	int rc;

	while ((rc = next_timer(s, key, &rec, &t)) == 1) {
		waiting = true;
		key = rec.key;
		if (key > LAST_ITIMER) {
			rc = create_posix(&t);
			if (rc < 0)
				break;
			memcpy((void *)(uintptr_t)key, &t.id, sizeof(t.id));
			rc = put_timer(s, key, &t);
			if (rc < 0)
				break;
		}
		key++;
	}
	return rc;
}

void
hs_timer_arm(const struct hs_store *s)
{
	struct hs_store_rec rec;
	struct timer t;
	uint64_t key = 0;

	if (!waiting)
		return;
	waiting = false;
	if (s == NULL)
		return;
	while (next_timer(s, key, &rec, &t) == 1) {
		if (rec.key <= LAST_ITIMER)
			arm_itimer((int)rec.key, &t);
		else
			arm_posix(&t);
		key = rec.key + 1;
	}
}

const struct hs_section_ops hs_timer_section = {
	.abi = HS_SECTION_ABI,
	.name = "timer",
	.query = query_timers,
	.restore = restore_timers,
};
