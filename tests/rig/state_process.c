/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is the process's and no descriptor: signals and what is queued, timers,
 * the clock, directory, umask and limits.
 */
#include "tests/rig/state_process.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "hs.h"
#include "tests/rig/turns.h"

#define SECOND INT64_C(1000000000)
/* How much later a timer may be after a restore, beyond what passed. */
#define LATE_NS (SECOND / 4)
/* A takeover took less, or something hangs. */
#define TAKEOVER_NS (60 * SECOND)

/* ---- signals ---- */

/* Never unblocked; in use by nobody else here. */
#define QUEUED_A (SIGRTMIN + 4)
#define QUEUED_B (SIGRTMIN + 5)
#define TIMED (SIGRTMIN + 6)
#define MOST_QUEUED 40
/* A flag of the C library's own. */
#define RESTORER 0x04000000u

/* Of the mirror's values: of each queue the first one and how many. */
enum {
	FIRST_A,
	COUNT_A,
	FIRST_B,
	COUNT_B,
};

static void
never(int signo)
{
	hs_turns_wrong("signal %d came, which was blocked", signo);
}

static void
never_either(int signo, siginfo_t *si, void *context)
{
	(void)si;
	(void)context;
	never(signo);
}

static void
block_signal(int signo, bool on)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	(void)pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void
register_signal(int signo)
{
	if (hssigreg(signo) < 0)
		hs_turns_wrong("%s", hsmessage());
}

static void
open_queues(struct state_mirror *m)
{
	(void)m;
	block_signal(SIGUSR1, true);
	block_signal(QUEUED_A, true);
	block_signal(QUEUED_B, true);
	register_signal(SIGUSR1);
	register_signal(SIGUSR2);
	register_signal(QUEUED_A);
	register_signal(QUEUED_B);
}

static bool
take_signal(int signo, siginfo_t *si)
{
	const struct timespec at_once = { .tv_sec = 0 };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	return sigtimedwait(&set, si, &at_once) == signo;
}

static void
queue_signal(int signo, int64_t value)
{
	const union sigval v = { .sival_int = (int)value };

	if (sigqueue(getpid(), signo, v) < 0)
		hs_turns_wrong("sigqueue: %m");
}

static void
change_queue(struct state_mirror *m, int signo, int first, int count)
{
	uint64_t n = state_random(m, 8);
	siginfo_t si;

	if (state_random(m, 2) == 0) {
		for (; n > 0 && m->value[count] < MOST_QUEUED; n--)
			queue_signal(signo,
			    m->value[first] + m->value[count]++);
		return;
	}
	for (; n > 0 && m->value[count] > 0; n--) {
		if (!take_signal(signo, &si) ||
		    si.si_value.sival_int != (int)m->value[first])
			hs_turns_wrong("signal %d is not the next one", signo);
		m->value[first]++;
		m->value[count]--;
	}
}

static void
change_handler(struct state_mirror *m, int signo)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	switch (state_random(m, 4)) {
	case 0:
		sa.sa_handler = SIG_IGN;
		break;
	case 1:
		sa.sa_handler = never;
		sa.sa_flags = SA_RESTART | SA_NODEFER;
		(void)sigaddset(&sa.sa_mask, 1 + (int)state_random(m, SIGSYS));
		break;
	case 2:
		sa.sa_sigaction = never_either;
		sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
		(void)sigaddset(&sa.sa_mask, SIGRTMAX);
		break;
	default:
		break;
	}
	(void)sigaction(signo, &sa, NULL);
}

static void
change_queues(struct state_mirror *m)
{
	siginfo_t si;

	change_queue(m, QUEUED_A, FIRST_A, COUNT_A);
	change_queue(m, QUEUED_B, FIRST_B, COUNT_B);
	/* To ignore a signal drops what is pending: not of the queues. */
	change_handler(m, SIGUSR1);
	change_handler(m, SIGUSR2);
	block_signal(SIGUSR2, state_random(m, 2) == 0);
	if (state_random(m, 2) == 0)
		(void)kill(getpid(), SIGUSR1);
	else
		(void)take_signal(SIGUSR1, &si);
}

static const char *
name_handler(const struct sigaction *sa)
{
	if (sa->sa_handler == SIG_DFL)
		return "default";
	if (sa->sa_handler == SIG_IGN)
		return "ignored";
	if (sa->sa_handler == never)
		return "never";
	return sa->sa_sigaction == never_either ? "either" : "strange";
}

static bool
is_handled(const struct sigaction *sa)
{
	return sa->sa_handler != SIG_DFL && sa->sa_handler != SIG_IGN;
}

