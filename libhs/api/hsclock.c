/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time: nothing here may lock, allocate or touch errno, for signal handlers
 * call it.
 */
#include <limits.h>
#include <time.h>

#include "hs.h"
#include "state/clock.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

uint64_t
hsclock(void)
{
	return hs_clock_app();
}

uint64_t
hsclockgap(void)
{
	return hs_clock_gap();
}

int
hsclockms(uint64_t deadline)
{
	const uint64_t now = hs_clock_app();
	uint64_t ms;

	if (deadline == UINT64_MAX)
		return -1;
	if (deadline <= now)
		return 0;
	ms = (deadline - now - 1) / NS_PER_MS + 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

void
hsclockts(uint64_t deadline, struct timespec *ts)
{
	const uint64_t ns = hs_clock_to_mono(deadline);

	ts->tv_sec = (time_t)(ns / NS_PER_S);
	ts->tv_nsec = (long)(ns % NS_PER_S);
}
