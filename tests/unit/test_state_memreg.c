/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/why.h"
#include "state/memreg.h"
#include "tests/unit/state_store.h"
#include "tests/unit/suite.h"

#define AREA_BYTES 3000

static uint8_t one[AREA_BYTES], two[AREA_BYTES];

/* The process ends: what it registered is gone, the records are not. */
static void
lose_process(struct hs_store *s)
{
	struct hs_mem_area a;

	hs_memreg_section.forget();
	while (hs_memreg_show(NULL, 0, &a) == 0)
		CU_ASSERT_EQUAL(hs_memreg_del(NULL, a.name), 0);
	CU_ASSERT_EQUAL(hs_memreg_show(s, 0, &a), 0);
	CU_ASSERT_PTR_NULL(a.ptr);
}

static void
lose_records(struct hs_store *s)
{
	struct hs_mem_area a;

	while (hs_memreg_show(s, 0, &a) == 0)
		CU_ASSERT_EQUAL(hs_memreg_del(s, a.name), 0);
}

static void
checkpoint(struct hs_store *s)
{
	CU_ASSERT_EQUAL(hs_memreg_section.query(s), 0);
}

static void
content_comes_back_by_name(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	uint8_t *other = malloc(AREA_BYTES);

	memset(one, 1, sizeof(one));
	memset(two, 2, sizeof(two));
	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, sizeof(one)), HS_FRESH);
	CU_ASSERT_EQUAL(hs_memreg_add(s, "two", two, 77), HS_FRESH);
	one[2999] = 9;
	two[76] = 8;
	two[77] = 7; /* not of the area */
	checkpoint(s);
	one[0] = 5; /* after the checkpoint: lost */
	lose_process(s);
	memset(two, 0, sizeof(two));
	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", other, AREA_BYTES),
	    HS_RESTORED);
	CU_ASSERT_EQUAL(hs_memreg_add(s, "two", two, 77), HS_RESTORED);
	CU_ASSERT_EQUAL(other[0], 1);
	CU_ASSERT_EQUAL(other[2998], 1);
	CU_ASSERT_EQUAL(other[2999], 9);
	CU_ASSERT_EQUAL(two[75], 2);
	CU_ASSERT_EQUAL(two[76], 8);
	CU_ASSERT_EQUAL(two[77], 0);
	/* And goes on. */
	other[7] = 77;
	checkpoint(s);
	lose_process(s);
	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, AREA_BYTES), HS_RESTORED);
	CU_ASSERT_EQUAL(one[7], 77);
	free(other);
	lose_records(s);
	state_store_close(s, &l);
}

/* B2 */
static void
what_waits_is_filled_by_the_restore(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);

	CU_ASSERT_FALSE(hs_memreg_waits());
	memset(one, 3, sizeof(one));
	CU_ASSERT_EQUAL(hs_memreg_add(NULL, "one", one, sizeof(one)), HS_FRESH);
	CU_ASSERT_TRUE(hs_memreg_waits());
	CU_ASSERT_EQUAL(hs_memreg_bind(s), 0);
	CU_ASSERT_FALSE(hs_memreg_waits());
	checkpoint(s);
	lose_process(s);

	memset(one, 0, sizeof(one));
	CU_ASSERT_EQUAL(hs_memreg_add(NULL, "one", one, sizeof(one)), HS_FRESH);
	CU_ASSERT_EQUAL(hs_memreg_add(NULL, "new", two, sizeof(two)), HS_FRESH);
	CU_ASSERT_EQUAL(hs_memreg_section.restore(s), 0);
	CU_ASSERT_EQUAL(one[0], 3);
	CU_ASSERT_EQUAL(one[2999], 3);
	/* Of the new one the image knows nothing. */
	CU_ASSERT_TRUE(hs_memreg_waits());
	CU_ASSERT_EQUAL(hs_memreg_bind(s), 0);
	CU_ASSERT_FALSE(hs_memreg_waits());
	lose_records(s);
	state_store_close(s, &l);
}

