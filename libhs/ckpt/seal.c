/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "ckpt/cut.h"
#include "ckpt/extra.h"
#include "ckpt/impl.h"
#include "mem/copy.h"
#include "state/park_stop.h"

#define PAGE HS_ARENA_PAGE_BYTES

/* Buffers taken from the pool at a time: one lock for all of them. */
#define STAGE_BATCH 64
/* Snapshots kept for the next epochs; more are freed. */
#define IDLE_SNAPS 2
/* Room in the lists of a new snapshot. */
#define SNAP_PAGES 256

/* Neither success nor error: nothing was taken, begin again. */
#define RETAKE 1

/* Buffers for the pages of one snapshot, taken a batch at a time. */
struct stage {
	struct hs_twin *twin;
	size_t left;		/* pages to come: an upper bound */
	size_t n;
	uint8_t *buf[STAGE_BATCH];
};

int
hs_seal_grow(struct hs_seal_snap *s, size_t n)
{
	uint32_t *page;
	uint8_t **buf;

	if (n <= s->cap)
		return 0;
	page = realloc(s->page, n * sizeof(*page));
	if (page != NULL)
		s->page = page;
	buf = realloc(s->buf, n * sizeof(*buf));
	if (buf != NULL)
		s->buf = buf;
	if (page == NULL || buf == NULL)
		return -ENOMEM;
	s->cap = n;
	return 0;
}

static struct hs_seal_snap *
get_snap(struct hs_ckpt *c)
{
	struct hs_seal_snap *s;

	pthread_mutex_lock(&c->lock);
	s = c->idle;
	if (s != NULL)
		c->idle = s->next;
	pthread_mutex_unlock(&c->lock);
	if (s == NULL)
		s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->next = NULL;
	s->lost = false;
	s->n = 0;
	if (hs_seal_grow(s, SNAP_PAGES) < 0) {
		hs_seal_free(s);
		return NULL;
	}
	return s;
}

void
hs_seal_free(struct hs_seal_snap *s)
{
	free(s->page);
	free(s->buf);
	free(s);
}

void
hs_seal_drop(struct hs_ckpt *c, struct hs_seal_snap *s)
{
	size_t idle = 0;

	hs_cut_drop(c, s);
	for (size_t i = 0; i < s->n; i++)
		if (s->buf[i] != NULL)
			hs_twin_give(c->twin, s->buf[i]);
	s->n = 0;
	pthread_mutex_lock(&c->lock);
	for (const struct hs_seal_snap *p = c->idle; p != NULL; p = p->next)
		idle++;
	if (idle < IDLE_SNAPS) {
		s->next = c->idle;
		c->idle = s;
		s = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	if (s != NULL)
		hs_seal_free(s);
}

/* The service's threads may write the page meanwhile (hs.h, Threads). */
__attribute__((no_sanitize("thread"))) static bool
is_zero(const uint8_t *p)
{
	const uint64_t *w = (const uint64_t *)(const void *)p;
	uint64_t any = 0;

	for (size_t i = 0; i < PAGE / sizeof(*w) && any == 0; i += 8)
		any = w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] |
		    w[i + 5] | w[i + 6] | w[i + 7];
	return any == 0;
}

static int
next_buf(struct stage *st, uint8_t **buf)
{
	if (st->n == 0) {
		size_t n = st->left < STAGE_BATCH ? st->left : STAGE_BATCH;
		int rc;

		if (hs_fault(HS_FAULT_STAGE_ALLOC))
			return -ENOMEM;
		rc = hs_twin_take(st->twin, st->buf, n);
		if (rc < 0)
			return rc;
		st->n = n;
		st->left -= n;
	}
	*buf = st->buf[--st->n];
	return 0;
}

/*
 * Copy the pages of c->set.  On failure s owns what it has, and the set is
 * whole.
 */
static int
copy_pages(struct hs_ckpt *c, struct hs_seal_snap *s)
{
	const uint8_t *base = hs_arena_base(c->arena);
	struct stage st = { .twin = c->twin };
	size_t n = hs_pageset_count(c->set), page = 0;
	hs_copy_fn *copy = hs_copy_choose(n);
	int rc;

	rc = hs_seal_grow(s, n);
	st.left = n;
	while (rc == 0 && hs_pageset_next(c->set, page, &page)) {
		const uint8_t *from = base + page * PAGE;
		uint8_t *buf = NULL;

		/* Only a full epoch has zero pages worth looking for. */
		if (!s->full || !is_zero(from)) {
			rc = next_buf(&st, &buf);
			if (rc < 0)
				break;
			copy(buf, from);
		}
		s->page[s->n] = (uint32_t)page++;
		s->buf[s->n++] = buf;
	}
	while (st.n > 0)
		hs_twin_give(c->twin, st.buf[--st.n]);
	return rc;
}

static int
collect_pages(struct hs_ckpt *c, bool full)
{
	int rc;

	rc = hs_dirty_collect(c->dirty, c->set);
	if (full)
		hs_pageset_add(c->set, 0, hs_arena_used(c->arena) / PAGE);
	if (rc < 0) {
		/* What it had collected is not known. */
		pthread_mutex_lock(&c->lock);
		c->want_full = true;
		pthread_mutex_unlock(&c->lock);
	}
	return rc;
}

static int
collect_and_copy(struct hs_ckpt *c, struct hs_seal_snap *s, size_t room,
    size_t *need)
{
	int rc;

	rc = collect_pages(c, s->full);
	*need = hs_pageset_count(c->set) * PAGE;
	if (rc == 0)
		rc = *need > room ? RETAKE : copy_pages(c, s);
	if (rc == 0)
		hs_pageset_clear(c->set);
	return rc;
}

