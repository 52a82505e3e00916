/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers over a restore, and what signals they left.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/tsan.h"
#include "hs.h"
#include "tests/unit/api_life.h"
#include "tests/unit/api_notes.h"
#include "tests/unit/api_says.h"
#include "tests/unit/suite.h"

#define MS 1000000L
#define RT (SIGRTMIN + 3)
#define ROUNDS 50

static void
set_itimer(int which, long ms, long interval_ms)
{
	const struct itimerval v = {
		.it_value = { ms / 1000, ms % 1000 * 1000 },
		.it_interval = { interval_ms / 1000,
		    interval_ms % 1000 * 1000 },
	};

	CU_ASSERT_EQUAL(setitimer((__itimer_which_t)which, &v, NULL), 0);
}

static long
itimer_left_ms(int which, long *interval_ms)
{
	struct itimerval v;

	CU_ASSERT_EQUAL(getitimer((__itimer_which_t)which, &v), 0);
	*interval_ms =
	    v.it_interval.tv_sec * 1000 + v.it_interval.tv_usec / 1000;
	return v.it_value.tv_sec * 1000 + v.it_value.tv_usec / 1000;
}

static void
set_timer(timer_t id, long ms, long interval_ms)
{
	const struct itimerspec v = {
		.it_value = { ms / 1000, ms % 1000 * MS },
		.it_interval = { interval_ms / 1000, interval_ms % 1000 * MS },
	};

	CU_ASSERT_EQUAL(timer_settime(id, 0, &v, NULL), 0);
}

static long
timer_left_ms(timer_t id, long *interval_ms)
{
	struct itimerspec v;

	CU_ASSERT_EQUAL(timer_gettime(id, &v), 0);
	*interval_ms = v.it_interval.tv_sec * 1000 + v.it_interval.tv_nsec / MS;
	return v.it_value.tv_sec * 1000 + v.it_value.tv_nsec / MS;
}

/* was ms before some time that this machine was busy for. */
static bool
is_left(long left_ms, long was_ms)
{
	return left_ms <= was_ms && left_ms > was_ms - 5000;
}

static timer_t *
make_timer(const char *name, int clock, struct sigevent *ev)
{
	timer_t *slot = hsmalloc(sizeof(*slot));

	CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
	CU_ASSERT_EQUAL_FATAL(timer_create(clock, ev, slot), 0);
	CU_ASSERT_EQUAL(hstimerreg(slot, clock, ev), 0);
	CU_ASSERT_EQUAL(hsroot(name, slot), 0);
	return slot;
}

static void
drop_timer(const char *name)
{
	timer_t *slot = hsfind(name);

	CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
	CU_ASSERT_EQUAL(timer_delete(*slot), 0);
}

static void
timers_go_on(void)
{
	static const int clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME,
		CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID };
	static const char *const names[] = { "mono", "real", "boot", "tai",
		"cpu" };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = RT };
	uint64_t first = 0, second = 1;
	timer_t *slot;
	long every;

	life_begin();
	sig_handle(RT, note_signal);
	sig_handle(SIGALRM, note_signal);
	CU_ASSERT_EQUAL(hssigreg(RT), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGALRM), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGVTALRM), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGPROF), 0);
	CU_ASSERT_EQUAL(hsitimerreg(ITIMER_REAL), 0);
	CU_ASSERT_EQUAL(hsitimerreg(ITIMER_VIRTUAL), 0);
	CU_ASSERT_EQUAL(hsitimerreg(ITIMER_PROF), 0);
	for (int i = 0; i < 5; i++) {
		slot = make_timer(names[i], clocks[i], &ev);
		set_timer(*slot, 60000 + i * 10000, i * 1000);
	}
	set_timer(*slot, 0, 0);
	(void)make_timer("idle", CLOCK_MONOTONIC, NULL);
	set_itimer(ITIMER_REAL, 50000, 7000);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	/*
	 * M2: time goes by, and nothing is written; unless a second does, on
	 * a machine that is busy.
	 */
	for (int i = 0; i < 10 && first != second; i++) {
		CU_ASSERT_EQUAL(hscpt(HS_HELD, &first), 0);
		(void)usleep(5000);
		CU_ASSERT_EQUAL(hscpt(HS_HELD, &second), 0);
	}
	CU_ASSERT_EQUAL(first, second);
	/* But for what counts the process's time. */
	set_timer(*slot, 100000, 4000);
	set_itimer(ITIMER_VIRTUAL, 70000, 0);
	set_itimer(ITIMER_PROF, 80000, 9000);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	for (int i = 0; i < 5; i++)
		drop_timer(names[i]);
	drop_timer("idle");
	for (int i = 0; i < 3; i++)
		set_itimer(i, 0, 0);
	life_stop();
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	for (int i = 0; i < 5; i++) {
		slot = hsfind(names[i]);
		CU_ASSERT(
		    is_left(timer_left_ms(*slot, &every), 60000 + i * 10000));
		CU_ASSERT_EQUAL(every, i * 1000);
	}
	slot = hsfind("idle");
	CU_ASSERT_EQUAL(timer_left_ms(*slot, &every), 0);
	CU_ASSERT(is_left(itimer_left_ms(ITIMER_REAL, &every), 50000));
	CU_ASSERT_EQUAL(every, 7000);
	CU_ASSERT(is_left(itimer_left_ms(ITIMER_VIRTUAL, &every), 70010));
	CU_ASSERT_EQUAL(every, 0);
	CU_ASSERT(is_left(itimer_left_ms(ITIMER_PROF, &every), 80010));
	CU_ASSERT_EQUAL(every, 9000);
	/* And the restored ones are registered. */
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	for (int i = 0; i < 3; i++) {
		set_itimer(i, 0, 0);
		CU_ASSERT_EQUAL(hsitimerunreg(i), 0);
	}
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(hstimerunreg(hsfind(names[i])), 0);
		drop_timer(names[i]);
	}
	CU_ASSERT_EQUAL(hstimerunreg(slot), 0);
	drop_timer("idle");
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	life_end();
	sig_clean(RT);
	sig_clean(SIGALRM);
	CU_ASSERT_EQUAL(atomic_load(&notes.came), 0);
}

