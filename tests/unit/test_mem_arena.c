/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/arena.h"
#include "mem/layout.h"
#include "mem/slab.h"
#include "tests/unit/suite.h"

#define MIB ((size_t)1 << 20)
#define PAGE HS_ARENA_PAGE_BYTES

static char why[256];

static struct hs_arena *
create_arena(size_t bytes)
{
	struct hs_arena_geometry g = { HS_ARENA_DEFAULT_BASE, bytes };
	struct hs_arena *a = NULL;

	CU_ASSERT_EQUAL_FATAL(hs_arena_create(&a, &g, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL_FATAL(hs_arena_format(a), 0);
	return a;
}

static void
expect_sound(struct hs_arena *a)
{
	int rc = hs_arena_check(a, why, sizeof(why));

	if (rc < 0)
		printf("\n%s\n", why);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
}

/* Its records and its image, as a spare would hold them. */
static int
copy_image(struct hs_arena *a)
{
	size_t used = hs_arena_used(a), off = 0;
	int fd = memfd_create("image", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)used), 0);
	while (off < used) {
		ssize_t n = pwrite(fd, (uint8_t *)hs_arena_base(a) + off,
		    used - off, (off_t)off);

		CU_ASSERT_FATAL(n > 0);
		off += (size_t)n;
	}
	return fd;
}

/* ---- random operations against a model ---- */

enum {
	LIVE = 600
};

struct object {
	uint8_t *p;
	size_t len;
	size_t align;
	uint8_t byte;
};

static size_t
random_len(struct hs_random *r)
{
	switch (hs_random_below(r, 20)) {
	case 0:
		return 0;
	case 1:
		return hs_random_below(r, 4 * MIB);
	case 2:
	case 3:
		return hs_random_below(r, 200000);
	case 4:
	case 5:
		return hs_random_below(r, 20000);
	default:
		return hs_random_below(r, 700);
	}
}

static size_t
count_other_bytes(const struct object *o, size_t len)
{
	size_t i, wrong = 0;

	for (i = 0; i < len; i++)
		wrong += o->p[i] != o->byte;
	return wrong;
}

static void
expect_apart(const struct object *all, const struct object *o)
{
	const struct object *i;

	for (i = all; i < all + LIVE; i++)
		if (i != o && i->p != NULL)
			CU_ASSERT(
			    i->p + i->len <= o->p || o->p + o->len <= i->p);
}

static void
alloc_object(struct hs_arena *a, struct hs_random *r, struct object *all,
    struct object *o)
{
	bool zero = hs_random_below(r, 2) == 0;
	void *p = NULL;

	o->len = random_len(r);
	o->align = (size_t)16
	    << (hs_random_below(r, 8) == 0 ? hs_random_below(r, 13) : 0);
	if (hs_arena_alloc(a, o->align, o->len, zero, &p) == HS_EARENA) {
		o->p = NULL;
		return;
	}
	o->p = p;
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL((uintptr_t)p % o->align, 0);
	CU_ASSERT(hs_arena_usable(a, p) >= o->len);
	expect_apart(all, o);
	if (zero) {
		o->byte = 0;
		CU_ASSERT_EQUAL(count_other_bytes(o, o->len), 0);
	}
	o->byte = (uint8_t)hs_random_below(r, 256);
	memset(o->p, o->byte, o->len);
}

static void
realloc_object(struct hs_arena *a, struct hs_random *r, struct object *all,
    struct object *o)
{
	size_t len = random_len(r);
	void *p = NULL;
	int rc = hs_arena_realloc(a, o->p, len, &p);

	if (rc == HS_EARENA) {
		CU_ASSERT(len > o->len);	/* to shrink cannot fail */
		CU_ASSERT_EQUAL(count_other_bytes(o, o->len), 0);
		return;
	}
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	o->p = p;
	CU_ASSERT_EQUAL(count_other_bytes(o, len < o->len ? len : o->len), 0);
	o->len = len;
	CU_ASSERT(hs_arena_usable(a, p) >= len);
	expect_apart(all, o);
	memset(o->p, o->byte, len);
}

