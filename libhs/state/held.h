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
void hs_held_add(const struct hs_park_held *h);
/* Forget the lock: false if it is not there. */
bool hs_held_drop(const void *lock);
bool hs_held_has(const void *lock);
/* The lock that was taken last, other than but; NULL: none. */
const struct hs_park_held *hs_held_last(const void *but);

#endif
