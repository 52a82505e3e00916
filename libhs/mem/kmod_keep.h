/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of /dev/hscpt that outlives its process, and how the next process
 * makes of it the content that it is to have: of an epoch E that the dead one
 * sealed, or began with.  Only what is not as of E is copied.
 *
 * The device knows what was written since it was last asked.  What it was
 * asked for went into some epoch, and whether that one is behind E turns out
 * only now; so a table, which outlives the process as well, has an entry a
 * page: the epoch that the page was last collected for.
 *
 *	roll back	= modified (the device)  +  collected after E (table)
 *
 * T1  While the state is SOUND, each page that differs from E, whichever of
 *     the term's epochs E is, is in one of the two, or in both.  So entries
 *     are written before the device forgets: a cut's before its commit.
 * T2  collect() cannot know before.  From before the device is asked until the
 *     entries are written the state is UNSURE: all pages are compared.
 * T3  A page that was armed is as of E or in one of the two: the range begins
 *     as the epoch before the first, and grows by zeros.
 * T4  While memory is rolled back the state is NONE: a death in there leaves
 *     nothing to start from.
 *
 * An entry has 32 bits, counted from the epoch that the term began with; 0:
 * never collected.  They wrap, so it is asked whether an entry is less than
 * 2^31 ahead of E.  Those that are, are: no more can be in flight.  One of
 * long ago may look like it: that page is copied without need.
 */
#ifndef HS_MEM_KMOD_KEEP_H
#define HS_MEM_KMOD_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/keep.h"
#include "mem/dirty.h"

#define HS_KMOD_KEEP_MAGIC 0x5045454b53484023u	/* "#@HSKEEP" */
#define HS_KMOD_KEEP_VERSION 1
#define HS_KMOD_KEEP_WHY 160

enum hs_kmod_keep_state {
	HS_KMOD_KEEP_NONE = 0,
	HS_KMOD_KEEP_SOUND = 1,
	HS_KMOD_KEEP_UNSURE = 2,
};

/* The table's first page; entries follow. */
struct hs_kmod_keep_head {
	uint64_t magic;
	uint32_t version;
	uint32_t state;		/* enum hs_kmod_keep_state */
	uint64_t term;		/* of the process that uses the memory */
	uint64_t epoch;		/* that it began with */
	uint64_t arena_base;
	uint64_t arena_bytes;
	uint64_t made_bytes;	/* below it pages exist, of both arenas */
};

struct hs_kmod_keep {
	char name[HS_KEEP_BYTES];
	struct hs_kmod_keep_head *head;	/* NULL: nothing is kept */
	uint32_t *entry;
	size_t len;		/* of the table's mapping */
	uint64_t epoch;		/* what is collected now is for this one */
};

/* Bytes of the table of an arena of so many. */
size_t hs_kmod_keep_bytes(size_t arena_bytes);

/*
 * Open the memory that r->keep says is there, and its table.  HS_ETRACK: it
 * cannot be used, and why is the reason.  *fd is the caller's to close.
 */
HS_MUST_CHECK int hs_kmod_keep_attach(struct hs_kmod_keep *k, int dev,
    const struct hs_dirty_range *r, int *fd, char why[HS_KMOD_KEEP_WHY]);
/* Make memory of zeros under the name, whatever had it, likewise. */
HS_MUST_CHECK int hs_kmod_keep_create(struct hs_kmod_keep *k, int dev,
    const struct hs_dirty_range *r, int *fd, char why[HS_KMOD_KEEP_WHY]);

/*
 * mem, a mapping of the whole attached memory fd, gets the content of the range
 * r, and no page of it counts as modified.  bitmap: room for a bit a page.
 * Pages copied, or -errno: the content is not known.
 */
HS_MUST_CHECK int64_t hs_kmod_keep_roll_back(struct hs_kmod_keep *k, int fd,
    const struct hs_dirty_range *r, uint8_t *mem, uint64_t *bitmap);
/* The memory is of this term and has the content of that epoch (T3). */
void hs_kmod_keep_begin(struct hs_kmod_keep *k,
    const struct hs_dirty_keep *what);

/* Pages of [0, len) exist: room for their entries; -ENOMEM. */
HS_MUST_CHECK int hs_kmod_keep_arm(struct hs_kmod_keep *k, size_t len);
/* Around a collect (T2). */
void hs_kmod_keep_unsure(struct hs_kmod_keep *k);
void hs_kmod_keep_sure(struct hs_kmod_keep *k);
/* The pages of the bitmap were collected for k->epoch. */
void hs_kmod_keep_note(struct hs_kmod_keep *k, const uint64_t *bitmap,
    size_t npages);
/* These were cut for that epoch, after which no other was collected. */
void hs_kmod_keep_note_cut(struct hs_kmod_keep *k, uint64_t epoch,
    const uint32_t *page, size_t n);

/* Let go; drop: for good, the memory goes with its last user. */
void hs_kmod_keep_close(struct hs_kmod_keep *k, bool drop);

#endif
