/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/arena.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/maps.h"
#include "mem/alloc.h"
#include "mem/check.h"
#include "mem/layout.h"
#include "mem/root.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define MAP_ARENA (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

struct hs_arena {
	pthread_mutex_t lock;
	struct hs_arena_geometry geometry;
	struct hs_heap heap;		/* of use after format or restore */
};

/* ---- the range ---- */

static bool
is_geometry(const struct hs_arena_geometry *g)
{
	return g->base != 0 && g->base % HS_ARENA_EXTENT_BYTES == 0 &&
	    g->bytes % HS_ARENA_EXTENT_BYTES == 0 &&
	    g->bytes >= HS_ARENA_MIN_BYTES &&
	    g->bytes <= (size_t)UINT32_MAX * HS_ARENA_PAGE_BYTES &&
	    g->bytes <= UINTPTR_MAX - g->base;
}

struct owner {
	const struct hs_arena_geometry *g;
	char *why;
	size_t why_size;
};

/* The first one that meets the range. */
static int
tell_if_owner(void *arg, const struct hs_maps_entry *e)
{
	const struct owner *o = arg;
	const struct hs_arena_geometry *g = o->g;

	if (e->to <= g->base || e->from >= g->base + g->bytes)
		return 0;
	(void)snprintf(o->why, o->why_size,
	    "arena address range 0x%" PRIxPTR "-0x%" PRIxPTR
	    " is taken by %s at 0x%" PRIxPTR "-0x%" PRIxPTR
	    "; choose another arena_base, the same on every node",
	    g->base, g->base + g->bytes,
	    e->name[0] != '\0' ? e->name : "anonymous memory", e->from, e->to);
	return 1;
}

static void
tell_owner(const struct hs_arena_geometry *g, char *why, size_t why_size)
{
	struct owner o = { .g = g, .why = why, .why_size = why_size };

	(void)snprintf(why, why_size,
	    "arena address 0x%" PRIxPTR " is taken; choose another arena_base",
	    g->base);
	(void)hs_maps_each(tell_if_owner, &o);
}

static int
map_range(const struct hs_arena_geometry *g, char *why, size_t why_size)
{
	void *want = (void *)g->base, *got;
	int rc;

	got = hs_fault(HS_FAULT_MMAP_ARENA)
	    ? (errno = EEXIST, MAP_FAILED)
	    : mmap(want, g->bytes, PROT_READ | PROT_WRITE,
		  MAP_ARENA | MAP_FIXED_NOREPLACE, -1, 0);
	if (got == want)
		return 0;
	rc = -errno;
	if (got != MAP_FAILED) {
		/* A kernel before 4.17 takes the flag for a hint. */
		(void)munmap(got, g->bytes);
		rc = -EEXIST;
	}
	if (rc == -EEXIST) {
		tell_owner(g, why, why_size);
		return HS_EADDR;
	}
	(void)snprintf(why, why_size,
	    "cannot reserve %zu MiB of address space at 0x%" PRIxPTR
	    ": %s; check ulimit -v, or choose another arena_base",
	    g->bytes >> 20, g->base, strerrordesc_np(-rc));
	return rc == -ENOMEM ? rc : HS_EADDR;
}

