/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Safepoints, regions and what stops for them; each both with membarrier(2) and
 * without.
 */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "hs.h"
#include "state/park.h"
#include "state/park_stop.h"
#include "tests/unit/suite.h"
#include "tests/unit/threads.h"

#define N 4
#define MS UINT64_C(1000000)

/* ---- turns ---- */

static void
poll_turn(struct worker *w)
{
	w->rc |= hssafepoint();
}

static void
block_turn(struct worker *w)
{
	w->rc |= hsblock();
	usleep(100);
	w->rc |= hsunblock();
}

/* Two words that are equal outside of the region. */
struct pair {
	volatile uint64_t a, b;
};

static void
region_turn(struct worker *w)
{
	struct pair *p = w->arg;

	w->rc |= hsenter();
	p->a++;
	w->rc |= hsenter();	/* nests */
	w->rc |= hsleave();
	p->b++;
	w->rc |= hsleave();
}

static void
registered_region_turn(struct worker *w)
{
	region_turn(w);
	w->rc |= hssafepoint();
}

static void
spin_turn(struct worker *w)
{
	(void)w;
}

static void
long_region_turn(struct worker *w)
{
	w->rc |= hsenter();
	while (!LOAD(&w->stop))
		usleep(1000);
	w->rc |= hsleave();
}

static void
sleep_turn(struct worker *w)
{
	(void)w;
	usleep(300000);
}

/* ---- helpers ---- */

static void
start_all(struct worker w[N], void turn(struct worker *), const char *name,
    void *arg[N])
{
	for (int i = 0; i < N; i++) {
		w[i] = (struct worker){ .name = name, .turn = turn };
		if (arg != NULL)
			w[i].arg = arg[i];
		worker_start(&w[i]);
	}
}

static void
stop_all(struct worker w[N])
{
	for (int i = 0; i < N; i++) {
		worker_stop(&w[i]);
		CU_ASSERT_EQUAL(w[i].rc, 0);
	}
}

/* Run the test both ways. */
static void
both_ways(void test(void))
{
	test();
	hs_park_use_fences(true);
	test();
	hs_park_use_fences(false);
}

/* ---- tests ---- */

static void
stand_still(void)
{
	struct worker w[N];
	uint64_t before[N];

	start_all(w, poll_turn, "polls", NULL);
	for (int round = 0; round < 20; round++) {
		CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
		for (int i = 0; i < N; i++)
			before[i] = LOAD(&w[i].turns);
		usleep(2000);
		for (int i = 0; i < N; i++)
			CU_ASSERT_EQUAL(LOAD(&w[i].turns), before[i]);
		hs_park_stop_resume();
		for (int i = 0; i < N; i++)
			CU_ASSERT_TRUE(await_value(&w[i].turns, before[i] + 1));
	}
	stop_all(w);
}

static void
registered_threads_stand_still(void)
{
	both_ways(stand_still);
}

/* Stops without a pause in between, and all threads get their turns. */
static void
all_get_on(void)
{
	struct worker w[N];
	uint64_t before[N], until;

	start_all(w, poll_turn, "polls", NULL);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < N; i++)
			before[i] = LOAD(&w[i].turns);
		for (until = hs_clock_ns() + 200 * MS; hs_clock_ns() < until;) {
			CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
			hs_park_stop_resume();
		}
		for (int i = 0; i < N; i++)
			CU_ASSERT(LOAD(&w[i].turns) > before[i]);
	}
	stop_all(w);
}

static void
endless_checkpoints_starve_nobody(void)
{
	both_ways(all_get_on);
}

static void
wait_for_nobody(void)
{
	struct worker w[N];

	start_all(w, block_turn, "blocks", NULL);
	for (int round = 0; round < 100; round++) {
		CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
		hs_park_stop_resume();
	}
	stop_all(w);
}

static void
blocked_threads_count_as_parked(void)
{
	both_ways(wait_for_nobody);
}

