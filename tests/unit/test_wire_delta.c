/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "tests/unit/suite.h"
#include "wire/delta.h"

#define PAGE HS_MSG_PAGE_BYTES

static uint8_t twin[PAGE + 64], now[PAGE + 64];
static struct hs_delta_run runs[HS_DELTA_MAX_RUNS];

/* Byte by byte, as simple as can be. */
static void
compare_simply(struct hs_delta_map *map, const uint8_t *a, const uint8_t *b)
{
	memset(map, 0, sizeof(*map));
	map->zero = true;
	for (unsigned i = 0; i < PAGE; i++) {
		if (b[i] != 0)
			map->zero = false;
		if (a[i] == b[i])
			continue;
		map->bits[i / 64] |= UINT64_C(1) << i % 64;
		map->words |= UINT64_C(1) << i / 64;
	}
}

static void
check_ways(const uint8_t *a, const uint8_t *b)
{
	struct hs_delta_map expected, got;

	compare_simply(&expected, a, b);
	for (unsigned i = 0; hs_delta_way(i) != NULL; i++) {
		int same;

		memset(&got, 0xee, sizeof(got));
		hs_delta_way(i)->compare(&got, a, b);
		same = memcmp(got.bits, expected.bits, sizeof(got.bits)) == 0 &&
		    got.words == expected.words && got.zero == expected.zero;
		CU_ASSERT_TRUE(same);
	}
	CU_ASSERT_EQUAL(hs_delta_is_zero(b), expected.zero);
}

/* A way that is not listed is not tested, and one that is not there traps. */
static void
ways_are_those_of_this_processor(void)
{
	unsigned n = 0;

#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512bw"))
		CU_ASSERT_STRING_EQUAL(hs_delta_way(n++)->name, "avx512");
	if (__builtin_cpu_supports("avx2"))
		CU_ASSERT_STRING_EQUAL(hs_delta_way(n++)->name, "avx2");
#endif
	CU_ASSERT_PTR_NOT_NULL_FATAL(hs_delta_way(n));
	CU_ASSERT_STRING_EQUAL(hs_delta_way(n)->name, "portable");
	CU_ASSERT_PTR_NULL(hs_delta_way(n + 1));
}

static void
each_byte_is_compared(void)
{
	memset(twin, 0, sizeof(twin));
	memset(now, 0, sizeof(now));
	check_ways(twin, now);
	for (unsigned i = 0; i < PAGE; i++) {
		now[i] = 0x80;
		check_ways(twin, now);
		check_ways(now, twin);
		now[i] = 0;
	}
}

static void
ways_agree_on_random_pages(void)
{
	struct hs_random r;

	hs_random_init(&r);
	for (int round = 0; round < 500; round++) {
		size_t a = hs_random_below(&r, 64), b = hs_random_below(&r, 64);
		uint64_t n = hs_random_below(&r, 300);

		hs_random_fill(&r, twin, sizeof(twin));
		memcpy(now + b, twin + a, PAGE);
		for (uint64_t i = 0; i < n; i++)
			now[b + hs_random_below(&r, PAGE)] ^= 1;
		check_ways(twin + a, now + b);
	}
}

/* The runs of what differs between twin and now; their number. */
static int
find_runs(uint32_t *bytes)
{
	struct hs_delta_map map;

	hs_delta_compare(&map, twin, now);
	return hs_delta_runs(&map, runs, UINT32_MAX, bytes);
}

static void
near_runs_are_joined(void)
{
	uint32_t bytes;

	memset(twin, 1, sizeof(twin));
	/* Also across the words of the map, whose size is 64. */
	for (unsigned at = 50; at < 70; at++) {
		for (unsigned gap = 0; gap < 8; gap++) {
			memset(now, 1, sizeof(now));
			now[at] = now[at + gap + 1] = 2;
			if (gap < HS_DELTA_JOIN_BYTES) {
				CU_ASSERT_EQUAL(find_runs(&bytes), 1);
				CU_ASSERT_EQUAL(runs[0].off, at);
				CU_ASSERT_EQUAL(runs[0].len, gap + 2);
				CU_ASSERT_EQUAL(bytes, 4 + gap + 2);
			} else {
				CU_ASSERT_EQUAL(find_runs(&bytes), 2);
				CU_ASSERT_EQUAL(runs[0].len, 1);
				CU_ASSERT_EQUAL(runs[1].off, at + gap + 1);
				CU_ASSERT_EQUAL(runs[1].len, 1);
				CU_ASSERT_EQUAL(bytes, 10);
			}
		}
	}
}

static void
runs_may_be_as_many_as_promised(void)
{
	struct hs_delta_map map;
	uint32_t bytes;

	memset(twin, 1, sizeof(twin));
	memset(now, 1, sizeof(now));
	for (unsigned i = 0; i < PAGE; i += HS_DELTA_JOIN_BYTES + 1)
		now[i] = 2;
	CU_ASSERT_EQUAL(find_runs(&bytes), HS_DELTA_MAX_RUNS);
	CU_ASSERT_EQUAL(bytes, HS_DELTA_MAX_RUNS * 5);
	hs_delta_compare(&map, twin, now);
	CU_ASSERT_EQUAL(hs_delta_runs(&map, runs, bytes, &bytes),
	    HS_DELTA_MAX_RUNS);
	CU_ASSERT_EQUAL(hs_delta_runs(&map, runs, bytes - 1, &bytes),
	    -EMSGSIZE);
}

static void
runs_cover_what_differs_and_little_else(void)
{
	struct hs_random r;

	hs_random_init(&r);
	memset(twin, 1, sizeof(twin));
	for (int round = 0; round < 2000; round++) {
		uint64_t n = hs_random_below(&r, 400);
		static uint8_t made[PAGE];
		uint32_t bytes, sum = 0;
		int nrun;

		memset(now, 1, sizeof(now));
		for (uint64_t i = 0; i < n; i++)
			now[hs_random_below(&r, PAGE)] = (uint8_t)i;
		nrun = find_runs(&bytes);
		memcpy(made, twin, PAGE);
		for (int i = 0; i < nrun; i++) {
			unsigned off = runs[i].off, len = runs[i].len;

			/* A run begins and ends with bytes that differ. */
			CU_ASSERT_NOT_EQUAL(now[off], 1);
			CU_ASSERT_NOT_EQUAL(now[off + len - 1], 1);
			memcpy(made + off, now + off, len);
			sum += 4 + len;
		}
		CU_ASSERT_EQUAL(memcmp(made, now, PAGE), 0);
		CU_ASSERT_EQUAL(sum, bytes);
	}
}

HS_SUITE(wire_delta, HS_TEST(ways_are_those_of_this_processor),
    HS_TEST(each_byte_is_compared), HS_TEST(ways_agree_on_random_pages),
    HS_TEST(near_runs_are_joined), HS_TEST(runs_may_be_as_many_as_promised),
    HS_TEST(runs_cover_what_differs_and_little_else))
