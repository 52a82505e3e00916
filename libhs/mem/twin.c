/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/twin.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_BYTES ((size_t)2 << 20)
#define CHUNK_PAGES (CHUNK_BYTES / HS_TWIN_PAGE_BYTES)

/* A stack of buffers: contiguous, so that a take meets no cold buffer. */
struct stack {
	uint8_t **buf;
	size_t n;
};

/*
 * B1  Each stack has room for every buffer of the pool: giving cannot fail.
 * B2  Buffers in `hot` have memory behind them, those in `cold` need not.
 */
struct pool {
	pthread_mutex_t lock;
	struct stack hot;
	struct stack cold;
	size_t keep_hot;	/* give fills `hot` up to this */
	uint8_t **chunk;
	size_t nchunks;
	size_t room;		/* chunks that the three arrays have room for */
};

struct slot {
	uint8_t *buf;		/* NULL: no twin, not in the list */
	uint32_t prev;		/* by the time of keep; newest first */
	uint32_t next;
};

struct hs_twin {
	struct pool pool;
	struct slot *slot;	/* of each page; [npages] is the list's head */
	uint32_t npages;
	size_t bound;		/* pages */
	size_t nkept;		/* atomic; written by the worker alone */
};

/* ---- the pool ---- */

static int
resize_array(uint8_t ***array, size_t n)
{
	void *p = realloc(*array, n * sizeof(**array));

	if (p == NULL)
		return -ENOMEM;
	*array = p;
	return 0;
}

