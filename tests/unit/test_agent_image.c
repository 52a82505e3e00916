/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/image.h"
#include "base/fault.h"
#include "tests/unit/agent_chunks.h"

#define PAGE HS_MSG_PAGE_BYTES
#define NPAGES 150
#define ROUNDS 300

static struct hs_image *
create(void)
{
	struct hs_image *im = NULL;

	CU_ASSERT_EQUAL_FATAL(hs_image_create(&im, CHUNKS_BASE,
				  (uint64_t)NPAGES * PAGE),
	    0);
	return im;
}

/* One page's new content, as a primary without a twin sends it. */
static void
write_page(struct hs_image *im, uint32_t page, const uint8_t *bytes)
{
	struct hs_rec r = { .kind = HS_REC_PAGE,
		.page = page,
		.bytes = bytes,
		.len = PAGE };

	CU_ASSERT_EQUAL_FATAL(hs_image_prepare(im, &r), 0);
	hs_image_apply(im, &r);
}

static void
geometries_that_cannot_be(void)
{
	struct hs_image *im = NULL;

	CU_ASSERT_EQUAL(hs_image_create(&im, 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(hs_image_create(&im, 0, PAGE + 1), -EINVAL);
	CU_ASSERT_EQUAL(hs_image_create(&im, 0, (uint64_t)PAGE << 32), -EINVAL);
	CU_ASSERT_PTR_NULL(im);
}

static void
a_new_image_is_zero_and_takes_no_memory(void)
{
	struct hs_image *im = create();
	uint32_t page;

	CU_ASSERT_FALSE(hs_image_next(im, 0, &page));
	CU_ASSERT_EQUAL(hs_image_resident(im), 0);
	CU_ASSERT_EQUAL(hs_image_used(im), 0);
	CU_ASSERT_EQUAL(hs_image_base(im), CHUNKS_BASE);
	CU_ASSERT_EQUAL(hs_image_page(im, NPAGES - 1)[PAGE - 1], 0);
	hs_image_destroy(im);
}

/* Its size is sealed: a mapping of it never meets SIGBUS. */
static void
nobody_can_resize_it(void)
{
	struct hs_image *im = create();
	int fd = hs_image_fd(im);

	CU_ASSERT_EQUAL(ftruncate(fd, PAGE), -1);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)(NPAGES + 1) * PAGE), -1);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_END), (off_t)NPAGES * PAGE);
	hs_image_destroy(im);
}

static void
used_only_grows(void)
{
	struct hs_image *im = create();

	hs_image_set_used(im, 5 * PAGE);
	hs_image_set_used(im, 3 * PAGE);
	CU_ASSERT_EQUAL(hs_image_used(im), 5 * PAGE);
	hs_image_set_used(im, (uint64_t)NPAGES * PAGE);
	CU_ASSERT_EQUAL(hs_image_used(im), (uint64_t)NPAGES * PAGE);
	hs_image_destroy(im);
}

/* All that can fail is in prepare; only it takes memory (M3). */
static void
prepare_takes_the_memory(void)
{
	static const uint8_t bytes[PAGE] = { 1 };
	struct hs_rec r = { .kind = HS_REC_PAGE, .page = 9, .bytes = bytes };
	struct hs_image *im = create();
	uint32_t page = 0;

	CU_ASSERT_EQUAL(hs_image_prepare(im, &r), 0);
	CU_ASSERT_EQUAL(hs_image_resident(im), PAGE);
	CU_ASSERT_EQUAL(hs_image_page(im, 9)[0], 0); /* M1: not yet */
	CU_ASSERT_EQUAL(hs_image_prepare(im, &r), 0);
	CU_ASSERT_EQUAL(hs_image_resident(im), PAGE);
	r.kind = HS_REC_ZERO;
	r.page = 20;
	r.count = 100;
	CU_ASSERT_EQUAL(hs_image_prepare(im, &r), 0);
	hs_image_apply(im, &r);
	CU_ASSERT_EQUAL(hs_image_resident(im), PAGE); /* zero it was */
	CU_ASSERT_TRUE(hs_image_next(im, 0, &page));
	CU_ASSERT_EQUAL(page, 9);
	CU_ASSERT_FALSE(hs_image_next(im, 10, &page));
	hs_image_destroy(im);
}

static void
next_finds_each_page_once(void)
{
	static const uint32_t want[] = { 0, 63, 64, 127, 128, NPAGES - 1 };
	static const uint8_t bytes[PAGE] = { 7 };
	struct hs_image *im = create();
	uint32_t page = 0;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		write_page(im, want[i], bytes);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++, page++) {
		CU_ASSERT_TRUE(hs_image_next(im, page, &page));
		CU_ASSERT_EQUAL(page, want[i]);
	}
	CU_ASSERT_FALSE(hs_image_next(im, page, &page));
	CU_ASSERT_FALSE(hs_image_next(im, UINT32_MAX, &page));
	hs_image_destroy(im);
}

/*
 * A restored service maps the image privately: a page that it wrote is its
 * own, and what else it sees is the image (M2).
 */
