/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sync and intake as a pair: whatever happens to the image meanwhile, the
 * receiver gets what it was when the transfer began.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/intake.h"
#include "agent/sync.h"
#include "tests/unit/agent_chunks.h"

#define PAGE HS_MSG_PAGE_BYTES
#define NPAGES 700u	/* more than a window of them */
#define ROUNDS 30

struct pair {
	struct hs_random r;
	struct hs_image *from, *to;
	struct hs_sync *sync;
	struct hs_intake *in;
	struct hs_rec_begin begin;
	unsigned refuse; /* one in so many sends is full; 0: none */
	uint64_t got;	 /* stream bytes */
	bool whole;
	int corrupt;	 /* flip a bit of the chunk of this number */
	int rc;		 /* what the intake said last */
};

static int
take_record(void *arg, const struct hs_rec_begin *b, const struct hs_rec *r)
{
	struct pair *p = arg;

	if (r->kind == HS_REC_BEGIN) {
		p->begin = *b;
		hs_image_destroy(p->to);
		p->to = NULL;
		CU_ASSERT_EQUAL_FATAL(hs_image_create(&p->to, b->arena_base,
					  b->arena_bytes),
		    0);
		hs_image_set_used(p->to, b->used_bytes);
		return 0;
	}
	if (hs_image_prepare(p->to, r) < 0)
		return -ENOMEM;
	hs_image_apply(p->to, r);
	return 0;
}

static int
receive(void *arg, const uint8_t *buf, size_t len)
{
	struct pair *p = arg;
	struct hs_epoch *none;
	struct hs_msg_head h;
	const uint8_t *body;
	size_t body_len;

	if (p->refuse != 0 && hs_random_below(&p->r, p->refuse) == 0)
		return -EAGAIN;
	CU_ASSERT_EQUAL_FATAL(hs_msg_open(buf, len, &h, &body, &body_len), 0);
	CU_ASSERT_EQUAL(h.type, HS_MSG_IMAGE);
	CU_ASSERT_EQUAL(h.to, 9);
	CU_ASSERT_EQUAL(h.off, p->got);
	p->got += len;
	if (p->corrupt >= 0 && (int)h.seq == p->corrupt)
		((uint8_t *)(uintptr_t)body)[body_len / 2] ^= 4;
	p->rc = hs_intake_add(p->in, &h, body, body_len, &none);
	p->whole |= p->rc == 1;
	return 0;
}

static void
save_page(void *arg, uint32_t page, const uint8_t *old)
{
	struct pair *p = arg;

	CU_ASSERT_TRUE(hs_sync_save(p->sync, page, old));
}

static void
write_random(struct pair *p, uint32_t page)
{
	static uint8_t bytes[PAGE];
	struct hs_rec r = { .kind = HS_REC_PAGE, .page = page, .bytes = bytes };

	memcpy(bytes, hs_image_page(p->from, page), PAGE);
	hs_random_fill(&p->r, bytes + hs_random_below(&p->r, PAGE - 8), 8);
	CU_ASSERT_EQUAL_FATAL(hs_image_prepare(p->from, &r), 0);
	hs_image_apply(p->from, &r);
}

/* As an epoch would: pages written, and pages that became zero. */
static void
change_some(struct pair *p, unsigned n, uint32_t npages)
{
	while (n-- > 0) {
		uint32_t page = (uint32_t)hs_random_below(&p->r, npages);

		if (hs_random_below(&p->r, 8) == 0)
			hs_image_clear(p->from, page,
			    page + 3 < npages ? page + 3 : npages);
		else
			write_random(p, page);
	}
}

static void
pair_init(struct pair *p, bool with_image)
{
	struct hs_sync_plan plan = {
		.to = 9,
		.term = 4,
		.id = { .term = 4, .epoch = 77, .digest = { 1, 2, 3 } },
		.arena_base = CHUNKS_BASE,
		.arena_bytes = (uint64_t)NPAGES * PAGE,
		.send = receive,
		.arg = p,
	};

	p->corrupt = -1;
	if (with_image) {
		uint32_t used = 1 + (uint32_t)hs_random_below(&p->r, NPAGES);

		CU_ASSERT_EQUAL_FATAL(hs_image_create(&p->from, CHUNKS_BASE,
					  (uint64_t)NPAGES * PAGE),
		    0);
		hs_image_set_used(p->from, (uint64_t)used * PAGE);
		change_some(p, (unsigned)hs_random_below(&p->r, 2 * NPAGES),
		    used);
		plan.image = p->from;
	}
	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&p->in, take_record, p), 0);
	CU_ASSERT_EQUAL_FATAL(hs_sync_create(&p->sync, &plan), 0);
	if (with_image)
		hs_image_on_change(p->from, save_page, p);
}

static void
pair_fini(struct pair *p)
{
	hs_sync_destroy(p->sync);
	hs_intake_destroy(p->in);
	hs_image_destroy(p->from);
	hs_image_destroy(p->to);
}