/* A copy of another length is not cut to fit. */
static void
another_length_is_refused(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);

	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, 100), HS_FRESH);
	checkpoint(s);
	lose_process(s);
	memset(one, 6, sizeof(one));
	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, 101), HS_EINCOMPATIBLE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(),
	    "\"one\" has 101 bytes here and 100 in the checkpoint"));
	CU_ASSERT_EQUAL(one[0], 6);
	CU_ASSERT_EQUAL(hs_memreg_add(NULL, "one", one, 99), HS_FRESH);
	CU_ASSERT_EQUAL(hs_memreg_section.restore(s), HS_EINCOMPATIBLE);
	CU_ASSERT_EQUAL(one[0], 6);
	lose_records(s);
	state_store_close(s, &l);
}

/* B3 */
static void
what_nobody_claims_goes_on(void)
{
	struct hs_mem_area a;
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);

	memset(one, 4, sizeof(one));
	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, sizeof(one)), HS_FRESH);
	CU_ASSERT_EQUAL(hs_memreg_add(s, "two", two, sizeof(two)), HS_FRESH);
	checkpoint(s);
	for (int i = 0; i < 3; i++) {
		lose_process(s);
		CU_ASSERT_EQUAL(hs_memreg_section.restore(s), 0);
		CU_ASSERT_EQUAL(hs_memreg_add(s, "two", two, sizeof(two)),
		    HS_RESTORED);
		memset(one, 0, sizeof(one));
		checkpoint(s);
		CU_ASSERT_EQUAL(hs_memreg_show(s, 0, &a), 0);
		CU_ASSERT_STRING_EQUAL(a.name, "two");
		CU_ASSERT_PTR_EQUAL(a.ptr, two);
		CU_ASSERT_EQUAL(hs_memreg_show(s, 1, &a), 0);
		CU_ASSERT_STRING_EQUAL(a.name, "one");
		CU_ASSERT_PTR_NULL(a.ptr);
		CU_ASSERT_EQUAL(a.len, sizeof(one));
		CU_ASSERT_EQUAL(hs_memreg_show(s, 2, &a), -ENOENT);
	}
	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, sizeof(one)), HS_RESTORED);
	CU_ASSERT_EQUAL(one[2999], 4);
	lose_records(s);
	state_store_close(s, &l);
}

static void
a_question_tells_what_is_dirty(void)
{
	struct hs_mem_area a = { .dirty_bytes = 1 };
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);

	CU_ASSERT_EQUAL(hs_memreg_show(s, 0, &a), -ENOENT);
	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, sizeof(one)), HS_FRESH);
	CU_ASSERT_EQUAL(hs_memreg_show(s, 0, &a), 0);
	CU_ASSERT_EQUAL(a.dirty_bytes, 0);
	one[5]++;
	one[2000]++;
	CU_ASSERT_EQUAL(hs_memreg_show(s, 0, &a), 0);
	CU_ASSERT_EQUAL(a.dirty_bytes, 2);
	CU_ASSERT_EQUAL(a.len, sizeof(one));
	checkpoint(s);
	CU_ASSERT_EQUAL(hs_memreg_show(s, 0, &a), 0);
	CU_ASSERT_EQUAL(a.dirty_bytes, 0);
	lose_records(s);
	state_store_close(s, &l);
}

static void
expect_refused(struct hs_store *s, const char *name, void *p, size_t len,
    const char *why)
{
	struct hs_mem_area a;

	CU_ASSERT_EQUAL(hs_memreg_add(s, name, p, len), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), why));
	CU_ASSERT_EQUAL(hs_memreg_show(s, 1, &a), -ENOENT);
}

