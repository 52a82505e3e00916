/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/slab.h"

#include <stdbool.h>
#include <string.h>

#include "mem/run.h"

/* Four classes a power of two above 128: rounding loses a fifth at most. */
const struct hs_slab_class hs_slab_classes[HS_LAYOUT_CLASSES] = {
	{ 16, 1, 256 },
	{ 32, 1, 128 },
	{ 48, 1, 85 },
	{ 64, 1, 64 },
	{ 80, 1, 51 },
	{ 96, 1, 42 },
	{ 112, 1, 36 },
	{ 128, 1, 32 },
	{ 160, 1, 25 },
	{ 192, 1, 21 },
	{ 224, 1, 18 },
	{ 256, 1, 16 },
	{ 320, 1, 12 },
	{ 384, 1, 10 },
	{ 448, 1, 9 },
	{ 512, 1, 8 },
	{ 640, 1, 6 },
	{ 768, 1, 5 },
	{ 896, 1, 4 },
	{ 1024, 1, 4 },
	{ 1280, 2, 6 },
	{ 1536, 2, 5 },
	{ 1792, 2, 4 },
	{ 2048, 2, 4 },
	{ 2560, 4, 6 },
	{ 3072, 3, 4 },
	{ 3584, 4, 4 },
	{ 4096, 4, 4 },
	{ 5120, 5, 4 },
	{ 6144, 6, 4 },
	{ 7168, 7, 4 },
	{ 8192, 8, 4 },
};

unsigned
hs_slab_class(size_t len)
{
	unsigned log2, n = (unsigned)len - 1;

	if (n < 128)
		return n / 16;
	log2 = 31u - (unsigned)__builtin_clz(n);
	return 8 + (log2 - 7) * 4 + (n >> (log2 - 2) & 3u);
}

static bool
is_slab(const struct hs_layout_desc *d)
{
	return d->kind == HS_KIND_SLAB && d->size_class < HS_LAYOUT_CLASSES &&
	    d->npages == hs_slab_classes[d->size_class].npages;
}

/* ---- lists of slabs with a free slot ---- */

static bool
is_linked(const struct hs_heap *h, uint32_t page)
{
	const struct hs_layout_desc *d = hs_layout_desc(h, page);
	const struct hs_layout_desc *n, *p;

	if (d == NULL || !is_slab(d) || d->nfree == 0)
		return false;
	p = d->prev == 0 ? NULL : hs_layout_desc(h, d->prev);
	n = d->next == 0 ? NULL : hs_layout_desc(h, d->next);
	if (d->prev == 0 ? h->head->slab[d->size_class] != page
			 : p == NULL || p->next != page)
		return false;
	return d->next == 0 || (n != NULL && n->prev == page);
}

static void
unlink_slab(struct hs_heap *h, struct hs_layout_desc *d)
{
	if (d->next != 0)
		hs_layout_desc(h, d->next)->prev = d->prev;
	if (d->prev != 0)
		hs_layout_desc(h, d->prev)->next = d->next;
	else
		h->head->slab[d->size_class] = d->next;
	d->prev = d->next = 0;
}

static void
link_slab(struct hs_heap *h, uint32_t page, struct hs_layout_desc *d)
{
	d->prev = 0;
	d->next = h->head->slab[d->size_class];
	if (d->next != 0)
		hs_layout_desc(h, d->next)->prev = page;
	h->head->slab[d->size_class] = page;
}

/* ---- making and unmaking ---- */

static int
create_slab(struct hs_heap *h, unsigned size_class, uint32_t *out)
{
	const struct hs_slab_class *c = &hs_slab_classes[size_class];
	struct hs_layout_desc *d;
	uint32_t page, stale, i;
	int rc;

	rc = hs_run_take(h, c->npages, 1, &page, &stale);
	if (rc < 0)
		return rc;
	for (i = 1; i < c->npages; i++) {
		d = hs_layout_desc(h, page + i);
		d->kind = HS_KIND_BODY;
		d->npages = i;
	}
	d = hs_layout_desc(h, page);
	d->kind = HS_KIND_SLAB;
	d->size_class = (uint8_t)size_class;
	d->nfree = c->nslots;
	memset(d->slots, 0, sizeof(d->slots));
	for (i = 0; i < c->nslots; i++)
		d->slots[i / 64] |= (uint64_t)1 << (i % 64);
	link_slab(h, page, d);
	*out = page;
	return 0;
}