/* Run it to its end, with epochs that come between. */
static void
transfer(struct pair *p)
{
	uint64_t told = 0;
	int rc = 0;

	for (int i = 0; i < 100000 && rc != 1; i++) {
		rc = hs_sync_pump(p->sync);
		CU_ASSERT_TRUE_FATAL(rc == 0 || rc == 1 || rc == -EAGAIN);
		change_some(p, (unsigned)hs_random_below(&p->r, 40), NPAGES);
		hs_image_set_used(p->from, (uint64_t)NPAGES * PAGE);
		if (rc == 0) {
			/* The window is full, and stays so until told. */
			CU_ASSERT_TRUE(p->got > told);
			told = p->got;
			CU_ASSERT_EQUAL(hs_sync_pump(p->sync), 0);
			hs_sync_confirm(p->sync, told);
		}
	}
	CU_ASSERT_EQUAL(rc, 1);
	CU_ASSERT_EQUAL(hs_sync_sent(p->sync), p->got);
}

static void
the_receiver_gets_the_frozen_content(void)
{
	struct hs_random r;
	uint8_t *frozen = malloc((size_t)NPAGES * PAGE);

	CU_ASSERT_PTR_NOT_NULL_FATAL(frozen);
	hs_random_init(&r);
	for (int round = 0; round < ROUNDS; round++) {
		struct pair p = { .refuse =
				      2 * (unsigned)hs_random_below(&r, 3) };
		static const uint8_t digest[] = { 1, 2, 3 };

		p.r.state = hs_random_u64(&r);
		pair_init(&p, true);
		memcpy(frozen, hs_image_page(p.from, 0), (size_t)NPAGES * PAGE);
		transfer(&p);
		CU_ASSERT_TRUE(p.whole);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p.to);
		CU_ASSERT_EQUAL(memcmp(hs_image_page(p.to, 0), frozen,
				    (size_t)NPAGES * PAGE),
		    0);
		CU_ASSERT_EQUAL(p.begin.arena_base, CHUNKS_BASE);
		CU_ASSERT_EQUAL(memcmp(p.begin.base_digest, digest, 3), 0);
		pair_fini(&p);
	}
	free(frozen);
}

static void
an_empty_image_arrives_too(void)
{
	struct pair p = { .refuse = 0 };

	hs_random_init(&p.r);
	pair_init(&p, false);
	CU_ASSERT_EQUAL(hs_sync_pump(p.sync), 1);
	CU_ASSERT_TRUE(p.whole);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p.to);
	CU_ASSERT_EQUAL(hs_image_used(p.to), 0);
	CU_ASSERT_EQUAL(hs_image_resident(p.to), 0);
	CU_ASSERT_EQUAL(hs_image_bytes(p.to), (uint64_t)NPAGES * PAGE);
	pair_fini(&p);
}

static void
a_damaged_transfer_is_never_whole(void)
{
	struct hs_random r;

	hs_random_init(&r);
	for (int round = 0; round < ROUNDS; round++) {
		struct pair p = { .refuse = 0 };

		p.r.state = hs_random_u64(&r);
		pair_init(&p, true);
		p.corrupt = (int)hs_random_below(&p.r, 3);
		transfer(&p);
		/* A transfer of fewer chunks was not hit. */
		if (hs_sync_sent(p.sync) > (uint64_t)(p.corrupt + 1) * 65536)
			CU_ASSERT_FALSE(p.whole);
		pair_fini(&p);
	}
}

/* What the receiver says of bytes that were not sent opens no window. */
static void
nonsense_confirms_nothing(void)
{
	struct pair p = { .refuse = 0 };
	uint64_t sent;
	static uint8_t bytes[PAGE];

	hs_random_init(&p.r);
	pair_init(&p, true);
	hs_sync_destroy(p.sync);
	hs_image_set_used(p.from, (uint64_t)NPAGES * PAGE);
	hs_image_on_change(p.from, NULL, NULL);
	for (uint32_t i = 0; i < NPAGES; i++) {
		struct hs_rec rec = { .kind = HS_REC_PAGE,
			.page = i,
			.bytes = bytes };

		hs_random_fill(&p.r, bytes, sizeof(bytes));
		CU_ASSERT_EQUAL(hs_image_prepare(p.from, &rec), 0);
		hs_image_apply(p.from, &rec);
	}
	CU_ASSERT_EQUAL_FATAL(hs_sync_create(&p.sync,
				  &(struct hs_sync_plan){ .to = 9,
				      .arena_base = CHUNKS_BASE,
				      .arena_bytes = (uint64_t)NPAGES * PAGE,
				      .image = p.from,
				      .send = receive,
				      .arg = &p }),
	    0);
	CU_ASSERT_EQUAL(hs_sync_pump(p.sync), 0);
	sent = hs_sync_sent(p.sync);
	CU_ASSERT_TRUE(sent > 0 && sent < 2u << 20);
	hs_sync_confirm(p.sync, UINT64_MAX);
	hs_sync_confirm(p.sync, sent + 1);
	hs_sync_confirm(p.sync, 0);
	CU_ASSERT_EQUAL(hs_sync_pump(p.sync), 0);
	CU_ASSERT_EQUAL(hs_sync_sent(p.sync), sent);
	hs_sync_confirm(p.sync, sent);
	CU_ASSERT_TRUE(hs_sync_pump(p.sync) >= 0);
	CU_ASSERT_TRUE(hs_sync_sent(p.sync) > sent);
	pair_fini(&p);
}

HS_SUITE(agent_sync, HS_TEST(the_receiver_gets_the_frozen_content),
    HS_TEST(an_empty_image_arrives_too),
    HS_TEST(a_damaged_transfer_is_never_whole),
    HS_TEST(nonsense_confirms_nothing))
