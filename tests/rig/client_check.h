/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client of the counter knows, and the verdict on each line that it
 * gets.  No I/O: the self-test feeds it wrong answers.
 */
#ifndef TESTS_RIG_CLIENT_CHECK_H
#define TESTS_RIG_CLIENT_CHECK_H

#include <stddef.h>
#include <stdint.h>

#define CHECK_PAST 64	/* answers kept to compare a repeated one with */

struct check {
	char id[32];
	uint64_t seed;
	uint64_t answered;	/* newest request whose answer was seen */
	uint64_t total;		/* its answer */
	uint64_t past[CHECK_PAST];
};

void check_init(struct check *c, uint64_t seed, unsigned k);

/* The amount of request no: from 1 to 1000, a function of seed, id and no. */
uint64_t check_amount(const struct check *c, uint64_t no);

/*
 * A line that answers request expect, the oldest on its connection that had no
 * answer.  NULL if it is right; else what is wrong, and c is unchanged.
 */
const char *check_answer(struct check *c, const char *line, uint64_t expect);

/* The answer to SHOW once every request is answered. */
const char *check_last(const struct check *c, const char *line);

/* 0 if right answers pass and each kind of wrong one is found; else 1. */
int check_self_test(void);

#endif
