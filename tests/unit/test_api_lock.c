/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks: what they exclude, what a stop makes of them, and what each breach of
 * the lock rule is answered with.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "hs.h"
#include "state/park.h"
#include "state/park_stop.h"
#include "tests/unit/api_says.h"
#include "tests/unit/suite.h"
#include "tests/unit/threads.h"

#define N 4

/* What the locks guard: a sum that is the same, and words that are equal. */
static struct {
	struct hs_mutex m;
	struct hs_mutex other;
	struct hs_rwlock rw;
	struct hs_cond c;
	uint64_t a, b;		/* equal, by m */
	uint64_t x, y;		/* equal, by rw */
	unsigned torn;
	unsigned waiting, woken;
	unsigned ball;		/* whose turn it is */
} s;

static void
clear_state(void)
{
	memset(&s, 0, sizeof(s));
	memcpy(s.m.name, "accounts", 9);
	memcpy(s.rw.name, "twelve bytes", 12);
}

static void
expect_message(const char *a, const char *b)
{
	if (strstr(hsmessage(), a) == NULL || strstr(hsmessage(), b) == NULL)
		CU_FAIL(hsmessage());
}

/* ---- exclusion ---- */

static void
mutex_turn(struct worker *w)
{
	w->rc |= hsmutexlock(&s.m);
	if (s.a++ != s.b++)
		s.torn++;
	w->rc |= hsmutexunlock(&s.m);
	w->rc |= hssafepoint();
}

static void
rw_turn(struct worker *w)
{
	uint64_t x;

	if (w->turns % 4 == 0) {
		w->rc |= hsrwlockwrlock(&s.rw);
		s.x++;
		s.y++;
		w->rc |= hsrwlockunlock(&s.rw);
	}
	w->rc |= hsrwlockrdlock(&s.rw);
	x = s.x;
	if (x != s.y)
		__atomic_fetch_add(&s.torn, 1, __ATOMIC_RELAXED);
	w->rc |= hsrwlockunlock(&s.rw);
	w->rc |= hssafepoint();
}

static void
run_turns(void turn(struct worker *), unsigned ms)
{
	struct worker w[N];
	uint64_t sum = 0;

	for (int i = 0; i < N; i++) {
		/* Two of each kind of thread. */
		w[i] = (struct worker){ .turn = turn,
			.name = i % 2 == 0 ? "registered" : NULL };
		worker_start(&w[i]);
	}
	for (unsigned i = 0; i < ms; i += 2) {
		CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
		/* Free, every one, and nothing is half done. */
		CU_ASSERT_EQUAL(LOAD(&s.m.word) | LOAD(&s.rw.word), 0);
		CU_ASSERT_EQUAL(s.a, s.b);
		CU_ASSERT_EQUAL(s.x, s.y);
		hs_park_stop_resume();
		sleep_ms(2);
	}
	for (int i = 0; i < N; i++) {
		worker_stop(&w[i]);
		CU_ASSERT_EQUAL(w[i].rc, 0);
		sum += w[i].turns;
	}
	CU_ASSERT_EQUAL(s.torn, 0);
	if (turn == mutex_turn)
		CU_ASSERT_EQUAL(s.a, sum);
}

static void
mutex_excludes_and_is_free_in_a_stop(void)
{
	clear_state();
	run_turns(mutex_turn, 200);
	hs_park_use_fences(true);
	clear_state();
	run_turns(mutex_turn, 200);
	hs_park_use_fences(false);
}

static void
rwlock_excludes_and_is_free_in_a_stop(void)
{
	clear_state();
	run_turns(rw_turn, 200);
	CU_ASSERT(s.x > 0);
}

static void
try_turn(struct worker *w)
{
	struct hs_mutex *m = w->arg;

	worker_keep(w, hsmutextrylock(m));
	w->rc |= hsrwlocktrywrlock(&s.rw) == -EBUSY ? 0 : 1;
}

