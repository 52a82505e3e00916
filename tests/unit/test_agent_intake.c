/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "agent/intake.h"
#include "base/fault.h"
#include "tests/unit/agent_chunks.h"

#define PAGE HS_MSG_PAGE_BYTES
#define NPAGES 24
#define ROUNDS 200

static const struct chunks_plan plan = {
	.type = HS_MSG_DATA,
	.term = 3,
	.epoch = 7,
	.base_epoch = 6,
	.npages = NPAGES,
	.base_digest = { 1, 2, 3 },
};

static const struct chunks_plan full_plan = {
	.type = HS_MSG_DATA,
	.term = 3,
	.epoch = 7,
	.full = true,
	.npages = NPAGES,
};

static int
add(struct hs_intake *in, const struct chunk *k, struct hs_epoch **e)
{
	return hs_intake_add(in, &k->head, k->body, k->len, e);
}

/* All chunks of c; the first answer that is not 0. */
static int
add_all(struct hs_intake *in, const struct chunks *c, struct hs_epoch **e)
{
	int rc = 0;

	for (size_t i = 0; i < c->n && rc == 0; i++)
		rc = add(in, &c->chunk[i], e);
	return rc;
}

/* Two chunks, three pages. */
static void
make_good(struct chunks *c, const struct chunks_plan *p)
{
	hs_chunks_init(c, p);
	hs_chunks_page(c, 2, 0x22);
	hs_chunks_next(c);
	hs_chunks_page(c, 5, 0x55);
	hs_chunks_zero(c, 9, 2);
	hs_chunks_end(c);
}

static void
expect_good(struct hs_intake *in)
{
	struct hs_epoch *e = NULL;
	struct chunks c;

	make_good(&c, &plan);
	CU_ASSERT_EQUAL(add_all(in, &c, &e), 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(e->epoch, plan.epoch);
	CU_ASSERT_EQUAL(e->nchunk, c.n);
	hs_intake_destroy_epoch(e);
	hs_chunks_fini(&c);
}

/* N1, N2: c gives rc and nothing else; what comes next is taken. */
static void
expect_refused(const struct chunks *c, int rc)
{
	struct hs_epoch *e = NULL;
	struct hs_intake *in;

	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, NULL, NULL), 0);
	CU_ASSERT_EQUAL(add_all(in, c, &e), rc);
	CU_ASSERT_PTR_NULL(e);
	CU_ASSERT_FALSE(hs_intake_busy(in));
	CU_ASSERT_EQUAL(hs_intake_bytes(in), 0);
	CU_ASSERT_PTR_NULL(hs_intake_begin(in));
	expect_good(in);
	hs_intake_destroy(in);
}

static void
random_epochs_come_out_as_they_went_in(void)
{
	static uint8_t was[NPAGES * PAGE], now[NPAGES * PAGE];
	struct hs_intake *in;
	struct hs_random r;

	hs_random_init(&r);
	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, NULL, NULL), 0);
	for (int round = 0; round < ROUNDS; round++) {
		struct hs_epoch *e = NULL;
		struct chunks c;
		bool full = hs_random_below(&r, 2);

		for (int k = 0; k < 10; k++)
			hs_random_fill(&r,
			    now + hs_random_below(&r, sizeof(now) - 64), 64);
		hs_chunks_init(&c, full ? &full_plan : &plan);
		hs_chunks_random(&c, &r, full ? NULL : was, now);
		CU_ASSERT_EQUAL_FATAL(add_all(in, &c, &e), 1);
		CU_ASSERT_EQUAL(e->nchunk, c.n);
		CU_ASSERT_EQUAL(memcmp(e->end.digest, c.lineage, 16), 0);
		for (size_t i = 0; i < c.n; i++) {
			CU_ASSERT_EQUAL(e->chunk[i].len, c.chunk[i].len);
			CU_ASSERT_EQUAL(memcmp(e->chunk[i].body,
					    c.chunk[i].body, c.chunk[i].len),
			    0);
		}
		CU_ASSERT_FALSE(hs_intake_busy(in));
		hs_intake_destroy_epoch(e);
		hs_chunks_fini(&c);
		memcpy(was, now, sizeof(was));
	}
	hs_intake_destroy(in);
}

/* Every single bit of the bodies is guarded by a rule or by the digest. */
static void
any_flipped_bit_is_refused(void)
{
	struct hs_random r;
	struct hs_intake *in;

	hs_random_init(&r);
	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, NULL, NULL), 0);
	for (int round = 0; round < ROUNDS; round++) {
		struct hs_epoch *e = NULL;
		struct chunks c;
		struct chunk *k;

		make_good(&c, &plan);
		k = &c.chunk[hs_random_below(&r, c.n)];
		k->body[hs_random_below(&r, k->len)] ^=
		    (uint8_t)(1u << hs_random_below(&r, 8));
		CU_ASSERT_EQUAL(add_all(in, &c, &e), HS_EWIRE);
		CU_ASSERT_PTR_NULL(e);
		CU_ASSERT_FALSE(hs_intake_busy(in));
		hs_chunks_fini(&c);
	}
	expect_good(in);
	hs_intake_destroy(in);
}

