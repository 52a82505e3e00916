/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of /dev/hscpt for the tests: the struct filled, 0 or -errno returned.
 */
#ifndef HS_VM_ARENA_H
#define HS_VM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/include/uapi/hscpt.h"

#define PAGE		4096UL
#define WORDS		(PAGE / sizeof(uint64_t))	/* of a page */
#define BITMAP_WORDS(n)	(((n) + 63) / 64)

struct arena {
	int fd;
	uint64_t npages;
	uint64_t *at;			/* the mapping */
	uint64_t *set;			/* bits of npages, for harvests */
};

struct snap {
	int fd;
	struct hscpt_snapshot got;
};

/* ioctl() with errno as the result. */
int arena_call(int fd, unsigned long call, void *arg);

int arena_device(void);
void arena_info(struct hscpt_info *info);

/* Create and map; name is NULL unless flags has PERSIST. */
int arena_create(struct arena *a, uint64_t npages, uint32_t flags,
    const char *name);
int arena_attach(struct arena *a, const char *name, struct hscpt_attach *got);
int arena_destroy(const char *name);
/* The same arena mapped once more. */
void *arena_map(const struct arena *a);
void arena_close(struct arena *a);

/* All of it into a->set; the number of pages or -errno. */
int64_t arena_harvest(struct arena *a, uint32_t flags);
int arena_populate(struct arena *a, uint64_t page, uint64_t npages);
void arena_stat(const struct arena *a, struct hscpt_stat *stat);

int snap_take(const struct arena *a, struct snap *s, uint32_t flags);
int snap_bitmap(const struct snap *s, uint64_t npages, uint64_t *set);
/* From *off on at most max pages; sets *off for the next call; number. */
int64_t snap_drain(const struct snap *s, uint64_t *off, uint64_t max,
    void *pages, uint64_t *offsets);
int snap_commit(struct snap *s, uint64_t cookie);
int64_t snap_abort(struct snap *s);
void snap_status(const struct snap *s, struct hscpt_snap_status *status);
void snap_close(struct snap *s);

static inline bool
set_has(const uint64_t *set, uint64_t page)
{
	return (set[page / 64] >> page % 64 & 1) != 0;
}

/* xorshift64*: replayable. */
static inline uint64_t
draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 2685821657736338717ULL;
}

uint64_t now_ms(void);

#endif