static void
taken_locks_are_busy(void)
{
	struct worker w = { .turn = try_turn, .once = true, .arg = &s.m };

	clear_state();
	CU_ASSERT_EQUAL(hsmutexlock(&s.m), 0);
	CU_ASSERT_EQUAL(hsrwlockrdlock(&s.rw), 0);
	worker_start(&w);
	worker_join(&w);
	CU_ASSERT_EQUAL(w.rc, -EBUSY);
	CU_ASSERT_EQUAL(hsrwlockunlock(&s.rw), 0);
	CU_ASSERT_EQUAL(hsmutexunlock(&s.m), 0);
	CU_ASSERT_EQUAL(hsmutextrylock(&s.m), 0);
	CU_ASSERT_EQUAL(hsrwlocktrywrlock(&s.rw), 0);
	CU_ASSERT_EQUAL(hsrwlockunlock(&s.rw), 0);
	CU_ASSERT_EQUAL(hsrwlocktryrdlock(&s.rw), 0);
	CU_ASSERT_EQUAL(hsrwlockunlock(&s.rw), 0);
	/* In any order. */
	CU_ASSERT_EQUAL(hsmutexlock(&s.other), 0);
	CU_ASSERT_EQUAL(hsmutexunlock(&s.m), 0);
	CU_ASSERT_EQUAL(hsmutexunlock(&s.other), 0);
	CU_ASSERT_EQUAL(s.m.word | s.other.word | s.rw.word, 0);
}

/* ---- conditions ---- */

static void
ball_turn(struct worker *w)
{
	const unsigned me = (unsigned)(uintptr_t)w->arg;

	w->rc |= hsmutexlock(&s.m);
	while (s.ball % N != me && !LOAD(&w->stop))
		w->rc |= hscondwait(&s.c, &s.m);
	s.ball++;
	w->rc |= hscondbroadcast(&s.c);
	w->rc |= hsmutexunlock(&s.m);
}

static void
ball_goes_round_through_stops(void)
{
	const uint64_t t0 = hs_clock_ns();
	struct worker w[N];

	clear_state();
	for (uintptr_t i = 0; i < N; i++) {
		w[i] = (struct worker){ .turn = ball_turn,
			.name = i < N / 2 ? "player" : NULL,
			.arg = (void *)i };
		worker_start(&w[i]);
	}
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
		CU_ASSERT_EQUAL(LOAD(&s.m.word), 0);
		hs_park_stop_resume();
		sleep_ms(1);
	}
	/* A wake-up that got lost is found after half a second. */
	CU_ASSERT(hs_clock_ns() - t0 < UINT64_C(5000000000));
	for (int i = 0; i < N; i++)
		STORE(&w[i].stop, true);
	CU_ASSERT_EQUAL(hsmutexlock(&s.m), 0);
	CU_ASSERT_EQUAL(hscondbroadcast(&s.c), 0);
	CU_ASSERT_EQUAL(hsmutexunlock(&s.m), 0);
	for (int i = 0; i < N; i++) {
		worker_join(&w[i]);
		CU_ASSERT_EQUAL(w[i].rc, 0);
		CU_ASSERT(w[i].turns > 10);
	}
	CU_ASSERT_EQUAL(s.c.waiters, 0);
}

static void
wait_turn(struct worker *w)
{
	w->rc |= hsmutexlock(&s.m);
	s.waiting++;
	while (s.ball == 0)
		w->rc |= hscondwait(&s.c, &s.m);
	s.ball--;
	s.woken++;
	w->rc |= hsmutexunlock(&s.m);
}

static unsigned
read_locked(const unsigned *p)
{
	unsigned v;

	(void)hsmutexlock(&s.m);
	v = *p;
	(void)hsmutexunlock(&s.m);
	return v;
}

static void
signal_wakes_one(void)
{
	struct worker w[N];

	clear_state();
	/* As a program left it that had waiters, and is no more. */
	s.c.waiters = 1000;
	s.c.life = 1;
	for (int i = 0; i < N; i++) {
		w[i] = (struct worker){ .turn = wait_turn, .once = true };
		worker_start(&w[i]);
	}
	while (read_locked(&s.waiting) < N)
		sleep_ms(1);
	CU_ASSERT_EQUAL(s.c.waiters, N);
	for (unsigned i = 1; i <= N; i++) {
		(void)hsmutexlock(&s.m);
		s.ball++;
		CU_ASSERT_EQUAL(hscondsignal(&s.c), 0);
		(void)hsmutexunlock(&s.m);
		while (read_locked(&s.woken) < i)
			sleep_ms(1);
		CU_ASSERT_EQUAL(read_locked(&s.woken), i);
	}
	for (int i = 0; i < N; i++) {
		worker_join(&w[i]);
		CU_ASSERT_EQUAL(w[i].rc, 0);
	}
}

static void
wait_ends_at_its_time(void)
{
	clear_state();
	CU_ASSERT_EQUAL(hscondwait(&s.c, &s.m), HS_EMISUSE);
	expect_message("hscondwait: mutex accounts (0x", "is not locked");
	CU_ASSERT_EQUAL(hsmutexlock(&s.m), 0);
	CU_ASSERT_EQUAL(hscondtimedwait(&s.c, &s.m, 0), HS_ETIMEDOUT);
	CU_ASSERT_EQUAL(hscondtimedwait(&s.c, &s.m, 20), HS_ETIMEDOUT);
	CU_ASSERT_EQUAL(s.c.waiters, 0);
	CU_ASSERT_EQUAL(hsmutexunlock(&s.m), 0);
}