static void
what_expired_meanwhile_comes_once(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = RT,
		.sigev_value = { .sival_int = 4711 } };
	timer_t *slot;
	long every;

	note_forget();
	CU_ASSERT_EQUAL(hshook(HS_AT_PROMOTION, 0, note_hook, NULL), 0);
	life_begin();
	sig_handle_value(RT);
	sig_handle(SIGALRM, note_signal);
	CU_ASSERT_EQUAL(hssigreg(RT), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGALRM), 0);
	CU_ASSERT_EQUAL(hsitimerreg(ITIMER_REAL), 0);
	slot = make_timer("tick", CLOCK_MONOTONIC, &ev);
	set_timer(*slot, 950, 20);
	set_itimer(ITIMER_REAL, 1000, 30000);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	drop_timer("tick");
	set_itimer(ITIMER_REAL, 0, 0);
	life_stop();
	(void)usleep(1250000);
	note_forget();
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	slot = hsfind("tick");
	set_timer(*slot, 0, 0);
	CU_ASSERT_FALSE(atomic_load(&notes.before_hook));
	CU_ASSERT_EQUAL(atomic_load(&notes.value), 4711);
	CU_ASSERT(atomic_load(&notes.came) >= 2);
	/* Some 250 ms of ticks, the first with all that came before. */
	CU_ASSERT(atomic_load(&notes.overrun) >= 10);
	/* It expired after a second, and expires 30 s after that. */
	CU_ASSERT(itimer_left_ms(ITIMER_REAL, &every) < 29900);
	set_itimer(ITIMER_REAL, 0, 0);
	drop_timer("tick");
	CU_ASSERT_EQUAL(hstimerunreg(slot), 0);
	life_stop();
	life_end();
	CU_ASSERT_EQUAL(hsunhook(HS_AT_PROMOTION, note_hook, NULL), 0);
	sig_clean(RT);
	sig_clean(SIGALRM);
}

static void
note_in_thread(union sigval sv)
{
	atomic_store(&notes.value, sv.sival_int);
	if (!atomic_load(&notes.hooked))
		atomic_store(&notes.before_hook, true);
	atomic_fetch_add(&notes.came, 1);
}

/*
 * The C library starts the thread by itself, without the race detector's
 * knowledge, which then has no place to keep what the thread does.
 */
#define THREADS_OF_LIBC (!HS_TSAN)

