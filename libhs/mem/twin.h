/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Twins: the last sent version of each page, against which its next delta is
 * made.  A page is handed over, not copied: the staged page of one epoch is
 * the twin for the next.  Bounded: past the bound the coldest twins go, and
 * such a page is sent whole the next time.
 *
 * Staged pages are HS_TWIN_PAGE_BYTES buffers, page-aligned, from a pool that
 * recycles dropped twins, so that a steady state allocates nothing.  The pool
 * keeps memory for as many spare buffers as the bound, or the last reserve, if
 * that was more; the memory of others goes back to the kernel.
 *
 * Thread-safe: take, give, reserve and bytes from any thread; the rest from
 * the worker only.
 */
#ifndef HS_MEM_TWIN_H
#define HS_MEM_TWIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HS_TWIN_PAGE_BYTES 4096

struct hs_twin;

/* npages of the arena; at most bound_bytes of twins are kept. */
HS_MUST_CHECK int hs_twin_create(struct hs_twin **out, size_t npages,
    size_t bound_bytes);
/* Buffers that were taken and not given back are freed, too. */
void hs_twin_destroy(struct hs_twin *t);

/*
 * n page buffers for staging into bufs[]; -ENOMEM and none.  Called in the
 * pause: fast when recycled.  Their content is undefined.
 */
HS_MUST_CHECK int hs_twin_take(struct hs_twin *t, uint8_t **bufs, size_t n);
/* Make sure that the next take of n is fast (called outside the pause). */
int hs_twin_reserve(struct hs_twin *t, size_t n);
void hs_twin_give(struct hs_twin *t, uint8_t *buf);

/* Borrowed until the next keep/drop of that page; NULL when there is none. */
const uint8_t *hs_twin_find(struct hs_twin *t, uint32_t page);
/* buf becomes the page's twin (the old one is recycled).  Takes buf. */
void hs_twin_keep(struct hs_twin *t, uint32_t page, uint8_t *buf);
/* Forget all: the next epoch is a full one. */
void hs_twin_drop(struct hs_twin *t);
/* Memory of the twins that are kept. */
size_t hs_twin_bytes(const struct hs_twin *t);

#endif
