/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registered threads in checkpoints, and their coming back.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/why.h"
#include "ckpt/ckpt.h"
#include "ckpt/crew.h"
#include "ckpt/extra.h"
#include "mem/arena.h"
#include "state/code.h"
#include "state/park.h"
#include "state/park_list.h"
#include "state/thread.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_ckpt_peer.h"
#include "tests/unit/threads.h"

#define THREADS 3

/* In checkpoint memory: what the threads tell of themselves. */
struct desk {
	uint64_t ran[THREADS];	/* how often its worker began */
	struct hs_thread_plan plan[THREADS];
};

/* A worker's argument. */
struct seat {
	struct desk *desk;
	unsigned i;
};

static struct peer p;
static struct hs_ckpt *c;
static bool leave;		/* all workers */

static void
end_worker(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(LOAD(&leave) ? hs_park_unregister() : hs_crew_unreg(c),
	    0);
}

static void
work(void *arg)
{
	struct seat *s = arg;
	struct desk *d = s->desk;

	/* As it registers itself, whoever made it. */
	if (d->ran[s->i] > 0) {
		CU_ASSERT_EQUAL(hs_crew_reg(c, d->plan[s->i].name, work, s,
				    end_worker),
		    0);
	}
	CU_ASSERT_EQUAL(hs_thread_describe(&d->plan[s->i]), 0);
	(void)pthread_getname_np(pthread_self(), d->plan[s->i].name,
	    HS_THREAD_NAME_BYTES);
	STORE(&d->ran[s->i], d->ran[s->i] + 1);
	while (!LOAD(&leave)) {
		CU_ASSERT_EQUAL(hs_park_poll(), 0);
		usleep(500);
	}
}

/* A thread of the program's own making, which takes the seat. */
static void *
run_first(void *arg)
{
	struct seat *s = arg;
	char name[HS_THREAD_NAME_BYTES] = "worker-0";
	sigset_t set;
	cpu_set_t cpu;

	name[7] = (char)('0' + s->i);
	(void)pthread_setname_np(pthread_self(), name);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGRTMAX - (int)s->i);
	(void)pthread_sigmask(SIG_SETMASK, &set, NULL);
	if (setpriority(PRIO_PROCESS, (id_t)gettid(), 3 + (int)s->i) < 0)
		CU_FAIL("setpriority");
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (s->i == 1)
		(void)sched_setaffinity(0, sizeof(cpu), &cpu);
	CU_ASSERT_EQUAL(hs_crew_reg(c, name, work, s, end_worker), 0);
	work(s);
	return NULL;
}

static void *
allocate(size_t len)
{
	void *mem = NULL;

	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(hs_ckpt_arena(c), 16, len, true,
				  &mem),
	    0);
	return mem;
}

static struct desk *
begin(pthread_t t[THREADS])
{
	pthread_attr_t attr;
	struct desk *d;

	leave = false;
	peer_init(&p);
	c = peer_start(&p, 0);
	peer_policy(&p, HS_PROTECTED, false);
	d = allocate(sizeof(*d));
	CU_ASSERT_EQUAL(hs_arena_root_set(hs_ckpt_arena(c), "desk", d), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		struct seat *s = allocate(sizeof(*s));

		*s = (struct seat){ .desk = d, .i = i };
		(void)pthread_attr_init(&attr);
		(void)pthread_attr_setstacksize(&attr, (256u + 64 * i) << 10);
		(void)pthread_attr_setguardsize(&attr, 8192);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], &attr, run_first,
					  s),
		    0);
		(void)pthread_attr_destroy(&attr);
		CU_ASSERT_TRUE(await_value(&d->ran[i], 1));
	}
	return d;
}

/* The process dies: all that is left is the image. */
static void
die(pthread_t t[THREADS])
{
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	/* Their memory goes with the arena. */
	STORE(&leave, true);
	for (unsigned i = 0; t != NULL && i < THREADS; i++)
		CU_ASSERT_EQUAL(pthread_join(t[i], NULL), 0);
	while (hs_park_list_registered() != 0)
		sleep_ms(1);
	CU_ASSERT_EQUAL(hs_ckpt_close(&c, 1000), 0);
	c = NULL;
	peer_stop(&p);
}

