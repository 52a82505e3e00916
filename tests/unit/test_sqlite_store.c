/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hotspare/hs.h>

#include "examples/sqlite/store.h"
#include "tests/unit/sqlite_tools.h"
#include "tests/unit/suite.h"

#define FILE_MAX ((size_t)5 * STORE_CHUNK_BYTES)

static struct store *
fresh_store(size_t arena_bytes)
{
	struct hs_options opt = HS_OPTIONS;
	struct store *s = NULL;

	tools = (struct tools){ .cpt_rc = 1, .fail_after = -1 };
	opt.arena_bytes = arena_bytes;
	CU_ASSERT_EQUAL_FATAL(hsinit(&opt), HS_FRESH);
	CU_ASSERT_EQUAL_FATAL(store_open(&s), 0);
	return s;
}

static struct store_file *
fresh_file(struct store *s, const char *name)
{
	struct store_file *f = NULL;

	CU_ASSERT_EQUAL_FATAL(store_create(s, name, &f), 0);
	return f;
}

/* One random call, to f and to the plain bytes that it is to be like. */
static void
step(struct hs_random *r, struct store_file *f, uint8_t *want, size_t *size)
{
	static uint8_t buf[2 * STORE_CHUNK_BYTES];
	size_t off = hs_random_below(r, FILE_MAX);
	size_t n = hs_random_below(r, sizeof(buf));
	size_t there;

	if (n > FILE_MAX - off)
		n = FILE_MAX - off;
	switch (hs_random_below(r, 8)) {
	case 0:
		CU_ASSERT_EQUAL(store_resize(f, off), 0);
		if (off > *size)
			memset(want + *size, 0, off - *size);
		*size = off;
		break;
	case 1:
	case 2:
	case 3:
		hs_random_fill(r, buf, n);
		CU_ASSERT_EQUAL(store_write(f, buf, n, off), 0);
		if (n > 0 && off > *size)
			memset(want + *size, 0, off - *size);
		memcpy(want + off, buf, n);
		if (n > 0 && off + n > *size)
			*size = off + n;
		break;
	default:
		there = off >= *size ? 0 : *size - off;
		there = there < n ? there : n;
		CU_ASSERT_EQUAL(store_read(f, buf, n, off), there);
		CU_ASSERT_EQUAL(memcmp(buf, want + off, there), 0);
	}
	CU_ASSERT_EQUAL(store_size(f), *size);
}

static void
file_is_like_plain_bytes(void)
{
	struct store *s = fresh_store((size_t)64 << 20);
	struct store_file *f = fresh_file(s, "a");
	uint8_t *want = calloc(1, FILE_MAX);
	struct hs_random r;
	size_t size = 0;
	int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(want);
	hs_random_init(&r);
	for (i = 0; i < 1000; i++)
		step(&r, f, want, &size);
	free(want);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

/* 40 MiB twenty times over, in 64 MiB. */
static void
what_is_cut_off_can_be_used_again(void)
{
	struct store *s = fresh_store((size_t)64 << 20);
	struct store_file *f = fresh_file(s, "a"), *g = fresh_file(s, "b");
	int i;

	for (i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(store_resize(f, 40 << 20), 0);
		CU_ASSERT_EQUAL(store_resize(g, 40 << 20), HS_EARENA);
		CU_ASSERT_EQUAL(store_size(g), 0);
		CU_ASSERT_EQUAL(store_resize(f, 10), 0);
		CU_ASSERT_EQUAL(store_resize(g, 40 << 20), 0);
		store_unname(g);
		store_drop(s, g);
		g = fresh_file(s, "b");
	}
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
write_that_finds_no_room_changes_nothing(void)
{
	struct store *s = fresh_store((size_t)64 << 20);
	struct store_file *f = fresh_file(s, "a");
	static uint8_t buf[3 * STORE_CHUNK_BYTES];
	uint8_t back[4];
	int n;

	CU_ASSERT_EQUAL(store_write(f, "abcd", 4, 0), 0);
	for (n = 0; n < 3; n++) {
		tools.fail_after = n % 2;
		CU_ASSERT_EQUAL(store_write(f, buf, sizeof(buf), 2), HS_EARENA);
		CU_ASSERT_EQUAL(store_resize(f, sizeof(buf) * 4), HS_EARENA);
	}
	tools.fail_after = -1;
	CU_ASSERT_EQUAL(store_size(f), 4);
	CU_ASSERT_EQUAL(store_read(f, back, 4, 0), 4);
	CU_ASSERT_EQUAL(memcmp(back, "abcd", 4), 0);
	CU_ASSERT_EQUAL(store_write(f, buf, 1, STORE_FILE_BYTES), -EFBIG);
	CU_ASSERT_EQUAL(store_resize(f, STORE_FILE_BYTES + 1), -EFBIG);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
names_are_found_and_free_again(void)
{
	struct store *s = fresh_store((size_t)64 << 20), *again;
	struct store_file *a = fresh_file(s, "a"), *b = fresh_file(s, "b");
	char name[STORE_NAME_BYTES + 1];

	CU_ASSERT_PTR_EQUAL(store_find(s, "a"), a);
	CU_ASSERT_PTR_EQUAL(store_find(s, "b"), b);
	CU_ASSERT_PTR_NULL(store_find(s, "c"));
	memset(name, 'x', sizeof(name));
	name[STORE_NAME_BYTES] = '\0';
	CU_ASSERT_EQUAL(store_create(s, name, &a), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(store_create(s, "", &a), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(store_write(a, "x", 1, 0), 0);
	store_unname(a);
	CU_ASSERT_PTR_NULL(store_find(s, "a"));
	CU_ASSERT_EQUAL(store_size(a), 1);
	CU_ASSERT_PTR_EQUAL(store_next(s, NULL), b);
	CU_ASSERT_PTR_NULL(store_next(s, b));
	/* As a spare does, where nobody has it open: F3. */
	CU_ASSERT_EQUAL(store_open(&again), 0);
	CU_ASSERT_PTR_EQUAL(again, s);
	CU_ASSERT_EQUAL(hsfree(a), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
store_of_another_version_is_refused(void)
{
	struct store *s = fresh_store((size_t)64 << 20);

	*(uint64_t *)(void *)s += 1;
	CU_ASSERT_EQUAL(store_open(&s), HS_EINCOMPATIBLE);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

HS_SUITE(sqlite_store, HS_TEST(file_is_like_plain_bytes),
    HS_TEST(what_is_cut_off_can_be_used_again),
    HS_TEST(write_that_finds_no_room_changes_nothing),
    HS_TEST(names_are_found_and_free_again),
    HS_TEST(store_of_another_version_is_refused))
