/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slabs: small allocations of one size class in one to eight pages.  A free
 * slot is a bit in the slab's descriptor, and the lowest free slot is taken
 * first: live objects stay packed, and an allocation changes one page of
 * records besides the object's own.
 *
 * All calls: under the arena's lock.
 */
#ifndef HS_MEM_SLAB_H
#define HS_MEM_SLAB_H

#include "mem/layout.h"

#define HS_SLAB_MAX_BYTES 8192u

struct hs_slab_class {
	uint16_t bytes;
	uint8_t npages;		/* fewest for four slots, at most 1/8 lost */
	uint16_t nslots;
};

extern const struct hs_slab_class hs_slab_classes[HS_LAYOUT_CLASSES];

/* The least class of at least len bytes; len is 1..HS_SLAB_MAX_BYTES. */
unsigned hs_slab_class(size_t len);
HS_MUST_CHECK int hs_slab_take(struct hs_heap *h, unsigned size_class,
    void **out);
/* page is HS_KIND_SLAB or HS_KIND_BODY.  HS_EMISUSE: not a slot, or free. */
HS_MUST_CHECK int hs_slab_give(struct hs_heap *h, uint32_t page, const void *p);
/* The class of the live slot that starts at p; HS_EMISUSE if none does. */
HS_MUST_CHECK int hs_slab_find(const struct hs_heap *h, uint32_t page,
    const void *p, unsigned *size_class);

#endif