/* ---- misuse ---- */

static void
unlock_turn(struct worker *w)
{
	worker_keep(w, hsmutexunlock(&s.m));
}

static void
misuse_is_refused(void)
{
	struct worker w = { .turn = unlock_turn, .once = true };
	struct hs_mutex many[HS_LOCK_MAX] = { 0 };

	clear_state();
	CU_ASSERT_EQUAL(hsmutexunlock(&s.m), HS_EMISUSE);
	expect_message("hsmutexunlock: mutex accounts (0x", "is not locked");
	CU_ASSERT_EQUAL(hsmutexlock(&s.m), 0);
	CU_ASSERT_EQUAL(hsmutexlock(&s.m), HS_EMISUSE);
	expect_message("hsmutexlock: mutex accounts",
	    "by this thread already: unlock it first");
	worker_start(&w);
	worker_join(&w);
	CU_ASSERT_EQUAL(w.rc, HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.message, "is not held by this thread"));
	for (int i = 1; i < HS_LOCK_MAX; i++)
		CU_ASSERT_EQUAL(hsmutexlock(&many[i]), 0);
	CU_ASSERT_EQUAL(hsmutexlock(&many[0]), HS_EMISUSE);
	expect_message("hsmutexlock: mutex (0x", "HS_LOCK_MAX");
	for (int i = 1; i < HS_LOCK_MAX; i++)
		CU_ASSERT_EQUAL(hsmutexunlock(&many[i]), 0);
	CU_ASSERT_EQUAL(hsmutexunlock(&s.m), 0);
	CU_ASSERT_EQUAL(hsrwlockunlock(&s.rw), HS_EMISUSE);
	expect_message("read-write lock twelve bytes (0x", "is not locked");
	CU_ASSERT_EQUAL(hsrwlockrdlock(&s.rw), 0);
	CU_ASSERT_EQUAL(hsrwlockrdlock(&s.rw), HS_EMISUSE);
	expect_message("hsrwlockrdlock: ", "by this thread already");
	CU_ASSERT_EQUAL(hsrwlockwrlock(&s.rw), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsrwlockunlock(&s.rw), 0);
	/* It is as if none of it had been. */
	CU_ASSERT_EQUAL(hs_park_self.busy, 0);
	CU_ASSERT_EQUAL(hs_park_self.locks, 0);
}

/* ---- the lock rule ---- */

static void
rule_is_kept_at_each_call(void)
{
	clear_state();
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hs_park_register("breaker", NULL, NULL), 0);
	CU_ASSERT_EQUAL(hsmutexlock(&s.m), 0);
	CU_ASSERT_EQUAL(hscpt(HS_SEALED, NULL), HS_ELOCK);
	expect_message("hscpt: thread \"breaker\" (",
	    "holds mutex \"accounts\" (0x");
	expect_message("locked at ", "unit_api");
	CU_ASSERT_EQUAL(hswait(0, HS_SEALED, 0), 0);
	CU_ASSERT_EQUAL(hswait(0, HS_SEALED, 1), HS_ELOCK);
	expect_message("hswait: thread \"breaker\" (", "\"accounts\"");
	CU_ASSERT_EQUAL(hssafepoint(), HS_ELOCK);
	expect_message("hssafepoint: thread \"breaker\" (", "\"accounts\"");
	CU_ASSERT_EQUAL(hsblock(), HS_ELOCK);
	expect_message("hsblock: thread \"breaker\" (", "\"accounts\"");
	CU_ASSERT_EQUAL(hs_park_unregister(), HS_ELOCK);
	expect_message("hsthreadunreg: thread \"breaker\" (", "\"accounts\"");
	/* The mutex of the condition may be held, but no other lock. */
	CU_ASSERT_EQUAL(hsrwlockrdlock(&s.rw), 0);
	CU_ASSERT_EQUAL(hscondwait(&s.c, &s.m), HS_ELOCK);
	expect_message("hscondwait: thread \"breaker\" (",
	    "holds read lock \"twelve bytes\" (0x");
	CU_ASSERT_EQUAL(hsrwlockunlock(&s.rw), 0);
	CU_ASSERT_EQUAL(hsenter(), 0);
	CU_ASSERT_EQUAL(hscondwait(&s.c, &s.m), HS_ELOCK);
	expect_message("hscondwait: ", "between hsenter() and hsleave()");
	CU_ASSERT_EQUAL(hsleave(), 0);
	CU_ASSERT_EQUAL(hsmutexunlock(&s.m), 0);
	CU_ASSERT_EQUAL(hssafepoint(), 0);
	CU_ASSERT_EQUAL(hs_park_unregister(), 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

/* A registered thread that comes to its safepoint with a lock. */
static void
breach_turn(struct worker *w)
{
	int rc;

	w->rc |= hsmutexlock(&s.m);
	while ((rc = hssafepoint()) == 0)
		usleep(100);
	worker_keep(w, rc);
	w->rc |= hsmutexunlock(&s.m);
	while (!LOAD(&w->stop)) {
		(void)hssafepoint();
		usleep(100);
	}
}

static void
stop_is_told_of_a_breach(void)
{
	struct worker w = { .name = "breaker", .turn = breach_turn };
	const int before = hsthreadtimeout(-1);
	int rc;

	clear_state();
	worker_start(&w);
	/* It may have come before the stop. */
	rc = hs_park_stop_all();
	if (rc == HS_ELOCK)
		expect_message("hssafepoint: thread \"breaker\" (",
		    "holds mutex \"accounts\" (0x");
	else
		hs_park_stop_resume();
	worker_stop(&w);
	CU_ASSERT_EQUAL(w.rc, HS_ELOCK);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.message, "\"accounts\""));
	(void)hsthreadtimeout(before);
}

