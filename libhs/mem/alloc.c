/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/alloc.h"

#include <stdbool.h>

#include "mem/run.h"
#include "mem/slab.h"

static bool
is_power_of_two(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* Pages for len bytes; 0 if that is more than an arena can have. */
static uint32_t
count_pages(const struct hs_heap *h, size_t len)
{
	if (len > (size_t)h->npages * HS_ARENA_PAGE_BYTES)
		return 0;
	len += HS_ARENA_PAGE_BYTES - 1;
	return (uint32_t)(len / HS_ARENA_PAGE_BYTES);
}

static int
take_slot(struct hs_heap *h, size_t align, size_t len, void **out,
    size_t *stale)
{
	unsigned size_class = hs_slab_class(len);
	int rc;

	/* The last one, of 8192, is a multiple of every align that comes. */
	while (hs_slab_classes[size_class].bytes % align != 0)
		size_class++;
	rc = hs_slab_take(h, size_class, out);
	if (rc == 0)
		*stale = hs_slab_classes[size_class].bytes;
	return rc;
}

int
hs_alloc_take(struct hs_heap *h, size_t align, size_t len, void **out,
    size_t *stale)
{
	uint32_t page, npages, stale_pages;
	int rc;

	if (!is_power_of_two(align))
		return -EINVAL;
	if (len == 0)
		len = 1;
	if (len <= HS_SLAB_MAX_BYTES && align <= HS_ARENA_PAGE_BYTES)
		return take_slot(h, align, len, out, stale);
	npages = count_pages(h, len);
	if (npages == 0 || align > (size_t)h->npages * HS_ARENA_PAGE_BYTES)
		return HS_EARENA;
	if (align < HS_ARENA_PAGE_BYTES)
		align = HS_ARENA_PAGE_BYTES;
	rc = hs_run_take(h, npages, (uint32_t)(align / HS_ARENA_PAGE_BYTES),
	    &page, &stale_pages);
	if (rc < 0)
		return rc;
	*out = hs_layout_addr(h, page);
	*stale = (size_t)stale_pages * HS_ARENA_PAGE_BYTES;
	return 0;
}

/* The descriptor of the page that p is in; NULL if that is no data page. */
static struct hs_layout_desc *
find_desc(const struct hs_heap *h, const void *p, uint32_t *page)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)h->base;

	if (off >= (uintptr_t)h->npages * HS_ARENA_PAGE_BYTES)
		return NULL;		/* below the base, too: it wraps */
	*page = (uint32_t)(off / HS_ARENA_PAGE_BYTES);
	return hs_layout_desc(h, *page);
}

int
hs_alloc_give(struct hs_heap *h, const void *p)
{
	struct hs_layout_desc *d;
	uint32_t page;

	d = find_desc(h, p, &page);
	if (d == NULL)
		return HS_EMISUSE;
	if (d->kind == HS_KIND_SLAB || d->kind == HS_KIND_BODY)
		return hs_slab_give(h, page, p);
	if (d->kind != HS_KIND_RUN || p != hs_layout_addr(h, page))
		return HS_EMISUSE;
	return hs_run_give(h, page);
}

int
hs_alloc_find(const struct hs_heap *h, const void *p, size_t *usable)
{
	struct hs_layout_desc *d;
	unsigned size_class;
	uint32_t page;
	int rc;

	d = find_desc(h, p, &page);
	if (d == NULL)
		return HS_EMISUSE;
	if (d->kind == HS_KIND_SLAB || d->kind == HS_KIND_BODY) {
		rc = hs_slab_find(h, page, p, &size_class);
		if (rc == 0)
			*usable = hs_slab_classes[size_class].bytes;
		return rc;
	}
	if (d->kind != HS_KIND_RUN || p != hs_layout_addr(h, page))
		return HS_EMISUSE;
	*usable = (size_t)d->npages * HS_ARENA_PAGE_BYTES;
	return 0;
}

int
hs_alloc_resize(struct hs_heap *h, const void *p, size_t len)
{
	struct hs_layout_desc *d;
	uint32_t page, npages;
	size_t usable = 0;
	int rc;

	rc = hs_alloc_find(h, p, &usable);
	if (rc < 0)
		return rc;
	d = find_desc(h, p, &page);
	if (d->kind != HS_KIND_RUN) {
		/* Worth a move only where more than half is saved. */
		return len <= usable && len > usable / 2 - 1 ? 0 : HS_EARENA;
	}
	if (len <= HS_SLAB_MAX_BYTES)
		return HS_EARENA;
	npages = count_pages(h, len);
	if (npages == 0)
		return HS_EARENA;
	return hs_run_resize(h, page, npages);
}