int
hs_arena_create(struct hs_arena **out, const struct hs_arena_geometry *g,
    char *why, size_t why_size)
{
	struct hs_arena *a;
	int rc;

	if (why_size != 0)
		why[0] = '\0';
	if (!is_geometry(g)) {
		(void)snprintf(why, why_size,
		    "arena of %zu bytes at 0x%" PRIxPTR
		    ": base and size must be multiples of 2 MiB, size at least"
		    " 4 MiB and below 16 TiB",
		    g->bytes, g->base);
		return HS_EMISUSE;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	rc = map_range(g, why, why_size);
	if (rc < 0) {
		free(a);
		return rc;
	}
	(void)pthread_mutex_init(&a->lock, NULL);
	a->geometry = *g;
	hs_layout_view(&a->heap, (void *)g->base, g->bytes);
	*out = a;
	return 0;
}

void
hs_arena_destroy(struct hs_arena *a)
{
	if (a == NULL)
		return;
	(void)munmap(a->heap.base, a->geometry.bytes);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}

void
hs_arena_on_grow(struct hs_arena *a, hs_arena_grow_fn *fn, void *arg)
{
	hs_arena_lock(a);
	a->heap.grow = fn;
	a->heap.grow_arg = arg;
	hs_arena_unlock(a);
}

void *
hs_arena_base(const struct hs_arena *a)
{
	return a->heap.base;
}

size_t
hs_arena_bytes(const struct hs_arena *a)
{
	return a->geometry.bytes;
}

size_t
hs_arena_used(const struct hs_arena *a)
{
	const uint64_t *used = &a->heap.head->used_bytes;

	return (size_t)__atomic_load_n(used, __ATOMIC_RELAXED);
}

void
hs_arena_lock(struct hs_arena *a)
{
	int rc = pthread_mutex_lock(&a->lock);

	assert(rc == 0);
	(void)rc;
}

void
hs_arena_unlock(struct hs_arena *a)
{
	int rc = pthread_mutex_unlock(&a->lock);

	assert(rc == 0);
	(void)rc;
}

/* ---- from nothing, or from an image ---- */

int
hs_arena_format(struct hs_arena *a)
{
	size_t meta = (size_t)hs_layout_meta_pages(a->geometry.bytes) *
	    HS_ARENA_PAGE_BYTES;
	int rc = 0;

	if (meta + HS_ARENA_EXTENT_BYTES > a->geometry.bytes)
		return HS_EARENA;
	hs_arena_lock(a);
	if (a->heap.grow != NULL)
		rc = a->heap.grow(a->heap.grow_arg, meta);	/* A2 */
	if (rc == 0)
		hs_layout_format(&a->heap);
	hs_arena_unlock(a);
	return rc;
}

/* Before anything is mapped: the header, and that the image is all there. */
static int
judge_image(const struct hs_arena *a, int fd, size_t used_bytes)
{
	struct hs_layout_head *head;
	struct stat st;
	ssize_t n;
	int rc;

	if (used_bytes == 0)
		return HS_ECORRUPT;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* A page beyond the end of the file would be a SIGBUS later. */
	if ((uint64_t)st.st_size < used_bytes)
		return HS_ECORRUPT;
	head = malloc(sizeof(*head));
	if (head == NULL)
		return -ENOMEM;
	n = pread(fd, head, sizeof(*head), 0);
	if (n < 0)
		rc = -errno;
	else if ((size_t)n != sizeof(*head))
		rc = HS_ECORRUPT;
	else
		rc = hs_layout_judge(head, &a->geometry, used_bytes);
	free(head);
	return rc;
}

int
hs_arena_restore(struct hs_arena *a, int fd, size_t used_bytes)
{
	int rc;

	rc = judge_image(a, fd, used_bytes);
	if (rc < 0)
		return rc;
	hs_arena_lock(a);
	if (mmap(a->heap.base, used_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED)
		rc = -errno;
	else
		rc = hs_layout_verify(&a->heap);
	if (rc < 0) {
		/* Empty again, also where the kernel had begun to replace. */
		void *p = mmap(a->heap.base, a->geometry.bytes,
		    PROT_READ | PROT_WRITE, MAP_ARENA | MAP_FIXED, -1, 0);

		assert(p == a->heap.base);
		(void)p;
	}
	hs_arena_unlock(a);
	return rc;
}

/* ---- allocations ---- */

int
hs_arena_alloc(struct hs_arena *a, size_t align, size_t len, bool zero,
    void **out)
{
	size_t stale = 0;
	void *p = NULL;
	int rc;

	hs_arena_lock(a);
	rc = hs_alloc_take(&a->heap, align, len, &p, &stale);
	hs_arena_unlock(a);
	if (rc < 0)
		return rc;
	/* Outside the lock: nobody else knows p yet. */
	if (zero)
		memset(p, 0, len < stale ? len : stale);
	*out = p;
	return 0;
}

int
hs_arena_realloc(struct hs_arena *a, void *p, size_t len, void **out)
{
	size_t usable, stale;
	void *q = NULL;
	int rc;

	if (p == NULL)
		return hs_arena_alloc(a, 16, len, false, out);
	if (len == 0)
		len = 1;
	hs_arena_lock(a);
	rc = hs_alloc_find(&a->heap, p, &usable);
	if (rc < 0)
		goto out;
	rc = hs_alloc_resize(&a->heap, p, len);
	if (rc == 0)
		*out = p;
	if (rc != HS_EARENA)
		goto out;
	rc = hs_alloc_take(&a->heap, 16, len, &q, &stale);
	if (rc < 0) {
		/* What is to shrink can stay where it is. */
		if (len <= usable) {
			*out = p;
			rc = 0;
		}
		goto out;
	}
	hs_arena_unlock(a);
	/* p is still the caller's alone, and q too. */
	memcpy(q, p, len < usable ? len : usable);
	hs_arena_lock(a);
	rc = hs_alloc_give(&a->heap, p);
	if (rc == 0)
		*out = q;
	else	/* another thread freed p meanwhile */
		(void)!hs_alloc_give(&a->heap, q);
out:
	hs_arena_unlock(a);
	return rc;
}

int
hs_arena_free(struct hs_arena *a, void *p)
{
	int rc;

	if (p == NULL)
		return 0;
	hs_arena_lock(a);
	rc = hs_alloc_give(&a->heap, p);
	hs_arena_unlock(a);
	return rc;
}

size_t
hs_arena_usable(struct hs_arena *a, const void *p)
{
	size_t usable = 0;
	int rc;

	hs_arena_lock(a);
	rc = hs_alloc_find(&a->heap, p, &usable);
	hs_arena_unlock(a);
	return rc < 0 ? 0 : usable;
}

/* ---- roots, check ---- */

int
hs_arena_root_set(struct hs_arena *a, const char *name, void *p)
{
	int rc;

	hs_arena_lock(a);
	rc = hs_root_set(&a->heap, name, p);
	hs_arena_unlock(a);
	return rc;
}

int
hs_arena_root_get(struct hs_arena *a, const char *name, void **out)
{
	int rc;

	hs_arena_lock(a);
	rc = hs_root_get(&a->heap, name, out);
	hs_arena_unlock(a);
	return rc;
}

void
hs_arena_state_set(struct hs_arena *a, void *p)
{
	hs_arena_lock(a);
	a->heap.head->state = (uintptr_t)p;
	hs_arena_unlock(a);
}

void *
hs_arena_state(struct hs_arena *a)
{
	return (void *)(uintptr_t)a->heap.head->state;
}

bool
hs_arena_has(struct hs_arena *a, const void *p, size_t len)
{
	const size_t used = hs_arena_used(a);
	const uintptr_t off = (uintptr_t)p - a->geometry.base;
	const size_t meta = (size_t)hs_layout_meta_pages(a->geometry.bytes) *
	    HS_ARENA_PAGE_BYTES;

	return off >= meta && off < used && len <= used - off;
}

int
hs_arena_check(struct hs_arena *a, char *why, size_t why_size)
{
	int rc;

	hs_arena_lock(a);
	rc = hs_check_heap(&a->heap, why, why_size);
	hs_arena_unlock(a);
	return rc;
}
