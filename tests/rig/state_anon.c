/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * eventfd, timerfd, signalfd, epoll, inotify.
 */
#include "tests/rig/state_anon.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "hs.h"
#include "tests/rig/turns.h"

#define SECOND INT64_C(1000000000)
/* How much later a timer may be after a restore, beyond what passed. */
#define LATE_NS (SECOND / 4)

/* ---- eventfd ---- */

static void
open_event(struct state_mirror *m)
{
	for (int i = 0; i < 4; i++)
		state_register(m, i,
		    eventfd((unsigned)i,
			EFD_NONBLOCK | (i % 2 != 0 ? EFD_SEMAPHORE : 0) |
			    (i < 2 ? EFD_CLOEXEC : 0)),
		    0);
}

static void
change_event(struct state_mirror *m)
{
	uint64_t v;

	for (int i = 0; i < 4; i++) {
		v = state_random(m, UINT32_MAX) >> state_random(m, 32);
		if (state_random(m, 2) == 0)
			(void)!read(m->fd[i], &v, sizeof(v));
		else
			(void)!write(m->fd[i], &v, sizeof(v));
	}
}

static void
show_event(const struct state_mirror *m, FILE *out)
{
	for (int i = 0; i < 4; i++) {
		state_show_info(out, m->fd[i], "flags");
		state_show_info(out, m->fd[i], "eventfd-count");
		state_show_info(out, m->fd[i], "eventfd-semaphore");
	}
}

const struct state_kind state_event = {
	.name = "eventfd",
	.open = open_event,
	.change = change_event,
	.show = show_event,
};

/* ---- timerfd: value[] is when it expires, of hsclock() or as a date ---- */

static int64_t
now(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static bool
is_date(int i)
{
	return i == 3;
}

static void
open_timer(struct state_mirror *m)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME,
		CLOCK_REALTIME, CLOCK_REALTIME };

	for (int i = 0; i < 4; i++)
		state_register(m, i, timerfd_create(clocks[i], TFD_NONBLOCK),
		    0);
}

static void
change_timer(struct state_mirror *m)
{
	struct itimerspec its = { .it_interval.tv_nsec = 1 };
	int64_t left;
	int i = (int)state_random(m, 4);

	left = (int64_t)state_random(m, 1000) * SECOND + 60 * SECOND;
	its.it_interval.tv_sec = (time_t)state_random(m, 100);
	m->value[i] =
	    left + (is_date(i) ? now(CLOCK_REALTIME) : (int64_t)hsclock());
	if (is_date(i))
		left = m->value[i];
	if (state_random(m, 4) == 0)
		left = m->value[i] = 0;
	its.it_value.tv_sec = left / SECOND;
	its.it_value.tv_nsec = left % SECOND;
	if (timerfd_settime(m->fd[i], is_date(i) ? TFD_TIMER_ABSTIME : 0, &its,
		NULL) < 0)
		hs_turns_wrong("timerfd_settime: %m");
}

static void
show_timer(const struct state_mirror *m, FILE *out)
{
	for (int i = 0; i < 4; i++) {
		state_show_info(out, m->fd[i], "clockid");
		state_show_info(out, m->fd[i], "settime flags");
		state_show_info(out, m->fd[i], "ticks");
		state_show_info(out, m->fd[i], "it_interval");
	}
}

static void
check_timer(const struct state_mirror *m)
{
	struct itimerspec its;
	int64_t expiry;

	for (int i = 0; i < 4; i++) {
		if (timerfd_gettime(m->fd[i], &its) < 0)
			hs_turns_wrong("timerfd_gettime: %m");
		expiry = its.it_value.tv_sec * SECOND + its.it_value.tv_nsec;
		if (expiry != 0)
			expiry += is_date(i) ? now(CLOCK_REALTIME)
					     : (int64_t)hsclock();
		if (expiry < m->value[i] || expiry > m->value[i] + LATE_NS)
			hs_turns_wrong("timer %d expires at %" PRId64
				       ", not at %" PRId64,
			    i, expiry, m->value[i]);
	}
}

const struct state_kind state_timer = {
	.name = "timerfd",
	.open = open_timer,
	.change = change_timer,
	.show = show_timer,
	.check = check_timer,
};

/* ---- signalfd ---- */

static void
open_signal(struct state_mirror *m)
{
	sigset_t set;

	sigemptyset(&set);
	state_register(m, 0, signalfd(-1, &set, SFD_NONBLOCK), 0);
}

