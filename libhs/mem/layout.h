/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What lies where in the arena.  Pages are numbered from its base; 0 is the
 * header and so also means "none".
 *
 *	page 0		header: geometry, roots, heads of all lists
 *	page 1..	directory: for each extent, the page of its leaf
 *	then		leaves: 64 descriptors a page, 8 pages an extent
 *	next extents	data; more extents of leaves where they were needed
 *
 * Records and user data never share an extent.  No record lies in user data,
 * so a program that overruns its memory by less than an extent does not
 * damage them, and a bad pointer given to free is told by the records alone.
 *
 * L1  dir[e] is 0 for extents that hold records and for those not in use.
 * L2  The runs (in use, slab, free) of a stretch of data extents tile it
 *     exactly: each starts where the last one ended.
 * L3  Only the first page of a run, each page of a slab and the last page of a
 *     free run have a descriptor with kind != NONE: a large run costs two
 *     descriptors, whatever its length.
 * L4  No two free runs are neighbours.
 * L5  A free run is in exactly one bin, that of its length; a slab with a free
 *     slot is in the list of its class; no other run is in a list.
 * L6  Pages at or above fresh_page were never handed out: they are zero.
 */
#ifndef HS_MEM_LAYOUT_H
#define HS_MEM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "mem/arena.h"

#define HS_LAYOUT_MAGIC 0x414e455241534823u	/* "#HSARENA" in memory */
#define HS_LAYOUT_VERSION 1

#define HS_LAYOUT_EXTENT_PAGES (HS_ARENA_EXTENT_BYTES / HS_ARENA_PAGE_BYTES)
#define HS_LAYOUT_LEAF_PAGES 8u
#define HS_LAYOUT_DIR_PAGE 1u
#define HS_LAYOUT_ROOTS 64
#define HS_LAYOUT_NAME_BYTES 32		/* with the NUL */
#define HS_LAYOUT_BINS 128
#define HS_LAYOUT_CLASSES 32
#define HS_LAYOUT_SLOTS 256		/* at most, in a slab */

enum hs_layout_kind {
	HS_KIND_NONE = 0,	/* inside a run, or never used */
	HS_KIND_FREE = 1,	/* first page of a free run */
	HS_KIND_TAIL = 2,	/* last page of a free run of two and more */
	HS_KIND_RUN = 3,	/* first page of a run in use */
	HS_KIND_SLAB = 4,	/* first page of a slab */
	HS_KIND_BODY = 5,	/* further page of a slab */
};

struct hs_layout_desc {
	uint8_t kind;
	uint8_t size_class;		/* SLAB */
	uint16_t nfree;		/* SLAB: free slots */
	uint32_t npages;	/* of the run; BODY: pages back to the first */
	uint32_t prev;		/* FREE, SLAB: neighbours in the list */
	uint32_t next;
	uint64_t slots[HS_LAYOUT_SLOTS / 64];	/* SLAB: 1 is free */
	uint64_t reserved[2];
};

struct hs_layout_root {
	char name[HS_LAYOUT_NAME_BYTES];	/* "" is an empty place */
	uint64_t addr;
};

struct hs_layout_head {
	uint64_t magic;
	uint32_t version;
	uint32_t page_bytes;
	uint64_t base;
	uint64_t bytes;
	uint64_t used_bytes;
	uint32_t leaf_next;	/* room for leaves, in pages */
	uint32_t leaf_end;
	uint32_t fresh_page;
	uint32_t reserved;
	uint64_t bin_map[HS_LAYOUT_BINS / 64];	/* bins that are not empty */
	uint32_t bin[HS_LAYOUT_BINS];
	uint32_t slab[HS_LAYOUT_CLASSES];
	struct hs_layout_root root[HS_LAYOUT_ROOTS];
	uint64_t state;		/* address of the additional state; 0: none */
};

_Static_assert(sizeof(struct hs_layout_desc) == 64, "leaves hold 512");
_Static_assert(sizeof(struct hs_layout_head) <= HS_ARENA_PAGE_BYTES,
    "the header is one page");

/* This process's view of an arena; the arena's lock guards all of it. */
struct hs_heap {
	uint8_t *base;
	uint32_t npages;	/* of the whole arena */
	struct hs_layout_head *head;
	uint32_t *dir;
	hs_arena_grow_fn *grow;
	void *grow_arg;
};

void hs_layout_view(struct hs_heap *h, void *base, size_t bytes);
/* Pages for header, directory and first leaves: whole extents. */
uint32_t hs_layout_meta_pages(size_t bytes);
void hs_layout_format(struct hs_heap *h);
/* A header read from elsewhere, for an arena of this geometry. */
HS_MUST_CHECK int hs_layout_judge(const struct hs_layout_head *head,
    const struct hs_arena_geometry *g, size_t used_bytes);
/* Directory and list heads; cost: 1 ns or so an extent. */
HS_MUST_CHECK int hs_layout_verify(const struct hs_heap *h);

static inline uint32_t
hs_layout_used(const struct hs_heap *h)
{
	return (uint32_t)(h->head->used_bytes / HS_ARENA_PAGE_BYTES);
}

/* hs_arena_used() reads it without the lock. */
static inline void
hs_layout_set_used(struct hs_heap *h, uint32_t npages)
{
	__atomic_store_n(&h->head->used_bytes,
	    (uint64_t)npages * HS_ARENA_PAGE_BYTES, __ATOMIC_RELAXED);
}

static inline uint8_t *
hs_layout_addr(const struct hs_heap *h, uint32_t page)
{
	return h->base + (size_t)page * HS_ARENA_PAGE_BYTES;
}

/* The descriptor of a data page; NULL for a page that is none. */
static inline struct hs_layout_desc *
hs_layout_desc(const struct hs_heap *h, uint32_t page)
{
	uint32_t leaf;

	if (page >= hs_layout_used(h))
		return NULL;
	leaf = h->dir[page / HS_LAYOUT_EXTENT_PAGES];
	if (leaf == 0)
		return NULL;
	return (struct hs_layout_desc *)(void *)hs_layout_addr(h, leaf) +
	    page % HS_LAYOUT_EXTENT_PAGES;
}

#endif
