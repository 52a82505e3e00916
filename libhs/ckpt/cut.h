/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Epochs whose pages are copied after the pause, where the tracker keeps them
 * as they were (mem/dirty.h, cuts).  The pause then lasts as long as it takes
 * to find the pages; the first thread that comes to it copies them: whoever
 * waits for the epoch, the worker, or the next hscpt() before its own pause.
 *
 * U1  At most one sealed epoch is not copied, and it is the newest.
 * U2  The cut is ended as arrived once the copy is whole, before any of it is
 *     encoded: from there on the epoch is as one that was copied in the pause.
 *     Else it is ended as not arrived: its pages are dirty (D4).
 * U3  An epoch whose copy failed is given up whole, before the next one is
 *     sealed, which says what it said, and is copied in its pause.
 */
#ifndef HS_CKPT_CUT_H
#define HS_CKPT_CUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct hs_ckpt;
struct hs_seal_snap;

/*
 * Does s pay as a cut?  Not if few pages are to be expected: what they cost
 * when they are written again is more than their copy.  c->lock is held.
 */
bool hs_cut_pays(const struct hs_ckpt *c, const struct hs_seal_snap *s);
/*
 * In the pause: s gets its pages, whose content is to be copied.  *need: bytes
 * of them; above room nothing is taken, and the return is 0.  After a failure
 * the pages can be collected.
 */
HS_MUST_CHECK int hs_cut_take(struct hs_ckpt *c, struct hs_seal_snap *s,
    size_t room, size_t *need);
/* Copy s, if that is to be done.  -ESTALE: it is given up (U3). */
HS_MUST_CHECK int hs_cut_fill(struct hs_ckpt *c, struct hs_seal_snap *s);
/* Copy whatever waits for it.  c->lock is not held. */
void hs_cut_settle(struct hs_ckpt *c);
/* s is given up. */
void hs_cut_drop(struct hs_ckpt *c, struct hs_seal_snap *s);

#endif