/* Aligned, so that huge pages fit. */
static uint8_t *
map_chunk(void)
{
	uint8_t *p = mmap(NULL, 2 * CHUNK_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t head;

	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p % CHUNK_BYTES;
	if (head != 0)
		(void)munmap(p, head);
	(void)munmap(p + head + CHUNK_BYTES, CHUNK_BYTES - head);
	(void)madvise(p + head, CHUNK_BYTES, MADV_HUGEPAGE);
	return p + head;
}

/* B1 for one chunk more; by doubling, so that its cost is a chunk's. */
static int
make_room(struct pool *p)
{
	size_t room = p->room == 0 ? 8 : 2 * p->room;

	if (p->nchunks < p->room)
		return 0;
	if (resize_array(&p->hot.buf, room * CHUNK_PAGES) < 0 ||
	    resize_array(&p->cold.buf, room * CHUNK_PAGES) < 0 ||
	    resize_array(&p->chunk, room) < 0)
		return -ENOMEM;
	p->room = room;
	return 0;
}

static int
add_chunk(struct pool *p)
{
	uint8_t *chunk;
	size_t i;

	if (make_room(p) < 0)
		return -ENOMEM;
	chunk = map_chunk();
	if (chunk == NULL)
		return -ENOMEM;
	p->chunk[p->nchunks++] = chunk;
	/* Popped in ascending order: neighbours share a huge page. */
	for (i = CHUNK_PAGES; i-- != 0;)
		p->cold.buf[p->cold.n++] = chunk + i * HS_TWIN_PAGE_BYTES;
	return 0;
}

/* At least n free buffers, of either kind. */
static int
grow_pool(struct pool *p, size_t n)
{
	int rc = 0;

	while (rc == 0 && p->hot.n + p->cold.n < n)
		rc = add_chunk(p);
	return rc;
}

static void
destroy_pool(struct pool *p)
{
	size_t i;

	for (i = 0; i < p->nchunks; i++)
		(void)munmap(p->chunk[i], CHUNK_BYTES);
	free(p->hot.buf);
	free(p->cold.buf);
	free(p->chunk);
	(void)pthread_mutex_destroy(&p->lock);
}

int
hs_twin_take(struct hs_twin *t, uint8_t **bufs, size_t n)
{
	struct pool *p = &t->pool;
	size_t i, hot;
	int rc;

	(void)pthread_mutex_lock(&p->lock);
	rc = grow_pool(p, n);
	if (rc == 0) {
		hot = n < p->hot.n ? n : p->hot.n;
		for (i = 0; i < hot; i++)
			bufs[i] = p->hot.buf[--p->hot.n];
		for (; i < n; i++)
			bufs[i] = p->cold.buf[--p->cold.n];
	}
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}

int
hs_twin_reserve(struct hs_twin *t, size_t n)
{
	struct pool *p = &t->pool;
	uint8_t *buf;
	int rc;

	(void)pthread_mutex_lock(&p->lock);
	p->keep_hot = n > t->bound ? n : t->bound;
	rc = grow_pool(p, n);
	while (rc == 0 && p->hot.n < n) {
		buf = p->cold.buf[--p->cold.n];
		*(volatile uint8_t *)buf = 0;			/* B2 */
		p->hot.buf[p->hot.n++] = buf;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}

void
hs_twin_give(struct hs_twin *t, uint8_t *buf)
{
	struct pool *p = &t->pool;
	struct stack *s = &p->hot;

	(void)pthread_mutex_lock(&p->lock);
	if (p->hot.n >= p->keep_hot) {
		(void)madvise(buf, HS_TWIN_PAGE_BYTES, MADV_DONTNEED);
		s = &p->cold;
	}
	s->buf[s->n++] = buf;
	(void)pthread_mutex_unlock(&p->lock);
}

/* ---- twins ---- */

int
hs_twin_create(struct hs_twin **out, size_t npages, size_t bound_bytes)
{
	struct hs_twin *t;

	if (npages >= UINT32_MAX)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	/* Zeros that cost no memory until a page has a twin. */
	t->slot = calloc(npages + 1, sizeof(*t->slot));
	if (t->slot == NULL) {
		free(t);
		return -ENOMEM;
	}
	t->npages = (uint32_t)npages;
	t->bound = bound_bytes / HS_TWIN_PAGE_BYTES;
	t->slot[npages].prev = t->slot[npages].next = t->npages;
	t->pool.keep_hot = t->bound;
	(void)pthread_mutex_init(&t->pool.lock, NULL);
	*out = t;
	return 0;
}

void
hs_twin_destroy(struct hs_twin *t)
{
	if (t == NULL)
		return;
	destroy_pool(&t->pool);
	free(t->slot);
	free(t);
}

static void
count_kept(struct hs_twin *t, size_t n)
{
	__atomic_store_n(&t->nkept, n, __ATOMIC_RELAXED);
}

static void
drop_slot(struct hs_twin *t, uint32_t page)
{
	struct slot *s = &t->slot[page];

	t->slot[s->prev].next = s->next;
	t->slot[s->next].prev = s->prev;
	hs_twin_give(t, s->buf);
	s->buf = NULL;
	count_kept(t, t->nkept - 1);
}

const uint8_t *
hs_twin_find(struct hs_twin *t, uint32_t page)
{
	assert(page < t->npages);
	return t->slot[page].buf;
}

void
hs_twin_keep(struct hs_twin *t, uint32_t page, uint8_t *buf)
{
	struct slot *s = &t->slot[page], *head = &t->slot[t->npages];

	assert(page < t->npages);
	if (s->buf != NULL)
		drop_slot(t, page);
	s->buf = buf;
	s->prev = t->npages;
	s->next = head->next;
	t->slot[s->next].prev = page;
	head->next = page;
	count_kept(t, t->nkept + 1);
	if (t->nkept > t->bound)
		drop_slot(t, head->prev);	/* the coldest */
}

void
hs_twin_drop(struct hs_twin *t)
{
	struct slot *head = &t->slot[t->npages];

	while (head->prev != t->npages)
		drop_slot(t, head->prev);
}

size_t
hs_twin_bytes(const struct hs_twin *t)
{
	return __atomic_load_n(&t->nkept, __ATOMIC_RELAXED) *
	    HS_TWIN_PAGE_BYTES;
}
