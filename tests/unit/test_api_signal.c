/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals and timers over a restore, each life of the service ended by changing
 * all that the next one has to find again.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "hs.h"
#include "tests/unit/api_life.h"
#include "tests/unit/suite.h"

#define MS 1000000L
#define RT (SIGRTMIN + 3)
#define ROUNDS 50
/* A flag of the C library's own. */
#define RESTORER 0x04000000

static atomic_int came;
static atomic_int value;
static atomic_int overrun;
static atomic_bool hooked;
static atomic_bool before_hook;

static bool
says(const char *text)
{
	if (strstr(hsmessage(), text) != NULL)
		return true;
	CU_FAIL(hsmessage());
	return false;
}

static void
note_signal(int signo)
{
	(void)signo;
	atomic_fetch_add(&came, 1);
	if (!atomic_load(&hooked))
		atomic_store(&before_hook, true);
}

static void
note_value(int signo, siginfo_t *si, void *context)
{
	(void)context;
	atomic_store(&value, si->si_value.sival_int);
	atomic_fetch_add(&overrun, si->si_overrun);
	note_signal(signo);
}

static void
note_hook(void *arg)
{
	(void)arg;
	(void)usleep(2000);
	atomic_store(&hooked, true);
}

static void
forget_notes(void)
{
	atomic_store(&came, 0);
	atomic_store(&value, 0);
	atomic_store(&overrun, 0);
	atomic_store(&hooked, false);
	atomic_store(&before_hook, false);
}

static void
handle(int signo, void (*fn)(int))
{
	struct sigaction sa = { .sa_handler = fn };

	CU_ASSERT_EQUAL(sigaction(signo, &sa, NULL), 0);
}

static void
handle_value(int signo)
{
	struct sigaction sa = { .sa_sigaction = note_value,
		.sa_flags = SA_SIGINFO };

	CU_ASSERT_EQUAL(sigaction(signo, &sa, NULL), 0);
}

static void
block(int signo, bool on)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	CU_ASSERT_EQUAL(pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set,
			    NULL),
	    0);
}

static bool
is_blocked(int signo)
{
	sigset_t set;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, signo) == 1;
}

static bool
is_pending(int signo)
{
	sigset_t set;

	(void)sigpending(&set);
	return sigismember(&set, signo) == 1;
}

/* One that is pending; 0: none is. */
static int
take(int signo, siginfo_t *si)
{
	const struct timespec at_once = { .tv_sec = 0 };
	sigset_t set;
	int rc;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	/* The C library's says SI_USER for SI_TKILL. */
	rc = (int)syscall(SYS_rt_sigtimedwait, &set, si, &at_once, 8);
	return rc == signo;
}

static void
clean(int signo)
{
	siginfo_t si;

	while (take(signo, &si))
		;
	block(signo, false);
	handle(signo, SIG_DFL);
}

static void
queue_value(int signo, int v)
{
	const union sigval sv = { .sival_int = v };

	CU_ASSERT_EQUAL(sigqueue(getpid(), signo, sv), 0);
}

/* ---- signals ---- */

static void
dispositions_come_back(void)
{
	struct sigaction sa = { .sa_sigaction = note_value,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER };
	struct sigaction now;

	life_begin();
	(void)sigaddset(&sa.sa_mask, SIGHUP);
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, &sa, NULL), 0);
	handle(SIGUSR2, SIG_IGN);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR2), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGHUP), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGSEGV), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	handle(SIGUSR1, SIG_IGN);
	handle(SIGUSR2, note_signal);
	handle(SIGHUP, note_signal);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, NULL, &now), 0);
	CU_ASSERT_PTR_EQUAL((void *)now.sa_sigaction, (void *)note_value);
	CU_ASSERT_EQUAL(now.sa_flags & ~RESTORER, sa.sa_flags);
	CU_ASSERT_EQUAL(sigismember(&now.sa_mask, SIGHUP), 1);
	CU_ASSERT_EQUAL(sigismember(&now.sa_mask, SIGTERM), 0);
	CU_ASSERT_EQUAL(sigaction(SIGUSR2, NULL, &now), 0);
	CU_ASSERT(now.sa_handler == SIG_IGN);
	CU_ASSERT_EQUAL(sigaction(SIGHUP, NULL, &now), 0);
	CU_ASSERT(now.sa_handler == SIG_DFL);
	/* What is no longer registered is left alone, and stays so. */
	CU_ASSERT_EQUAL(hssigunreg(SIGUSR2), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	handle(SIGUSR2, note_signal);
	life_stop();
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_EQUAL(sigaction(SIGUSR2, NULL, &now), 0);
	CU_ASSERT(now.sa_handler == note_signal);
	life_stop();
	life_end();
	clean(SIGUSR1);
	clean(SIGUSR2);
	clean(SIGHUP);
}

