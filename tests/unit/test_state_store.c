/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "state/store.h"
#include "tests/unit/suite.h"

#define NKIND 3
#define NKEY 40
#define MOST 300

/* Memory that counts, and that can say no. */
struct lender {
	size_t live;
	size_t left;		/* allocations until there are none */
	uint8_t *low, *high;	/* of all that was lent */
};

static int
lend(void *arg, size_t len, void **out)
{
	struct lender *l = arg;
	uint8_t *p;

	if (l->left == 0)
		return HS_EARENA;
	l->left--;
	p = malloc(len);
	if (p == NULL)
		return -ENOMEM;
	l->live++;
	if (l->low == NULL || p < l->low)
		l->low = p;
	if (p + len > l->high)
		l->high = p + len;
	*out = p;
	return 0;
}

static void
take(void *arg, void *p)
{
	struct lender *l = arg;

	l->live--;
	free(p);
}

static bool
is_lent(void *arg, const void *p, size_t len)
{
	const struct lender *l = arg;
	const uint8_t *b = p;

	return b >= l->low && b < l->high && len <= (size_t)(l->high - b);
}

static struct hs_store_mem
lender_of(struct lender *l)
{
	return (struct hs_store_mem){ .arg = l,
		.alloc = lend,
		.free = take,
		.has = is_lent };
}

static struct hs_store *
open_store(struct lender *l)
{
	const struct hs_store_mem mem = lender_of(l);
	struct hs_store *s = NULL;

	*l = (struct lender){ .left = SIZE_MAX };
	CU_ASSERT_EQUAL_FATAL(hs_store_create(&s, &mem), 0);
	return s;
}

/* The view goes, and a new one finds what is there. */
static int
reopen(struct hs_store **s, struct lender *l)
{
	const struct hs_store_mem mem = lender_of(l);
	void *dir = hs_store_dir(*s);
	struct hs_store *view;
	int rc;

	rc = hs_store_attach(&view, &mem, dir);
	if (rc == 0) {
		hs_store_destroy(*s);
		*s = view;
	}
	return rc;
}

static void
empty_store(struct hs_store *s)
{
	struct hs_store_rec rec;

	for (uint16_t kind = 0; kind < 10; kind++)
		while (hs_store_next(s, kind, 0, &rec) == 1)
			CU_ASSERT_EQUAL(hs_store_del(s, kind, rec.key), 0);
}

static void
close_store(struct hs_store *s, struct lender *l)
{
	void *dir = hs_store_dir(s);
	uint64_t slots;

	empty_store(s);
	CU_ASSERT_EQUAL(l->live, 2);
	memcpy(&slots, (uint8_t *)dir + 16, sizeof(slots));
	hs_store_destroy(s);
	free((void *)(uintptr_t)slots);
	free(dir);
}

struct model {
	bool has[NKIND][NKEY];
	size_t len[NKIND][NKEY];
	uint8_t bytes[NKIND][NKEY][MOST];
};

static void
expect_model(const struct hs_store *s, const struct model *m)
{
	struct hs_store_rec rec;

	for (uint16_t k = 0; k < NKIND; k++) {
		uint64_t at = 0;

		for (uint64_t key = 0; key < NKEY; key++) {
			const int rc = hs_store_get(s, k, key, &rec);

			CU_ASSERT_EQUAL(rc, m->has[k][key] ? 0 : -ENOENT);
			if (!m->has[k][key])
				continue;
			CU_ASSERT_EQUAL(rec.len, m->len[k][key]);
			CU_ASSERT(rec.len == 0 ||
			    memcmp(rec.bytes, m->bytes[k][key], rec.len) == 0);
			CU_ASSERT_EQUAL(hs_store_next(s, k, at, &rec), 1);
			CU_ASSERT_EQUAL(rec.key, key);
			at = key + 1;
		}
		CU_ASSERT_EQUAL(hs_store_next(s, k, at, &rec), 0);
	}
}

static void
records_are_as_a_table_has_them(void)
{
	static struct model m;
	struct hs_random r;
	struct lender l;
	struct hs_store *s = open_store(&l);

	hs_random_init(&r);
	memset(&m, 0, sizeof(m));
	for (int i = 0; i < 5000; i++) {
		const uint16_t k = (uint16_t)hs_random_below(&r, NKIND);
		const uint64_t key = hs_random_below(&r, NKEY);
		const bool had = m.has[k][key];

		if (hs_random_below(&r, 4) == 0) {
			CU_ASSERT_EQUAL(hs_store_del(s, k, key),
			    had ? 0 : -ENOENT);
			m.has[k][key] = false;
		} else {
			const size_t len = hs_random_below(&r, MOST);

			hs_random_fill(&r, m.bytes[k][key], len);
			m.has[k][key] = true;
			m.len[k][key] = len;
			CU_ASSERT_EQUAL(hs_store_put(s, k, key, m.bytes[k][key],
					    len),
			    0);
		}
		if (i % 500 == 0) {
			expect_model(s, &m);
			CU_ASSERT_EQUAL_FATAL(reopen(&s, &l), 0);
		}
	}
	expect_model(s, &m);
	close_store(s, &l);
}