/*
 * The pause.  room: bytes that may be staged.  *need is what they are.  0: s is
 * sealed, or has no pages because none changed; RETAKE: no room.
 */
static int
pause_copy(struct hs_ckpt *c, struct hs_seal_snap *s, size_t room, size_t *need)
{
	int rc = -ENOTSUP;

	hs_arena_lock(c->arena);
	s->used_bytes = hs_arena_used(c->arena);
	/* Pages that were collected already are in no cut. */
	if (s->cut && hs_pageset_count(c->set) == 0) {
		rc = hs_cut_take(c, s, room, need);
		if (rc == 0 && *need > room)
			rc = RETAKE;
	}
	if (rc < 0)
		rc = collect_and_copy(c, s, room, need);
	hs_arena_unlock(c->arena);
	return rc;
}

/* No thread is in the middle of anything while the pause lasts. */
static int
stop_and_copy(struct hs_ckpt *c, struct hs_seal_snap *s, size_t room,
    size_t *need, uint64_t *pause_ns)
{
	uint64_t t0 = hs_clock_ns(), stopped;
	int rc;

	rc = hs_park_stop_all();
	if (rc < 0)
		return rc;
	stopped = hs_clock_ns();
	rc = hs_extra_query(c);
	if (rc == 0)
		rc = hs_park_stop_still();
	if (rc == 0)
		rc = pause_copy(c, s, room, need);
	*pause_ns = hs_clock_ns() - stopped;
	hs_park_stop_resume();
	pthread_mutex_lock(&c->lock);
	c->count.stop_ns_last = stopped - t0;
	if (stopped - t0 > c->count.stop_ns_max)
		c->count.stop_ns_max = stopped - t0;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* c->lock is held. */
static int
queue_snap(struct hs_ckpt *c, struct hs_seal_snap *s, uint64_t pause_ns)
{
	if (c->state == HS_CKPT_FENCED)
		return HS_EFENCED;
	if (c->state == HS_CKPT_CLOSED)
		return HS_ESTATE;
	/* The stream broke during the pause: the delta has no base. */
	if (c->want_full && !s->full)
		return RETAKE;
	c->want_full = c->want_again = false;
	c->count.pause_ns_last = pause_ns;
	if (pause_ns > c->count.pause_ns_max)
		c->count.pause_ns_max = pause_ns;
	c->count.pages_dirty += s->n;
	/* A full one says nothing of the next. */
	if (!s->full)
		c->last_pages = s->n;
	s->epoch = ++c->sealed;
	if (s->full)
		c->full_epoch = s->epoch;
	c->inflight_bytes += s->n * PAGE;
	*c->queue_tail = s;
	c->queue_tail = &s->next;
	return 0;
}

/* c->seal is held.  RETAKE: *need bytes must find room first. */
static int
seal_epoch(struct hs_ckpt *c, uint64_t *epoch, size_t *need)
{
	struct hs_seal_snap *s;
	uint64_t pause_ns;
	size_t room;
	bool news;
	int rc;

	s = get_snap(c);
	if (s == NULL)
		return -ENOMEM;
	hs_cut_settle(c);					/* U1 */
	pthread_mutex_lock(&c->lock);
	s->full = c->want_full;
	s->cut = hs_cut_pays(c, s);
	/* Of an image nobody has told us yet who holds it. */
	news = c->sealed == c->role.base_epoch || c->want_again;
	*epoch = c->sealed;
	if (c->inflight_bytes == 0)
		room = SIZE_MAX;
	else if (c->inflight_bytes < c->inflight_bound)
		room = c->inflight_bound - c->inflight_bytes;
	else
		room = 0;
	pthread_mutex_unlock(&c->lock);

	hs_dirty_epoch(c->dirty, *epoch + 1);
	rc = stop_and_copy(c, s, room, need, &pause_ns);
	if (rc == 0 && (s->n > 0 || news)) {
		pthread_mutex_lock(&c->lock);
		rc = queue_snap(c, s, pause_ns);
		if (rc == 0) {
			*epoch = s->epoch;
			s = NULL;		/* the queue's now */
		} else {
			/* What it held is said by the full one (E2). */
			*need = 0;
		}
		pthread_mutex_unlock(&c->lock);
	}
	if (s != NULL)
		hs_seal_drop(c, s);
	return rc;
}

/* Wait until need bytes find room; 0, or why they never will. */
static int
wait_room(struct hs_ckpt *c, unsigned how, size_t need)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		if (c->state == HS_CKPT_FENCED)
			rc = HS_EFENCED;
		else if (c->state == HS_CKPT_CLOSED)
			rc = HS_ESTATE;
		else if (c->inflight_bytes == 0 ||
		    (c->inflight_bytes < c->inflight_bound &&
			need <= c->inflight_bound - c->inflight_bytes))
			break;				/* E5 */
		else if (c->agent_gone)
			rc = HS_EAGENT;
		else if ((how & HS_TRY) != 0)
			rc = HS_EAGAIN;
		if (rc < 0)
			break;
		pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int
hs_seal_take(struct hs_ckpt *c, unsigned how, uint64_t *epoch)
{
	size_t need = 0;
	int rc;

	do {
		rc = wait_room(c, how, need);
		if (rc < 0)
			return rc;
		pthread_mutex_lock(&c->seal);
		rc = seal_epoch(c, epoch, &need);
		pthread_mutex_unlock(&c->seal);
	} while (rc == RETAKE);
	return rc;
}