static void
what_makes_no_sense_is_refused(void)
{
	static const char constant[4096] __attribute__((aligned(4096))) = "c";
	const char *const long_name = "12345678901234567890123456789012";
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	uint8_t *pages;

	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, sizeof(one)), HS_FRESH);
	expect_refused(s, NULL, two, 1, "a name has 1 to 31 bytes");
	expect_refused(s, "", two, 1, "a name has 1 to 31 bytes");
	expect_refused(s, long_name, two, 1, "a name has 1 to 31 bytes");
	expect_refused(s, "a\nb", two, 1, "a name has 1 to 31 bytes");
	expect_refused(s, "one", two, 1, "\"one\" is registered already");
	expect_refused(s, "two", one + 2999, 9, "overlaps \"one\"");
	expect_refused(s, "two", one, 1, "overlaps \"one\"");
	expect_refused(s, "two", one + 1, 1, "overlaps \"one\"");
	expect_refused(s, "two", NULL, 1, "is no memory");
	expect_refused(s, "two", two, 0, "is no memory");
	expect_refused(s, "two", two, SIZE_MAX, "is no memory");
	expect_refused(s, "two", (void *)(uintptr_t)constant, 4096,
	    "cannot be written");

	/* The second page of three. */
	pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(pages, MAP_FAILED);
	CU_ASSERT_EQUAL(mprotect(pages + 4096, 4096, PROT_READ), 0);
	expect_refused(s, "two", pages + 4000, 4000, "cannot be written");
	CU_ASSERT_EQUAL(munmap(pages + 4096, 4096), 0);
	expect_refused(s, "two", pages, 3 * 4096, "has no memory");
	CU_ASSERT_EQUAL(munmap(pages, 3 * 4096), 0);
	expect_refused(s, "two", pages, 1, "has no memory");
	/* Side by side is no overlap; 31 bytes and UTF-8 make names. */
	CU_ASSERT_EQUAL(hs_memreg_del(s, "one"), 0);
	CU_ASSERT_EQUAL(hs_memreg_add(s, "\xc3\xa4rea", two, 1000), HS_FRESH);
	CU_ASSERT_EQUAL(hs_memreg_add(s, long_name + 1, two + 1000, 1000),
	    HS_FRESH);
	lose_records(s);
	state_store_close(s, &l);
}

static void
there_is_a_most(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	char name[16];

	for (int i = 0; i < HS_MEMREG_MAX; i++) {
		(void)snprintf(name, sizeof(name), "area %d", i);
		CU_ASSERT_EQUAL(hs_memreg_add(s, name, one + i, 1), HS_FRESH);
	}
	CU_ASSERT_EQUAL(hs_memreg_add(s, "more", two, 1), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_why_line(), "256 areas"));
	/* Numbers that became free are used again. */
	CU_ASSERT_EQUAL(hs_memreg_del(s, "area 7"), 0);
	CU_ASSERT_EQUAL(hs_memreg_del(s, "area 7"), -ENOENT);
	CU_ASSERT_EQUAL(hs_memreg_add(s, "more", two, 1), HS_FRESH);
	lose_records(s);
	state_store_close(s, &l);
}

/* Every byte that is said; the shadow itself is compared with the memory. */
static void
a_damaged_record_is_refused(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	struct hs_store_rec rec;
	uint8_t good[56], bad[56];

	CU_ASSERT_EQUAL(hs_memreg_add(s, "one", one, 100), HS_FRESH);
	CU_ASSERT_EQUAL_FATAL(hs_store_get(s, HS_STORE_MEMORY, 0, &rec), 0);
	CU_ASSERT_EQUAL_FATAL(rec.len, sizeof(good));
	memcpy(good, rec.bytes, sizeof(good));
	lose_process(s);
	for (size_t i = 0; i < sizeof(good); i++) {
		if (i >= 8 && i < 12)
			continue; /* another name is a name */
		if (i >= 40 && i < 48)
			continue; /* a length is judged by the area's */
		if (i >= 48)
			continue; /* malloc() knows no bounds */
		memcpy(bad, good, sizeof(bad));
		bad[i] ^= 0x81;
		CU_ASSERT_EQUAL(hs_store_put(s, HS_STORE_MEMORY, 0, bad,
				    sizeof(bad)),
		    0);
		CU_ASSERT_EQUAL(hs_memreg_section.restore(s), HS_ECORRUPT);
	}
	CU_ASSERT_EQUAL(hs_store_put(s, HS_STORE_MEMORY, 0, good, 55), 0);
	CU_ASSERT_EQUAL(hs_memreg_section.restore(s), HS_ECORRUPT);
	CU_ASSERT_EQUAL(hs_store_put(s, HS_STORE_MEMORY, 0, good, 56), 0);
	CU_ASSERT_EQUAL(hs_memreg_section.restore(s), 0);
	lose_records(s);
	state_store_close(s, &l);
}

HS_SUITE(state_memreg, HS_TEST(content_comes_back_by_name),
    HS_TEST(what_waits_is_filled_by_the_restore),
    HS_TEST(another_length_is_refused), HS_TEST(what_nobody_claims_goes_on),
    HS_TEST(a_question_tells_what_is_dirty),
    HS_TEST(what_makes_no_sense_is_refused), HS_TEST(there_is_a_most),
    HS_TEST(a_damaged_record_is_refused))