static void
find_pairs_equal(void turn(struct worker *), const char *name)
{
	struct worker w[N];
	struct pair pair[N] = { 0 };
	void *arg[N] = { &pair[0], &pair[1], &pair[2], &pair[3] };
	unsigned torn = 0;

	start_all(w, turn, name, arg);
	for (int round = 0; round < 100; round++) {
		CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
		for (int i = 0; i < N; i++)
			torn += pair[i].a != pair[i].b;
		hs_park_stop_resume();
	}
	stop_all(w);
	CU_ASSERT_EQUAL(torn, 0);
	for (int i = 0; i < N; i++)
		CU_ASSERT(pair[i].a > 0);
}

static void
find_regions_whole(void)
{
	find_pairs_equal(region_turn, NULL);
	find_pairs_equal(registered_region_turn, "regions");
}

static void
regions_are_whole_or_not_begun(void)
{
	both_ways(find_regions_whole);
}

/* The stop fails and says so; the thread has not been stopped. */
static void
expect_late(struct worker *w, const char *a, const char *b)
{
	uint64_t t0;

	worker_start(w);
	sleep_ms(5);
	t0 = hs_clock_ns();
	CU_ASSERT_EQUAL(hs_park_stop_all(), HS_ESTOP);
	CU_ASSERT(hs_clock_ns() - t0 >= 40 * MS);
	if (strstr(hsmessage(), a) == NULL || strstr(hsmessage(), b) == NULL)
		CU_FAIL_FATAL(hsmessage());
	worker_stop(w);
	/* And with it gone there is nothing to wait for. */
	CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
	hs_park_stop_resume();
}

static void
name_the_late(void)
{
	const int before = hsthreadtimeout(40);
	struct worker spins = { .name = "spinner", .turn = spin_turn };
	struct worker waits = { .name = "sleeper", .turn = sleep_turn };
	struct worker region = { .turn = long_region_turn, .once = true };

	CU_ASSERT(before == 1000);
	expect_late(&spins, "thread \"spinner\" (",
	    "ms: it runs; call hssafepoint() in its loop, or raise ");
	expect_late(&waits, "thread \"sleeper\" (",
	    "ms: it waits in system call ");
	expect_late(&region, "thread \"",
	    "between hsenter() and hsleave(); leave sooner, or raise ");
	CU_ASSERT_EQUAL(hsthreadtimeout(before), 40);
	CU_ASSERT_EQUAL(hsthreadtimeout(-2), HS_EMISUSE);
}

static void
who_does_not_come_is_named(void)
{
	both_ways(name_the_late);
}

static void
one_late_does_not_harm_the_next(void)
{
	struct worker late = { .name = "late", .turn = spin_turn };
	struct worker w[N];
	const int before = hsthreadtimeout(5);

	start_all(w, poll_turn, "polls", NULL);
	worker_start(&late);
	for (int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(hs_park_stop_all(), HS_ESTOP);
	worker_stop(&late);
	(void)hsthreadtimeout(before);
	for (int i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
		hs_park_stop_resume();
	}
	stop_all(w);
}

static void
end_turn(struct worker *w)
{
	while (!LOAD(&w->stop))
		usleep(1000);
	pthread_exit(NULL);
}

static void *
stop_later(void *arg)
{
	struct worker *w = arg;

	sleep_ms(30);
	STORE(&w->stop, true);
	return NULL;
}

static void
thread_that_ends_has_come(void)
{
	struct worker w = { .name = "ends", .turn = end_turn, .once = true };
	pthread_t t;

	worker_start(&w);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, stop_later, &w), 0);
	CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
	hs_park_stop_resume();
	CU_ASSERT_EQUAL(pthread_join(t, NULL), 0);
	worker_join(&w);
}

static void
cancelled_turn(struct worker *w)
{
	w->rc |= hsblock();
	/* Where TSan can follow it: in no call that it watches. */
	while (!LOAD(&w->stop)) {
		pthread_testcancel();
		(void)sched_yield();
	}
	w->rc |= hsunblock();
}

