/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * futex(2), for words that the threads of one process share.  errno stays as it
 * was: locks are taken between a failed call and the look at its errno.
 */
#ifndef HS_BASE_FUTEX_H
#define HS_BASE_FUTEX_H

#include <stdint.h>

#define HS_FUTEX_FOREVER UINT64_MAX

/*
 * Sleep while *word is value, until hs_clock_ns() is deadline_ns at the latest.
 * 0, also for no reason; -ETIMEDOUT.  No cancellation point.
 */
int hs_futex_wait(const unsigned *word, unsigned value, uint64_t deadline_ns);
/* Wake up to n threads that sleep on word. */
void hs_futex_wake(const unsigned *word, unsigned n);

#endif
