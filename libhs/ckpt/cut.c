/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/cut.h"

#include <assert.h>

#include "ckpt/impl.h"

#define PAGE HS_ARENA_PAGE_BYTES

/* Pages in the epoch before, at least. */
#define CUT_PAGES 16
/* Buffers taken, and pages read, at a time. */
#define CUT_BATCH 64u

bool
hs_cut_pays(const struct hs_ckpt *c, const struct hs_seal_snap *s)
{
	/* What could not be copied once is not left to chance again (U3). */
	return hs_dirty_can_cut(c->dirty) && !s->full && !c->want_again &&
	    c->last_pages >= CUT_PAGES;
}

static void
name_pages(struct hs_seal_snap *s, const struct hs_pageset *set)
{
	size_t page;

	for (page = 0; hs_pageset_next(set, page, &page); page++) {
		s->page[s->n] = (uint32_t)page;
		s->buf[s->n++] = NULL;
	}
}

int
hs_cut_take(struct hs_ckpt *c, struct hs_seal_snap *s, size_t room,
    size_t *need)
{
	size_t n;
	int rc;

	assert(hs_pageset_count(c->set) == 0 && c->cut_snap == NULL);
	rc = hs_dirty_cut_begin(c->dirty, c->set);
	if (rc < 0)
		return rc;
	n = hs_pageset_count(c->set);
	*need = n * PAGE;
	if (*need <= room)
		rc = hs_seal_grow(s, n);
	if (rc == 0 && *need <= room && n > 0) {
		name_pages(s, c->set);
		pthread_mutex_lock(&c->cut);
		c->cut_snap = s;				/* U1 */
		pthread_mutex_unlock(&c->cut);
	} else {
		(void)hs_dirty_cut_end(c->dirty, false);
	}
	hs_pageset_clear(c->set);
	return rc;
}

/* On failure s owns what it has. */
static int
read_pages(struct hs_ckpt *c, struct hs_seal_snap *s)
{
	size_t i, n;
	int rc = 0;

	for (i = 0; rc == 0 && i < s->n; i += n) {
		n = s->n - i < CUT_BATCH ? s->n - i : CUT_BATCH;
		rc = hs_twin_take(c->twin, s->buf + i, n);
		if (rc == 0)
			rc = hs_dirty_cut_read(c->dirty, s->page + i,
			    s->buf + i, n);
	}
	return rc;
}

/* U3: whoever waits takes another. */
static void
give_up(struct hs_ckpt *c, struct hs_seal_snap *s)
{
	s->lost = true;
	pthread_mutex_lock(&c->lock);
	c->want_again = true;
	hs_ckpt_announce(c);
	pthread_mutex_unlock(&c->lock);
}

/* c->cut is held. */
static void
fill_snap(struct hs_ckpt *c)
{
	struct hs_seal_snap *s = c->cut_snap;
	int rc;

	rc = read_pages(c, s);
	/*
	 * A commit that fails leaves the pages dirty, which is more than is
	 * needed: the copy is whole.
	 */
	(void)hs_dirty_cut_end(c->dirty, rc == 0);		/* U2 */
	c->cut_snap = NULL;
	if (rc < 0)
		give_up(c, s);
}

int
hs_cut_fill(struct hs_ckpt *c, struct hs_seal_snap *s)
{
	bool lost;

	pthread_mutex_lock(&c->cut);
	if (c->cut_snap == s)
		fill_snap(c);
	lost = s->lost;
	pthread_mutex_unlock(&c->cut);
	return lost ? -ESTALE : 0;
}

void
hs_cut_settle(struct hs_ckpt *c)
{
	pthread_mutex_lock(&c->cut);
	if (c->cut_snap != NULL)
		fill_snap(c);
	pthread_mutex_unlock(&c->cut);
}

void
hs_cut_drop(struct hs_ckpt *c, struct hs_seal_snap *s)
{
	pthread_mutex_lock(&c->cut);
	if (c->cut_snap == s) {
		(void)hs_dirty_cut_end(c->dirty, false);	/* U2 */
		c->cut_snap = NULL;
	}
	pthread_mutex_unlock(&c->cut);
}
