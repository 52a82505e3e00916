/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <poll.h>
#include <time.h>

#include "hs.h"
#include "tests/unit/suite.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static uint64_t
mono_ns(void)
{
	struct timespec ts;

	CU_ASSERT_EQUAL(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (uint64_t)ts.tv_sec * S + (uint64_t)ts.tv_nsec;
}

static void
clock_begins_and_goes_on(void)
{
	uint64_t t, u;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	t = hsclock();
	CU_ASSERT_EQUAL(poll(NULL, 0, 20), 0);
	u = hsclock();
	CU_ASSERT(u >= t + 20 * MS && u < t + 5 * S);
	CU_ASSERT_EQUAL(hsclockgap(), 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
	/* The same process, so the same clock. */
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT(hsclock() >= u);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
deadlines_are_for_poll_and_for_sleep(void)
{
	struct timespec ts;
	uint64_t deadline;
	int ms;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsclockms(UINT64_MAX), -1);
	CU_ASSERT_EQUAL(hsclockms(0), 0);
	CU_ASSERT_EQUAL(hsclockms(hsclock()), 0);
	CU_ASSERT_EQUAL(hsclockms(UINT64_MAX - 1), INT_MAX);
	deadline = hsclock() + 30 * MS + 1;
	ms = hsclockms(deadline);
	CU_ASSERT(ms > 0 && ms <= 31);
	CU_ASSERT_EQUAL(poll(NULL, 0, ms), 0);
	CU_ASSERT(hsclock() >= deadline);
	deadline = hsclock() + 20 * MS;
	hsclockts(deadline, &ts);
	CU_ASSERT_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts,
			    NULL),
	    0);
	CU_ASSERT(hsclock() >= deadline);
	CU_ASSERT(mono_ns() >= (uint64_t)ts.tv_sec * S);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

HS_SUITE(api_clock, HS_TEST(clock_begins_and_goes_on),
    HS_TEST(deadlines_are_for_poll_and_for_sleep))