static void
hold_turn(struct worker *w)
{
	w->rc |= hsmutexlock(&s.m);
	while (!LOAD(&w->stop))
		usleep(1000);
	w->rc |= hsmutexunlock(&s.m);
}

static void
late_holder_is_named_with_its_lock(void)
{
	struct worker w = { .turn = hold_turn, .once = true };
	const int before = hsthreadtimeout(30);

	clear_state();
	worker_start(&w);
	while (LOAD(&s.m.word) == 0)
		sleep_ms(1);
	CU_ASSERT_EQUAL(hs_park_stop_all(), HS_ESTOP);
	expect_message("hscpt: thread \"", "it holds mutex \"accounts\" (0x");
	worker_stop(&w);
	CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
	hs_park_stop_resume();
	(void)hsthreadtimeout(before);
}

/* What a hook before a checkpoint may do: all others stand still. */
static void
hook_may_lock_but_not_keep(void)
{
	int began;

	clear_state();
	CU_ASSERT_EQUAL(hs_park_register("stops", NULL, NULL), 0);
	for (int i = 0; i < 2; i++) {
		began = hs_park_begin("hscpt");
		CU_ASSERT_EQUAL_FATAL(began, 1);
		CU_ASSERT_EQUAL_FATAL(hs_park_stop_all(), 0);
		CU_ASSERT_EQUAL(hsmutexlock(&s.m), 0);
		CU_ASSERT_EQUAL(hs_park_stop_still(), HS_ELOCK);
		expect_message("hook before a checkpoint: thread \"stops\"",
		    "holds mutex \"accounts\"");
		CU_ASSERT_EQUAL(hscondwait(&s.c, &s.m), HS_EMISUSE);
		expect_message("hscondwait: ", "from a hook");
		if (i == 0) {
			CU_ASSERT_EQUAL(hsmutexunlock(&s.m), 0);
		}
		CU_ASSERT_EQUAL(hsblock(), i == 0 ? 0 : HS_ELOCK);
		CU_ASSERT_EQUAL(hsunblock(), i == 0 ? 0 : HS_EMISUSE);
		CU_ASSERT_EQUAL(hs_park_stop_still(), i == 0 ? 0 : HS_ELOCK);
		CU_ASSERT_EQUAL(hs_park_check("hsfdreg"), HS_EMISUSE);
		expect_message("hsfdreg: ", "from a hook");
		hs_park_stop_resume();
		hs_park_end(began);
	}
	CU_ASSERT_EQUAL(hs_park_begin("hscpt"), HS_ELOCK);
	CU_ASSERT_EQUAL(hsmutexunlock(&s.m), 0);
	CU_ASSERT_EQUAL(hs_park_unregister(), 0);
}

/* ---- a thread ends with a lock ---- */

static void
end_with_lock_turn(struct worker *w)
{
	w->rc |= hsmutexlock(w->arg);
}

static void
end_reading_turn(struct worker *w)
{
	w->rc |= hsrwlockrdlock(w->arg);
}

