/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads and locks in words, for hsmessage().
 */
#ifndef HS_STATE_PARK_TELL_H
#define HS_STATE_PARK_TELL_H

#include "base/why.h"
#include "state/park.h"

#define HS_PARK_TELL_BYTES 192

/* thread "worker-3" (4711) */
void hs_park_tell_name(const struct hs_park_thread *t,
    char buf[HS_PARK_TELL_BYTES]);
/* mutex "accounts" (0x200000010040), locked at transfer+0x31 (bank) */
void hs_park_tell_lock(const struct hs_park_held *h,
    char buf[HS_PARK_TELL_BYTES]);

/* Whole lines.  t has not come to a safepoint for ms; its list is locked. */
void hs_park_tell_late(const struct hs_park_thread *t, int ms,
    char line[HS_WHY_BYTES]);
/* The calling thread t ends in a region or with a lock. */
void hs_park_tell_end(const struct hs_park_thread *t, char line[HS_WHY_BYTES]);

#endif
