/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arena: checkpoint memory, one range at a fixed address, and the allocator
 * whose every record lies inside it, so that the records are restored
 * with what they describe.
 *
 * A1  Everything that the allocator or the roots need to go on after a restore
 *     is in [base, base + used).
 * A2  used only grows, by whole 2 MiB extents (few dirty 2 MiB regions mean
 *     few TLB flushes), and `grow` is called, and succeeded, before any byte
 *     of the new extent is written.
 * A3  No call leaves the records half changed when it returns.
 */
#ifndef HS_MEM_ARENA_H
#define HS_MEM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HS_ARENA_PAGE_BYTES 4096
#define HS_ARENA_EXTENT_BYTES (2u << 20)

struct hs_arena;

struct hs_arena_geometry {
	uintptr_t base;
	size_t bytes;
};

/* Called with the arena's lock held, before used grows to used_bytes. */
typedef int hs_arena_grow_fn(void *arg, size_t used_bytes);

/*
 * Reserve [base, base + bytes) with MAP_FIXED_NOREPLACE.  HS_EADDR if any of it is
 * taken, and who has it (from /proc/self/maps) in why.
 */
HS_MUST_CHECK int hs_arena_create(struct hs_arena **out,
    const struct hs_arena_geometry *g, char *why, size_t why_size);
void hs_arena_destroy(struct hs_arena *a);
void hs_arena_on_grow(struct hs_arena *a, hs_arena_grow_fn *fn, void *arg);

/* Build an empty allocator; the first extent is in use after it. */
HS_MUST_CHECK int hs_arena_format(struct hs_arena *a);
/*
 * Put the image in fd (used_bytes of it) over the arena as a private mapping and
 * take up the allocator found there.  HS_ECORRUPT if its records are not
 * sound, HS_EINCOMPATIBLE if they are of another layout.
 */
HS_MUST_CHECK int hs_arena_restore(struct hs_arena *a, int fd, size_t used_bytes);

void *hs_arena_base(const struct hs_arena *a);
size_t hs_arena_bytes(const struct hs_arena *a);
size_t hs_arena_used(const struct hs_arena *a);

/* As in hs.h, without errno.  Thread-safe.  *out untouched on failure. */
HS_MUST_CHECK int hs_arena_alloc(struct hs_arena *a, size_t align, size_t len, bool zero, void **out);
HS_MUST_CHECK int hs_arena_realloc(struct hs_arena *a, void *p, size_t len, void **out);
HS_MUST_CHECK int hs_arena_free(struct hs_arena *a, void *p);
size_t hs_arena_usable(struct hs_arena *a, const void *p);
HS_MUST_CHECK int hs_arena_root_set(struct hs_arena *a, const char *name, void *p);
HS_MUST_CHECK int hs_arena_root_get(struct hs_arena *a, const char *name, void **out);

/*
 * No allocator call is in its middle between these two: hscpt() copies the
 * records whole.  Held for the pause only.
 */
void hs_arena_lock(struct hs_arena *a);
void hs_arena_unlock(struct hs_arena *a);

/* Walk every record and compare; 0 or HS_ECORRUPT and a line in why. */
HS_MUST_CHECK int hs_arena_check(struct hs_arena *a, char *why, size_t why_size);

#endif