/* Are all its slots free, by the slots, and its pages its own? */
static bool
is_empty(const struct hs_heap *h, uint32_t page, const struct hs_layout_desc *d)
{
	const struct hs_layout_desc *body;
	unsigned i, n = 0;

	for (i = 0; i < HS_LAYOUT_SLOTS / 64; i++)
		n += (unsigned)__builtin_popcountll(d->slots[i]);
	if (n != hs_slab_classes[d->size_class].nslots)
		return false;
	for (i = 1; i < d->npages; i++) {
		body = hs_layout_desc(h, page + i);
		if (body == NULL || body->kind != HS_KIND_BODY ||
		    body->npages != i)
			return false;
	}
	return true;
}

/* The slab's pages go back to the runs; it is linked and nfree is its all. */
static int
destroy_slab(struct hs_heap *h, uint32_t page, struct hs_layout_desc *d)
{
	uint32_t i;

	if (!is_empty(h, page, d))
		return HS_ECORRUPT;
	unlink_slab(h, d);
	for (i = 1; i < d->npages; i++)
		hs_layout_desc(h, page + i)->kind = HS_KIND_NONE;
	d->kind = HS_KIND_RUN;
	return hs_run_give(h, page);
}

/* ---- slots ---- */

int
hs_slab_take(struct hs_heap *h, unsigned size_class, void **out)
{
	uint32_t page = h->head->slab[size_class];
	struct hs_layout_desc *d;
	unsigned word = 0, slot;
	int rc;

	if (page == 0) {
		rc = create_slab(h, size_class, &page);
		if (rc < 0)
			return rc;
	}
	d = hs_layout_desc(h, page);
	if (!is_linked(h, page) || d->size_class != size_class)
		return HS_ECORRUPT;
	while (d->slots[word] == 0)
		if (++word == HS_LAYOUT_SLOTS / 64)
			return HS_ECORRUPT;
	slot = word * 64 + (unsigned)__builtin_ctzll(d->slots[word]);
	d->slots[word] &= d->slots[word] - 1;
	if (--d->nfree == 0)
		unlink_slab(h, d);
	*out = hs_layout_addr(h, page) +
	    (size_t)slot * hs_slab_classes[size_class].bytes;
	return 0;
}

/* The live slot that starts at p. */
static int
find_slot(const struct hs_heap *h, uint32_t *page, const void *p,
    unsigned *slot)
{
	const struct hs_layout_desc *d = hs_layout_desc(h, *page);
	size_t bytes, off;

	if (d->kind == HS_KIND_BODY) {
		if (d->npages >= *page)
			return HS_ECORRUPT;
		*page -= d->npages;
		d = hs_layout_desc(h, *page);
	}
	if (d == NULL || !is_slab(d))
		return HS_ECORRUPT;
	bytes = hs_slab_classes[d->size_class].bytes;
	off = (size_t)((const uint8_t *)p - hs_layout_addr(h, *page));
	*slot = (unsigned)(off / bytes);
	if (off % bytes != 0 ||
	    *slot >= hs_slab_classes[d->size_class].nslots ||
	    (d->slots[*slot / 64] >> (*slot % 64) & 1) != 0)
		return HS_EMISUSE;
	return 0;
}

int
hs_slab_give(struct hs_heap *h, uint32_t page, const void *p)
{
	struct hs_layout_desc *d;
	unsigned slot;
	int rc;

	rc = find_slot(h, &page, p, &slot);
	if (rc < 0)
		return rc;
	d = hs_layout_desc(h, page);
	if (d->nfree != 0 && !is_linked(h, page))
		return HS_ECORRUPT;
	d->slots[slot / 64] |= (uint64_t)1 << (slot % 64);
	if (d->nfree++ == 0)
		link_slab(h, page, d);
	/* The last one of a class stays: no coming and going of pages. */
	if (d->nfree == hs_slab_classes[d->size_class].nslots &&
	    (d->prev != 0 || d->next != 0))
		return destroy_slab(h, page, d);
	return 0;
}

int
hs_slab_find(const struct hs_heap *h, uint32_t page, const void *p,
    unsigned *size_class)
{
	unsigned slot;
	int rc;

	rc = find_slot(h, &page, p, &slot);
	if (rc < 0)
		return rc;
	*size_class = hs_layout_desc(h, page)->size_class;
	return 0;
}
