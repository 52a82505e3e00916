/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "state/shadow.h"
#include "tests/unit/suite.h"

#define MOST 5000
#define ROUNDS 4000
#define BUSY_WORDS 4099

static void
spoil(struct hs_random *r, uint8_t *p, size_t len)
{
	const size_t n = hs_random_below(r, 6);

	for (size_t i = 0; i < n && len > 0; i++)
		p[hs_random_below(r, len)] ^=
		    (uint8_t)(1 + hs_random_below(r, 255));
}

/* Pieces that differ, and bytes that do. */
static size_t
count_pieces(const uint8_t *a, const uint8_t *b, size_t len, size_t *bytes)
{
	size_t pieces = 0;

	*bytes = 0;
	for (size_t i = 0; i < len; i += HS_SHADOW_PIECE) {
		const size_t n =
		    len - i < HS_SHADOW_PIECE ? len - i : HS_SHADOW_PIECE;

		pieces += memcmp(a + i, b + i, n) != 0 ? n : 0;
		for (size_t k = i; k < i + n; k++)
			*bytes += a[k] != b[k];
	}
	return pieces;
}

/* Of any length, at any alignment; and the bytes around stay as they are. */
static void
shadow_becomes_like_the_memory(void)
{
	static uint8_t live[MOST + 64], shadow[MOST + 64], before[MOST + 64];
	struct hs_random r;

	hs_random_init(&r);
	hs_random_fill(&r, live, sizeof(live));
	for (int i = 0; i < ROUNDS; i++) {
		const size_t at = hs_random_below(&r, 64);
		const size_t to = hs_random_below(&r, 64);
		const size_t len = hs_random_below(&r, MOST);
		size_t bytes, pieces;

		memcpy(shadow + to, live + at, len);
		spoil(&r, live + at, len);
		memcpy(before, shadow, sizeof(shadow));
		pieces = count_pieces(shadow + to, live + at, len, &bytes);
		CU_ASSERT_EQUAL(hs_shadow_differ(shadow + to, live + at, len),
		    bytes);
		CU_ASSERT_EQUAL(hs_shadow_sync(shadow + to, live + at, len),
		    pieces);
		memcpy(before + to, live + at, len);
		CU_ASSERT_EQUAL(memcmp(before, shadow, sizeof(shadow)), 0);
	}
}

/* H1: each single byte is found, and costs its piece only. */
static void
each_byte_is_compared(void)
{
	uint8_t live[1300], shadow[1300];

	memset(live, 0x5a, sizeof(live));
	memset(shadow, 0x5a, sizeof(shadow));
	for (size_t i = 0; i < sizeof(live); i++) {
		const size_t last = sizeof(live) / HS_SHADOW_PIECE;
		const size_t piece = i / HS_SHADOW_PIECE == last
		    ? sizeof(live) % HS_SHADOW_PIECE
		    : HS_SHADOW_PIECE;

		live[i] = (uint8_t)~live[i];
		CU_ASSERT_EQUAL(hs_shadow_differ(shadow, live, sizeof(live)),
		    1);
		CU_ASSERT_EQUAL(hs_shadow_sync(shadow, live, sizeof(live)),
		    piece);
		CU_ASSERT_EQUAL(shadow[i], live[i]);
	}
	CU_ASSERT_EQUAL(hs_shadow_sync(shadow, live, sizeof(live)), 0);
}

struct writer {
	uint64_t words[BUSY_WORDS];
	atomic_bool stop;
};

/* Each word only grows. */
static void *
write_on(void *arg)
{
	struct writer *w = arg;

	while (!atomic_load(&w->stop))
		for (size_t i = 0; i < BUSY_WORDS; i++)
			__atomic_store_n(&w->words[i], w->words[i] + 1,
			    __ATOMIC_RELAXED);
	return NULL;
}

/* A write is in this copy or in a later one, word by word, and never lost. */
static void
writers_are_not_in_the_way(void)
{
	static uint64_t shadow[BUSY_WORDS], before[BUSY_WORDS];
	static struct writer w;
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, write_on, &w), 0);
	for (int round = 0; round < 2000; round++) {
		memcpy(before, shadow, sizeof(before));
		(void)hs_shadow_sync(shadow, w.words, sizeof(shadow));
		for (size_t i = 0; i < BUSY_WORDS; i++)
			if (shadow[i] < before[i])
				CU_FAIL("a word went back");
	}
	atomic_store(&w.stop, true);
	CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
	(void)hs_shadow_sync(shadow, w.words, sizeof(shadow));
	CU_ASSERT_EQUAL(memcmp(shadow, w.words, sizeof(shadow)), 0);
	CU_ASSERT(shadow[0] > 0);
}

HS_SUITE(state_shadow, HS_TEST(shadow_becomes_like_the_memory),
    HS_TEST(each_byte_is_compared), HS_TEST(writers_are_not_in_the_way))