static void
free_object(struct hs_arena *a, struct object *o)
{
	CU_ASSERT_EQUAL(count_other_bytes(o, o->len), 0);
	CU_ASSERT_EQUAL(hs_arena_free(a, o->p), 0);
	CU_ASSERT_EQUAL(hs_arena_free(a, o->p), HS_EMISUSE);
	o->p = NULL;
}

static void
operate(struct hs_arena *a, struct hs_random *r, struct object *all, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct object *o = &all[hs_random_below(r, LIVE)];

		if (o->p == NULL)
			alloc_object(a, r, all, o);
		else if (hs_random_below(r, 3) == 0)
			realloc_object(a, r, all, o);
		else
			free_object(a, o);
		if (i % 64 == 0)
			expect_sound(a);
	}
}

/* Everything freed is one free run again, but for one slab a class. */
static void
random_operations_equal_a_model(void)
{
	struct object *all = calloc(LIVE, sizeof(*all)), *o;
	struct hs_arena *a = create_arena(256 * MIB);
	struct hs_random r;

	hs_random_init(&r);
	operate(a, &r, all, 12000);
	for (o = all; o < all + LIVE; o++)
		if (o->p != NULL)
			free_object(a, o);
	expect_sound(a);
	hs_arena_destroy(a);
	free(all);
}

static void
a_restored_arena_goes_on(void)
{
	struct object *all = calloc(LIVE, sizeof(*all)), *o;
	struct hs_arena_geometry g = { HS_ARENA_DEFAULT_BASE, 256 * MIB };
	struct hs_arena *a = create_arena(g.bytes);
	size_t used;
	struct hs_random r;
	void *p = NULL;
	int fd, round;

	hs_random_init(&r);
	for (round = 0; round < 3; round++) {
		operate(a, &r, all, 1500);
		for (o = all; o->p == NULL; o++)
			;
		CU_ASSERT_EQUAL(hs_arena_root_set(a, "first", o->p), 0);
		fd = copy_image(a);
		used = hs_arena_used(a);
		hs_arena_destroy(a);
		CU_ASSERT_EQUAL_FATAL(hs_arena_create(&a, &g, why, sizeof(why)),
		    0);
		CU_ASSERT_EQUAL_FATAL(hs_arena_restore(a, fd, used), 0);
		(void)close(fd);
		CU_ASSERT_EQUAL(hs_arena_used(a), used);
		expect_sound(a);
		CU_ASSERT_EQUAL(hs_arena_root_get(a, "first", &p), 0);
		CU_ASSERT_PTR_EQUAL(p, o->p);
		for (o = all; o < all + LIVE; o++)
			if (o->p != NULL)
				CU_ASSERT_EQUAL(count_other_bytes(o, o->len),
				    0);
	}
	operate(a, &r, all, 1500);
	hs_arena_destroy(a);
	free(all);
}

/* ---- misuse ---- */

static void
misuse_is_told_and_changes_nothing(void)
{
	struct hs_arena *a = create_arena(64 * MIB);
	uint8_t *base = hs_arena_base(a), local;
	void *small = NULL, *large = NULL, *slab4 = NULL, *out = &local;
	size_t i;

	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 48, false, &small), 0);
	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 50000, false, &large), 0);
	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 4000, false, &slab4), 0);
	void *const bad[] = {
		&local,				/* foreign */
		(void *)(uintptr_t)16, base - 1, base + 64 * MIB,
		base,				/* the header */
		base + PAGE,			/* the directory */
		base + 5 * PAGE,		/* a leaf */
		(uint8_t *)small + 1,		/* interior, odd */
		(uint8_t *)small + 16,		/* interior */
		(uint8_t *)small + 48,		/* a free slot */
		(uint8_t *)small + 85 * 48,	/* the rest of its page */
		(uint8_t *)large + 16,
		(uint8_t *)large + PAGE,	/* a page inside a run */
		(uint8_t *)large + 12 * PAGE,	/* its last page */
		(uint8_t *)slab4 + PAGE / 2,	/* interior of a long slab */
		base + hs_arena_used(a) - PAGE,	/* the last free page */
		base + hs_arena_used(a) + PAGE,	/* not in use */
	};
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(hs_arena_free(a, bad[i]), HS_EMISUSE);
		CU_ASSERT_EQUAL(hs_arena_usable(a, bad[i]), 0);
		CU_ASSERT_EQUAL(hs_arena_realloc(a, bad[i], 100, &out),
		    HS_EMISUSE);
	}
	CU_ASSERT_PTR_EQUAL(out, &local);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, 24, 10, false, &out), -EINVAL);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, 0, 10, false, &out), -EINVAL);
	expect_sound(a);
	CU_ASSERT_EQUAL(hs_arena_free(a, NULL), 0);
	CU_ASSERT_EQUAL(hs_arena_free(a, small), 0);
	CU_ASSERT_EQUAL(hs_arena_free(a, small), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_arena_free(a, large), 0);
	CU_ASSERT_EQUAL(hs_arena_free(a, large), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_arena_free(a, slab4), 0);
	expect_sound(a);
	hs_arena_destroy(a);
}