static void
end_writing_turn(struct worker *w)
{
	w->rc |= hsrwlockwrlock(w->arg);
}

/* For longer than it takes to look whether the thread lives. */
static void
read_long_turn(struct worker *w)
{
	w->rc |= hsrwlockrdlock(&s.rw);
	STORE(&s.x, 1);
	sleep_ms(1200);
	s.y = 1;
	w->rc |= hsrwlockunlock(&s.rw);
}

/* In a process of its own, which is of no use afterwards. */
static int
leave_lock_behind(void)
{
	struct worker w = { .turn = end_with_lock_turn,
		.once = true,
		.name = "gone",
		.arg = &s.m };

	clear_state();
	worker_start(&w);
	worker_join(&w);
	if (hs_park_stop_all() != HS_ELOCK ||
	    !says("hscpt: thread \"gone\" (") || !says(" has ended ") ||
	    !says("it holds mutex \"accounts\" (0x"))
		return 1;
	/* Once more: it does not heal. */
	if (hs_park_stop_all() != HS_ELOCK || !says("\"gone\""))
		return 2;
	if (hsmutexlock(&s.m) != HS_ELOCK ||
	    !says("hsmutexlock: mutex accounts (0x") ||
	    !says("is held by thread \"gone\" (") ||
	    !says("which has ended, and stays so: end the program"))
		return 3;
	return hs_park_self.busy == 0 ? 0 : 4;
}

/* As above; of a read lock the word does not tell who has it. */
static int
leave_rwlock_behind(void end(struct worker *), const char *line)
{
	struct worker w = { .turn = end,
		.once = true,
		.name = "gone",
		.arg = &s.rw };

	clear_state();
	worker_start(&w);
	worker_join(&w);
	if (hs_park_stop_all() != HS_ELOCK || !says(line))
		return 1;
	if (hsrwlockwrlock(&s.rw) != HS_ELOCK ||
	    !says("hsrwlockwrlock: write lock twelve bytes (0x") ||
	    !says("is held by thread \"gone\" ("))
		return 2;
	/* Who reads would wait for the one who writes. */
	if (hsrwlockrdlock(&s.rw) != HS_ELOCK || !says("\"gone\""))
		return 3;
	return hs_park_self.busy == 0 ? 0 : 4;
}

static int
leave_read_lock_behind(void)
{
	return leave_rwlock_behind(end_reading_turn,
	    "it holds read lock \"twelve bytes\" (0x");
}

static int
leave_write_lock_behind(void)
{
	return leave_rwlock_behind(end_writing_turn,
	    "it holds write lock \"twelve bytes\" (0x");
}

/* A reader that lives is no breach, however long it reads. */
static int
wait_for_a_reader(void)
{
	struct worker w = { .turn = read_long_turn, .once = true };

	clear_state();
	worker_start(&w);
	if (!await_value(&s.x, 1))
		return 1;
	if (hsrwlockwrlock(&s.rw) != 0 || s.y != 1)
		return 2;
	worker_join(&w);
	return hsrwlockunlock(&s.rw);
}

static void
expect_child(int child(void))
{
	int status = -1;
	pid_t pid;

	(void)hsenter();
	(void)hsleave();
	pid = fork();
	if (pid == 0) {
		hs_park_forget();
		(void)alarm(20);	/* who waits for ever fails */
		_exit(child());
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	/* Here nothing has happened. */
	CU_ASSERT_EQUAL(hs_park_stop_all(), 0);
	hs_park_stop_resume();
}

static void
lock_of_a_thread_that_ended_is_told(void)
{
	expect_child(leave_lock_behind);
	expect_child(leave_write_lock_behind);
}

static void
read_lock_of_a_thread_that_ended_is_told(void)
{
	expect_child(leave_read_lock_behind);
	expect_child(wait_for_a_reader);
}

HS_SUITE(api_lock, HS_TEST(mutex_excludes_and_is_free_in_a_stop),
    HS_TEST(rwlock_excludes_and_is_free_in_a_stop),
    HS_TEST(taken_locks_are_busy), HS_TEST(ball_goes_round_through_stops),
    HS_TEST(signal_wakes_one), HS_TEST(wait_ends_at_its_time),
    HS_TEST(misuse_is_refused), HS_TEST(rule_is_kept_at_each_call),
    HS_TEST(stop_is_told_of_a_breach),
    HS_TEST(late_holder_is_named_with_its_lock),
    HS_TEST(hook_may_lock_but_not_keep),
    HS_TEST(lock_of_a_thread_that_ended_is_told),
    HS_TEST(read_lock_of_a_thread_that_ended_is_told))
