/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks for checkpoint memory; hs.h has the rule.
 *
 * L1  A lock that nobody holds is all zero, but for its name.
 * L2  A thread that holds a lock, or sets a bit in its word, is busy
 *     (state/park.h): so at a checkpoint every word is zero, or has WAITERS of
 *     threads whose holder has yet to come, which there is none: zero.
 * L3  A thread that only waits for its first lock is not busy while it sleeps.
 *
 * place is where the caller of the library's call is, for messages.
 */
#ifndef HS_STATE_LOCK_H
#define HS_STATE_LOCK_H

#include "base/err.h"

HS_MUST_CHECK int hs_lock_mutex(struct hs_mutex *m, const void *place);
HS_MUST_CHECK int hs_lock_mutex_try(struct hs_mutex *m, const void *place);
HS_MUST_CHECK int hs_lock_mutex_unlock(struct hs_mutex *m);

HS_MUST_CHECK int hs_lock_read(struct hs_rwlock *l, const void *place);
HS_MUST_CHECK int hs_lock_read_try(struct hs_rwlock *l, const void *place);
HS_MUST_CHECK int hs_lock_write(struct hs_rwlock *l, const void *place);
HS_MUST_CHECK int hs_lock_write_try(struct hs_rwlock *l, const void *place);
HS_MUST_CHECK int hs_lock_rw_unlock(struct hs_rwlock *l);

/* timeout_ms -1: for ever. */
HS_MUST_CHECK int hs_lock_wait(struct hs_cond *c, struct hs_mutex *m,
    int timeout_ms, const void *place);
HS_MUST_CHECK int hs_lock_signal(struct hs_cond *c);
HS_MUST_CHECK int hs_lock_broadcast(struct hs_cond *c);

#endif