static void
wrong_ends_are_refused(void)
{
	for (int what = 0; what < 3; what++) {
		struct hs_rec_end e;
		struct chunks c;

		hs_chunks_init(&c, &plan);
		hs_chunks_page(&c, 2, 2);
		hs_chunks_next(&c);
		hs_chunks_page(&c, 3, 3);
		hs_chunks_truth(&c, &e);
		if (what == 0)
			e.digest[15] ^= 1;
		else if (what == 1)
			e.nchunk++;
		else
			e.npage--;
		hs_chunks_end_with(&c, &e);
		expect_refused(&c, HS_EWIRE);
		hs_chunks_fini(&c);
	}
}

/* R4 holds across chunks, where a reader of one alone cannot see it. */
static void
pages_ascend_across_chunks(void)
{
	for (uint32_t second = 4; second <= 6; second++) {
		struct hs_epoch *e = NULL;
		struct hs_intake *in;
		struct chunks c;
		int want = second == 6 ? 1 : HS_EWIRE;

		hs_chunks_init(&c, &plan);
		hs_chunks_page(&c, 5, 5);
		hs_chunks_next(&c);
		hs_chunks_page(&c, second, 6);
		hs_chunks_end(&c);
		CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, NULL, NULL), 0);
		CU_ASSERT_EQUAL(add_all(in, &c, &e), want);
		hs_intake_destroy_epoch(e);
		hs_intake_destroy(in);
		hs_chunks_fini(&c);
	}
}

static void
pages_stay_below_the_used_bytes(void)
{
	struct chunks c;

	hs_chunks_init(&c, &plan);
	hs_chunks_next(&c);
	hs_chunks_page(&c, NPAGES, 1);
	hs_chunks_end(&c);
	expect_refused(&c, HS_EWIRE);
	hs_chunks_fini(&c);
	hs_chunks_init(&c, &plan);
	hs_chunks_next(&c);
	hs_chunks_zero(&c, NPAGES - 1, 2);
	hs_chunks_end(&c);
	expect_refused(&c, HS_EWIRE);
	hs_chunks_fini(&c);
}

/* R6, also in a later chunk. */
static void
full_epochs_have_no_deltas(void)
{
	for (int later = 0; later < 2; later++) {
		struct chunks c;

		hs_chunks_init(&c, &full_plan);
		if (later)
			hs_chunks_next(&c);
		hs_chunks_delta(&c, 3, 9);
		hs_chunks_end(&c);
		expect_refused(&c, HS_EWIRE);
		hs_chunks_fini(&c);
	}
}

static void
chunks_come_in_order(void)
{
	struct hs_epoch *e = NULL;
	struct hs_intake *in;
	struct chunks c;

	make_good(&c, &plan);
	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, NULL, NULL), 0);
	/* Joined in the middle. */
	CU_ASSERT_EQUAL(add(in, &c.chunk[1], &e), HS_EGAP);
	/* One of another epoch, or of another term, or one twice. */
	for (int what = 0; what < 3; what++) {
		struct chunk k = c.chunk[1];

		k.head.epoch += what == 0;
		k.head.term += what == 1;
		k.head.seq += what == 2;
		CU_ASSERT_EQUAL(add(in, &c.chunk[0], &e), 0);
		CU_ASSERT_TRUE(hs_intake_busy(in));
		CU_ASSERT_EQUAL(add(in, &k, &e), HS_EGAP);
		CU_ASSERT_FALSE(hs_intake_busy(in));
		CU_ASSERT_EQUAL(add(in, &c.chunk[1], &e), HS_EGAP); /* N2 */
	}
	expect_good(in);
	hs_intake_destroy(in);
	hs_chunks_fini(&c);
}

/* Its sender gave an epoch up and begins another: the first leaves nothing. */
static void
an_interrupted_epoch_leaves_nothing(void)
{
	struct hs_epoch *e = NULL;
	struct chunks lost, c;
	struct hs_intake *in;

	hs_chunks_init(&lost, &full_plan);
	hs_chunks_page(&lost, 20, 1);
	hs_chunks_next(&lost);
	hs_chunks_page(&lost, 21, 1);
	hs_chunks_end(&lost);
	make_good(&c, &plan);
	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, NULL, NULL), 0);
	CU_ASSERT_EQUAL(add(in, &lost.chunk[0], &e), 0);
	CU_ASSERT_EQUAL(add_all(in, &c, &e), 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(memcmp(e->end.digest, c.lineage, 16), 0);
	CU_ASSERT_EQUAL(e->begin.flags, 0);
	hs_intake_destroy_epoch(e);
	hs_intake_destroy(in);
	hs_chunks_fini(&lost);
	hs_chunks_fini(&c);
}

