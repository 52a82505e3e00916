/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The additional state: what memory alone does not hold.  It is kept in
 * checkpoint memory (state/store.h) and so is part of the epoch.
 *
 * X1  The records change with the seal lock held only: in the pause, before the
 *     dirty pages are collected, or in a call that registers something.
 * X2  A restore either brings back all sections or makes hsinit() fail.
 */
#ifndef HS_CKPT_EXTRA_H
#define HS_CKPT_EXTRA_H

#include <stdbool.h>

#include "base/err.h"

struct hs_ckpt;
struct hs_store;

/*
 * For call, which registers something: take the seal lock and lend the records,
 * which are made at the first such call.  0: hs_extra_unlock() is due.
 * HS_EARENA, -ENOMEM; HS_ELOCK: the thread holds a lock or is in a region;
 * HS_EMISUSE: it is in a hook of a checkpoint; hs_why() says what to do.
 */
HS_MUST_CHECK int hs_extra_lock(struct hs_ckpt *c, const char *call,
    struct hs_store **out);
void hs_extra_unlock(struct hs_ckpt *c);

/* The pause's part: bring all records up to date.  The seal lock is held. */
HS_MUST_CHECK int hs_extra_query(struct hs_ckpt *c);

/*
 * The restore's part, once the arena is filled and tracked: what it writes
 * there is in the next epoch.  hs_why() tells a failure.
 */
HS_MUST_CHECK int hs_extra_restore(struct hs_ckpt *c);

/*
 * The end of hsinit(), fresh or restored, once checkpoint memory is tracked:
 * records of what was registered before it.  hs_why() tells a failure.
 */
HS_MUST_CHECK int hs_extra_begin(struct hs_ckpt *c);

/*
 * At the end of hsinit(), in its thread, when the library is usable: the hooks,
 * and then the timers and signals that waited for it.
 */
void hs_extra_serve(struct hs_ckpt *c, bool restored);
/*
 * This process is no longer the primary, or is about to end: the hooks, once,
 * whoever comes first.  No lock is held.
 */
void hs_extra_end(struct hs_ckpt *c);

/* Free this process's view. */
void hs_extra_fini(struct hs_ckpt *c);

#endif
