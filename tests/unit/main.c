/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main program of the unit tests; one is linked for each layer, so that a
 * layer is tested with nothing but what it may use.
 *
 * To add a suite: write tests/unit/test_LAYER_FILE.c with a HS_SUITE() at its
 * end (suite.h) and add the file to UNIT_LAYER in tests/unit/local.mk, one
 * line.  To add a layer: copy the lines of another one there.
 *
 *	unit_LAYER [-l] [SUITE...]
 *
 * runs all suites or those named; -l lists them.  HS_SEED=N in the
 * environment repeats the run that printed it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/Basic.h>

#include "tests/unit/suite.h"

static struct hs_suite *suites;
static uint64_t seed;

void
hs_suite_add(struct hs_suite *suite)
{
	struct hs_suite **at = &suites;

	while (*at != NULL && strcmp((*at)->name, suite->name) < 0)
		at = &(*at)->next;
	suite->next = *at;
	*at = suite;
}

void
hs_random_init(struct hs_random *r)
{
	r->state = seed;
}

/* splitmix64: every seed is a good one. */
uint64_t
hs_random_u64(struct hs_random *r)
{
	uint64_t v = r->state += 0x9e3779b97f4a7c15;

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
	v = (v ^ v >> 27) * 0x94d049bb133111eb;
	return v ^ v >> 31;
}

uint64_t
hs_random_below(struct hs_random *r, uint64_t n)
{
	return hs_random_u64(r) % n;
}

void
hs_random_fill(struct hs_random *r, void *p, size_t len)
{
	uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)hs_random_u64(r);
}

static void
choose_seed(void)
{
	const char *given = getenv("HS_SEED");

	if (given != NULL)
		seed = strtoull(given, NULL, 0);
	else
		seed = (uint64_t)time(NULL);
	printf("HS_SEED=%" PRIu64 "\n", seed);
}

static bool
is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], name) == 0)
			return true;
	}
	return argc == 0;
}

static int
register_suites(int argc, char **argv)
{
	int n = 0;

	for (struct hs_suite *s = suites; s != NULL; s = s->next) {
		CU_SuiteInfo info[] = {
			{ .pName = s->name, .pTests = s->tests },
			CU_SUITE_INFO_NULL,
		};

		if (!is_wanted(s->name, argc, argv))
			continue;
		if (CU_register_suites(info) != CUE_SUCCESS) {
			fprintf(stderr, "%s: %s\n", s->name,
			    CU_get_error_msg());
			exit(EXIT_FAILURE);
		}
		n++;
	}
	return n;
}

int
main(int argc, char **argv)
{
	unsigned failures;

	if (argc > 1 && strcmp(argv[1], "-l") == 0) {
		for (struct hs_suite *s = suites; s != NULL; s = s->next)
			puts(s->name);
		return EXIT_SUCCESS;
	}
	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	choose_seed();
	if (register_suites(argc - 1, argv + 1) == 0) {
		fprintf(stderr, "%s: no such suite; -l lists them\n", argv[0]);
		return EXIT_FAILURE;
	}
	CU_basic_set_mode(CU_BRM_VERBOSE);
	(void)CU_basic_run_tests();
	failures = CU_get_number_of_failure_records();
	CU_cleanup_registry();
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