static void
cancelled_thread_is_forgotten(void)
{
	struct worker w = { .name = "cancelled", .turn = cancelled_turn };

	for (int i = 0; i < 10; i++) {
		w.ready = false;
		worker_start(&w);
		CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
		CU_ASSERT_EQUAL(pthread_cancel(w.thread), 0);
		hs_park_stop_resume();
		worker_join(&w);
	}
	CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
	hs_park_stop_resume();
}

static void
pairs_that_do_not_match_are_refused(void)
{
	CU_ASSERT_EQUAL(hsleave(), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "hsleave: "));
	CU_ASSERT_EQUAL(hsenter(), 0);
	CU_ASSERT_EQUAL(hsleave(), 0);
	CU_ASSERT_EQUAL(hsleave(), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_park_register("main", NULL, NULL), 0);
	CU_ASSERT_EQUAL(hsunblock(), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "hsunblock: "));
	CU_ASSERT_EQUAL(hs_park_register("main", NULL, NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsenter(), 0);
	CU_ASSERT_EQUAL(hsblock(), HS_ELOCK);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "hsblock: thread \"main\""));
	CU_ASSERT_EQUAL(hsunblock(), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssafepoint(), 0);
	CU_ASSERT_EQUAL(hs_park_unregister(), HS_ELOCK);
	CU_ASSERT_EQUAL(hsleave(), 0);
	CU_ASSERT_EQUAL(hsblock(), 0);
	CU_ASSERT_EQUAL(hsenter(), 0);		/* allowed, and seen */
	CU_ASSERT_EQUAL(hsunblock(), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsleave(), 0);
	CU_ASSERT_EQUAL(hsunblock(), 0);
	CU_ASSERT_EQUAL(hs_park_unregister(), 0);
	CU_ASSERT_EQUAL(hs_park_unregister(), HS_EMISUSE);
	/* Not registered: nothing to say. */
	CU_ASSERT_EQUAL(hssafepoint(), 0);
	CU_ASSERT_EQUAL(hsblock(), 0);
	CU_ASSERT_EQUAL(hsunblock(), 0);
}

static void
checkpoint_in_a_region_is_refused(void)
{
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsenter(), 0);
	CU_ASSERT_EQUAL(hscpt(HS_SEALED, NULL), HS_ELOCK);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "hscpt: thread \""));
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "call hsleave() first"));
	CU_ASSERT_EQUAL(hswait(0, HS_SEALED, 0), 0);
	CU_ASSERT_EQUAL(hswait(0, HS_SEALED, -1), HS_ELOCK);
	CU_ASSERT_EQUAL(hsleave(), 0);
	CU_ASSERT_EQUAL(hscpt(HS_SEALED, NULL), 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
never_run(void *arg)
{
	(void)arg;
	CU_FAIL("started by itself");
}

static void
calls_are_the_same_without_an_agent(void)
{
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsthreadstart(), 0);
	CU_ASSERT_EQUAL(hsthreadreg("main", never_run, NULL), 0);
	CU_ASSERT_EQUAL(hsthreadreg("main", never_run, NULL), 0);
	CU_ASSERT_EQUAL(hsthreadreg("other", never_run, NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hscpt(HS_SEALED, NULL), 0);
	CU_ASSERT_EQUAL(hssafepoint(), 0);
	CU_ASSERT_EQUAL(hsthreadstart(), 0);
	CU_ASSERT_EQUAL(hsthreadunreg(), 0);
	CU_ASSERT_EQUAL(hsthreadunreg(), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

HS_SUITE(api_thread, HS_TEST(calls_are_the_same_without_an_agent),
    HS_TEST(registered_threads_stand_still),
    HS_TEST(endless_checkpoints_starve_nobody),
    HS_TEST(blocked_threads_count_as_parked),
    HS_TEST(regions_are_whole_or_not_begun),
    HS_TEST(who_does_not_come_is_named),
    HS_TEST(one_late_does_not_harm_the_next),
    HS_TEST(thread_that_ends_has_come), HS_TEST(cancelled_thread_is_forgotten),
    HS_TEST(pairs_that_do_not_match_are_refused),
    HS_TEST(checkpoint_in_a_region_is_refused))