/* A head of a freed run that is inside a larger one is no allocation. */
static void
joined_runs_forget_their_heads(void)
{
	struct hs_arena *a = create_arena(64 * MIB);
	void *p[8], *all = NULL;
	size_t i;

	for (i = 0; i < 8; i++)
		CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 40000, false,
					  &p[i]),
		    0);
	for (i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(hs_arena_free(a, p[(i * 3) % 8]), 0);
	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 320000, false, &all), 0);
	CU_ASSERT_PTR_EQUAL(all, p[0]);
	for (i = 1; i < 8; i++)
		CU_ASSERT_EQUAL(hs_arena_free(a, p[i]), HS_EMISUSE);
	expect_sound(a);
	hs_arena_destroy(a);
}

/* ---- limits ---- */

static void
a_full_arena_says_so_and_recovers(void)
{
	struct hs_arena *a = create_arena(16 * MIB);
	void *p[400], *out = NULL;
	size_t n = 0, i;

	while (n < 400 && hs_arena_alloc(a, 16, 60000, false, &p[n]) == 0)
		n++;
	CU_ASSERT(n > 14 * MIB / 61440 - 4 && n < 400);
	CU_ASSERT_EQUAL(hs_arena_used(a), 16 * MIB);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, 16, 60000, false, &out), HS_EARENA);
	CU_ASSERT_EQUAL(hs_arena_realloc(a, p[3], 120000, &out), HS_EARENA);
	CU_ASSERT_EQUAL(hs_arena_realloc(a, p[3], 30000, &out), 0);
	CU_ASSERT_PTR_EQUAL(out, p[3]);
	expect_sound(a);
	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(hs_arena_free(a, p[i]), 0);
	expect_sound(a);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, 16, 14 * MIB, true, &out), 0);
	CU_ASSERT_EQUAL(*((uint8_t *)out + 14 * MIB - 1), 0);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, 16, SIZE_MAX - 100, false, &out),
	    HS_EARENA);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, (size_t)1 << 62, 16, false, &out),
	    HS_EARENA);
	hs_arena_destroy(a);
}

/* Past what the first extent's leaves describe, and past 4 GiB. */
static void
a_large_arena_gets_more_leaves(void)
{
	struct hs_arena *a = create_arena(9 * 1024 * MIB);
	void *p[40], *big = NULL;
	size_t i;

	for (i = 0; i < 40; i++)
		CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 100 * MIB, true,
					  &p[i]),
		    0);
	expect_sound(a);
	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 2 * MIB, 4500 * MIB, true,
				  &big),
	    0);
	CU_ASSERT_EQUAL((uintptr_t)big % (2 * MIB), 0);
	*((uint8_t *)big + 4500 * MIB - 1) = 1;
	for (i = 0; i < 40; i++)
		CU_ASSERT_EQUAL(hs_arena_free(a, p[i]), 0);
	expect_sound(a);
	CU_ASSERT_EQUAL(hs_arena_free(a, big), 0);
	expect_sound(a);
	hs_arena_destroy(a);
}

static int
refuse_growth(void *arg, size_t used_bytes)
{
	size_t *asked = arg;

	*asked = used_bytes;
	return -ENOSPC;
}

static int
allow_growth(void *arg, size_t used_bytes)
{
	size_t *asked = arg;

	CU_ASSERT(used_bytes > *asked);
	CU_ASSERT_EQUAL(used_bytes % HS_ARENA_EXTENT_BYTES, 0);
	*asked = used_bytes;
	return 0;
}

