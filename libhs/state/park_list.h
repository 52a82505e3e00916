/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads that have used safepoints, regions or locks (P4).
 */
#ifndef HS_STATE_PARK_LIST_H
#define HS_STATE_PARK_LIST_H

#include <stdbool.h>

#include "state/park.h"
#include "state/park_tell.h"

/* Give the calling thread its record.  -ENOMEM. */
HS_MUST_CHECK int hs_park_list_join(void);

/* The first one; it and what follows stays until hs_park_list_unlock(). */
struct hs_park_thread *hs_park_list_lock(void);
void hs_park_list_unlock(void);

/* HS_ELOCK: a thread has ended in a region or with a lock; hs_why() has it. */
HS_MUST_CHECK int hs_park_list_check(void);

/*
 * Which thread has ended with that lock, in words; false: none has.  Of one of
 * a parent process nothing is known.
 */
bool hs_park_list_left(const void *lock, char who[HS_PARK_TELL_BYTES]);

/* How many threads are registered now. */
unsigned hs_park_list_registered(void);
/* Does a thread with this id have a record? */
bool hs_park_list_lives(pid_t tid);
/* A number of this process that its predecessors did not have; not 0. */
unsigned hs_park_list_life(void);

/* In the child of a fork(): no thread of the parent is here. */
void hs_park_list_forget(void);

#endif
