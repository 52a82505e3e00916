/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mem/pageset.h"
#include "tests/unit/suite.h"

#define NPAGES 70000u	/* no multiple of a word or of a summary word */

/* The naive model: a bool a page. */
struct model {
	bool has[NPAGES];
};

static void
expect_same(const struct hs_pageset *s, const struct model *m)
{
	size_t i, page, n = 0, wrong = 0;
	size_t at = 0;

	for (i = 0; i < NPAGES; i++) {
		n += m->has[i];
		wrong += hs_pageset_has(s, i) != m->has[i];
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(hs_pageset_count(s), n);
	for (i = 0; i < NPAGES; i++) {
		if (!m->has[i])
			continue;
		if (!hs_pageset_next(s, at, &page) || page != i)
			wrong++;
		at = i + 1;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_FALSE(hs_pageset_next(s, at, &page));
}

static void
add_both(struct hs_pageset *s, struct model *m, size_t first, size_t n)
{
	hs_pageset_add(s, first, n);
	memset(m->has + first, true, n);
}

static void
random_operations_equal_a_naive_set(void)
{
	struct model *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	struct hs_pageset *s, *t;
	struct hs_random r;
	size_t i, round;

	hs_random_init(&r);
	CU_ASSERT_EQUAL_FATAL(hs_pageset_create(&s, NPAGES), 0);
	CU_ASSERT_EQUAL_FATAL(hs_pageset_create(&t, NPAGES), 0);
	for (round = 0; round < 40; round++) {
		for (i = hs_random_below(&r, 60); i != 0; i--) {
			size_t first = hs_random_below(&r, NPAGES);
			size_t most = hs_random_below(&r, 4) == 0 ? 9000 : 70;
			size_t n = hs_random_below(&r, most);

			n = n < NPAGES - first ? n : NPAGES - first;
			if (hs_random_below(&r, 2) == 0)
				add_both(s, a, first, n);
			else
				add_both(t, b, first, n);
		}
		expect_same(s, a);
		expect_same(t, b);
		if (round % 5 == 2) {
			hs_pageset_merge(s, t);
			for (i = 0; i < NPAGES; i++)
				a->has[i] = a->has[i] || b->has[i];
		}
		if (round % 3 == 1) {
			hs_pageset_clear(t);
			memset(b, 0, sizeof(*b));
		}
		if (round % 10 == 9) {
			hs_pageset_clear(s);
			memset(a, 0, sizeof(*a));
		}
	}
	hs_pageset_destroy(s);
	hs_pageset_destroy(t);
	free(a);
	free(b);
}

static void
first_and_last_pages_are_members(void)
{
	static const size_t sizes[] = { 1, 63, 64, 65, 4095, 4096, 4097 };
	struct hs_pageset *s;
	size_t i, page;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(hs_pageset_create(&s, sizes[i]), 0);
		CU_ASSERT_FALSE(hs_pageset_next(s, 0, &page));
		hs_pageset_add(s, sizes[i] - 1, 1);
		CU_ASSERT_TRUE(hs_pageset_next(s, 0, &page));
		CU_ASSERT_EQUAL(page, sizes[i] - 1);
		CU_ASSERT_FALSE(hs_pageset_next(s, sizes[i], &page));
		hs_pageset_add(s, 0, sizes[i]);
		CU_ASSERT_EQUAL(hs_pageset_count(s), sizes[i]);
		CU_ASSERT_FALSE(hs_pageset_has(s, sizes[i]));
		hs_pageset_destroy(s);
	}
}

/* 16 TiB of arena: cost is the members', and no memory but theirs. */
static void
a_few_pages_of_a_huge_arena(void)
{
	static const size_t members[] = { 5, 77777777, 4000000001, 4294967294 };
	struct hs_pageset *s;
	size_t i, page = 0;

	CU_ASSERT_EQUAL_FATAL(hs_pageset_create(&s, 4294967295), 0);
	for (i = 0; i < 4; i++)
		hs_pageset_add(s, members[i], 1);
	for (i = 0; i < 4; i++, page++) {
		CU_ASSERT_TRUE(hs_pageset_next(s, page, &page));
		CU_ASSERT_EQUAL(page, members[i]);
	}
	hs_pageset_clear(s);
	CU_ASSERT_FALSE(hs_pageset_next(s, 0, &page));
	hs_pageset_destroy(s);
}

HS_SUITE(mem_pageset, HS_TEST(random_operations_equal_a_naive_set),
    HS_TEST(first_and_last_pages_are_members),
    HS_TEST(a_few_pages_of_a_huge_arena))