static void
change_signal(struct state_mirror *m)
{
	sigset_t set;

	sigemptyset(&set);
	for (int signo = 1; signo <= SIGRTMAX; signo++)
		if (state_random(m, 2) == 0)
			(void)sigaddset(&set, signo);
	if (signalfd(m->fd[0], &set, 0) < 0)
		hs_turns_wrong("signalfd: %m");
}

static void
show_signal(const struct state_mirror *m, FILE *out)
{
	state_show_info(out, m->fd[0], "flags");
	state_show_info(out, m->fd[0], "sigmask");
}

const struct state_kind state_signal = {
	.name = "signalfd",
	.open = open_signal,
	.change = change_signal,
	.show = show_signal,
};

/* ---- epoll: fd[0] has the others, and fd[1] is one, too ---- */

static void
open_epoll(struct state_mirror *m)
{
	for (int i = 0; i < 2; i++)
		state_register(m, i, epoll_create1(EPOLL_CLOEXEC), 0);
	for (int i = 2; i < STATE_FDS; i++)
		state_register(m, i, eventfd((unsigned)i % 2, 0), 0);
}

static void
change_epoll(struct state_mirror *m)
{
	static const uint32_t flags[] = { 0, EPOLLET, EPOLLEXCLUSIVE };
	struct epoll_event ev;

	for (int i = 1; i < STATE_FDS; i++) {
		ev.events = EPOLLIN;
		if (i > 1)
			ev.events |= flags[state_random(m, 3)];
		ev.data.u64 = (uint64_t)state_random(m, UINT32_MAX) << 30;
		(void)epoll_ctl(m->fd[0], EPOLL_CTL_DEL, m->fd[i], NULL);
		if (state_random(m, 3) != 0 &&
		    epoll_ctl(m->fd[0], EPOLL_CTL_ADD, m->fd[i], &ev) < 0)
			hs_turns_wrong("epoll_ctl: %m");
	}
	ev.events = EPOLLIN;
	(void)epoll_ctl(m->fd[1], EPOLL_CTL_DEL, m->fd[2], NULL);
	if (state_random(m, 2) == 0)
		(void)epoll_ctl(m->fd[1], EPOLL_CTL_ADD, m->fd[2], &ev);
}

static void
show_epoll(const struct state_mirror *m, FILE *out)
{
	state_show_info(out, m->fd[0], "flags");
	state_show_lines(out, m->fd[0], "tfd:", " pos:");
	state_show_lines(out, m->fd[1], "tfd:", " pos:");
}

/* What is ready is what is watched and can be read. */
static void
check_epoll(const struct state_mirror *m)
{
	struct epoll_event ev[STATE_FDS];
	const int n = epoll_wait(m->fd[0], ev, STATE_FDS, 0);

	for (int i = 0; i < n; i++)
		if ((ev[i].events & EPOLLIN) == 0)
			hs_turns_wrong("epoll says %x", ev[i].events);
}

const struct state_kind state_epoll = {
	.name = "epoll",
	.open = open_epoll,
	.change = change_epoll,
	.show = show_epoll,
	.check = check_epoll,
};

/* ---- inotify: directories that every machine has ---- */

static void
open_inotify(struct state_mirror *m)
{
	state_register(m, 0, inotify_init1(IN_NONBLOCK), 0);
}

static void
change_inotify(struct state_mirror *m)
{
	static const char *const paths[] = { "/", "/etc", "/usr", "/var",
		"/usr/bin", "/etc/passwd" };
	static const uint32_t flags[] = { 0, IN_EXCL_UNLINK, IN_DONT_FOLLOW,
		IN_MASK_ADD };
	int wd;

	for (int i = 0; i < 6; i++) {
		wd = hsfdwatch(m->fd[0], paths[i],
		    ((uint32_t)IN_DELETE_SELF << state_random(m, 2)) |
			flags[state_random(m, 4)]);
		if (wd < 0)
			hs_turns_wrong("%s", hsmessage());
		if (state_random(m, 3) == 0)
			(void)inotify_rm_watch(m->fd[0], wd);
	}
}

static void
show_inotify(const struct state_mirror *m, FILE *out)
{
	state_show_info(out, m->fd[0], "flags");
	state_show_lines(out, m->fd[0], "inotify wd:", " ino:");
}

const struct state_kind state_inotify = {
	.name = "inotify",
	.open = open_inotify,
	.change = change_inotify,
	.show = show_inotify,
};
