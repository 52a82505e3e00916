/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/sqlite/lock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "examples/sqlite/api.h"

#define EXCLUSIVE (-1)	/* of a slot; positive: how many share it */

struct lock_index {
	unsigned users;
	int slot[SQLITE_SHM_NLOCK];
	int nregions;
	void **region;
};

struct lock_node {
	struct lock_node *next;
	const void *key;
	unsigned refs;		/* guarded by the table's lock */
	pthread_mutex_t lock;	/* guards what follows */
	unsigned nshared;
	bool pending;
	struct lock_claim *writer;
	struct lock_index index;
};

struct lock_table {
	pthread_mutex_t lock;
	struct lock_node *first;
};

int
lock_table_create(struct lock_table **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	(void)pthread_mutex_init(&(*out)->lock, NULL);
	return 0;
}

void
lock_table_destroy(struct lock_table *t)
{
	assert(t->first == NULL);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct lock_node *
find_node(const struct lock_table *t, const void *key)
{
	struct lock_node *n = t->first;

	while (n != NULL && n->key != key)
		n = n->next;
	return n;
}

static struct lock_node *
add_node(struct lock_table *t, const void *key)
{
	struct lock_node *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->key = key;
	(void)pthread_mutex_init(&n->lock, NULL);
	n->next = t->first;
	t->first = n;
	return n;
}

struct lock_node *
lock_get(struct lock_table *t, const void *key)
{
	struct lock_node *n;

	(void)pthread_mutex_lock(&t->lock);
	n = find_node(t, key);
	if (n == NULL)
		n = add_node(t, key);
	if (n != NULL)
		n->refs++;
	(void)pthread_mutex_unlock(&t->lock);
	return n;
}

static void
free_index(struct lock_index *x)
{
	while (x->nregions > 0)
		free(x->region[--x->nregions]);
	free(x->region);
	*x = (struct lock_index){ .users = 0 };
}

bool
lock_put(struct lock_table *t, struct lock_node *n)
{
	struct lock_node **at = &t->first;
	bool last;

	(void)pthread_mutex_lock(&t->lock);
	last = --n->refs == 0;
	if (last) {
		while (*at != n)
			at = &(*at)->next;
		*at = n->next;
	}
	(void)pthread_mutex_unlock(&t->lock);
	if (!last)
		return false;
	free_index(&n->index);
	(void)pthread_mutex_destroy(&n->lock);
	free(n);
	return true;
}

bool
lock_in_use(struct lock_table *t, const void *key)
{
	bool used;

	(void)pthread_mutex_lock(&t->lock);
	used = find_node(t, key) != NULL;
	(void)pthread_mutex_unlock(&t->lock);
	return used;
}

/* n->lock is held. */
static int
take_exclusive(struct lock_node *n, struct lock_claim *c)
{
	n->writer = c;
	n->pending = true;
	if (n->nshared > 1) {
		c->level = SQLITE_LOCK_PENDING;
		return SQLITE_BUSY;
	}
	c->level = SQLITE_LOCK_EXCLUSIVE;
	return SQLITE_OK;
}

/* n->lock is held; level is above the claim's. */
static int
raise_claim(struct lock_node *n, struct lock_claim *c, int level)
{
	if (level == SQLITE_LOCK_SHARED) {
		if (n->pending)
			return SQLITE_BUSY;			/* L2 */
		n->nshared++;
		c->level = SQLITE_LOCK_SHARED;
		return SQLITE_OK;
	}
	assert(c->level >= SQLITE_LOCK_SHARED);
	if (n->writer != NULL && n->writer != c)
		return SQLITE_BUSY;				/* L1 */
	if (level == SQLITE_LOCK_EXCLUSIVE)
		return take_exclusive(n, c);
	n->writer = c;
	c->level = level;
	return SQLITE_OK;
}

int
lock_raise(struct lock_node *n, struct lock_claim *c, int level)
{
	int rc = SQLITE_OK;

	(void)pthread_mutex_lock(&n->lock);
	if (c->level < level)
		rc = raise_claim(n, c, level);
	(void)pthread_mutex_unlock(&n->lock);
	return rc;
}

int
lock_lower(struct lock_node *n, struct lock_claim *c, int level)
{
	assert(level <= SQLITE_LOCK_SHARED);
	(void)pthread_mutex_lock(&n->lock);
	if (n->writer == c) {
		n->writer = NULL;
		n->pending = false;
	}
	if (level == SQLITE_LOCK_NONE && c->level > SQLITE_LOCK_NONE)
		n->nshared--;
	if (c->level > level)
		c->level = level;
	(void)pthread_mutex_unlock(&n->lock);
	return SQLITE_OK;
}

bool
lock_reserved(struct lock_node *n)
{
	bool held;

	(void)pthread_mutex_lock(&n->lock);
	held = n->writer != NULL;
	(void)pthread_mutex_unlock(&n->lock);
	return held;
}

/* n->lock is held. */
static int
add_regions(struct lock_index *x, int n, int bytes)
{
	void **r, *p;

	r = reallocarray(x->region, (size_t)n, sizeof(*r));
	if (r == NULL)
		return SQLITE_NOMEM;
	x->region = r;
	while (x->nregions < n) {
		p = calloc(1, (size_t)bytes);
		if (p == NULL)
			return SQLITE_NOMEM;
		x->region[x->nregions++] = p;
	}
	return SQLITE_OK;
}

int
lock_index_map(struct lock_node *n, struct lock_claim *c, int region, int bytes,
    bool extend, void volatile **out)
{
	struct lock_index *x = &n->index;
	int rc = SQLITE_OK;

	(void)pthread_mutex_lock(&n->lock);
	if (!c->index) {
		c->index = true;
		x->users++;
	}
	if (region >= x->nregions && extend)
		rc = add_regions(x, region + 1, bytes);
	*out = region < x->nregions ? x->region[region] : NULL;
	(void)pthread_mutex_unlock(&n->lock);
	return rc;
}

/* n->lock is held. */
static void
unlock_slots(struct lock_index *x, struct lock_claim *c, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		uint16_t bit = (uint16_t)(1u << i);

		if ((c->index_exclusive & bit) != 0)
			x->slot[i] = 0;
		else if ((c->index_shared & bit) != 0)
			x->slot[i]--;
		c->index_exclusive &= (uint16_t)~bit;
		c->index_shared &= (uint16_t)~bit;
	}
}

