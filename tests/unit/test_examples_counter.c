/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include <hotspare/hs.h>

#include "examples/counter/ledger.h"
#include "tests/unit/suite.h"

/* Without an agent: checkpoint memory works, and nothing is sent. */
static struct ledger *
fresh_ledger(size_t ballast_bytes)
{
	struct ledger *l = NULL;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL_FATAL(ledger_create(&l, ballast_bytes), 0);
	CU_ASSERT_PTR_EQUAL(ledger_find(), l);
	return l;
}

static void
forget_ledger(void)
{
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
requests_count_once(void)
{
	struct ledger *l = fresh_ledger(0);
	uint64_t out, no, total;

	CU_ASSERT_EQUAL(ledger_add(l, "a", 1, 5, &out), LEDGER_OK);
	CU_ASSERT_EQUAL(out, 5);
	CU_ASSERT_EQUAL(ledger_add(l, "a", 2, 7, &out), LEDGER_OK);
	CU_ASSERT_EQUAL(out, 12);
	/* Again, even with another amount: the answer that it had. */
	CU_ASSERT_EQUAL(ledger_add(l, "a", 1, 500, &out), LEDGER_REPEAT);
	CU_ASSERT_EQUAL(out, 5);
	CU_ASSERT_EQUAL(ledger_add(l, "a", 2, 7, &out), LEDGER_REPEAT);
	CU_ASSERT_EQUAL(out, 12);
	ledger_show(l, "a", &no, &total);
	CU_ASSERT(no == 2 && total == 12);
	CU_ASSERT_EQUAL(ledger_check(l), 0);
	forget_ledger();
}

static void
gap_is_refused_and_tells_the_last(void)
{
	struct ledger *l = fresh_ledger(0);
	uint64_t out, no, total;

	CU_ASSERT_EQUAL(ledger_add(l, "a", 2, 5, &out), LEDGER_GAP);
	CU_ASSERT_EQUAL(out, 0);
	CU_ASSERT_EQUAL(ledger_add(l, "a", 0, 5, &out), LEDGER_GAP);
	ledger_show(l, "a", &no, &total);
	CU_ASSERT(no == 0 && total == 0);
	CU_ASSERT_EQUAL(ledger_add(l, "a", 1, 5, &out), LEDGER_OK);
	CU_ASSERT_EQUAL(ledger_add(l, "a", 3, 5, &out), LEDGER_GAP);
	CU_ASSERT_EQUAL(out, 1);
	forget_ledger();
}

static void
answers_are_remembered_for_a_while(void)
{
	struct ledger *l = fresh_ledger(0);
	uint64_t i, out;

	for (i = 1; i <= LEDGER_PAST + 1; i++)
		CU_ASSERT_EQUAL(ledger_add(l, "a", i, i, &out), LEDGER_OK);
	CU_ASSERT_EQUAL(ledger_add(l, "a", 1, 1, &out), LEDGER_OLD);
	CU_ASSERT_EQUAL(ledger_add(l, "a", 2, 2, &out), LEDGER_REPEAT);
	CU_ASSERT_EQUAL(out, 3);
	forget_ledger();
}

static void
accounts_are_apart_and_sum_up(void)
{
	struct ledger *l = fresh_ledger(0);
	struct ledger_sum before, sum;
	uint64_t i, out;
	char id[16];

	/* More than there are buckets. */
	for (i = 0; i < 3000; i++) {
		(void)snprintf(id, sizeof(id), "c%u", (unsigned)i);
		CU_ASSERT_EQUAL(ledger_add(l, id, 1, i, &out), LEDGER_OK);
		CU_ASSERT_EQUAL(out, i);
	}
	ledger_sum(l, &before);
	CU_ASSERT_EQUAL(before.requests, 3000);
	CU_ASSERT_EQUAL(before.total, 2999 * 3000 / 2);
	CU_ASSERT_EQUAL(ledger_check(l), 0);
	CU_ASSERT_EQUAL(ledger_add(l, "c7", 1, 7, &out), LEDGER_REPEAT);
	ledger_sum(l, &sum);
	CU_ASSERT_EQUAL(sum.order, before.order);
	CU_ASSERT_EQUAL(ledger_add(l, "c7", 2, 1, &out), LEDGER_OK);
	ledger_sum(l, &sum);
	CU_ASSERT_NOT_EQUAL(sum.order, before.order);
	forget_ledger();
}

static void
mixed_ballast_is_found(void)
{
	struct ledger *l = fresh_ledger(64 * 4096);
	struct ledger_sum sum;
	unsigned char *page, saved;

	ledger_dirty(l, 1000);
	ledger_sum(l, &sum);
	CU_ASSERT(sum.pages == 64 && sum.page_writes == 1000);
	CU_ASSERT_EQUAL(ledger_check(l), 0);
	/* A ledger of one epoch with a page of another. */
	CU_ASSERT_PTR_NULL(ledger_page(l, 64));
	page = ledger_page(l, 63);
	CU_ASSERT_PTR_NOT_NULL_FATAL(page);
	saved = page[0];
	page[0] = (unsigned char)(saved + 1);
	CU_ASSERT_EQUAL(ledger_check(l), 3);
	page[0] = saved;
	CU_ASSERT_EQUAL(ledger_check(l), 0);
	forget_ledger();
}

HS_SUITE(examples_counter, HS_TEST(requests_count_once),
    HS_TEST(gap_is_refused_and_tells_the_last),
    HS_TEST(answers_are_remembered_for_a_while),
    HS_TEST(accounts_are_apart_and_sum_up), HS_TEST(mixed_ballast_is_found))
