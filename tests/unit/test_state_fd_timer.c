/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

#define MS 1000000ll
#define SECOND 1000000000ll
#define ROUNDS 50
/* By how much one clock may run apart from another in a test: NTP slews one
 * by 500 us a second at most. */
#define SKEW (1 * MS)

static struct timespec
span(long long ns)
{
	return (
	    struct timespec){ .tv_sec = ns / SECOND, .tv_nsec = ns % SECOND };
}

static long long
ns_of(const struct timespec *ts)
{
	return ts->tv_sec * SECOND + ts->tv_nsec;
}

static long long
now(clockid_t clock)
{
	struct timespec ts;

	CU_ASSERT_EQUAL(clock_gettime(clock, &ts), 0);
	return ns_of(&ts);
}

static int
open_timer(clockid_t clock)
{
	const int fd = timerfd_create(clock, TFD_NONBLOCK);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	return fd;
}

static void
set_timer(int fd, int flags, long long value, long long interval)
{
	const struct itimerspec its = { .it_value = span(value),
		.it_interval = span(interval) };

	CU_ASSERT_EQUAL(timerfd_settime(fd, flags, &its, NULL), 0);
}

static uint64_t
read_ticks(int fd)
{
	uint64_t ticks = 0;

	return read(fd, &ticks, sizeof(ticks)) == 8 ? ticks : 0;
}

/*
 * A checkpoint, a death and a restore, with a sleep between the last two.
 * -> by how much a timer may be late for it: what the two calls took, however
 * long this thread was kept from running in them.
 */
static long long
take_over(useconds_t sleep_us)
{
	long long begun = now(CLOCK_MONOTONIC), late;

	CU_ASSERT_EQUAL(state_query(), 0);
	late = now(CLOCK_MONOTONIC) - begun;
	state_die();
	(void)usleep(sleep_us);
	begun = now(CLOCK_MONOTONIC);
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	return late + now(CLOCK_MONOTONIC) - begun + SKEW;
}

/* What is left is what it was less what passed; never less, so never early. */
static void
what_is_left_goes_on(void)
{
	const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME,
		CLOCK_BOOTTIME };
	struct itimerspec its;
	long long begun, set, late, t;
	int fd[3];

	state_begin();
	for (int i = 0; i < 3; i++)
		fd[i] = open_timer(clocks[i]);
	begun = now(CLOCK_MONOTONIC);
	for (int i = 0; i < 3; i++)
		set_timer(fd[i], 0, 100 * SECOND, 7 * MS);
	set = now(CLOCK_MONOTONIC);
	late = take_over(30000);
	for (int i = 0; i < 3; i++) {
		t = now(CLOCK_MONOTONIC);
		CU_ASSERT_EQUAL(timerfd_gettime(fd[i], &its), 0);
		CU_ASSERT_EQUAL(ns_of(&its.it_interval), 7 * MS);
		CU_ASSERT(
		    t + ns_of(&its.it_value) <= set + 100 * SECOND + late);
		t = now(CLOCK_MONOTONIC);
		CU_ASSERT(
		    t + ns_of(&its.it_value) >= begun + 100 * SECOND - SKEW);
		CU_ASSERT_EQUAL(read_ticks(fd[i]), 0);
	}
	state_end();
}

static void
a_date_stays_that_date(void)
{
	const long long date = now(CLOCK_REALTIME) + 5000 * SECOND;
	struct itimerspec its;
	long long late = 0, t;
	int fd;

	state_begin();
	fd = open_timer(CLOCK_REALTIME);
	set_timer(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, date, 0);
	for (int i = 0; i < 20; i++)
		late += take_over(0);
	t = now(CLOCK_REALTIME);
	CU_ASSERT_EQUAL(timerfd_gettime(fd, &its), 0);
	CU_ASSERT(t + ns_of(&its.it_value) <= date + late);
	CU_ASSERT(now(CLOCK_REALTIME) + ns_of(&its.it_value) >= date - SKEW);
	state_end();
}

static void
expirations_that_were_not_read_are_counted(void)
{
	long long begun, set, late, t;
	uint64_t ticks;
	int fd;

	state_begin();
	fd = open_timer(CLOCK_MONOTONIC);
	begun = now(CLOCK_MONOTONIC);
	set_timer(fd, 0, 1, 1 * MS);
	set = now(CLOCK_MONOTONIC);
	(void)usleep(20000);
	late = take_over(20000);
	t = now(CLOCK_MONOTONIC);
	ticks = read_ticks(fd);
	CU_ASSERT(ticks >= (uint64_t)((t - set - late) / MS));
	t = now(CLOCK_MONOTONIC);
	CU_ASSERT(ticks <= (uint64_t)((t - begun + SKEW) / MS) + 1);
	state_end();
}