static void
growth_is_asked_for_first(void)
{
	struct hs_arena *a = create_arena(64 * MIB);
	size_t asked = 0, used = hs_arena_used(a);
	void *p = NULL;

	hs_arena_on_grow(a, refuse_growth, &asked);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, 16, 5 * MIB, false, &p), -ENOSPC);
	CU_ASSERT_PTR_NULL(p);
	CU_ASSERT_EQUAL(asked, used + 6 * MIB);
	CU_ASSERT_EQUAL(hs_arena_used(a), used);
	expect_sound(a);
	hs_arena_on_grow(a, allow_growth, &used);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, 16, 5 * MIB, false, &p), 0);
	CU_ASSERT_EQUAL(hs_arena_used(a), used);
	CU_ASSERT_EQUAL(hs_arena_realloc(a, p, 9 * MIB, &p), 0);
	CU_ASSERT_EQUAL(hs_arena_used(a), used);
	expect_sound(a);
	hs_arena_destroy(a);
}

static void
a_growing_vector_at_the_end_does_not_move(void)
{
	struct hs_arena *a = create_arena(64 * MIB);
	void *p = NULL, *q = NULL;
	size_t len;

	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 20000, false, &p), 0);
	for (len = 40000; len < 50 * MIB; len *= 2) {
		CU_ASSERT_EQUAL(hs_arena_realloc(a, p, len, &q), 0);
		CU_ASSERT_PTR_EQUAL(p, q);
	}
	expect_sound(a);
	hs_arena_destroy(a);
}

/* ---- classes ---- */

static void
classes_fit_their_rule(void)
{
	size_t len, pages, slots, want;
	unsigned i;

	for (len = 1; len <= HS_SLAB_MAX_BYTES; len++) {
		i = hs_slab_class(len);
		CU_ASSERT(i < HS_LAYOUT_CLASSES);
		CU_ASSERT(hs_slab_classes[i].bytes >= len);
		CU_ASSERT(i == 0 || hs_slab_classes[i - 1].bytes < len);
	}
	for (i = 0; i < HS_LAYOUT_CLASSES; i++) {
		const struct hs_slab_class *c = &hs_slab_classes[i];

		for (pages = 1; pages <= 8; pages++) {
			slots = pages * PAGE / c->bytes;
			want = pages * PAGE - slots * c->bytes;
			if (slots >= 4 && want * 8 <= pages * PAGE)
				break;
		}
		CU_ASSERT_EQUAL(c->npages, pages);
		CU_ASSERT_EQUAL(c->nslots, slots);
		CU_ASSERT(slots <= HS_LAYOUT_SLOTS);
		CU_ASSERT_EQUAL(c->bytes % 16, 0);
	}
}

/* Objects stay packed: 10000 of 48 bytes lie within one data extent. */
static void
small_objects_share_few_regions(void)
{
	struct hs_arena *a = create_arena(64 * MIB);
	uint8_t *low = NULL, *high = NULL;
	void *p;
	int i;

	for (i = 0; i < 10000; i++) {
		CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 48, false, &p), 0);
		if (low == NULL || (uint8_t *)p < low)
			low = p;
		if ((uint8_t *)p > high)
			high = p;
	}
	CU_ASSERT(high - low < 10000 * 52);
	hs_arena_destroy(a);
}

/* ---- roots ---- */

