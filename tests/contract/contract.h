/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract of dirty tracking (libhs/mem/dirty.h), as a harness that any
 * backend must pass.
 *
 * Two threads write to an arena without a pause while pages are collected and
 * copied to a shadow.  What must hold, by rule:
 *
 * D1  Each write that was finished before a collect and begun after the one
 *     before is in its set: told by the writers' logs, while they run.
 * D2  The shadow, made of nothing but collected pages, equals the arena
 *     whenever the writers rest after a collect.
 * D3  No set has a page at or above the armed length.
 * D4  A cut that the writers rested for is the arena as it was then, and one
 *     that did not arrive is made up for by the next set.
 */
#ifndef HS_TESTS_CONTRACT_H
#define HS_TESTS_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/arena.h"
#include "mem/dirty.h"

#define PAGE ((size_t)HS_ARENA_PAGE_BYTES)
#define EXTENT ((size_t)HS_ARENA_EXTENT_BYTES)
#define MIB ((size_t)1 << 20)

struct contract {
	const char *name;
	const struct hs_dirty_ops *ops;
	size_t bytes;		/* of the arena */
	bool restored;		/* three quarters are an image's mapping */
	bool huge;		/* MADV_HUGEPAGE, filled before it is armed */
	bool adversary;		/* writes that are not stores of a thread */
	bool kept;		/* MADV_DONTNEED drops no content */
	bool cuts;		/* by cuts now and then, where they can be */
};

struct contract_result {
	size_t collects;
	size_t pages;		/* collected, sum */
	size_t largest;		/* set */
	size_t writes;
	size_t settles;
	size_t cuts;		/* that arrived */
	size_t failed_cuts;
	size_t huge_bytes;	/* that were huge pages when armed */
	char broken[160];	/* the first rule that did not hold, or "" */
};

/* Run for seconds; the same seed gives the same choices. */
void contract_run(const struct contract *c, uint64_t seed, double seconds,
    struct contract_result *r);

typedef void contract_report(bool ok, const char *name, const char *detail);
/* Reports whether it holds in a child, which may give up what it may do. */
void contract_in_child(contract_report *report, const char *name,
    bool (*holds)(void *arg), void *arg);
/* In such a child: it cannot be tried here. */
__attribute__((noreturn)) void contract_untried(void);
void contract_give_up_user(void);
/* Memory for a tracker. */
uint8_t *contract_map(size_t bytes);

/* The choice of kmod, where there is the device. */
void contract_kmod(contract_report *report);
/* What kmod keeps of a process that is killed, for seconds. */
void contract_keep(contract_report *report, uint64_t seed, double seconds);

/* wpa as it is on a machine with swap. */
extern const struct hs_dirty_ops contract_wpa_swap;

#endif