static void
what_fell_due_meanwhile_is_read_at_once(void)
{
	struct itimerspec its;
	int fd;

	state_begin();
	fd = open_timer(CLOCK_MONOTONIC);
	set_timer(fd, 0, 5 * MS, 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	(void)usleep(10000);
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	CU_ASSERT_EQUAL(read_ticks(fd), 1);
	CU_ASSERT_EQUAL(timerfd_gettime(fd, &its), 0);
	CU_ASSERT_EQUAL(ns_of(&its.it_value), 0);
	CU_ASSERT_EQUAL(read_ticks(fd), 0);
	state_end();
}

/*
 * An expiry is told again as it was told: no page changes for it, but when it
 * is found out better, which is ever more rarely.
 */
static void
a_waiting_timer_changes_no_record(void)
{
	void *last = NULL, *next;
	size_t nlast = 0, n;
	int fd, changes = 0;

	state_begin();
	fd = open_timer(CLOCK_MONOTONIC);
	set_timer(fd, TFD_TIMER_ABSTIME, now(CLOCK_MONOTONIC) + 60 * SECOND, 0);
	for (int i = 0; i < 200; i++) {
		CU_ASSERT_EQUAL(state_query(), 0);
		n = state_dump(&next);
		changes += n != nlast || memcmp(last, next, n) != 0;
		free(last);
		last = next;
		nlast = n;
	}
	free(last);
	CU_ASSERT(changes <= 50);
	state_end();
}

/* Far from expiring, so that a takeover changes nothing; or not armed. */
static void
arm_somehow(int fd, clockid_t clock, struct hs_random *rnd)
{
	const int flags = hs_random_below(rnd, 2) == 0 ? TFD_TIMER_ABSTIME : 0;
	long long value =
	    (long long)hs_random_below(rnd, 4000 * SECOND) + 100 * SECOND;

	if (flags != 0)
		value += now(clock);
	if (hs_random_below(rnd, 4) == 0)
		value = 0;
	set_timer(fd, flags, value,
	    (long long)hs_random_below(rnd, 9 * SECOND));
}

static void
any_state_comes_back(void)
{
	const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME,
		CLOCK_BOOTTIME };
	struct itimerspec was[6], is;
	struct hs_random rnd;
	long long begun, set, late, least, gone;
	int fd[6];

	hs_random_init(&rnd);
	state_begin();
	for (int i = 0; i < 6; i++)
		fd[i] = open_timer(clocks[i % 3]);
	for (int round = 0; round < ROUNDS; round++) {
		begun = now(CLOCK_MONOTONIC);
		for (int i = 0; i < 6; i++) {
			arm_somehow(fd[i], clocks[i % 3], &rnd);
			CU_ASSERT_EQUAL(timerfd_gettime(fd[i], &was[i]), 0);
		}
		set = now(CLOCK_MONOTONIC);
		late = take_over(0);
		for (int i = 0; i < 6; i++) {
			least = now(CLOCK_MONOTONIC) - set - late;
			CU_ASSERT_EQUAL(timerfd_gettime(fd[i], &is), 0);
			CU_ASSERT_EQUAL(ns_of(&is.it_interval),
			    ns_of(&was[i].it_interval));
			CU_ASSERT_EQUAL(read_ticks(fd[i]), 0);
			gone = ns_of(&was[i].it_value) - ns_of(&is.it_value);
			if (ns_of(&was[i].it_value) == 0) {
				CU_ASSERT_EQUAL(gone, 0);
				continue;
			}
			CU_ASSERT(gone >= least);
			CU_ASSERT(gone <= now(CLOCK_MONOTONIC) - begun + SKEW);
		}
	}
	state_end();
}

static void
a_how_is_refused(void)
{
	const int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	state_begin();
	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_SAME), HS_EMISUSE);
	CU_ASSERT(state_says("how is 0 for a timerfd"));
	state_end();
	(void)close(fd);
}

static void
damage_is_found(void)
{
	static const struct {
		size_t off;
		uint8_t v;
	} bad[] = { { 0, 2 }, { 1, 4 }, { 2, 2 }, { 3, 1 }, { 11, 0x80 },
		{ 12, 1 }, { 27, 0x80 } };
	int fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		state_begin();
		fd = open_timer(CLOCK_MONOTONIC);
		CU_ASSERT_EQUAL(state_query(), 0);
		state_damage(fd, bad[i].off, bad[i].v);
		state_die();
		CU_ASSERT_EQUAL(state_restore(), HS_ECORRUPT);
		CU_ASSERT(state_says("timerfd"));
		state_forget(fd);
		state_end();
	}
}

HS_SUITE(state_fd_timer, HS_TEST(what_is_left_goes_on),
    HS_TEST(a_date_stays_that_date),
    HS_TEST(expirations_that_were_not_read_are_counted),
    HS_TEST(what_fell_due_meanwhile_is_read_at_once),
    HS_TEST(a_waiting_timer_changes_no_record), HS_TEST(any_state_comes_back),
    HS_TEST(a_how_is_refused), HS_TEST(damage_is_found))
