/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a file of unit tests needs.
 *
 *	static void
 *	full_cursor_refuses(void)
 *	{
 *		CU_ASSERT_EQUAL(...);
 *	}
 *
 *	HS_SUITE(base_wr, HS_TEST(full_cursor_refuses))
 *
 * makes a suite of the program that the file is linked into: nothing else has
 * to know of it.  See main.c.
 */
#ifndef HS_TESTS_UNIT_SUITE_H
#define HS_TESTS_UNIT_SUITE_H

#include <stddef.h>
#include <stdint.h>

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>

struct hs_suite {
	const char *name;
	CU_TestInfo *tests;	/* ended by CU_TEST_INFO_NULL */
	struct hs_suite *next;
};

void hs_suite_add(struct hs_suite *suite);

/* clang-format off */
#define HS_TEST(function) { #function, function }
#define HS_SUITE(ident, ...)                                                   \
	static CU_TestInfo ident##_tests[] = { __VA_ARGS__,                    \
		CU_TEST_INFO_NULL };                                           \
	static struct hs_suite ident##_suite = { #ident, ident##_tests, NULL };\
	__attribute__((__constructor__)) static void                           \
	ident##_add(void)                                                      \
	{                                                                      \
		hs_suite_add(&ident##_suite);                                  \
	}
/* clang-format on */

/*
 * Random numbers that a failed run can have again: the seed of each program is
 * printed, and HS_SEED in the environment sets it.
 */
struct hs_random {
	uint64_t state;
};

/* Starts the same sequence, of the program's seed, each time. */
void hs_random_init(struct hs_random *r);
uint64_t hs_random_u64(struct hs_random *r);
/* 0 to n - 1; n >= 1. */
uint64_t hs_random_below(struct hs_random *r, uint64_t n);
void hs_random_fill(struct hs_random *r, void *p, size_t len);

#endif
