/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The locks in the calling thread's hands, in the order in which it took them.
 * Other threads may look at them at any time, for messages.
 */
#ifndef HS_STATE_HELD_H
#define HS_STATE_HELD_H

#include <stdbool.h>

#include "state/park.h"

/* The thread has a record, and holds fewer than HS_PARK_MAX_HELD. */
static inline void
hs_held_add(const void *lock, const char *kind, const char *name,
    const void *place)
{
	struct hs_park_self *self = &hs_park_self;
	struct hs_park_held *h = &self->thread->held[self->locks];

	__atomic_store_n(&h->lock, lock, __ATOMIC_RELAXED);
	__atomic_store_n(&h->kind, kind, __ATOMIC_RELAXED);
	__atomic_store_n(&h->name, name, __ATOMIC_RELAXED);
	__atomic_store_n(&h->place, place, __ATOMIC_RELAXED);
	__atomic_store_n(&self->locks, self->locks + 1, __ATOMIC_RELEASE);
}

/* Forget a lock that was not taken last: false if it is not there. */
bool hs_held_drop_below(const void *lock);

/* Forget the lock: false if it is not there. */
static inline bool
hs_held_drop(const void *lock)
{
	struct hs_park_self *self = &hs_park_self;
	const unsigned n = self->locks;

	if (n == 0 || self->thread->held[n - 1].lock != lock)
		return hs_held_drop_below(lock);
	__atomic_store_n(&self->locks, n - 1, __ATOMIC_RELEASE);
	return true;
}

bool hs_held_find(const void *lock);

static inline bool
hs_held_has(const void *lock)
{
	return hs_park_self.locks != 0 && hs_held_find(lock);
}

/* The lock that was taken last, other than but; NULL: none. */
const struct hs_park_held *hs_held_last(const void *but);

#endif