static void
pending_signals_come_back(void)
{
	siginfo_t si;

	life_begin();
	block(SIGUSR1, true);
	block(RT, true);
	handle(SIGUSR2, note_signal);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR2), 0);
	CU_ASSERT_EQUAL(hssigreg(RT), 0);
	CU_ASSERT_EQUAL(kill(getpid(), SIGUSR1), 0);
	for (int i = 0; i < 100; i++)
		queue_value(RT, i * 7);
	CU_ASSERT_EQUAL(kill(getpid(), RT), 0);
	CU_ASSERT_EQUAL(raise(RT), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	/* It is as it was before anybody looked: first what is the thread's. */
	CU_ASSERT_TRUE_FATAL(take(RT, &si));
	CU_ASSERT_EQUAL(si.si_code, SI_TKILL);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_TRUE_FATAL(take(RT, &si));
		CU_ASSERT_EQUAL(si.si_value.sival_int, i * 7);
		CU_ASSERT_EQUAL(si.si_code, SI_QUEUE);
		CU_ASSERT_EQUAL(si.si_pid, getpid());
	}
	CU_ASSERT_TRUE_FATAL(take(RT, &si));
	CU_ASSERT_EQUAL(si.si_code, SI_USER);
	CU_ASSERT_TRUE(is_pending(SIGUSR1));
	life_stop();
	clean(SIGUSR1);
	clean(RT);
	block(SIGUSR2, true);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_TRUE(is_blocked(SIGUSR1));
	CU_ASSERT_FALSE(is_blocked(SIGUSR2));
	CU_ASSERT_TRUE(is_pending(SIGUSR1));
	CU_ASSERT_FALSE(is_pending(SIGUSR2));
	CU_ASSERT_TRUE_FATAL(take(RT, &si));
	CU_ASSERT_EQUAL(si.si_code, SI_TKILL);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_TRUE_FATAL(take(RT, &si));
		CU_ASSERT_EQUAL(si.si_value.sival_int, i * 7);
	}
	CU_ASSERT_TRUE(take(RT, &si));
	CU_ASSERT_FALSE(take(RT, &si));
	life_stop();
	life_end();
	clean(SIGUSR1);
	clean(SIGUSR2);
	clean(RT);
}

static void *
take_checkpoint(void *arg)
{
	*(int *)arg = hscpt(HS_HELD, NULL);
	return NULL;
}

static void
another_threads_checkpoint_keeps_the_masters_mask(void)
{
	pthread_t thread;
	siginfo_t si;
	int rc = 1;

	life_begin();
	/* The thread inherits neither. */
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR2), 0);
	CU_ASSERT_EQUAL(hssigreg(RT), 0);
	block(RT, true);
	block(SIGUSR2, true);
	CU_ASSERT_EQUAL(pthread_create(&thread, NULL, take_checkpoint, &rc), 0);
	CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
	CU_ASSERT_EQUAL(rc, 0);
	block(SIGUSR1, true);
	queue_value(RT, 5);
	CU_ASSERT_EQUAL(kill(getpid(), RT), 0);
	CU_ASSERT_EQUAL(kill(getpid(), SIGUSR1), 0);
	CU_ASSERT_EQUAL(pthread_create(&thread, NULL, take_checkpoint, &rc), 0);
	CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
	CU_ASSERT_EQUAL(rc, 0);
	life_stop();
	clean(SIGUSR1);
	clean(SIGUSR2);
	clean(RT);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_TRUE(is_blocked(SIGUSR1));
	CU_ASSERT_TRUE(is_blocked(SIGUSR2));
	CU_ASSERT_TRUE(is_pending(SIGUSR1));
	CU_ASSERT_TRUE(take(RT, &si));
	CU_ASSERT_EQUAL(si.si_value.sival_int, 5);
	CU_ASSERT_TRUE(take(RT, &si));
	CU_ASSERT_FALSE(take(RT, &si));
	life_stop();
	life_end();
	clean(SIGUSR1);
	clean(SIGUSR2);
	clean(RT);
}

static void
signal_refusals_say_what_to_do(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), HS_ESTATE);
	CU_ASSERT_EQUAL(hssigunreg(SIGUSR1), HS_ESTATE);
	life_begin();
	CU_ASSERT_EQUAL(hssigreg(SIGKILL), HS_EMISUSE);
	CU_ASSERT(says("SIGKILL can be neither handled nor blocked"));
	CU_ASSERT_EQUAL(hssigreg(SIGSTOP), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssigreg(0), HS_EMISUSE);
	CU_ASSERT(says("0 is no signal of a program"));
	CU_ASSERT_EQUAL(hssigreg(-3), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssigreg(SIGRTMIN - 1), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssigreg(SIGRTMAX + 1), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssigunreg(SIGUSR1), HS_EMISUSE);
	CU_ASSERT(says("signal 10 is not registered"));
	/* A handler of no file, at the registration and later. */
	CU_ASSERT_FATAL(page != MAP_FAILED);
	handle(SIGUSR1, (void (*)(int))page);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), HS_ECODE);
	CU_ASSERT(says("made at run time"));
	handle(SIGUSR1, note_signal);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	handle(SIGUSR1, (void (*)(int))page);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), HS_ECODE);
	handle(SIGUSR1, SIG_DFL);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGSEGV), 0);
	block(SIGSEGV, true);
	CU_ASSERT_EQUAL(kill(getpid(), SIGSEGV), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), HS_EMISUSE);
	CU_ASSERT(says("SIGSEGV is pending"));
	CU_ASSERT(says("unblock it, or do not send it by kill()"));
	clean(SIGSEGV);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	life_end();
	CU_ASSERT_EQUAL(munmap(page, 4096), 0);
}

