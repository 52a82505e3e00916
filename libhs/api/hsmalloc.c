/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checkpoint memory as malloc(3) and its kin: errors go to errno here.
 */
#include "api/self.h"
#include "mem/arena.h"

/* As malloc(3) aligns on this machine, and hs.h promises. */
#define ALIGN 16

/* errno for what the arena says; ENXIO: there is no arena. */
static void
set_errno(int rc)
{
	if (rc == HS_ESTATE)
		errno = ENXIO;
	else if (rc == HS_EARENA || rc == -ENOMEM)
		errno = ENOMEM;
	else if (rc <= HS_ESTATE)
		errno = EINVAL;
	else
		errno = -rc;
}

static void *
allocate(size_t align, size_t len, bool zero)
{
	struct hs_arena *a = hs_self_arena();
	void *p = NULL;
	int rc;

	rc = a == NULL ? HS_ESTATE : hs_arena_alloc(a, align, len, zero, &p);
	if (rc < 0) {
		set_errno(rc);
		return NULL;
	}
	return p;
}

void *
hsmalloc(size_t len)
{
	return allocate(ALIGN, len, false);
}

void *
hscalloc(size_t n, size_t len)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, len, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return allocate(ALIGN, bytes, true);
}

void *
hsmemalign(size_t align, size_t len)
{
	if (align == 0 || (align & (align - 1)) != 0) {
		errno = EINVAL;
		return NULL;
	}
	return allocate(align < ALIGN ? ALIGN : align, len, false);
}

void *
hsrealloc(void *ptr, size_t len)
{
	struct hs_arena *a = hs_self_arena();
	void *p = NULL;
	int rc;

	rc = a == NULL ? HS_ESTATE : hs_arena_realloc(a, ptr, len, &p);
	if (rc < 0) {
		set_errno(rc);
		return NULL;
	}
	return p;
}

int
hsfree(void *ptr)
{
	struct hs_arena *a = hs_self_arena();

	if (ptr == NULL)
		return 0;
	return a == NULL ? HS_ESTATE : hs_arena_free(a, ptr);
}

size_t
hsusable(const void *ptr)
{
	struct hs_arena *a = hs_self_arena();

	return a == NULL || ptr == NULL ? 0 : hs_arena_usable(a, ptr);
}