static struct desk *
come_back(void)
{
	void *found = NULL;

	peer_again(&p);
	c = peer_start(&p, 0);
	peer_policy(&p, HS_PROTECTED, false);
	leave = false;
	CU_ASSERT_EQUAL_FATAL(hs_arena_root_get(hs_ckpt_arena(c), "desk",
				  &found),
	    0);
	return found;
}

static void
finish(void)
{
	STORE(&leave, true);
	while (hs_park_list_registered() != 0)
		sleep_ms(1);
	CU_ASSERT_STRING_EQUAL(p.wrong, "");
	(void)hs_ckpt_close(&c, 0);
	c = NULL;
	peer_stop(&p);
	peer_fini(&p);
}

static bool
is_same(const struct hs_thread_plan *a, const struct hs_thread_plan *b)
{
	uint8_t x[HS_THREAD_BYTES], y[HS_THREAD_BYTES];

	hs_thread_encode(a, x);
	hs_thread_encode(b, y);
	return memcmp(x, y, sizeof(x)) == 0;
}

static void
threads_come_back_as_they_were(void)
{
	struct hs_thread_plan before[THREADS];
	pthread_t t[THREADS];
	struct desk *d = begin(t);

	memcpy(before, d->plan, sizeof(before));
	die(t);
	d = come_back();
	CU_ASSERT_EQUAL(hs_thread_pending(), THREADS);
	/* Nothing is taken of a program without its threads. */
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, NULL), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "hsthreadstart()"));
	CU_ASSERT_EQUAL(hs_crew_reg(c, "one", work, d, end_worker), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "hsthreadstart()"));
	CU_ASSERT_EQUAL(hs_crew_start(c, end_worker), THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		CU_ASSERT_TRUE(await_value(&d->ran[i], 2));
		CU_ASSERT_TRUE(is_same(&before[i], &d->plan[i]));
	}
	CU_ASSERT_EQUAL(hs_crew_start(c, end_worker), 0);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	/* And once more, as the spare's spare. */
	die(NULL);
	d = come_back();
	CU_ASSERT_EQUAL(hs_crew_start(c, end_worker), THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		CU_ASSERT_TRUE(await_value(&d->ran[i], 3));
		CU_ASSERT_TRUE(is_same(&before[i], &d->plan[i]));
	}
	finish();
}

static void
one_that_cannot_be_made_stops_all(void)
{
	uint8_t good[HS_THREAD_BYTES], bad[HS_THREAD_BYTES];
	pthread_t t[THREADS];
	struct hs_store_rec rec;
	struct hs_store *s;
	struct desk *d;

	(void)begin(t);
	die(t);
	d = come_back();
	CU_ASSERT_EQUAL_FATAL(hs_extra_lock(c, "test", &s), 0);
	CU_ASSERT_EQUAL_FATAL(hs_store_get(s, HS_STORE_THREAD, 2, &rec), 0);
	memcpy(good, rec.bytes, sizeof(good));
	memcpy(bad, good, sizeof(bad));
	bad[4] = 99;				/* no such policy */
	CU_ASSERT_EQUAL(hs_store_put(s, HS_STORE_THREAD, 2, bad, sizeof(bad)),
	    0);
	hs_extra_unlock(c);
	CU_ASSERT_EQUAL(hs_crew_start(c, end_worker), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(),
	    "thread \"worker-1\" cannot have scheduling policy 99"));
	CU_ASSERT_EQUAL(hs_thread_pending(), THREADS);
	for (unsigned i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL(LOAD(&d->ran[i]), 1);
	while (hs_park_list_registered() != 0)
		sleep_ms(1);
	CU_ASSERT_EQUAL_FATAL(hs_extra_lock(c, "test", &s), 0);
	CU_ASSERT_EQUAL(hs_store_put(s, HS_STORE_THREAD, 2, good, sizeof(good)),
	    0);
	hs_extra_unlock(c);
	CU_ASSERT_EQUAL(hs_crew_start(c, end_worker), THREADS);
	for (unsigned i = 0; i < THREADS; i++)
		CU_ASSERT_TRUE(await_value(&d->ran[i], 2));
	finish();
}