static void
an_arena_too_large_is_refused(void)
{
	struct chunks c;
	struct hs_rec_wr w;

	hs_chunks_init(&c, &plan);
	/* 2^32 pages: their count fits no u32, and no image. */
	c.begin.arena_bytes = (uint64_t)PAGE << 32;
	w = (struct hs_rec_wr){ c.chunk[0].body, HS_REC_BEGIN_BYTES };
	CU_ASSERT_EQUAL(hs_rec_put_begin(&w, &c.begin), 0);
	hs_chunks_end(&c);
	expect_refused(&c, HS_EWIRE);
	hs_chunks_fini(&c);
}

struct sink {
	unsigned records, fail_at;
	uint32_t pages;
};

static int
sink_record(void *arg, const struct hs_rec_begin *b, const struct hs_rec *r)
{
	struct sink *s = arg;

	CU_ASSERT_EQUAL(b->arena_bytes, (uint64_t)NPAGES * PAGE);
	if (++s->records == s->fail_at)
		return -ENOSPC;
	if (r->kind != HS_REC_BEGIN && r->kind != HS_REC_END)
		s->pages += r->kind == HS_REC_ZERO ? r->count : 1;
	return 0;
}

/* Images are too large to keep: their records are handed on as they come. */
static void
records_are_handed_on(void)
{
	struct chunks_plan p = full_plan;
	struct sink s = { 0 };
	struct hs_epoch *e = (void *)&s;
	struct hs_intake *in;
	struct chunks c;

	p.type = HS_MSG_IMAGE;
	make_good(&c, &p);
	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, sink_record, &s), 0);
	CU_ASSERT_EQUAL(add_all(in, &c, &e), 1);
	CU_ASSERT_PTR_NULL(e);
	CU_ASSERT_EQUAL(s.pages, 4);
	CU_ASSERT_EQUAL(s.records, 5);
	CU_ASSERT_FALSE(hs_intake_busy(in));

	/* What the taker says goes back, and the epoch is given up. */
	s = (struct sink){ .fail_at = 3 };
	CU_ASSERT_EQUAL(add_all(in, &c, &e), -ENOSPC);
	CU_ASSERT_FALSE(hs_intake_busy(in));
	CU_ASSERT_EQUAL(s.records, 3);
	hs_intake_destroy(in);
	hs_chunks_fini(&c);
}

/* A chunk that breaks a rule at its end has no record handed on. */
static void
bad_chunks_are_not_handed_on(void)
{
	struct chunks_plan p = full_plan;
	struct sink s = { 0 };
	struct hs_epoch *e;
	struct hs_intake *in;
	struct chunks c;

	p.type = HS_MSG_IMAGE;
	hs_chunks_init(&c, &p);
	hs_chunks_page(&c, 1, 1);
	hs_chunks_page(&c, NPAGES, 1);
	hs_chunks_end(&c);
	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, sink_record, &s), 0);
	CU_ASSERT_EQUAL(add_all(in, &c, &e), HS_EWIRE);
	CU_ASSERT_EQUAL(s.records, 0);
	hs_intake_destroy(in);
	hs_chunks_fini(&c);
}

#ifdef HS_FAULTS
static void
no_memory_gives_the_epoch_up(void)
{
	for (unsigned nth = 1; nth <= 2; nth++) {
		struct hs_epoch *e = NULL;
		struct hs_intake *in;
		struct chunks c;

		make_good(&c, &plan);
		CU_ASSERT_EQUAL_FATAL(hs_intake_create(&in, NULL, NULL), 0);
		hs_fault_arm(HS_FAULT_STAGE_ALLOC, nth);
		CU_ASSERT_EQUAL(add_all(in, &c, &e), -ENOMEM);
		CU_ASSERT_PTR_NULL(e);
		CU_ASSERT_FALSE(hs_intake_busy(in));
		expect_good(in);
		hs_intake_destroy(in);
		hs_chunks_fini(&c);
	}
}
#else
static void
no_memory_gives_the_epoch_up(void)
{
}
#endif

HS_SUITE(agent_intake, HS_TEST(random_epochs_come_out_as_they_went_in),
    HS_TEST(any_flipped_bit_is_refused), HS_TEST(wrong_ends_are_refused),
    HS_TEST(pages_ascend_across_chunks),
    HS_TEST(pages_stay_below_the_used_bytes),
    HS_TEST(full_epochs_have_no_deltas), HS_TEST(chunks_come_in_order),
    HS_TEST(an_interrupted_epoch_leaves_nothing),
    HS_TEST(an_arena_too_large_is_refused), HS_TEST(records_are_handed_on),
    HS_TEST(bad_chunks_are_not_handed_on),
    HS_TEST(no_memory_gives_the_epoch_up))