/* ---- timers ---- */

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
	handle(RT, note_signal);
	handle(SIGALRM, note_signal);
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
	clean(RT);
	clean(SIGALRM);
	CU_ASSERT_EQUAL(atomic_load(&came), 0);
}

static void
what_expired_meanwhile_comes_once(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = RT,
		.sigev_value = { .sival_int = 4711 } };
	timer_t *slot;
	long every;

	forget_notes();
	CU_ASSERT_EQUAL(hshook(HS_AT_PROMOTION, 0, note_hook, NULL), 0);
	life_begin();
	handle_value(RT);
	handle(SIGALRM, note_signal);
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
	forget_notes();
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	slot = hsfind("tick");
	set_timer(*slot, 0, 0);
	CU_ASSERT_FALSE(atomic_load(&before_hook));
	CU_ASSERT_EQUAL(atomic_load(&value), 4711);
	CU_ASSERT(atomic_load(&came) >= 2);
	/* Some 250 ms of ticks, the first with all that came before. */
	CU_ASSERT(atomic_load(&overrun) >= 10);
	/* It expired after a second, and expires 30 s after that. */
	CU_ASSERT(itimer_left_ms(ITIMER_REAL, &every) < 29900);
	set_itimer(ITIMER_REAL, 0, 0);
	drop_timer("tick");
	CU_ASSERT_EQUAL(hstimerunreg(slot), 0);
	life_stop();
	life_end();
	CU_ASSERT_EQUAL(hsunhook(HS_AT_PROMOTION, note_hook, NULL), 0);
	clean(RT);
	clean(SIGALRM);
}

static void
note_in_thread(union sigval sv)
{
	atomic_store(&value, sv.sival_int);
	if (!atomic_load(&hooked))
		atomic_store(&before_hook, true);
	atomic_fetch_add(&came, 1);
}

/*
 * The C library starts the thread by itself, without the race detector's
 * knowledge, which then has no place to keep what the thread does.
 */
#ifdef __SANITIZE_THREAD__
#define THREADS_OF_LIBC false
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREADS_OF_LIBC false
#endif
#endif
#ifndef THREADS_OF_LIBC
#define THREADS_OF_LIBC true
#endif

static void
timer_calls_its_function(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = note_in_thread,
		.sigev_value = { .sival_int = 12 } };
	timer_t *slot;

	if (!THREADS_OF_LIBC)
		return;
	forget_notes();
	CU_ASSERT_EQUAL(hshook(HS_AFTER_RESTORE, 0, note_hook, NULL), 0);
	life_begin();
	slot = make_timer("call", CLOCK_REALTIME, &ev);
	set_timer(*slot, 1000, 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	drop_timer("call");
	life_stop();
	CU_ASSERT_EQUAL(atomic_load(&came), 0);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	for (int i = 0; i < 500 && atomic_load(&came) == 0; i++)
		(void)usleep(10000);
	CU_ASSERT_EQUAL(atomic_load(&came), 1);
	CU_ASSERT_EQUAL(atomic_load(&value), 12);
	CU_ASSERT_FALSE(atomic_load(&before_hook));
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
		clean(plan_signals[i]);
		handle(plan_signals[i], p->ignored[i] ? SIG_IGN : note_signal);
		block(plan_signals[i], p->blocked[i]);
		for (int k = 0; k < p->queued[i]; k++)
			queue_value(plan_signals[i], k + i);
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
		CU_ASSERT_EQUAL(is_blocked(signo), p->blocked[i]);
		while (take(signo, &si)) {
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
			clean(plan_signals[i]);
		CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
		slot = hsfind("timer");
		check_plan(&p, *slot);
	}
	CU_ASSERT_EQUAL(timer_delete(*slot), 0);
	life_stop();
	life_end();
	for (int i = 0; i < 3; i++)
		clean(plan_signals[i]);
}

HS_SUITE(api_signal, HS_TEST(dispositions_come_back),
    HS_TEST(pending_signals_come_back),
    HS_TEST(another_threads_checkpoint_keeps_the_masters_mask),
    HS_TEST(signal_refusals_say_what_to_do), HS_TEST(timers_go_on),
    HS_TEST(what_expired_meanwhile_comes_once),
    HS_TEST(timer_calls_its_function), HS_TEST(timer_refusals_say_what_to_do),
    HS_TEST(any_state_comes_back))
