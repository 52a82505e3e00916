/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the counter keeps, all of it in checkpoint memory, pointers included:
 * an account for each client, with the answers to its last requests, so that a
 * request that is sent again gets the answer it got and has no second effect.
 *
 * L1  requests of one account are numbered 1, 2, 3, ... without a gap.
 * L2  total is the sum of all accounts' totals, requests of their last numbers.
 * L3  page_writes is the sum of writes over the ballast's pages.
 * L3 fails if a checkpoint ever mixed two epochs: ledger_check() looks.
 */
#ifndef EXAMPLES_COUNTER_LEDGER_H
#define EXAMPLES_COUNTER_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#define LEDGER_ID 31	/* bytes of a client's id, without the nul */
#define LEDGER_PAST 64	/* answers kept a client: it may have as many open */
#define LEDGER_AMOUNT_MAX UINT64_C(1000000000000)

struct ledger;

enum ledger_result {
	LEDGER_OK,	/* counted */
	LEDGER_REPEAT,	/* counted before: the same answer */
	LEDGER_OLD,	/* counted before, answer forgotten */
	LEDGER_GAP,	/* a number was left out; *out is the last one seen */
	LEDGER_FULL,	/* checkpoint memory is exhausted */
};

/* A new ledger, named in the roots; ballast_bytes of extra state, touched. */
int ledger_create(struct ledger **out, size_t ballast_bytes);

/* The one that was restored; NULL if there is none. */
struct ledger *ledger_find(void);

/* *out: the account's total after this request. */
enum ledger_result ledger_add(struct ledger *l, const char *id, uint64_t no,
    uint64_t amount, uint64_t *out);

/* Write to n random pages of the ballast. */
void ledger_dirty(struct ledger *l, unsigned n);

/* Last number and total of a client; 0 and 0 if it is unknown. */
void ledger_show(const struct ledger *l, const char *id, uint64_t *no,
    uint64_t *total);

/* Page place of the ballast, for tests that damage it; NULL: there is none. */
void *ledger_page(struct ledger *l, size_t place);

struct ledger_sum {
	uint64_t requests;
	uint64_t total;
	uint64_t order;		/* chained over all requests in their order */
	uint64_t pages;
	uint64_t page_writes;
};

void ledger_sum(const struct ledger *l, struct ledger_sum *out);

/* 0 if L1 to L3 hold; else the number of the first that does not. */
int ledger_check(const struct ledger *l);

#endif
