/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writers whose every write can be told: writer w's s-th write, s = 1, 2, ...,
 * goes to a place that only w and s determine, and its value says s and how far
 * the next writer was known to be.  So memory is exact as of an instant if it
 *
 *  P1  holds for each writer what its first m writes leave, for some m, and
 *  P2  holds at least those writes of the next writer that the m-th knew of.
 *
 * Writers are threads and processes by turns, for both kinds of sharing of page
 * tables; each write is made in a manner drawn from those that are allowed.
 * Each writer has one write under way at a time, so that an instant may have
 * that one or not: m is one more or less, and P1 and P2 hold all the same.
 */
#ifndef HS_VM_CREW_H
#define HS_VM_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "tests/vm/arena.h"

#define CREW_MOST	4
#define SECTOR_WORDS	64UL
#define SECTOR_BYTES	(SECTOR_WORDS * sizeof(uint64_t))

/* Manners of writing. */
#define BY_STORE	(1U << 0)
#define BY_SECOND	(1U << 1)	/* through another mapping */
#define BY_VM_WRITEV	(1U << 2)
#define BY_PIPE		(1U << 3)
#define BY_DIRECT	(1U << 4)	/* O_DIRECT: a sector at a time */
#define MANNERS		5

/* Adversaries: a thread of each process, against all its mappings. */
#define AGAINST_DONTNEED	(1U << 0)
#define AGAINST_MPROTECT	(1U << 1)

struct writer {
	struct crew *crew;
	unsigned index;
	uint64_t seed;
	_Atomic uint64_t done;		/* its last write that is finished */
	pthread_t thread;
	pid_t pid;			/* 0: a thread */
	uint64_t *at[2];		/* mappings in its address space */
	void *room;			/* where the second one is */
	int disk;			/* -1: none */
	int pipe[2];
	uint64_t *sector;		/* aligned for the disk */
};

/* Shared memory, also between processes. */
struct crew {
	struct arena *arena;
	unsigned n;
	unsigned manners;
	unsigned against;
	uint64_t npages;
	unsigned rest;			/* most turns between two writes */
	uint64_t *model;		/* the arena's words, when parked */
	_Atomic uint64_t written[MANNERS];
	_Atomic uint64_t dropped;	/* entries of page tables */
	_Atomic uint64_t refused;	/* writes to what was read-only then */
	_Atomic bool stop;
	_Atomic bool park;
	_Atomic unsigned parked;
	struct writer writer[CREW_MOST];
	pthread_t foe;			/* of the threads */
};

/* Begins parked. */
struct crew *crew_start(struct arena *a, unsigned n, unsigned manners,
    unsigned against, uint64_t seed);
void crew_go(struct crew *c);
void crew_park(struct crew *c);
void crew_end(struct crew *c);
uint64_t crew_writes(const struct crew *c);
/* Was written in each manner, and has each adversary been felt? */
bool crew_is_tried(const struct crew *c);
/* A line of how often. */
void crew_note(const struct crew *c);

/* The word of the arena that writer w's s-th write goes to. */
uint64_t crew_place(const struct crew *c, unsigned w, uint64_t s);

/* Checks images, each newer than the one before. */
struct judge {
	const struct crew *crew;
	uint64_t m[CREW_MOST];
	uint32_t *expect;		/* s for each word, as of m */
};

void judge_init(struct judge *j, const struct crew *c);
/* Number of words that break P1, plus writers that break P2. */
uint64_t judge_image(struct judge *j, const uint64_t *image);
void judge_fini(struct judge *j);

#endif
