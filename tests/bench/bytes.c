/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an epoch costs on the wire, beside the pages it touched.
 *
 *	bytes/PATTERN/PAGES	PATTERN is what changes in each page
 */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/modes.h"
#include "tests/bench/picks.h"

#define STATE_BYTES (16 * BENCH_MIB)
#define ROUNDS 21

static const size_t pages[] = { 1, 16, 256 };

/* Words of 8 bytes that change in a page, at random places. */
static const struct pattern {
	const char *name;
	size_t words;
} patterns[] = {
	{ "word", 1 },
	{ "8words", 8 },
	{ "page", BENCH_PAGE / sizeof(uint64_t) },
};

static void
change(uint8_t *page, size_t words, uint64_t *random)
{
	const size_t most = BENCH_PAGE / sizeof(uint64_t);

	if (words == most) {
		bench_fill(page, BENCH_PAGE, random);
		return;
	}
	/* One in each of as many equal parts, so that no two meet. */
	for (size_t i = 0; i < words; i++) {
		uint64_t v = bench_random(random);
		size_t at = i * (most / words) + v % (most / words);

		memcpy(page + at * sizeof(v), &v, sizeof(v));
	}
}

static uint64_t
measure_epoch(uint8_t *state, const struct picks *p, size_t n, size_t words,
    uint64_t *random)
{
	struct hs_status before, after;

	modes_status(&before);
	for (size_t i = 0; i < n; i++)
		change(state + p->page[i] * BENCH_PAGE, words, random);
	(void)modes_hold();
	modes_status(&after);
	return after.bytes_sent - before.bytes_sent;
}

void
mode_bytes(uint64_t seed)
{
	struct bench_samples s = { 0 };
	struct picks p;
	uint64_t random = seed;
	uint8_t *state;

	(void)modes_init(STATE_BYTES);
	state = modes_state("state", STATE_BYTES, &random);
	picks_init(&p, STATE_BYTES / BENCH_PAGE, seed);
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < 3; i++) {
			for (int round = 0; round < ROUNDS; round++) {
				picks_next(&p, pages[i]);
				bench_add(&s,
				    (double)measure_epoch(state, &p, pages[i],
					patterns[k].words, &random));
			}
			bench_row(bench_quantile(&s, 0.5), "B",
			    (double)(pages[i] * BENCH_PAGE), "bytes/%s/%zu",
			    patterns[k].name, pages[i]);
			bench_clear(&s);
		}
	}
	picks_fini(&p);
	exit(EXIT_SUCCESS);
}