static void
timer_calls_its_function(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = note_in_thread,
		.sigev_value = { .sival_int = 12 } };
	timer_t *slot;

	if (!THREADS_OF_LIBC)
		return;
	note_forget();
	CU_ASSERT_EQUAL(hshook(HS_AFTER_RESTORE, 0, note_hook, NULL), 0);
	life_begin();
	slot = make_timer("call", CLOCK_REALTIME, &ev);
	set_timer(*slot, 1000, 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	drop_timer("call");
	life_stop();
	CU_ASSERT_EQUAL(atomic_load(&notes.came), 0);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	for (int i = 0; i < 500 && atomic_load(&notes.came) == 0; i++)
		(void)usleep(10000);
	CU_ASSERT_EQUAL(atomic_load(&notes.came), 1);
	CU_ASSERT_EQUAL(atomic_load(&notes.value), 12);
	CU_ASSERT_FALSE(atomic_load(&notes.before_hook));
	drop_timer("call");
	life_stop();
	life_end();
	CU_ASSERT_EQUAL(hsunhook(HS_AFTER_RESTORE, note_hook, NULL), 0);
}

static void
timer_refusals_say_what_to_do(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = RT };
	pthread_attr_t attr;
	timer_t *slot, here;

	CU_ASSERT_EQUAL(hsitimerreg(ITIMER_REAL), HS_ESTATE);
	CU_ASSERT_EQUAL(hsitimerunreg(ITIMER_REAL), HS_ESTATE);
	CU_ASSERT_EQUAL(hstimerreg(&here, CLOCK_MONOTONIC, NULL), HS_ESTATE);
	CU_ASSERT_EQUAL(hstimerunreg(&here), HS_ESTATE);
	life_begin();
	CU_ASSERT_EQUAL(hsitimerreg(3), HS_EMISUSE);
	CU_ASSERT(says("no interval timer 3: use ITIMER_REAL"));
	CU_ASSERT_EQUAL(hsitimerreg(ITIMER_REAL), HS_EMISUSE);
	CU_ASSERT(says("call hssigreg(14) first"));
	CU_ASSERT_EQUAL(hsitimerunreg(ITIMER_PROF), HS_EMISUSE);
	CU_ASSERT(says("ITIMER_PROF is not registered"));
	CU_ASSERT_EQUAL(hssigreg(SIGALRM), 0);
	CU_ASSERT_EQUAL(hssigreg(RT), 0);
	CU_ASSERT_EQUAL(hsitimerunreg(-1), HS_EMISUSE);
	CU_ASSERT_EQUAL(hstimerreg(&here, CLOCK_MONOTONIC, NULL), HS_EMISUSE);
	CU_ASSERT(says("no timer_t in checkpoint memory"));
	slot = hscalloc(2, sizeof(*slot));
	CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
	*slot = (timer_t)(intptr_t)0x7ffffff0;
	CU_ASSERT_EQUAL(hstimerreg((char *)slot + 1, CLOCK_MONOTONIC, NULL),
	    HS_EMISUSE);
	CU_ASSERT_EQUAL(hstimerreg(slot, CLOCK_MONOTONIC, NULL), HS_EMISUSE);
	CU_ASSERT(says("create it there, by timer_create(), first"));
	CU_ASSERT_EQUAL_FATAL(timer_create(CLOCK_MONOTONIC, &ev, slot), 0);
	CU_ASSERT_EQUAL(hstimerreg(slot, CLOCK_THREAD_CPUTIME_ID, &ev),
	    HS_EMISUSE);
	CU_ASSERT(says("clock 3 cannot be carried over"));
	ev.sigev_signo = SIGRTMIN + 9;
	CU_ASSERT_EQUAL(hstimerreg(slot, CLOCK_MONOTONIC, &ev), HS_EMISUSE);
	CU_ASSERT(says("is not registered, so a spare may not handle it"));
	ev.sigev_notify = SIGEV_THREAD_ID;
	CU_ASSERT_EQUAL(hstimerreg(slot, CLOCK_MONOTONIC, &ev), HS_EMISUSE);
	CU_ASSERT(says("use SIGEV_SIGNAL or SIGEV_THREAD"));
	CU_ASSERT_EQUAL(pthread_attr_init(&attr), 0);
	ev = (struct sigevent){ .sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = note_in_thread,
		.sigev_notify_attributes = &attr };
	CU_ASSERT_EQUAL(hstimerreg(slot, CLOCK_MONOTONIC, &ev), HS_EMISUSE);
	CU_ASSERT(says("leave sigev_notify_attributes NULL"));
	CU_ASSERT_EQUAL(pthread_attr_destroy(&attr), 0);
	ev = (struct sigevent){ .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = RT };
	CU_ASSERT_EQUAL(hstimerunreg(slot), HS_EMISUSE);
	CU_ASSERT(says("no timer is registered in"));
	CU_ASSERT_EQUAL(hstimerreg(slot, CLOCK_MONOTONIC, &ev), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	/* Without its signal it would kill the spare. */
	CU_ASSERT_EQUAL(hssigunreg(RT), HS_EMISUSE);
	CU_ASSERT(says("sends: call hstimerunreg() first"));
	CU_ASSERT_EQUAL(hsitimerreg(ITIMER_REAL), 0);
	CU_ASSERT_EQUAL(hssigunreg(SIGALRM), HS_EMISUSE);
	CU_ASSERT(says("ITIMER_REAL sends: call hsitimerunreg() first"));
	CU_ASSERT_EQUAL(hsitimerunreg(ITIMER_REAL), 0);
	CU_ASSERT_EQUAL(hssigunreg(SIGALRM), 0);
	/* Deleted, or another one, without a word. */
	here = *slot;
	CU_ASSERT_EQUAL(timer_delete(here), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), HS_EMISUSE);
	CU_ASSERT(says("hstimerunreg() before timer_delete()"));
	*slot = (timer_t)(intptr_t)-5;
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hstimerunreg(slot), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	life_end();
}

