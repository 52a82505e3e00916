/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/run.h"

#include <stdbool.h>

#define EXACT_BINS 16u
#define LOOK_AT_MOST 16u	/* members of its own bin that a search meets */

unsigned
hs_run_bin(uint32_t npages)
{
	unsigned log2;

	if (npages < EXACT_BINS)
		return npages;
	log2 = 31u - (unsigned)__builtin_clz(npages);
	return EXACT_BINS + (log2 - 4) * 4 + (npages >> (log2 - 2) & 3u);
}

/* ---- lists of free runs ---- */

/* Is page the first of a free run that is whole, at both ends and its list? */
static bool
is_linked(const struct hs_heap *h, uint32_t page)
{
	const struct hs_layout_desc *d = hs_layout_desc(h, page);
	const struct hs_layout_desc *n, *p, *tail;

	if (d == NULL || d->kind != HS_KIND_FREE || d->npages == 0 ||
	    d->npages > hs_layout_used(h) - page)
		return false;
	tail = hs_layout_desc(h, page + d->npages - 1);
	if (tail != d &&
	    (tail == NULL || tail->kind != HS_KIND_TAIL ||
		tail->npages != d->npages))
		return false;
	p = d->prev == 0 ? NULL : hs_layout_desc(h, d->prev);
	n = d->next == 0 ? NULL : hs_layout_desc(h, d->next);
	if (d->prev == 0 ? h->head->bin[hs_run_bin(d->npages)] != page
			 : p == NULL || p->next != page)
		return false;
	return d->next == 0 || (n != NULL && n->prev == page);
}

/* is_linked(page) was asked: cannot fail. */
static void
unlink_free(struct hs_heap *h, uint32_t page)
{
	struct hs_layout_desc *d = hs_layout_desc(h, page);
	unsigned bin = hs_run_bin(d->npages);

	if (d->next != 0)
		hs_layout_desc(h, d->next)->prev = d->prev;
	if (d->prev != 0) {
		hs_layout_desc(h, d->prev)->next = d->next;
	} else {
		h->head->bin[bin] = d->next;
		if (d->next == 0)
			h->head->bin_map[bin / 64] &=
			    ~((uint64_t)1 << (bin % 64));
	}
	hs_layout_desc(h, page + d->npages - 1)->kind = HS_KIND_NONE;
	d->kind = HS_KIND_NONE;
	d->prev = d->next = 0;
}

static void
link_free(struct hs_heap *h, uint32_t page, uint32_t npages)
{
	struct hs_layout_desc *d, *tail;
	unsigned bin = hs_run_bin(npages);

	tail = hs_layout_desc(h, page + npages - 1);
	tail->kind = HS_KIND_TAIL;
	tail->npages = npages;
	d = hs_layout_desc(h, page);		/* may be the tail as well */
	d->kind = HS_KIND_FREE;
	d->npages = npages;
	d->prev = 0;
	d->next = h->head->bin[bin];
	if (d->next != 0)
		hs_layout_desc(h, d->next)->prev = page;
	h->head->bin[bin] = page;
	h->head->bin_map[bin / 64] |= (uint64_t)1 << (bin % 64);
}

/* The free run that ends just below page; 0 if what is there is not free. */
static uint32_t
find_free_below(const struct hs_heap *h, uint32_t page)
{
	const struct hs_layout_desc *d = hs_layout_desc(h, page - 1);

	if (d == NULL)
		return 0;
	if (d->kind == HS_KIND_FREE && d->npages == 1)
		return page - 1;
	if (d->kind == HS_KIND_TAIL && d->npages < page)
		return page - d->npages;
	return 0;
}

/* The free run that starts at page; 0 if there is none. */
static uint32_t
find_free_at(const struct hs_heap *h, uint32_t page)
{
	const struct hs_layout_desc *d = hs_layout_desc(h, page);

	return d != NULL && d->kind == HS_KIND_FREE ? page : 0;
}

static bool
is_free_upto(const struct hs_heap *h, uint32_t page, uint32_t end)
{
	return is_linked(h, page) &&
	    hs_layout_desc(h, page)->npages == end - page;
}

/* Does the run in use at page end where another one, or the data, does? */
static bool
is_whole(const struct hs_heap *h, uint32_t page)
{
	const struct hs_layout_desc *d = hs_layout_desc(h, page);
	const struct hs_layout_desc *last, *next;

	if (d->npages == 0 || d->npages > hs_layout_used(h) - page)
		return false;
	last = hs_layout_desc(h, page + d->npages - 1);
	next = hs_layout_desc(h, page + d->npages);
	if (last != d && (last == NULL || last->kind != HS_KIND_NONE))
		return false;
	return next == NULL || next->kind == HS_KIND_FREE ||
	    next->kind == HS_KIND_RUN || next->kind == HS_KIND_SLAB;
}