static void
a_mapping_keeps_what_was_written_to_it(void)
{
	static uint8_t bytes[PAGE];
	struct hs_image *im = create();
	uint8_t *map;

	memset(bytes, 5, sizeof(bytes));
	write_page(im, 3, bytes);
	memset(bytes, 0, sizeof(bytes));
	write_page(im, 4, bytes);
	map = mmap(NULL, (size_t)NPAGES * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE, hs_image_fd(im), 0);
	CU_ASSERT_NOT_EQUAL_FATAL(map, MAP_FAILED);
	map[3 * PAGE] = 9; /* the service's own copy from here on */
	hs_image_clear(im, 0, NPAGES);
	CU_ASSERT_EQUAL(map[3 * PAGE], 9);
	CU_ASSERT_EQUAL(map[3 * PAGE + 1], 5);
	CU_ASSERT_EQUAL(hs_image_page(im, 3)[1], 0);
	CU_ASSERT_EQUAL(map[4 * PAGE], 0);
	munmap(map, (size_t)NPAGES * PAGE);
	hs_image_destroy(im);
}

struct told {
	uint32_t page[16];
	uint8_t first[16];
	unsigned n;
};

static void
note_change(void *arg, uint32_t page, const uint8_t *old)
{
	struct told *t = arg;

	if (t->n == 16)
		abort();
	t->page[t->n] = page;
	t->first[t->n++] = old[0];
}

static void
changes_are_told_before_they_happen(void)
{
	static uint8_t bytes[PAGE];
	struct hs_image *im = create();
	struct told t = { .n = 0 };

	bytes[0] = 1;
	write_page(im, 7, bytes);
	write_page(im, 8, bytes);
	hs_image_on_change(im, note_change, &t);
	bytes[0] = 2;
	write_page(im, 7, bytes);
	write_page(im, 9, bytes);
	hs_image_clear(im, 0, NPAGES);
	hs_image_clear(im, 0, NPAGES); /* zero already: nothing to tell */
	CU_ASSERT_EQUAL_FATAL(t.n, 5);
	CU_ASSERT_EQUAL(t.page[0], 7);
	CU_ASSERT_EQUAL(t.first[0], 1);
	CU_ASSERT_EQUAL(t.page[1], 9);
	CU_ASSERT_EQUAL(t.first[1], 0);
	CU_ASSERT_EQUAL(t.page[2], 7);
	CU_ASSERT_EQUAL(t.first[2], 2);
	CU_ASSERT_EQUAL(t.page[3], 8);
	CU_ASSERT_EQUAL(t.page[4], 9);
	hs_image_destroy(im);
}

/* Each record of a random epoch, against a plain array. */
static void
random_records_make_what_they_say(void)
{
	static uint8_t was[NPAGES * PAGE], now[NPAGES * PAGE];
	struct hs_image *im = create();
	struct hs_random r;

	hs_random_init(&r);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t page = (uint32_t)hs_random_below(&r, NPAGES);
		size_t at = (size_t)page * PAGE;
		static uint8_t buf[HS_REC_PAGE_BYTES];
		struct hs_rec_wr w = { buf, sizeof(buf) };
		struct hs_rec rec = { .kind = HS_REC_ZERO,
			.page = page,
			.count = 1 };
		int wrote;

		if (hs_random_below(&r, 4) == 0)
			memset(now + at, 0, PAGE);
		else
			hs_random_fill(&r,
			    now + at + hs_random_below(&r, PAGE - 32), 32);
		CU_ASSERT_EQUAL(hs_rec_put_diff(&w, page, was + at, now + at,
				    &wrote),
		    0);
		if (!wrote)
			continue;
		if (buf[0] != HS_REC_ZERO) {
			rec.kind = (enum hs_rec_kind)buf[0];
			rec.bytes = buf + 5;
			rec.len = (size_t)(w.p - buf) - 5;
			rec.count = (uint32_t)(buf[5] | buf[6] << 8);
			if (rec.kind == HS_REC_DELTA) {
				rec.bytes += 2;
				rec.len -= 2;
			}
		}
		CU_ASSERT_EQUAL_FATAL(hs_image_prepare(im, &rec), 0);
		hs_image_apply(im, &rec);
		memcpy(was + at, now + at, PAGE);
	}
	for (uint32_t i = 0; i < NPAGES; i++)
		CU_ASSERT_EQUAL(memcmp(hs_image_page(im, i),
				    now + (size_t)i * PAGE, PAGE),
		    0);
	hs_image_destroy(im);
}

#ifdef HS_FAULTS
static void
what_fails_changes_nothing(void)
{
	static const uint8_t bytes[PAGE] = { 1 };
	struct hs_rec r = { .kind = HS_REC_PAGE, .page = 9, .bytes = bytes };
	struct hs_image *im = NULL;

	hs_fault_arm(HS_FAULT_MEMFD_CREATE, 1);
	CU_ASSERT_EQUAL(hs_image_create(&im, CHUNKS_BASE, PAGE), -ENOMEM);
	CU_ASSERT_PTR_NULL(im);
	im = create();
	hs_fault_arm(HS_FAULT_IMAGE_FALLOCATE, 1);
	CU_ASSERT_EQUAL(hs_image_prepare(im, &r), -ENOSPC);
	CU_ASSERT_EQUAL(hs_image_resident(im), 0);
	CU_ASSERT_EQUAL(hs_image_prepare(im, &r), 0);
	hs_image_destroy(im);
}
#else
static void
what_fails_changes_nothing(void)
{
}
#endif

HS_SUITE(agent_image, HS_TEST(geometries_that_cannot_be),
    HS_TEST(a_new_image_is_zero_and_takes_no_memory),
    HS_TEST(nobody_can_resize_it), HS_TEST(used_only_grows),
    HS_TEST(prepare_takes_the_memory), HS_TEST(next_finds_each_page_once),
    HS_TEST(a_mapping_keeps_what_was_written_to_it),
    HS_TEST(changes_are_told_before_they_happen),
    HS_TEST(random_records_make_what_they_say),
    HS_TEST(what_fails_changes_nothing))