/* ---- all at random ---- */

struct plan {
	bool blocked[3];
	bool ignored[3];
	int queued[3];
	long timer_ms;
	long timer_every;
};

static const int plan_signals[3] = { SIGUSR1, SIGUSR2, 34 + 5 };

static void
make_true(const struct plan *p, timer_t id)
{
	for (int i = 0; i < 3; i++) {
		sig_clean(plan_signals[i]);
		sig_handle(plan_signals[i],
		    p->ignored[i] ? SIG_IGN : note_signal);
		sig_block(plan_signals[i], p->blocked[i]);
		for (int k = 0; k < p->queued[i]; k++)
			sig_queue(plan_signals[i], k + i);
	}
	set_timer(id, p->timer_ms, p->timer_every);
}

static void
check_plan(const struct plan *p, timer_t id)
{
	struct sigaction sa;
	siginfo_t si;
	long every;

	CU_ASSERT(is_left(timer_left_ms(id, &every), p->timer_ms));
	CU_ASSERT_EQUAL(every, p->timer_every);
	for (int i = 0; i < 3; i++) {
		const int signo = plan_signals[i];
		int n = 0;

		CU_ASSERT_EQUAL(sigaction(signo, NULL, &sa), 0);
		CU_ASSERT(
		    sa.sa_handler == (p->ignored[i] ? SIG_IGN : note_signal));
		CU_ASSERT_EQUAL(sig_is_blocked(signo), p->blocked[i]);
		while (sig_take(signo, &si)) {
			if (signo >= SIGRTMIN)
				CU_ASSERT_EQUAL(si.si_value.sival_int, n + i);
			n++;
		}
		CU_ASSERT_EQUAL(n,
		    signo < SIGRTMIN && p->queued[i] > 0 ? 1 : p->queued[i]);
	}
}

static void
any_state_comes_back(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	struct hs_random rnd;
	timer_t *slot;

	hs_random_init(&rnd);
	life_begin();
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(hssigreg(plan_signals[i]), 0);
	slot = make_timer("timer", CLOCK_MONOTONIC, &ev);
	for (int round = 0; round < ROUNDS; round++) {
		struct plan p = {
			.timer_ms = 10000 + (long)hs_random_below(&rnd, 100000),
			.timer_every = (long)hs_random_below(&rnd, 5000),
		};

		for (int i = 0; i < 3; i++) {
			p.blocked[i] = hs_random_below(&rnd, 2) == 0;
			p.ignored[i] = hs_random_below(&rnd, 2) == 0;
			if (p.blocked[i])
				p.queued[i] = (int)hs_random_below(&rnd, 60);
		}
		make_true(&p, *slot);
		CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
		CU_ASSERT_EQUAL(timer_delete(*slot), 0);
		life_stop();
		for (int i = 0; i < 3; i++)
			sig_clean(plan_signals[i]);
		CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
		slot = hsfind("timer");
		check_plan(&p, *slot);
	}
	CU_ASSERT_EQUAL(timer_delete(*slot), 0);
	life_stop();
	life_end();
	for (int i = 0; i < 3; i++)
		sig_clean(plan_signals[i]);
}

HS_SUITE(api_timer, HS_TEST(timers_go_on),
    HS_TEST(what_expired_meanwhile_comes_once),
    HS_TEST(timer_calls_its_function), HS_TEST(timer_refusals_say_what_to_do),
    HS_TEST(any_state_comes_back))