/*
 * Join [page, page + npages), whose descriptors are NONE, with the free runs
 * beside it, and make it free (L4).
 */
static int
join_free(struct hs_heap *h, uint32_t page, uint32_t npages)
{
	uint32_t below = find_free_below(h, page);
	uint32_t above = find_free_at(h, page + npages);

	if ((below != 0 && !is_free_upto(h, below, page)) ||
	    (above != 0 && !is_linked(h, above)) ||
	    hs_layout_desc(h, page) == NULL ||
	    hs_layout_desc(h, page + npages - 1) == NULL)
		return HS_ECORRUPT;
	if (above != 0) {
		npages += hs_layout_desc(h, above)->npages;
		unlink_free(h, above);
	}
	if (below != 0) {
		npages += page - below;
		page = below;
		unlink_free(h, below);
	}
	link_free(h, page, npages);
	return 0;
}

/* ---- growth ---- */

struct growth {
	uint32_t meta_extents;	/* for leaves, first */
	uint32_t data_extents;
};

static uint32_t
round_up_extents(uint32_t npages)
{
	return npages / HS_LAYOUT_EXTENT_PAGES +
	    (npages % HS_LAYOUT_EXTENT_PAGES != 0);
}

/* What it takes to have a free run of npages at the end. */
static int
plan_growth(const struct hs_heap *h, uint32_t npages, struct growth *g)
{
	uint32_t used = hs_layout_used(h);
	uint32_t below = find_free_below(h, used);
	uint32_t tail = below == 0 ? 0 : used - below;
	uint32_t room =
	    (h->head->leaf_end - h->head->leaf_next) / HS_LAYOUT_LEAF_PAGES;
	uint32_t leaves_an_extent =
	    HS_LAYOUT_EXTENT_PAGES / HS_LAYOUT_LEAF_PAGES;

	g->meta_extents = 0;
	g->data_extents = round_up_extents(npages - (tail < npages ? tail : 0));
	if (g->data_extents > room) {
		/* Leaves part the new data from the free tail. */
		g->data_extents = round_up_extents(npages);
		g->meta_extents =
		    (g->data_extents - room + leaves_an_extent - 1) /
		    leaves_an_extent;
	}
	if ((uint64_t)g->meta_extents + g->data_extents >
	    (h->npages - used) / HS_LAYOUT_EXTENT_PAGES)
		return HS_EARENA;
	return 0;
}

static uint32_t
take_leaf(struct hs_heap *h, uint32_t *meta, uint32_t meta_end)
{
	struct hs_layout_head *head = h->head;
	uint32_t leaf;

	if (head->leaf_next == head->leaf_end) {
		head->leaf_next = *meta;
		head->leaf_end = meta_end;
		*meta = meta_end;
	}
	leaf = head->leaf_next;
	head->leaf_next += HS_LAYOUT_LEAF_PAGES;
	return leaf;
}

static int
grow_used(struct hs_heap *h, uint32_t npages)
{
	struct growth g;
	uint32_t used = hs_layout_used(h);
	uint32_t below = find_free_below(h, used);
	uint32_t meta = used, data, end, page;
	int rc;

	if (below != 0 && !is_free_upto(h, below, used))
		return HS_ECORRUPT;
	rc = plan_growth(h, npages, &g);
	if (rc < 0)
		return rc;
	data = used + g.meta_extents * HS_LAYOUT_EXTENT_PAGES;
	end = data + g.data_extents * HS_LAYOUT_EXTENT_PAGES;
	if (h->grow != NULL) {
		rc = h->grow(h->grow_arg, (size_t)end * HS_ARENA_PAGE_BYTES);
		if (rc < 0)
			return rc;
	}
	hs_layout_set_used(h, end);
	for (page = data; page < end; page += HS_LAYOUT_EXTENT_PAGES)
		h->dir[page / HS_LAYOUT_EXTENT_PAGES] =
		    take_leaf(h, &meta, data);
	return join_free(h, data, end - data);
}

/* ---- taking and giving ---- */

static uint32_t
search_bin(const struct hs_heap *h, unsigned bin, uint32_t npages,
    uint32_t at_most)
{
	uint32_t page = h->head->bin[bin];

	while (page != 0 && at_most-- != 0) {
		const struct hs_layout_desc *d = hs_layout_desc(h, page);

		/* A damaged list ends the search; is_linked() tells. */
		if (d == NULL || d->npages >= npages)
			break;
		page = d->next;
		if (at_most == 0)
			return 0;
	}
	return page;
}

