/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pause of a checkpoint: find the dirty pages, re-arm them and copy them.
 */
#ifndef HS_CKPT_SEAL_H
#define HS_CKPT_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_ckpt;

/* A sealed epoch (E2).  Page i is page[i] with the content buf[i]. */
struct hs_seal_snap {
	struct hs_seal_snap *next;
	uint64_t epoch;
	bool full;
	bool cut;		/* to be copied after the pause, if it can */
	bool lost;		/* given up before it was copied (cut.h) */
	size_t used_bytes;	/* of the arena */
	size_t n;
	size_t cap;		/* of page[] and buf[] */
	uint32_t *page;		/* ascending */
	uint8_t **buf;		/* NULL: all zero, handed on to the twin, or
				   not copied yet (cut.h) */
};

/*
 * Seal an epoch and queue it; *epoch is its number.  Where nothing changed
 * since the newest sealed one, that one is the answer.  Waits while more is in
 * flight than the bound allows (HS_EAGAIN with HS_TRY in how).  HS_EFENCED,
 * HS_EAGENT, HS_ESTATE, HS_ESTOP, HS_ELOCK, -ENOMEM or the tracker's error:
 * nothing was taken, and no change is forgotten.  The caller counts as parked
 * (state/park.h).
 */
HS_MUST_CHECK int hs_seal_take(struct hs_ckpt *c, unsigned how,
    uint64_t *epoch);

/* Give back what s owns; s itself is used again.  c->lock is not held. */
void hs_seal_drop(struct hs_ckpt *c, struct hs_seal_snap *s);
/* Room for n pages; -ENOMEM. */
HS_MUST_CHECK int hs_seal_grow(struct hs_seal_snap *s, size_t n);
/* Free s, which owns no buffers. */
void hs_seal_free(struct hs_seal_snap *s);

#endif