static unsigned
count_records(void)
{
	struct hs_store_rec rec;
	struct hs_store *s;
	uint64_t key = 0;
	unsigned n = 0;

	CU_ASSERT_EQUAL_FATAL(hs_extra_lock(c, "test", &s), 0);
	for (; hs_store_next(s, HS_STORE_THREAD, key, &rec) == 1; n++)
		key = rec.key + 1;
	hs_extra_unlock(c);
	return n;
}

static void *
run_shortly(void *arg)
{
	CU_ASSERT_EQUAL(hs_crew_reg(c, "short", work, arg, end_worker), 0);
	CU_ASSERT_EQUAL(count_records(), 1);
	return NULL;
}

static void
ended_threads_are_in_no_checkpoint(void)
{
	struct seat *s;
	pthread_t t;

	leave = false;
	peer_init(&p);
	c = peer_start(&p, 0);
	peer_policy(&p, HS_PROTECTED, false);
	s = allocate(sizeof(*s));
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, run_shortly, s),
		    0);
		CU_ASSERT_EQUAL(pthread_join(t, NULL), 0);
		CU_ASSERT_EQUAL(count_records(), 0);
	}
	/* By itself, too. */
	CU_ASSERT_EQUAL(hs_crew_reg(c, "main", work, s, end_worker), 0);
	CU_ASSERT_EQUAL(hs_crew_reg(c, "main", work, s, end_worker), 0);
	CU_ASSERT_EQUAL(hs_crew_reg(c, "main", work, NULL, end_worker),
	    HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_crew_reg(c, "main", end_worker, s, end_worker),
	    HS_EMISUSE);
	CU_ASSERT_EQUAL(count_records(), 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	CU_ASSERT_EQUAL(hs_crew_unreg(c), 0);
	CU_ASSERT_EQUAL(hs_crew_unreg(c), HS_EMISUSE);
	CU_ASSERT_EQUAL(count_records(), 0);
	/* Only waited for. */
	CU_ASSERT_EQUAL(hs_crew_reg(c, "main", NULL, NULL, end_worker), 0);
	CU_ASSERT_EQUAL(count_records(), 0);
	CU_ASSERT_EQUAL(hs_park_list_registered(), 1);
	CU_ASSERT_EQUAL(hs_crew_unreg(c), 0);
	finish();
}

static void
what_means_nothing_on_a_spare_is_refused(void)
{
	static const uint8_t made_code[16];
	int here = 0;

	leave = false;
	peer_init(&p);
	c = peer_start(&p, 0);
	CU_ASSERT_EQUAL(hs_crew_reg(c, NULL, work, NULL, end_worker),
	    HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_crew_reg(c, "", work, NULL, end_worker), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_crew_reg(c, "sixteen bytes...", work, NULL,
			    end_worker),
	    HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "1 to 15 bytes"));
	CU_ASSERT_EQUAL(hs_crew_reg(c, "w", work, &here, end_worker),
	    HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "not in checkpoint"));
	CU_ASSERT_EQUAL(hs_crew_reg(c, "w", (hs_crew_fn *)(uintptr_t)made_code,
			    NULL, end_worker),
	    HS_ECODE);
	CU_ASSERT_EQUAL(hs_park_list_registered(), 0);
	finish();
}

HS_SUITE(ckpt_crew, HS_TEST(threads_come_back_as_they_were),
    HS_TEST(one_that_cannot_be_made_stops_all),
    HS_TEST(ended_threads_are_in_no_checkpoint),
    HS_TEST(what_means_nothing_on_a_spare_is_refused))
