/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the two sides of a safepoint share: the threads' (park.c), and the side
 * of the one who stops them (park_stop.c).
 */
#ifndef HS_STATE_PARK_IMPL_H
#define HS_STATE_PARK_IMPL_H

#include <endian.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/tsan.h"
#include "base/why.h"
#include "state/park.h"

#define LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* In the count of whom is waited for: a thread says that it is in vain. */
#define HURRY (1u << 31)

struct hs_park_shared {
	pthread_once_t once;
	bool has_membarrier;
	/*
	 * How many threads a stop waits for, and above it the stop's ticket: a
	 * thread that comes when the stop was given up must not count for the
	 * next one.
	 */
	uint64_t pending;
	unsigned sleepers;		/* threads that a stop holds up */
	/* Of the lock rule, in this stop; the list's lock guards it. */
	char breach[HS_WHY_BYTES];
};

extern struct hs_park_shared hs_park;

/* The halves of pending. */
static inline unsigned
count_of(uint64_t pending)
{
	return (unsigned)pending;
}

static inline unsigned
ticket_of(uint64_t pending)
{
	return (unsigned)(pending >> 32);
}

/* The half that a stopper sleeps on. */
static inline const unsigned *
count_word(void)
{
	const unsigned *half = (const unsigned *)(const void *)&hs_park.pending;

	return __BYTE_ORDER == __LITTLE_ENDIAN ? half : half + 1;
}

/* TSan knows no fences; this is one on all machines that it runs on. */
static inline void
fence(void)
{
#if HS_TSAN
	unsigned word = 0;

	(void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Idle: if the stop with this ticket waits for the thread, it has come. */
void hs_park_count_in(unsigned ticket);
/*
 * Refuse what call wants of a thread that holds a lock other than but or is in
 * a region.  HS_ELOCK.
 */
int hs_park_refuse_busy(const char *call, const void *but);
/* What the stopper has written is seen by all, and what all have by it. */
void hs_park_fence_all(void);

#endif
