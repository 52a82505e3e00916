/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs: stretches of whole pages.  Free runs are binned by length (exact below
 * 16 pages, four bins a power of two above) and joined with their neighbours at
 * once.  Freed runs stay mapped: giving their memory back (MADV_DONTNEED)
 * would turn each of their pages into a change to be tracked and sent.
 *
 * All calls: under the arena's lock; HS_ECORRUPT if a record that is met is not
 * what it must be, with nothing changed.
 */
#ifndef HS_MEM_RUN_H
#define HS_MEM_RUN_H

#include "mem/layout.h"

/*
 * A run of npages whose first page is a multiple of align pages (a power of
 * two) of the address space.  *stale: how many of its first pages may hold old
 * bytes; the others are zero.  HS_EARENA when there is no room, or what the
 * grow callback returned.
 */
HS_MUST_CHECK int hs_run_take(struct hs_heap *h, uint32_t npages,
    uint32_t align, uint32_t *page, uint32_t *stale);
/* page is the first of a run in use (HS_KIND_RUN). */
HS_MUST_CHECK int hs_run_give(struct hs_heap *h, uint32_t page);
/* Shorten or lengthen in place; HS_EARENA when what follows is not free. */
HS_MUST_CHECK int hs_run_resize(struct hs_heap *h, uint32_t page,
    uint32_t npages);
/* The bin of a free run of npages. */
unsigned hs_run_bin(uint32_t npages);

#endif
