/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arena: checkpoint memory, one range at a fixed address, and the allocator
 * whose every record lies inside it, so that the records are restored with
 * what they describe.  Locks lie outside: they are not part of an image.
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
#include "base/tsan.h"

#define HS_ARENA_PAGE_BYTES 4096
#define HS_ARENA_EXTENT_BYTES (2u << 20)
#define HS_ARENA_MIN_BYTES (2 * (size_t)HS_ARENA_EXTENT_BYTES)

/*
 * Far from where the kernel puts programs, heaps, stacks and libraries, on
 * x86-64 and on arm64 with 48-bit addresses.  ThreadSanitizer
 * keeps that place for its shadow and lets programs have the first 512 GiB.
 */
#if HS_TSAN
#define HS_ARENA_DEFAULT_BASE ((uintptr_t)0x2000000000)
#else
#define HS_ARENA_DEFAULT_BASE ((uintptr_t)0x200000000000)
#endif

struct hs_arena;

struct hs_arena_geometry {
	uintptr_t base;		/* multiple of 2 MiB */
	size_t bytes;		/* the same; HS_ARENA_MIN_BYTES and up */
};

/*
 * Called with the arena's lock held, before used grows to used_bytes.  It must
 * not call the arena.
 */
typedef int hs_arena_grow_fn(void *arg, size_t used_bytes);

/*
 * Reserve [base, base + bytes).  HS_EADDR if any of it is taken, and by what
 * (from /proc/self/maps) in why; HS_EMISUSE for a bad geometry.  The arena is
 * neither kept out of core dumps nor changed by fork: a child has its own
 * copy, and must not use it for checkpoints.
 */
HS_MUST_CHECK int hs_arena_create(struct hs_arena **out,
    const struct hs_arena_geometry *g, char *why, size_t why_size);
void hs_arena_destroy(struct hs_arena *a);
void hs_arena_on_grow(struct hs_arena *a, hs_arena_grow_fn *fn, void *arg);

/*
 * Build an empty allocator; the extents of its first records (one, for arenas
 * of up to 1 TiB) are in use after it.
 */
HS_MUST_CHECK int hs_arena_format(struct hs_arena *a);
/*
 * Put the image in fd (used_bytes of it) over the arena as a private mapping
 * and take up the allocator found there.  HS_ECORRUPT if its records are not
 * sound, HS_EINCOMPATIBLE if they are of another layout or geometry; the
 * arena is empty then.  fd is not used after the return.  Trackers of the
 * arena are created after this, as the mapping takes away what they were told.
 */
HS_MUST_CHECK int hs_arena_restore(struct hs_arena *a, int fd,
    size_t used_bytes);

void *hs_arena_base(const struct hs_arena *a);
size_t hs_arena_bytes(const struct hs_arena *a);
/* Needs no lock; steady only between hs_arena_lock() and unlock. */
size_t hs_arena_used(const struct hs_arena *a);

/*
 * As in hs.h, without errno.  Thread-safe; after format or restore.  On failure
 * *out is untouched.  align is a power of two, else -EINVAL; HS_EARENA: full;
 * HS_EMISUSE: no live allocation starts at p; or what `grow` returned.
 * len 0 is as len 1.  free of NULL is 0, realloc of NULL is an alloc.
 */
HS_MUST_CHECK int hs_arena_alloc(struct hs_arena *a, size_t align, size_t len,
    bool zero, void **out);
HS_MUST_CHECK int hs_arena_realloc(struct hs_arena *a, void *p, size_t len,
    void **out);
HS_MUST_CHECK int hs_arena_free(struct hs_arena *a, void *p);
size_t hs_arena_usable(struct hs_arena *a, const void *p);
HS_MUST_CHECK int hs_arena_root_set(struct hs_arena *a, const char *name,
    void *p);
/* -ENOENT: no such name. */
HS_MUST_CHECK int hs_arena_root_get(struct hs_arena *a, const char *name,
    void **out);

/*
 * The place from which the additional state is found; NULL: none.  It must be
 * in an allocation.
 */
void hs_arena_state_set(struct hs_arena *a, void *p);
void *hs_arena_state(struct hs_arena *a);
/* Is [p, p + len) in data, and in use as far as the arena is? */
bool hs_arena_has(struct hs_arena *a, const void *p, size_t len);

/*
 * No allocator call is in its middle between these two: hscpt() copies the
 * records whole.  Held for the pause only.
 */
void hs_arena_lock(struct hs_arena *a);
void hs_arena_unlock(struct hs_arena *a);

/* Walk every record and compare; 0 or HS_ECORRUPT and a line in why. */
HS_MUST_CHECK int hs_arena_check(struct hs_arena *a, char *why,
    size_t why_size);

#endif
