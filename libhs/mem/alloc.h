/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocations: up to HS_SLAB_MAX_BYTES from slabs; larger ones, and those
 * aligned to more than a page, from runs.  All calls: under the arena's lock.
 */
#ifndef HS_MEM_ALLOC_H
#define HS_MEM_ALLOC_H

#include "mem/layout.h"

/*
 * *stale: how many of the first bytes at *out may hold old values; the rest are
 * zero.  -EINVAL: align is not a power of two.  len 0 is as 1.
 */
HS_MUST_CHECK int hs_alloc_take(struct hs_heap *h, size_t align, size_t len,
    void **out, size_t *stale);
/* HS_EMISUSE: no live allocation starts at p. */
HS_MUST_CHECK int hs_alloc_give(struct hs_heap *h, const void *p);
/* Usable bytes of the live allocation that starts at p. */
HS_MUST_CHECK int hs_alloc_find(const struct hs_heap *h, const void *p,
    size_t *usable);
/*
 * Make the allocation at p hold len bytes where it is, and no more than it
 * needs to.  HS_EARENA: it has to move.
 */
HS_MUST_CHECK int hs_alloc_resize(struct hs_heap *h, const void *p, size_t len);

#endif
