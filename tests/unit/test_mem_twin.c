/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/copy.h"
#include "mem/twin.h"
#include "tests/unit/suite.h"

#define PAGE HS_TWIN_PAGE_BYTES

static void
keep_page(struct hs_twin *t, uint32_t page, int byte)
{
	uint8_t *buf;

	CU_ASSERT_EQUAL_FATAL(hs_twin_take(t, &buf, 1), 0);
	memset(buf, byte, PAGE);
	hs_twin_keep(t, page, buf);
}

static void
a_kept_page_is_found_until_replaced_or_dropped(void)
{
	struct hs_twin *t;

	CU_ASSERT_EQUAL_FATAL(hs_twin_create(&t, 100, 10 * PAGE), 0);
	CU_ASSERT_PTR_NULL(hs_twin_find(t, 7));
	keep_page(t, 7, 1);
	CU_ASSERT_EQUAL(hs_twin_find(t, 7)[PAGE - 1], 1);
	keep_page(t, 7, 2);
	CU_ASSERT_EQUAL(hs_twin_find(t, 7)[PAGE - 1], 2);
	CU_ASSERT_EQUAL(hs_twin_bytes(t), PAGE);
	hs_twin_drop(t);
	CU_ASSERT_PTR_NULL(hs_twin_find(t, 7));
	CU_ASSERT_EQUAL(hs_twin_bytes(t), 0);
	hs_twin_destroy(t);
}

/* The coldest go: an array of times of keep is the model. */
static void
the_bound_holds_and_the_coldest_go(void)
{
	enum {
		NPAGES = 300,
		BOUND = 37,
		KEEPS = 5000
	};
	unsigned kept_at[NPAGES] = { 0 }, now, i, newer;
	struct hs_random r;
	struct hs_twin *t;
	size_t wrong = 0;
	uint32_t page;

	hs_random_init(&r);
	CU_ASSERT_EQUAL_FATAL(hs_twin_create(&t, NPAGES, BOUND * PAGE), 0);
	for (now = 1; now <= KEEPS; now++) {
		page = (uint32_t)hs_random_below(&r, NPAGES);
		keep_page(t, page, (int)(page & 0xff));
		kept_at[page] = now;
		wrong += hs_twin_bytes(t) > (size_t)BOUND * PAGE;
	}
	for (page = 0; page < NPAGES; page++) {
		for (i = newer = 0; i < NPAGES; i++)
			newer += kept_at[i] > kept_at[page];
		wrong += (hs_twin_find(t, page) != NULL) !=
		    (kept_at[page] != 0 && newer < BOUND);
		if (hs_twin_find(t, page) != NULL)
			wrong += hs_twin_find(t, page)[9] != (page & 0xff);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(hs_twin_bytes(t), BOUND * PAGE);
	hs_twin_destroy(t);
}

static void
without_a_bound_nothing_is_kept(void)
{
	struct hs_twin *t;

	CU_ASSERT_EQUAL_FATAL(hs_twin_create(&t, 10, 0), 0);
	keep_page(t, 3, 1);
	CU_ASSERT_PTR_NULL(hs_twin_find(t, 3));
	CU_ASSERT_EQUAL(hs_twin_bytes(t), 0);
	hs_twin_destroy(t);
}

static size_t
resident_bytes(void)
{
	unsigned long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fscanf(f, "%lu %lu", &size, &resident), 2);
	(void)fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* A burst of 256 MiB is given back to the kernel, and can be taken again. */
static void
a_burst_leaves_no_memory_behind(void)
{
	enum {
		N = 65536
	};
	uint8_t **bufs = calloc(N, sizeof(*bufs));
	size_t before, peak, after, i, round;
	struct hs_twin *t;

	CU_ASSERT_PTR_NOT_NULL_FATAL(bufs);
	CU_ASSERT_EQUAL_FATAL(hs_twin_create(&t, 100, 100 * PAGE), 0);
	before = resident_bytes();
	for (round = 0; round < 2; round++) {
		CU_ASSERT_EQUAL_FATAL(hs_twin_take(t, bufs, N), 0);
		for (i = 0; i < N; i++)
			memset(bufs[i], 1, PAGE);
		peak = resident_bytes();
		CU_ASSERT(peak >= before + (size_t)N * PAGE / 2);
		for (i = 0; i < N; i++)
			hs_twin_give(t, bufs[i]);
	}
	after = resident_bytes();
	CU_ASSERT(after < before + ((size_t)16 << 20));
	hs_twin_destroy(t);
	free(bufs);
}

static void
reserved_buffers_have_memory(void)
{
	enum {
		N = 400
	};
	uint8_t *bufs[N];
	size_t before, i;
	struct hs_twin *t;

	CU_ASSERT_EQUAL_FATAL(hs_twin_create(&t, 10, PAGE), 0);
	before = resident_bytes();
	CU_ASSERT_EQUAL_FATAL(hs_twin_reserve(t, N), 0);
	CU_ASSERT(resident_bytes() >= before + N / 2 * PAGE);
	CU_ASSERT_EQUAL_FATAL(hs_twin_take(t, bufs, N), 0);
	for (i = 0; i < N; i++)
		CU_ASSERT_EQUAL((uintptr_t)bufs[i] % PAGE, 0);
	for (i = 0; i < N; i++)
		hs_twin_give(t, bufs[i]);
	hs_twin_destroy(t);
}

static void
every_way_of_copying_copies(void)
{
	static const size_t batches[] = { 1, 100, 100000 };
	uint8_t *src = aligned_alloc(PAGE, PAGE);
	uint8_t *dst = aligned_alloc(PAGE, 3 * PAGE);
	struct hs_random r;
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(src);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dst);
	hs_random_init(&r);
	for (i = 0; i < 3; i++) {
		hs_random_fill(&r, src, PAGE);
		memset(dst, 0x11, 3 * PAGE);
		hs_copy_choose(batches[i])(dst + PAGE, src);
		CU_ASSERT_EQUAL(memcmp(dst + PAGE, src, PAGE), 0);
		memset(dst + PAGE, 0x22, PAGE);
		hs_copy_page_around(dst + PAGE, src);
		CU_ASSERT_EQUAL(memcmp(dst + PAGE, src, PAGE), 0);
		CU_ASSERT_EQUAL(dst[PAGE - 1], 0x11);
		CU_ASSERT_EQUAL(dst[2 * PAGE], 0x11);
	}
	free(src);
	free(dst);
}

HS_SUITE(mem_twin, HS_TEST(a_kept_page_is_found_until_replaced_or_dropped),
    HS_TEST(the_bound_holds_and_the_coldest_go),
    HS_TEST(without_a_bound_nothing_is_kept),
    HS_TEST(a_burst_leaves_no_memory_behind),
    HS_TEST(reserved_buffers_have_memory), HS_TEST(every_way_of_copying_copies))
