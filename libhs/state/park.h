/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Safepoints: a checkpoint waits until no thread is in the middle of something,
 * and lets none begin something until the copy is made.
 *
 * Each thread counts, in memory of its own, the reasons not to stop it: `busy',
 * one for each region (hsenter) and lock, and one for running at all if it is
 * registered.  `base' is what that count is at a safepoint.
 *
 *	                 busy	base
 *	not registered	   0	 0	may go on: it has nothing in its hands
 *	registered, runs   1	 1	waited for, until a safepoint
 *	blocked, parked	   0	 0	hsblock(), hscpt(), hscondwait()
 *	in a region	 > base		waited for until it leaves
 *
 * A thread that raises busy from 0 then looks at hs_park_stop; who stops sets
 * hs_park_stop and then looks at every busy.  That needs a full fence between
 * write and look on both sides.  The threads do it at every turn and have but a
 * compiler's barrier: the stopper has membarrier(2) execute theirs.  Where the
 * kernel refuses that, HS_PARK_FENCED stays set, all threads take the slow way,
 * and their fences are there.
 *
 * membarrier(2) interrupts every processor that runs a thread of the program,
 * so it is called only where it is needed: to trust that a thread is idle.  One
 * that is busy comes to its safepoint, sees the stop and says so with fences of
 * its own; one that waits for a stop to end raises busy with a fence (P5).
 *
 * P1  busy and base are written by their own thread only.
 * P2  Between hs_park_stop_all() and hs_park_stop_resume() every busy is 0, but
 *     for moments in which a thread finds out that it has to wait.
 * P3  busy > base + locks iff the thread is in a region.
 * P4  A record is in the list from its thread's first use of any of this to the
 *     thread's end.
 * P5  While `waits' is set its thread raises busy with a fence and looks at
 *     hs_park_stop: who has set the stop, and then reads busy as 0 and after
 *     that waits as set, knows that it stays 0.
 */
#ifndef HS_STATE_PARK_H
#define HS_STATE_PARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Bits of hs_park_stop. */
#define HS_PARK_STOP 1u		/* a checkpoint is being taken */
#define HS_PARK_FENCED 2u	/* no membarrier(2) here */

/* Locks that one thread may hold at a time. */
#define HS_PARK_MAX_HELD 32

/* A lock in a thread's hands: state/held.h. */
struct hs_park_held {
	const void *lock;
	const char *kind;	/* "mutex" */
	const char *name;	/* in the lock; NULL or HS_LOCK_NAME_BYTES */
	const void *place;	/* where it was taken */
};

struct hs_park_thread {
	struct hs_park_thread *next;
	struct hs_park_thread **prev;
	struct hs_park_self *self;
	pid_t tid;
	char name[16];		/* "": the kernel's */
	unsigned awaited;	/* ticket of the stop that waits, or 0 */
	void (*end)(void *);	/* the registered thread ends; may be NULL */
	void *end_arg;
	unsigned nleft;		/* ended with so many of them */
	struct hs_park_held held[HS_PARK_MAX_HELD];
};

/*
 * Before a call that may wait: from here on the thread counts
 * as parked.  call is what to name in the refusal.  HS_ELOCK: it holds a lock
 * or is in a region; HS_EMISUSE: it is in a hook.  1: hs_park_end() is due;
 * 0: the thread counted as parked before.
 */
HS_MUST_CHECK int hs_park_begin(const char *call);
/* began is hs_park_begin()'s answer; waits for a checkpoint to end. */
void hs_park_end(int began);
/* As hs_park_begin(), without a change. */
HS_MUST_CHECK int hs_park_check(const char *call);

/*
 * From now on the thread is waited for.  end(arg) is called when it ends.
 * HS_ELOCK: it is in a region or holds a lock; HS_EMISUSE: it is blocked, or
 * registered already; -ENOMEM.
 */
HS_MUST_CHECK int hs_park_register(const char *name, void (*end)(void *),
    void *arg);
/* HS_EMISUSE: it is not registered; HS_ELOCK. */
HS_MUST_CHECK int hs_park_unregister(void);

/*
 * Refuse what call wants of a thread that holds a lock other than but or is in
 * a region, and tell a stop that waits for the thread.  HS_ELOCK.
 */
int hs_park_breach(const char *call, const void *but);

/* As hsenter() and hsleave(), for a lock. */
static inline int
hs_park_raise(void)
{
	struct hs_park_self *self = &hs_park_self;
	const unsigned n = self->busy;

	if (self->thread == NULL)
		return hs_park_enter();
	__atomic_store_n(&self->busy, n + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (n == 0 && __atomic_load_n(&hs_park_stop, __ATOMIC_ACQUIRE) != 0)
		return hs_park_enter();
	return 0;
}

/* As hs_park_raise() where busy is 0; false: a checkpoint is being taken. */
bool hs_park_try_raise(void);

static inline void
hs_park_lower(void)
{
	struct hs_park_self *self = &hs_park_self;

	__atomic_store_n(&self->busy, self->busy - 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&hs_park_stop, __ATOMIC_RELAXED) != 0)
		hs_park_arrive();
}

/* It holds a lock or is in a region, and is in no hook. */
static inline bool
hs_park_is_inside(void)
{
	return hs_park_self.stops == 0 &&
	    hs_park_self.busy != hs_park_self.base;
}

/* The thread has nothing in its hands but what it is about to take. */
static inline bool
hs_park_is_empty(void)
{
	return hs_park_self.busy == 1 && hs_park_self.base == 0;
}

/* In the child of a fork(): no thread of the parent is here. */
void hs_park_forget(void);

/* For tests: go on as if the kernel had no membarrier(2), or as it is. */
void hs_park_use_fences(bool on);

#endif