static void
roots_are_found_replaced_and_removed(void)
{
	struct hs_arena *a = create_arena(16 * MIB);
	char name[40];
	void *p = NULL, *q = NULL;
	int i;

	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16, 100, false, &p), 0);
	CU_ASSERT_EQUAL(hs_arena_root_get(a, "x", &q), -ENOENT);
	for (i = 0; i < HS_LAYOUT_ROOTS; i++) {
		(void)snprintf(name, sizeof(name), "root number %d", i);
		CU_ASSERT_EQUAL(hs_arena_root_set(a, name, (uint8_t *)p + i),
		    0);
	}
	CU_ASSERT_EQUAL(hs_arena_root_set(a, "one more", p), HS_EARENA);
	CU_ASSERT_EQUAL(hs_arena_root_set(a, "root number 9", p), 0);
	CU_ASSERT_EQUAL(hs_arena_root_get(a, "root number 9", &q), 0);
	CU_ASSERT_PTR_EQUAL(q, p);
	CU_ASSERT_EQUAL(hs_arena_root_set(a, "root number 5", NULL), 0);
	CU_ASSERT_EQUAL(hs_arena_root_get(a, "root number 5", &q), -ENOENT);
	memset(name, 'n', 31);
	name[31] = '\0';
	CU_ASSERT_EQUAL(hs_arena_root_set(a, name, p), 0);
	CU_ASSERT_EQUAL(hs_arena_root_get(a, name, &q), 0);
	name[31] = 'n';
	name[32] = '\0';
	CU_ASSERT_EQUAL(hs_arena_root_set(a, name, p), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_arena_root_set(a, "", p), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_arena_root_set(a, NULL, p), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_arena_root_set(a, "stack", name), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_arena_root_set(a, "records", hs_arena_base(a)),
	    HS_EMISUSE);
	hs_arena_destroy(a);
}

/* ---- the range, and images that are none ---- */

static void
a_taken_address_names_its_owner(void)
{
	struct hs_arena_geometry g = { HS_ARENA_DEFAULT_BASE, 64 * MIB };
	struct hs_arena *a = NULL;
	int fd = memfd_create("squatter", MFD_CLOEXEC);
	void *p = mmap((void *)(g.base + 10 * MIB), PAGE, PROT_READ, MAP_SHARED,
	    fd, 0);

	CU_ASSERT_PTR_EQUAL_FATAL(p, (void *)(g.base + 10 * MIB));
	CU_ASSERT_EQUAL(hs_arena_create(&a, &g, why, sizeof(why)), HS_EADDR);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "squatter"));
	CU_ASSERT_PTR_NULL(a);
	(void)munmap(p, PAGE);
	(void)close(fd);
	CU_ASSERT_EQUAL(hs_arena_create(&a, &g, why, sizeof(why)), 0);
	CU_ASSERT_STRING_EQUAL(why, "");
	hs_arena_destroy(a);
}

static void
a_bad_geometry_is_refused(void)
{
	static const struct hs_arena_geometry bad[] = {
		{ 0, 64 << 20 },
		{ HS_ARENA_DEFAULT_BASE + 4096, 64 << 20 },
		{ HS_ARENA_DEFAULT_BASE, 0 },
		{ HS_ARENA_DEFAULT_BASE, 2 << 20 },
		{ HS_ARENA_DEFAULT_BASE, (64 << 20) + 4096 },
		{ HS_ARENA_DEFAULT_BASE, (size_t)1 << 45 },
		{ UINTPTR_MAX - (4 << 20) + 1, 4 << 20 },
	};
	struct hs_arena *a = NULL;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		CU_ASSERT_EQUAL(hs_arena_create(&a, &bad[i], why, sizeof(why)),
		    HS_EMISUSE);
		CU_ASSERT(why[0] != '\0');
	}
	CU_ASSERT_PTR_NULL(a);
}

static void
poke(int fd, size_t off, uint64_t value, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(pwrite(fd, &value, len, (off_t)off),
	    (ssize_t)len);
}