/* A mask is a handler's: without one, a sanitizer may have any there. */
static void
show_signal(FILE *out, int signo)
{
	struct sigaction sa;
	sigset_t blocked, pending;

	(void)sigaction(signo, NULL, &sa);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	(void)sigpending(&pending);
	(void)fprintf(out, "%d %s %x", signo, name_handler(&sa),
	    (unsigned)sa.sa_flags & ~RESTORER);
	for (int i = 1; is_handled(&sa) && i <= SIGRTMAX; i++)
		if (sigismember(&sa.sa_mask, i) == 1)
			(void)fprintf(out, " %d", i);
	(void)fprintf(out, " blocked %d pending %d\n",
	    sigismember(&blocked, signo), sigismember(&pending, signo));
}

static void
show_queues(const struct state_mirror *m, FILE *out)
{
	(void)m;
	show_signal(out, SIGUSR1);
	show_signal(out, SIGUSR2);
	show_signal(out, QUEUED_A);
	show_signal(out, QUEUED_B);
}

/* Looks as the library does: takes all out and puts it back. */
static void
check_queue(int signo, int64_t first, int64_t count)
{
	siginfo_t si;
	int64_t n = 0;

	while (take_signal(signo, &si)) {
		if (si.si_value.sival_int != (int)(first + n))
			hs_turns_wrong("signal %d: %d for the value %" PRId64,
			    signo, si.si_value.sival_int, first + n);
		n++;
	}
	if (n != count)
		hs_turns_wrong("signal %d: %" PRId64 " queued, not %" PRId64,
		    signo, n, count);
	for (int64_t i = 0; i < count; i++)
		queue_signal(signo, first + i);
}

static void
check_queues(const struct state_mirror *m)
{
	check_queue(QUEUED_A, m->value[FIRST_A], m->value[COUNT_A]);
	check_queue(QUEUED_B, m->value[FIRST_B], m->value[COUNT_B]);
}

const struct state_kind state_queues = {
	.name = "signals",
	.open = open_queues,
	.change = change_queues,
	.show = show_queues,
	.check = check_queues,
};

/* ---- timers ---- */

#define NTIMER 3
/* Of the mirror's values: when they expire, by hsclock(). */
#define EXPIRY(m, i) ((m)->value[i])
#define ITIMER_EXPIRY(m) ((m)->value[NTIMER])

static const int clocks[NTIMER] = { CLOCK_MONOTONIC, CLOCK_REALTIME,
	CLOCK_BOOTTIME };

/* In checkpoint memory. */
static timer_t *
find_timers(void)
{
	timer_t *t = hsfind("timers");

	if (t == NULL)
		hs_turns_wrong("the timers are not found");
	return t;
}

static void
open_timers(struct state_mirror *m)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = TIMED };
	timer_t *t = hscalloc(NTIMER, sizeof(*t));

	(void)m;
	if (t == NULL || hsroot("timers", t) < 0)
		hs_turns_wrong("no memory");
	block_signal(TIMED, true);
	block_signal(SIGALRM, true);
	register_signal(TIMED);
	register_signal(SIGALRM);
	for (int i = 0; i < NTIMER; i++) {
		if (timer_create(clocks[i], &ev, &t[i]) < 0)
			hs_turns_wrong("timer_create: %m");
		if (hstimerreg(&t[i], clocks[i], &ev) < 0)
			hs_turns_wrong("%s", hsmessage());
	}
	if (hsitimerreg(ITIMER_REAL) < 0)
		hs_turns_wrong("%s", hsmessage());
}

/* Not set, some minutes, or so little that it may expire in the takeover. */
static int64_t
random_left(struct state_mirror *m)
{
	switch (state_random(m, 3)) {
	case 0:
		return 0;
	case 1:
		return SECOND + (int64_t)state_random(m, 300 * SECOND);
	default:
		return 1000000 + (int64_t)state_random(m, SECOND / 2);
	}
}

static void
change_timers(struct state_mirror *m)
{
	struct itimerspec v = { .it_interval = { .tv_sec = 0 } };
	struct itimerval iv = { .it_interval = { .tv_sec = 0 } };
	const int i = (int)state_random(m, NTIMER + 1);
	const int64_t left = random_left(m);
	const int64_t expiry = left == 0 ? 0 : (int64_t)hsclock() + left;

	if (i == NTIMER) {
		iv.it_value.tv_sec = left / SECOND;
		iv.it_value.tv_usec = left % SECOND / 1000;
		(void)setitimer(ITIMER_REAL, &iv, NULL);
		ITIMER_EXPIRY(m) = expiry;
		return;
	}
	v.it_value.tv_sec = left / SECOND;
	v.it_value.tv_nsec = left % SECOND;
	v.it_interval.tv_sec = i == 0 ? 1000 : 0;
	(void)timer_settime(find_timers()[i], 0, &v, NULL);
	EXPIRY(m, i) = expiry;
}

