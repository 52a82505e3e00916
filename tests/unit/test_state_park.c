/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <sched.h>

#include "state/park.h"
#include "state/park_stop.h"
#include "tests/unit/suite.h"

#define ROUNDS 30000
/* Turns of an empty loop: as far apart as two processors notice each other. */
#define SPREAD 600

/* A thread that is busy once in each round, at an instant of its own. */
static struct {
	unsigned round;		/* the stopper counts it up */
	unsigned seen;		/* the thread has, and goes to work */
	unsigned end;
	uint64_t a, b;		/* equal unless the thread is busy */
	struct hs_random rnd;
} turn;

static void
spin(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		__asm__ volatile("" : : : "memory");
}

static void *
be_busy_once(void *arg)
{
	unsigned now;

	while (!__atomic_load_n(&turn.end, __ATOMIC_ACQUIRE)) {
		now = __atomic_load_n(&turn.round, __ATOMIC_ACQUIRE);
		if (now == turn.seen) {
			(void)sched_yield();
			continue;
		}
		__atomic_store_n(&turn.seen, now, __ATOMIC_RELEASE);
		spin(hs_random_below(&turn.rnd, SPREAD));
		if (hs_park_raise() < 0)
			return arg;
		__atomic_store_n(&turn.a, turn.a + 1, __ATOMIC_RELAXED);
		spin(hs_random_below(&turn.rnd, SPREAD));
		__atomic_store_n(&turn.b, turn.b + 1, __ATOMIC_RELAXED);
		hs_park_lower();
	}
	return NULL;
}

/* Of the processors that this thread may use, t is to use the nth only. */
static void
pin(pthread_t t, const cpu_set_t *may, unsigned nth)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, may) && nth-- == 0)
			CPU_SET(cpu, &one);
	if (CPU_COUNT(&one) != 0)
		CU_ASSERT_EQUAL(pthread_setaffinity_np(t, sizeof(one), &one),
		    0);
}

/* Reads what must not change: a thread is never half done in a stop. */
static bool
is_still(void)
{
	const uint64_t a = __atomic_load_n(&turn.a, __ATOMIC_RELAXED);

	for (int i = 0; i < 20; i++) {
		spin(10);
		if (__atomic_load_n(&turn.a, __ATOMIC_RELAXED) != a ||
		    __atomic_load_n(&turn.b, __ATOMIC_RELAXED) != a)
			return false;
	}
	return true;
}

/*
 * Stops begin within nanoseconds of the instants at which the thread becomes
 * busy, and idle for as long as the stop lasts: none may find it half done, and
 * none may wait for it in vain.
 */
static void
race(bool fences)
{
	const int was = hs_park_stop_timeout(10000);
	unsigned moved = 0, late = 0;
	struct hs_random rnd;
	cpu_set_t may;
	void *broken;
	pthread_t t;

	hs_random_init(&rnd);
	hs_random_init(&turn.rnd);
	(void)hs_random_u64(&turn.rnd);
	turn.round = turn.seen = turn.end = 0;
	turn.a = turn.b = 0;
	hs_park_use_fences(fences);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, be_busy_once, NULL), 0);
	/* On one processor they would take turns, and never meet. */
	CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(may), &may), 0);
	pin(pthread_self(), &may, 0);
	pin(t, &may, 1);
	for (unsigned i = 1; i <= ROUNDS && late == 0; i++) {
		__atomic_store_n(&turn.round, i, __ATOMIC_RELEASE);
		while (__atomic_load_n(&turn.seen, __ATOMIC_ACQUIRE) != i)
			(void)sched_yield();
		spin(hs_random_below(&rnd, 2 * SPREAD));
		if (hs_park_stop_all() < 0) {
			late++;
			continue;
		}
		moved += !is_still();
		hs_park_stop_resume();
	}
	__atomic_store_n(&turn.end, 1, __ATOMIC_RELEASE);
	CU_ASSERT_EQUAL(pthread_join(t, &broken), 0);
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(may), &may), 0);
	CU_ASSERT_EQUAL(moved, 0);
	CU_ASSERT_EQUAL(late, 0);
	hs_park_use_fences(false);
	(void)hs_park_stop_timeout(was);
}

static void
nobody_is_overlooked(void)
{
	race(false);
}

static void
nobody_is_overlooked_with_fences(void)
{
	race(true);
}

HS_SUITE(state_park, HS_TEST(nobody_is_overlooked),
    HS_TEST(nobody_is_overlooked_with_fences))