/* Refused, and the arena is as before: it can be formatted. */
static void
expect_refused(int fd, size_t used, int want)
{
	struct hs_arena_geometry g = { HS_ARENA_DEFAULT_BASE, 16 * MIB };
	struct hs_arena *a = NULL;
	void *p = NULL;

	CU_ASSERT_EQUAL_FATAL(hs_arena_create(&a, &g, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(hs_arena_restore(a, fd, used), want);
	CU_ASSERT_EQUAL(hs_arena_format(a), 0);
	CU_ASSERT_EQUAL(hs_arena_alloc(a, 16, 100000, true, &p), 0);
	expect_sound(a);
	hs_arena_destroy(a);
}

static void
damaged_images_are_refused(void)
{
	static const struct {
		size_t off;
		uint64_t value;
		size_t len;
		int want;
	} bad[] = {
		{ offsetof(struct hs_layout_head, magic), 1, 8, HS_ECORRUPT },
		{ offsetof(struct hs_layout_head, version), 2, 4,
		    HS_EINCOMPATIBLE },
		{ offsetof(struct hs_layout_head, base), 4096, 8,
		    HS_EINCOMPATIBLE },
		{ offsetof(struct hs_layout_head, bytes), 32 << 20, 8,
		    HS_EINCOMPATIBLE },
		{ offsetof(struct hs_layout_head, used_bytes), 6 << 20, 8,
		    HS_ECORRUPT },
		{ offsetof(struct hs_layout_head, leaf_end), 1 << 30, 4,
		    HS_ECORRUPT },
		{ offsetof(struct hs_layout_head, fresh_page), 1 << 30, 4,
		    HS_ECORRUPT },
		{ offsetof(struct hs_layout_head, bin_map), 0xffff, 8,
		    HS_ECORRUPT },
		{ offsetof(struct hs_layout_head, slab), 3, 4, HS_ECORRUPT },
		{ PAGE, 7, 4, HS_ECORRUPT },		/* dir[0] */
		{ PAGE + 4, 1 << 30, 4, HS_ECORRUPT },	/* dir[1] */
		{ PAGE + 4, 600, 4, HS_ECORRUPT },	/* a leaf in data */
	};
	struct hs_arena *a;
	void *p = NULL;
	size_t i, used = 0;
	int fd;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		a = create_arena(16 * MIB);
		CU_ASSERT_EQUAL(hs_arena_alloc(a, 16, 100, false, &p), 0);
		used = hs_arena_used(a);
		fd = copy_image(a);
		hs_arena_destroy(a);
		poke(fd, bad[i].off, bad[i].value, bad[i].len);
		expect_refused(fd, used, bad[i].want);
		(void)close(fd);
	}
	fd = memfd_create("short", MFD_CLOEXEC);
	expect_refused(fd, used, HS_ECORRUPT);
	expect_refused(fd, 0, HS_ECORRUPT);
	(void)close(fd);
	expect_refused(-1, used, -EBADF);
}

/* What the program's wild writes do to records is told, not followed. */
static void
damaged_records_are_told(void)
{
	struct hs_random r;
	struct hs_arena *a;
	size_t round, i, told = 0;
	void *p[64], *q;

	hs_random_init(&r);
	for (round = 0; round < 1000; round++) {
		uint8_t *base;

		a = create_arena(16 * MIB);
		base = hs_arena_base(a);
		for (i = 0; i < 64; i++)
			CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(a, 16,
						  random_len(&r) % 20000, false,
						  &p[i]),
			    0);
		/* Kind, class, nfree or npages of one of the first 64 pages. */
		base[2 * PAGE + 64 * hs_random_below(&r, 64) +
		    hs_random_below(&r, 8)] ^=
		    (uint8_t)(1 + hs_random_below(&r, 255));
		told += hs_arena_check(a, why, sizeof(why)) == HS_ECORRUPT;
		for (i = 0; i < 64; i++) {
			(void)!hs_arena_free(a, p[i]);
			(void)!hs_arena_alloc(a, 16, 500, false, &q);
		}
		hs_arena_destroy(a);
	}
	/*
	 * Most of the 64 are inside runs, where but the kind has a meaning:
	 * an eighth and more must be told.
	 */
	CU_ASSERT(told > 1000 / 8);
	CU_ASSERT(told < 1000);
}

HS_SUITE(mem_arena, HS_TEST(random_operations_equal_a_model),
    HS_TEST(a_restored_arena_goes_on),
    HS_TEST(misuse_is_told_and_changes_nothing),
    HS_TEST(joined_runs_forget_their_heads),
    HS_TEST(a_full_arena_says_so_and_recovers),
    HS_TEST(a_large_arena_gets_more_leaves), HS_TEST(growth_is_asked_for_first),
    HS_TEST(a_growing_vector_at_the_end_does_not_move),
    HS_TEST(classes_fit_their_rule), HS_TEST(small_objects_share_few_regions),
    HS_TEST(roots_are_found_replaced_and_removed),
    HS_TEST(a_taken_address_names_its_owner),
    HS_TEST(a_bad_geometry_is_refused), HS_TEST(damaged_images_are_refused),
    HS_TEST(damaged_records_are_told))