/* A free run of npages and more, by bins: 0 if there is none. */
static uint32_t
search_free(const struct hs_heap *h, uint32_t npages, uint32_t at_most)
{
	unsigned bin = hs_run_bin(npages), word;
	uint32_t page;
	uint64_t left;

	page = search_bin(h, bin, npages, at_most);
	if (page != 0 || ++bin == HS_LAYOUT_BINS)
		return page;
	word = bin / 64;
	left = h->head->bin_map[word] & ~(uint64_t)0 << (bin % 64);
	while (left == 0) {
		if (++word == HS_LAYOUT_BINS / 64)
			return 0;
		left = h->head->bin_map[word];
	}
	return h->head->bin[word * 64 + (unsigned)__builtin_ctzll(left)];
}

/* Make [page, page + npages) of the free run `from` a run in use. */
static void
cut_run(struct hs_heap *h, uint32_t from, uint32_t page, uint32_t npages)
{
	uint32_t len = hs_layout_desc(h, from)->npages;
	uint32_t after = from + len - (page + npages);
	struct hs_layout_desc *d;

	unlink_free(h, from);
	if (page != from)
		link_free(h, from, page - from);
	if (after != 0)
		link_free(h, page + npages, after);
	d = hs_layout_desc(h, page);
	d->kind = HS_KIND_RUN;
	d->npages = npages;
}

static uint32_t
count_stale(struct hs_heap *h, uint32_t page, uint32_t npages)
{
	uint32_t fresh = h->head->fresh_page, end = page + npages;

	if (end > fresh)
		h->head->fresh_page = end;		/* L6 */
	if (page >= fresh)
		return 0;
	return end <= fresh ? npages : fresh - page;
}

int
hs_run_take(struct hs_heap *h, uint32_t npages, uint32_t align, uint32_t *page,
    uint32_t *stale)
{
	uint32_t first = (uint32_t)((uintptr_t)h->base / HS_ARENA_PAGE_BYTES);
	uint32_t want, from, at;
	int rc;

	if (npages == 0 || align > h->npages || npages > h->npages - align)
		return HS_EARENA;
	want = npages + align - 1;
	from = search_free(h, want, LOOK_AT_MOST);
	if (from == 0) {
		rc = grow_used(h, want);
		if (rc < 0 && rc != HS_EARENA)
			return rc;
		from = search_free(h, want, UINT32_MAX);
	}
	if (from == 0)
		return HS_EARENA;
	if (!is_linked(h, from) || hs_layout_desc(h, from)->npages < want)
		return HS_ECORRUPT;
	/* Two's powers: only the low bits of an address matter. */
	at = from + (align - ((first + from) & (align - 1))) % align;
	cut_run(h, from, at, npages);
	*stale = count_stale(h, at, npages);
	*page = at;
	return 0;
}

int
hs_run_give(struct hs_heap *h, uint32_t page)
{
	struct hs_layout_desc *d = hs_layout_desc(h, page);
	struct hs_layout_desc was = *d;
	int rc;

	if (!is_whole(h, page))
		return HS_ECORRUPT;
	d->kind = HS_KIND_NONE;
	rc = join_free(h, page, was.npages);
	if (rc < 0)
		*d = was;
	return rc;
}

static int
lengthen_run(struct hs_heap *h, uint32_t page, uint32_t npages)
{
	struct hs_layout_desc *d = hs_layout_desc(h, page);
	uint32_t end = page + d->npages, more = npages - d->npages;
	uint32_t above = find_free_at(h, end), have, left;
	int rc;

	have = above == 0 ? 0 : hs_layout_desc(h, above)->npages;
	if (have < more && end + have == hs_layout_used(h)) {
		rc = grow_used(h, more);
		if (rc < 0)
			return rc;
		above = find_free_at(h, end);
		have = above == 0 ? 0 : hs_layout_desc(h, above)->npages;
	}
	if (have < more)
		return HS_EARENA;
	if (!is_linked(h, above))
		return HS_ECORRUPT;
	left = have - more;
	unlink_free(h, above);
	if (left != 0)
		link_free(h, end + more, left);
	d->npages = npages;
	(void)count_stale(h, page, npages);
	return 0;
}

int
hs_run_resize(struct hs_heap *h, uint32_t page, uint32_t npages)
{
	struct hs_layout_desc *d = hs_layout_desc(h, page);
	uint32_t old = d->npages;
	int rc = 0;

	if (npages == 0 || npages > h->npages)
		return HS_EARENA;
	if (!is_whole(h, page))
		return HS_ECORRUPT;
	if (npages > old)
		return lengthen_run(h, page, npages);
	if (npages < old) {
		rc = join_free(h, page + npages, old - npages);
		if (rc == 0)
			d->npages = npages;
	}
	return rc;
}