/* n->lock is held.  All of them, or none. */
static int
lock_slots(struct lock_index *x, struct lock_claim *c, int first, int count,
    bool exclusive)
{
	uint16_t bits = (uint16_t)(((1u << count) - 1) << first);

	for (int i = first; i < first + count; i++) {
		if ((c->index_shared & 1u << i) != 0 && !exclusive)
			return SQLITE_OK;	/* it is one slot then */
		if (exclusive ? x->slot[i] != 0 : x->slot[i] == EXCLUSIVE)
			return SQLITE_BUSY;
	}
	for (int i = first; i < first + count; i++) {
		if (exclusive)
			x->slot[i] = EXCLUSIVE;
		else
			x->slot[i]++;
	}
	if (exclusive)
		c->index_exclusive |= bits;
	else
		c->index_shared |= bits;
	return SQLITE_OK;
}

int
lock_index_lock(struct lock_node *n, struct lock_claim *c, int first, int count,
    int flags)
{
	int rc = SQLITE_OK;

	assert(first >= 0 && first + count <= SQLITE_SHM_NLOCK);
	(void)pthread_mutex_lock(&n->lock);
	if ((flags & SQLITE_SHM_UNLOCK) != 0)
		unlock_slots(&n->index, c, first, count);
	else
		rc = lock_slots(&n->index, c, first, count,
		    (flags & SQLITE_SHM_EXCLUSIVE) != 0);
	(void)pthread_mutex_unlock(&n->lock);
	return rc;
}

void
lock_index_unmap(struct lock_node *n, struct lock_claim *c)
{
	(void)pthread_mutex_lock(&n->lock);
	if (c->index) {
		unlock_slots(&n->index, c, 0, SQLITE_SHM_NLOCK);
		c->index = false;
		/* Whoever comes next builds it from the log. */
		if (--n->index.users == 0)
			free_index(&n->index);
	}
	(void)pthread_mutex_unlock(&n->lock);
}
