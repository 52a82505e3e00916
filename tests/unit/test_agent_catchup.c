/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node that has no image, or too old a one, and what it makes of one that
 * comes in.
 */
#include <string.h>

#include "tests/unit/agent_rig.h"
#include "tests/unit/suite.h"

/* The image as of now, as the primary's agent would send it. */
static void
make_image(struct rig *g, struct chunks *c, struct hs_random *r)
{
	struct chunks_plan p = rig_plan(g, true);

	p.type = HS_MSG_IMAGE;
	p.epoch = g->epoch;
	memcpy(p.base_digest, g->lineage, sizeof(p.base_digest));
	hs_chunks_init(c, &p);
	c->chunk[0].head.to = SELF;
	hs_chunks_random(c, r, NULL, g->now);
}

/* A node that joins, while checkpoints go on. */
static void
an_image_and_what_follows_it(void)
{
	struct hs_random r;

	hs_random_init(&r);
	for (int round = 0; round < 20; round++) {
		struct rig *g = rig_create();
		struct chunks image;

		g->n->chain = false;
		g->epoch = 40;
		hs_random_fill(&r, g->now + 5 * PAGE, 20 * PAGE);
		hs_random_fill(&r, g->lineage, sizeof(g->lineage));
		rig_say_state(g, HS_STATE_PRIMARY);
		CU_ASSERT_EQUAL(g->said[HS_MSG_NEED], 1);
		CU_ASSERT_EQUAL(g->n->kind, HS_STATE_SYNCING);
		make_image(g, &image, &r);
		for (size_t i = 0; i < image.n; i++) {
			if (hs_random_below(&r, 3) == 0)
				rig_send_next(g, false,
				    (uint8_t)hs_random_u64(&r) | 1);
			CU_ASSERT_EQUAL(g->said[HS_MSG_ACK], 0);
			rig_put_chunk(g, &image.chunk[i]);
		}
		CU_ASSERT_EQUAL(g->n->kind, HS_STATE_READY);
		rig_expect_image(g);
		rig_expect_acked(g);
		rig_send_next(g, false, 9);
		rig_expect_image(g);
		rig_expect_acked(g);
		hs_chunks_fini(&image);
		rig_destroy(g);
	}
}

/* C1: the old image is kept until the new one is whole. */
static void
a_damaged_image_is_not_taken(void)
{
	struct rig *g = rig_with_image();
	struct chunks image;
	struct hs_random r;

	hs_random_init(&r);
	g->n->chain = false;
	rig_say_state(g, HS_STATE_PRIMARY);
	make_image(g, &image, &r);
	image.chunk[image.n - 1].body[image.chunk[image.n - 1].len - 1] ^= 1;
	rig_put_chunks(g, &image);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_DAMAGED], 1);
	CU_ASSERT_FALSE(g->n->chain);
	CU_ASSERT_PTR_NULL(g->n->incoming);
	rig_expect_image(g);
	CU_ASSERT_EQUAL(g->n->kind, HS_STATE_SYNCING);
	hs_chunks_fini(&image);
	rig_expect_mended(g);
	CU_ASSERT_EQUAL(g->n->source, 0);
	rig_destroy(g);
}

static void
an_image_comes_from_the_source_alone(void)
{
	struct rig *g = rig_with_image();
	struct chunks image;
	struct hs_random r;

	hs_random_init(&r);
	make_image(g, &image, &r);
	rig_put_chunks(g, &image); /* nobody asked */
	CU_ASSERT_PTR_NULL(g->n->incoming);
	g->n->chain = false;
	rig_say_state(g, HS_STATE_PRIMARY);
	CU_ASSERT_NOT_EQUAL(g->n->source, 0);
	hs_peer_find(&g->n->peers, PEER)->addr.pid++; /* not that process */
	rig_put_chunks(g, &image);
	CU_ASSERT_PTR_NULL(g->n->incoming);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_SENDER], image.n);
	hs_chunks_fini(&image);
	rig_destroy(g);
}

/* A full epoch overtakes the transfer; one that is refused asks again. */
static void
a_full_epoch_ends_the_waiting(void)
{
	struct rig *g = rig_with_image();
	struct chunks c;

	g->n->chain = false;
	rig_say_state(g, HS_STATE_PRIMARY);
	CU_ASSERT_EQUAL(g->said[HS_MSG_NEED], 1);
	rig_make_next(g, &c, true, 3);
	g->n->id.term = TERM; /* the image has that number already */
	g->n->id.epoch = c.chunk[0].head.epoch;
	rig_put_chunks(g, &c);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_REPLAY], 1);
	CU_ASSERT_EQUAL(g->said[HS_MSG_NEED], 2);
	CU_ASSERT_EQUAL(g->n->source, PEER);
	g->n->id.epoch = g->epoch;
	hs_chunks_fini(&c);
	rig_expect_mended(g);
	CU_ASSERT_EQUAL(g->n->source, 0);
	rig_destroy(g);
}

HS_SUITE(agent_catchup, HS_TEST(an_image_and_what_follows_it),
    HS_TEST(a_damaged_image_is_not_taken),
    HS_TEST(an_image_comes_from_the_source_alone),
    HS_TEST(a_full_epoch_ends_the_waiting))
