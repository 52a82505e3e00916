/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/layout.h"

#include <string.h>

void
hs_layout_view(struct hs_heap *h, void *base, size_t bytes)
{
	h->base = base;
	h->npages = (uint32_t)(bytes / HS_ARENA_PAGE_BYTES);
	h->head = base;
	h->dir = (uint32_t *)(void *)hs_layout_addr(h, HS_LAYOUT_DIR_PAGE);
}

static uint32_t
count_dir_pages(size_t bytes)
{
	size_t dir_bytes = bytes / HS_ARENA_EXTENT_BYTES * sizeof(uint32_t);

	return (uint32_t)((dir_bytes + HS_ARENA_PAGE_BYTES - 1) /
	    HS_ARENA_PAGE_BYTES);
}

uint32_t
hs_layout_meta_pages(size_t bytes)
{
	uint32_t least =
	    HS_LAYOUT_DIR_PAGE + count_dir_pages(bytes) + HS_LAYOUT_LEAF_PAGES;

	return (least + HS_LAYOUT_EXTENT_PAGES - 1) / HS_LAYOUT_EXTENT_PAGES *
	    HS_LAYOUT_EXTENT_PAGES;
}

void
hs_layout_format(struct hs_heap *h)
{
	struct hs_layout_head *head = h->head;
	size_t bytes = (size_t)h->npages * HS_ARENA_PAGE_BYTES;
	uint32_t meta = hs_layout_meta_pages(bytes);

	memset(head, 0, sizeof(*head));
	head->magic = HS_LAYOUT_MAGIC;
	head->version = HS_LAYOUT_VERSION;
	head->page_bytes = HS_ARENA_PAGE_BYTES;
	head->base = (uintptr_t)h->base;
	head->bytes = bytes;
	head->used_bytes = (uint64_t)meta * HS_ARENA_PAGE_BYTES;
	head->leaf_next = HS_LAYOUT_DIR_PAGE + count_dir_pages(bytes);
	/* A leaf does not cross the end of the extent. */
	head->leaf_end = meta - (meta - head->leaf_next) % HS_LAYOUT_LEAF_PAGES;
	head->fresh_page = meta;
}

int
hs_layout_judge(const struct hs_layout_head *head,
    const struct hs_arena_geometry *g, size_t used_bytes)
{
	if (head->magic != HS_LAYOUT_MAGIC)
		return HS_ECORRUPT;
	if (head->version != HS_LAYOUT_VERSION ||
	    head->page_bytes != HS_ARENA_PAGE_BYTES || head->base != g->base ||
	    head->bytes != g->bytes)
		return HS_EINCOMPATIBLE;
	if (head->used_bytes != used_bytes || used_bytes > g->bytes ||
	    used_bytes % HS_ARENA_EXTENT_BYTES != 0)
		return HS_ECORRUPT;
	return 0;
}

static int
verify_lists(const struct hs_heap *h)
{
	const struct hs_layout_desc *d;
	unsigned i;

	for (i = 0; i < HS_LAYOUT_BINS; i++) {
		int marked = (h->head->bin_map[i / 64] >> (i % 64) & 1) != 0;

		if (marked != (h->head->bin[i] != 0))
			return HS_ECORRUPT;
		if (!marked)
			continue;
		d = hs_layout_desc(h, h->head->bin[i]);
		if (d == NULL || d->kind != HS_KIND_FREE)
			return HS_ECORRUPT;
	}
	for (i = 0; i < HS_LAYOUT_CLASSES; i++) {
		if (h->head->slab[i] == 0)
			continue;
		d = hs_layout_desc(h, h->head->slab[i]);
		if (d == NULL || d->kind != HS_KIND_SLAB || d->size_class != i)
			return HS_ECORRUPT;
	}
	return 0;
}

int
hs_layout_verify(const struct hs_heap *h)
{
	const struct hs_layout_head *head = h->head;
	uint32_t used = hs_layout_used(h);
	uint32_t e;

	if (head->leaf_next > head->leaf_end || head->leaf_end > used ||
	    head->fresh_page > used ||
	    used < hs_layout_meta_pages((size_t)head->bytes))
		return HS_ECORRUPT;
	for (e = 0; e < h->npages / HS_LAYOUT_EXTENT_PAGES; e++) {
		uint32_t leaf = h->dir[e];

		if (leaf == 0)
			continue;			/* L1 */
		if (e * HS_LAYOUT_EXTENT_PAGES >= used ||
		    leaf > used - HS_LAYOUT_LEAF_PAGES ||
		    h->dir[leaf / HS_LAYOUT_EXTENT_PAGES] != 0)
			return HS_ECORRUPT;
	}
	return verify_lists(h);
}