/* T3 */
static void
the_same_again_writes_nothing(void)
{
	uint8_t before[40], *slot;
	struct lender l;
	struct hs_store *s = open_store(&l);
	struct hs_store_rec rec, again;
	size_t lent;

	CU_ASSERT_EQUAL(hs_store_put(s, 3, 7, "abc", 3), 0);
	CU_ASSERT_EQUAL(hs_store_get(s, 3, 7, &rec), 0);
	memcpy(&slot, (uint8_t *)hs_store_dir(s) + 16, sizeof(slot));
	memcpy(before, slot, sizeof(before));
	lent = l.left;
	CU_ASSERT_EQUAL(hs_store_put(s, 3, 7, "abc", 3), 0);
	CU_ASSERT_EQUAL(hs_store_get(s, 3, 7, &again), 0);
	CU_ASSERT_PTR_EQUAL(again.bytes, rec.bytes);
	CU_ASSERT_EQUAL(memcmp(before, slot, sizeof(before)), 0);
	CU_ASSERT_EQUAL(l.left, lent);
	/* A shorter one stays where the longer one was. */
	CU_ASSERT_EQUAL(hs_store_put(s, 3, 7, "x", 1), 0);
	CU_ASSERT_EQUAL(hs_store_get(s, 3, 7, &again), 0);
	CU_ASSERT_PTR_EQUAL(again.bytes, rec.bytes);
	CU_ASSERT_EQUAL(again.len, 1);
	close_store(s, &l);
}

static void
without_memory_the_old_record_stays(void)
{
	uint8_t big[200] = { 1 };
	struct lender l;
	struct hs_store *s = open_store(&l);
	struct hs_store_rec rec;

	CU_ASSERT_EQUAL(hs_store_put(s, 1, 1, "old", 3), 0);
	l.left = 0;
	CU_ASSERT_EQUAL(hs_store_put(s, 1, 1, big, sizeof(big)), HS_EARENA);
	CU_ASSERT_EQUAL(hs_store_get(s, 1, 1, &rec), 0);
	CU_ASSERT_EQUAL(rec.len, 3);
	CU_ASSERT_EQUAL(memcmp(rec.bytes, "old", 3), 0);
	/* A new one is there whole or not at all. */
	CU_ASSERT_EQUAL(hs_store_put(s, 1, 2, big, sizeof(big)), HS_EARENA);
	CU_ASSERT_EQUAL(hs_store_get(s, 1, 2, &rec), -ENOENT);
	CU_ASSERT_EQUAL(hs_store_put(s, 1, 3, big, HS_STORE_MAX_BYTES),
	    -EMSGSIZE);
	l.left = SIZE_MAX;
	CU_ASSERT_EQUAL(hs_store_put(s, 1, 2, big, sizeof(big)), 0);
	close_store(s, &l);
}

/* Opened with one byte changed: what is said of it. */
static int
judge_damage(struct hs_store **s, struct lender *l, uint8_t *byte)
{
	int rc;

	*byte ^= 0x80;
	rc = reopen(s, l);
	*byte ^= 0x80;
	CU_ASSERT(strlen(hs_why_line()) > 0);
	return rc;
}

/* Wherever a stray write hits what is said, it is found. */
static void
damage_is_found(void)
{
	struct lender l;
	struct hs_store *s = open_store(&l);
	struct hs_store_rec rec;
	uint8_t *dir, *slot, *bytes;

	CU_ASSERT_EQUAL(hs_store_put(s, 1, 1, "12345", 5), 0);
	CU_ASSERT_EQUAL(hs_store_get(s, 1, 1, &rec), 0);
	dir = hs_store_dir(s);
	memcpy(&slot, dir + 16, sizeof(slot));
	bytes = (uint8_t *)(uintptr_t)rec.bytes;
	for (size_t i = 0; i < 8; i++)		/* magic, version, reserved */
		CU_ASSERT_EQUAL(judge_damage(&s, &l, dir + i), HS_ECORRUPT);
	CU_ASSERT_EQUAL(judge_damage(&s, &l, dir + 11), HS_ECORRUPT);
	for (size_t i = 0; i < 8; i++)		/* kind, reserved, len */
		CU_ASSERT_EQUAL(judge_damage(&s, &l, slot + i), HS_ECORRUPT);
	for (size_t i = 12; i < 24; i++)	/* crc, key */
		CU_ASSERT_EQUAL(judge_damage(&s, &l, slot + i), HS_ECORRUPT);
	CU_ASSERT_EQUAL(judge_damage(&s, &l, slot + 31), HS_ECORRUPT);
	for (size_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(judge_damage(&s, &l, bytes + i), HS_ECORRUPT);
	close_store(s, &l);
}

HS_SUITE(state_store, HS_TEST(records_are_as_a_table_has_them),
    HS_TEST(the_same_again_writes_nothing),
    HS_TEST(without_memory_the_old_record_stays), HS_TEST(damage_is_found))
