/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lives of one service whose memory outlives it, and the image that an agent
 * has of it: whole epochs that arrived, and nothing else.  A life is a process
 * that writes at random, collects, cuts, grows, and is killed; the next one
 * takes the memory up as of the image's epoch.
 */
#ifndef HS_TESTS_CONTRACT_LIVES_H
#define HS_TESTS_CONTRACT_LIVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mem/arena.h"

#define LIVES_BASE ((uintptr_t)0x200000000000)
#define LIVES_BYTES ((size_t)4 << 20)
#define LIVES_PAGES (LIVES_BYTES / HS_ARENA_PAGE_BYTES)
#define LIVES_NAME "hs-test.lives"

/* Seen by all processes. */
struct lives_shared {
	bool ready;		/* the memory is there, and was looked at */
	bool warm;
	int64_t rolled;		/* pages */
	bool all;		/* entries wrapped: more may be rolled back */
	char told[200];
	char broken[160];	/* what did not hold, or "" */
	size_t epochs;
	size_t cuts;
	/* The epoch that is to say the page's newest content. */
	uint64_t touched[LIVES_PAGES];
};

struct lives {
	struct lives_shared *s;
	uint64_t random;
	uint64_t term;		/* of the newest life */
	uint64_t image_term;	/* of whose lineage the image is; 0: none */
	uint64_t epoch;		/* of the image; 0: there is none */
	size_t used;
	int fd;			/* of the image, LIVES_BYTES */
	uint8_t *image;
	/* For a life that is not the usual one: */
	uintptr_t base;		/* 0: LIVES_BASE */
	uint64_t warm_term;	/* 0: image_term */
};

void lives_create(struct lives *l, uint64_t seed);
void lives_destroy(struct lives *l);
uint64_t lives_random(struct lives *l, uint64_t n);

/*
 * A life that is killed after some milliseconds, from its first one or, if
 * ready, once its memory was looked at.  Its epochs go to the image.
 */
void lives_run(struct lives *l, unsigned ms, bool ready);
/* One that is not killed: it ends on purpose once it has its memory. */
void lives_finish(struct lives *l);

/* Pages that the image of now does not have, at most. */
size_t lives_behind(const struct lives *l);

#endif