static void
show_timers(const struct state_mirror *m, FILE *out)
{
	struct itimerspec v;

	(void)m;
	for (int i = 0; i < NTIMER; i++) {
		(void)timer_gettime(find_timers()[i], &v);
		(void)fprintf(out, "timer %d every %ld s\n", i,
		    (long)v.it_interval.tv_sec);
	}
}

/* What is left of something that was to expire at expiry, without interval. */
static void
check_left(const char *name, int64_t left, int64_t expiry)
{
	const int64_t want = expiry - (int64_t)hsclock();

	if (expiry == 0 ? left == 0 : left == 0 && want < LATE_NS)
		return;
	if (expiry == 0 || left > want + LATE_NS || left < want - LATE_NS)
		hs_turns_wrong("%s: %" PRId64 " ns are left, not %" PRId64,
		    name, left, want);
}

static void
check_timers(const struct state_mirror *m)
{
	struct itimerspec v;
	struct itimerval iv;

	/* The first one has an interval: expired, it goes on with that. */
	for (int i = 0; i < NTIMER; i++) {
		int64_t expiry = EXPIRY(m, i);

		(void)timer_gettime(find_timers()[i], &v);
		if (i == 0 && expiry != 0)
			while (expiry < (int64_t)hsclock())
				expiry += 1000 * SECOND;
		check_left("timer",
		    v.it_value.tv_sec * SECOND + v.it_value.tv_nsec, expiry);
	}
	(void)getitimer(ITIMER_REAL, &iv);
	check_left("ITIMER_REAL",
	    iv.it_value.tv_sec * SECOND + iv.it_value.tv_usec * 1000,
	    ITIMER_EXPIRY(m));
}

const struct state_kind state_timers = {
	.name = "timers",
	.open = open_timers,
	.change = change_timers,
	.show = show_timers,
	.check = check_timers,
};

/* ---- time ---- */

static void
open_clock(struct state_mirror *m)
{
	(void)m;
}

static void
change_clock(struct state_mirror *m)
{
	m->value[0] = (int64_t)hsclock();
}

static void
show_clock(const struct state_mirror *m, FILE *out)
{
	(void)fprintf(out, "%" PRId64 "\n", m->value[0]);
}

static void
check_clock(const struct state_mirror *m)
{
	const int64_t now = (int64_t)hsclock();

	if (now < m->value[0] || now > m->value[0] + TAKEOVER_NS)
		hs_turns_wrong("hsclock() is %" PRId64 ", and was %" PRId64,
		    now, m->value[0]);
}

const struct state_kind state_clock = {
	.name = "clock",
	.open = open_clock,
	.change = change_clock,
	.show = show_clock,
	.check = check_clock,
};

/* ---- process context ---- */

static void
open_context(struct state_mirror *m)
{
	(void)m;
	if (hsctxreg(HS_CTX_CWD | HS_CTX_UMASK | HS_CTX_LIMITS | HS_CTX_ARGV |
		HS_CTX_ENV) < 0)
		hs_turns_wrong("%s", hsmessage());
}

static void
change_context(struct state_mirror *m)
{
	static const char *const dirs[] = { "/", "/usr", "/usr/bin", "/proc" };
	struct rlimit l;

	if (chdir(dirs[state_random(m, 4)]) < 0)
		hs_turns_wrong("chdir: %m");
	(void)umask((mode_t)state_random(m, 01000));
	(void)getrlimit(RLIMIT_CORE, &l);
	l.rlim_cur = state_random(m, 1 << 20);
	if (l.rlim_cur > l.rlim_max)
		l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_CORE, &l);
}

static void
show_context(const struct state_mirror *m, FILE *out)
{
	const mode_t mask = umask(0);
	char *dir = getcwd(NULL, 0);
	struct rlimit l;

	(void)m;
	(void)umask(mask);
	(void)fprintf(out, "%s %o\n", dir, (unsigned)mask);
	free(dir);
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		(void)getrlimit(i, &l);
		(void)fprintf(out, "limit %u %llx %llx\n", i,
		    (unsigned long long)l.rlim_cur,
		    (unsigned long long)l.rlim_max);
	}
}

const struct state_kind state_context = {
	.name = "context",
	.open = open_context,
	.change = change_context,
	.show = show_context,
};
