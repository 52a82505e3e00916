/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "mem/run.h"
#include "mem/slab.h"

struct walk {
	const struct hs_heap *h;
	char *why;
	size_t why_size;
	size_t nfree;		/* free runs met in the data extents */
	size_t nslab;		/* slabs with a free slot met there */
};

__attribute__((format(printf, 2, 3))) static int
fail_walk(const struct walk *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(w->why, w->why_size, fmt, ap);
	va_end(ap);
	return HS_ECORRUPT;
}

/* L3: the pages of a run but for the first and, if free, the last. */
static int
check_inside(const struct walk *w, uint32_t page, uint32_t npages, int kind)
{
	const struct hs_layout_desc *d;
	uint32_t i;

	for (i = 1; i < npages; i++) {
		int want = HS_KIND_NONE;

		d = hs_layout_desc(w->h, page + i);
		if (d == NULL)
			return fail_walk(w,
			    "L2: run at page %u leaves its extents", page);
		if (kind == HS_KIND_SLAB)
			want = HS_KIND_BODY;
		else if (kind == HS_KIND_FREE && i == npages - 1)
			want = HS_KIND_TAIL;
		if (d->kind != want)
			return fail_walk(w,
			    "L3: page %u of run at page %u has kind %d, not %d",
			    page + i, page, d->kind, want);
		if ((want == HS_KIND_BODY && d->npages != i) ||
		    (want == HS_KIND_TAIL && d->npages != npages))
			return fail_walk(w,
			    "L3: page %u does not lead back to page %u",
			    page + i, page);
	}
	return 0;
}

static int
check_slab(struct walk *w, uint32_t page, const struct hs_layout_desc *d)
{
	const struct hs_slab_class *c;
	unsigned i, nfree = 0;

	if (d->size_class >= HS_LAYOUT_CLASSES)
		return fail_walk(w, "slab at page %u has class %u", page,
		    d->size_class);
	c = &hs_slab_classes[d->size_class];
	for (i = 0; i < HS_LAYOUT_SLOTS; i++) {
		if ((d->slots[i / 64] >> (i % 64) & 1) == 0)
			continue;
		if (i >= c->nslots)
			return fail_walk(w, "slab at page %u has slot %u", page,
			    i);
		nfree++;
	}
	if (nfree != d->nfree || d->npages != c->npages)
		return fail_walk(w, "slab at page %u: %u slots free, says %u",
		    page, nfree, d->nfree);
	w->nslab += nfree != 0;
	return 0;
}

/* One stretch of data extents: [page, end). */
static int
check_stretch(struct walk *w, uint32_t page, uint32_t end)
{
	int last = HS_KIND_NONE, rc;

	while (page < end) {
		const struct hs_layout_desc *d = hs_layout_desc(w->h, page);

		if (d->kind != HS_KIND_FREE && d->kind != HS_KIND_RUN &&
		    d->kind != HS_KIND_SLAB)
			return fail_walk(w, "L2: no run starts at page %u",
			    page);
		if (d->npages == 0 || d->npages > end - page)
			return fail_walk(w, "L2: run at page %u has %u pages",
			    page, d->npages);
		if (d->kind == HS_KIND_FREE && last == HS_KIND_FREE)
			return fail_walk(w, "L4: two free runs meet at page %u",
			    page);
		rc = check_inside(w, page, d->npages, d->kind);
		if (rc == 0 && d->kind == HS_KIND_SLAB)
			rc = check_slab(w, page, d);
		if (rc < 0)
			return rc;
		if (d->kind != HS_KIND_FREE && w->h->head->fresh_page < page)
			return fail_walk(w, "L6: page %u is in use but fresh",
			    page);
		w->nfree += d->kind == HS_KIND_FREE;
		last = d->kind;
		page += d->npages;
	}
	return 0;
}

static int
check_extents(struct walk *w)
{
	uint32_t used = hs_layout_used(w->h), page = 0, end;
	int rc;

	while (page < used) {
		if (hs_layout_desc(w->h, page) == NULL) {
			page += HS_LAYOUT_EXTENT_PAGES;
			continue;
		}
		end = page;
		while (end < used && hs_layout_desc(w->h, end) != NULL)
			end += HS_LAYOUT_EXTENT_PAGES;
		rc = check_stretch(w, page, end);
		if (rc < 0)
			return rc;
		page = end;
	}
	return 0;
}

/* One list: kind and place of each member; *n counts them. */
static int
check_list(struct walk *w, uint32_t page, int kind, unsigned place, size_t *n)
{
	const struct hs_layout_desc *d;
	uint32_t prev = 0;

	for (; page != 0; prev = page, page = d->next) {
		d = hs_layout_desc(w->h, page);
		if (d == NULL || d->kind != kind || d->prev != prev)
			return fail_walk(w, "L5: list %u is broken at page %u",
			    place, page);
		if ((kind == HS_KIND_FREE && hs_run_bin(d->npages) != place) ||
		    (kind == HS_KIND_SLAB && d->size_class != place))
			return fail_walk(w, "L5: page %u is in list %u", page,
			    place);
		if (kind == HS_KIND_SLAB && d->nfree == 0)
			return fail_walk(w, "L5: full slab at page %u listed",
			    page);
		if (++*n > w->h->npages)
			return fail_walk(w, "L5: list %u is a ring", place);
	}
	return 0;
}

static int
check_lists(struct walk *w)
{
	size_t nfree = 0, nslab = 0;
	unsigned i;
	int rc;

	for (i = 0; i < HS_LAYOUT_BINS; i++) {
		rc = check_list(w, w->h->head->bin[i], HS_KIND_FREE, i, &nfree);
		if (rc < 0)
			return rc;
	}
	for (i = 0; i < HS_LAYOUT_CLASSES; i++) {
		rc =
		    check_list(w, w->h->head->slab[i], HS_KIND_SLAB, i, &nslab);
		if (rc < 0)
			return rc;
	}
	if (nfree != w->nfree)
		return fail_walk(w, "L5: %zu free runs, %zu listed", w->nfree,
		    nfree);
	if (nslab != w->nslab)
		return fail_walk(w, "L5: %zu slabs with room, %zu listed",
		    w->nslab, nslab);
	return 0;
}

int
hs_check_heap(const struct hs_heap *h, char *why, size_t why_size)
{
	struct walk w = { .h = h, .why = why, .why_size = why_size };
	int rc;

	if (hs_layout_verify(h) < 0)
		return fail_walk(&w, "header, directory or a list's head");
	rc = check_extents(&w);
	return rc < 0 ? rc : check_lists(&w);
}
