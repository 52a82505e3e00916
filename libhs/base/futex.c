/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

int
hs_futex_wait(const unsigned *word, unsigned value, uint64_t deadline_ns)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};
	const int e = errno;
	int rc = 0;

	/* WAIT_BITSET takes the time itself, not what is left of it. */
	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
		deadline_ns == HS_FUTEX_FOREVER ? NULL : &ts, NULL,
		FUTEX_BITSET_MATCH_ANY) < 0 &&
	    errno == ETIMEDOUT)
		rc = -ETIMEDOUT;
	errno = e;
	return rc;
}

void
hs_futex_wake(const unsigned *word, unsigned n)
{
	const int e = errno;

	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
	errno = e;
}
