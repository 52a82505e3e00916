/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a node makes of the epochs that come in, right ones and others.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "tests/unit/agent_rig.h"
#include "tests/unit/suite.h"

static void
epochs_are_followed_and_acknowledged(void)
{
	struct rig *g = rig_with_image();

	rig_expect_acked(g);
	for (uint8_t i = 2; i < 20; i++) {
		rig_send_next(g, i % 7 == 0, i);
		rig_expect_image(g);
		rig_expect_acked(g);
	}
	CU_ASSERT_EQUAL(g->said[HS_MSG_STATE] > 0, true);
	CU_ASSERT_EQUAL(g->state, HS_STATE_READY);
	rig_destroy(g);
}

/* S2 */
static void
nothing_is_acknowledged_without_quorum(void)
{
	struct rig *g = rig_with_image();
	unsigned acks = g->said[HS_MSG_ACK];

	g->n->quorate = false;
	rig_send_next(g, false, 2);
	rig_expect_image(g);
	CU_ASSERT_EQUAL(g->said[HS_MSG_ACK], acks);
	rig_destroy(g);
}

static void
damage_of(struct rig *g, int what)
{
	static uint8_t buf[HS_MSG_HEAD_BYTES + CHUNKS_BODY];
	struct chunks c;
	size_t len;

	rig_make_next(g, &c, false, 2);
	len = rig_seal(buf, &c.chunk[0]);
	switch (what) {
	case 0:
		buf[len / 2] ^= 0x10;
		break;
	case 1:
		len /= 2;
		break;
	case 2:
		len = HS_MSG_HEAD_BYTES - 1;
		break;
	default:
		buf[0] ^= 1; /* magic */
		break;
	}
	rig_put(g, buf, len);
	hs_chunks_fini(&c);
}

static void
damaged_and_truncated_chunks_are_refused(void)
{
	for (int what = 0; what < 4; what++) {
		struct rig *g = rig_with_image();

		damage_of(g, what);
		rig_expect_refused(g, HS_REFUSED_DAMAGED);
		CU_ASSERT_FALSE(g->n->chain);
		CU_ASSERT_EQUAL(g->n->kind, HS_STATE_STALE);
		rig_expect_mended(g);
		rig_destroy(g);
	}
}

static void
a_stranger_breaks_nothing(void)
{
	struct rig *g = rig_with_image();

	g->n->primary.pid++; /* so this peer is not the primary */
	damage_of(g, 0);
	rig_expect_refused(g, HS_REFUSED_DAMAGED);
	CU_ASSERT_TRUE(g->n->chain);
	CU_ASSERT_EQUAL(g->n->kind, HS_STATE_READY);
	rig_destroy(g);
}

static void
another_version_is_refused(void)
{
	static uint8_t buf[HS_MSG_HEAD_BYTES + CHUNKS_BODY];
	struct rig *g = rig_with_image();
	struct chunks c;
	size_t len;

	rig_make_next(g, &c, false, 2);
	len = rig_seal(buf, &c.chunk[0]);
	buf[4] = HS_MSG_VERSION + 1;
	rig_put(g, buf, len);
	rig_expect_refused(g, HS_REFUSED_VERSION);
	CU_ASSERT_FALSE(g->n->chain);
	hs_chunks_fini(&c);
	rig_expect_mended(g);
	rig_destroy(g);
}

/* S3: who, and of which term. */
static void
old_terms_and_wrong_senders_are_refused(void)
{
	static const enum hs_refusal want[] = { HS_REFUSED_TERM,
		HS_REFUSED_SENDER, HS_REFUSED_SENDER };

	for (int what = 0; what < 3; what++) {
		struct rig *g = rig_with_image();
		struct chunks c;

		rig_make_next(g, &c, false, 2);
		if (what == 0)
			c.chunk[0].head.term = TERM - 1;
		else if (what == 1)
			c.chunk[0].head.term = TERM + 1;
		else
			g->n->primary.pid++;
		rig_put_chunk(g, &c.chunk[0]);
		rig_expect_refused(g, want[what]);
		CU_ASSERT_TRUE(g->n->chain);
		hs_chunks_fini(&c);
		g->n->primary.pid = PEER_PID;
		rig_send_next(g, false, 3); /* nothing happened */
		rig_expect_image(g);
		rig_expect_acked(g);
		rig_destroy(g);
	}
}

static void
a_replayed_epoch_changes_nothing(void)
{
	struct rig *g = rig_with_image();
	struct chunks old, c;
	unsigned acks;

	rig_make_next(g, &old, false, 2);
	rig_put_chunks(g, &old);
	rig_note_sent(g, &old, 2);
	rig_send_next(g, false, 3);
	acks = g->said[HS_MSG_ACK];
	rig_put_chunks(g, &old);
	rig_expect_refused(g, HS_REFUSED_REPLAY);
	CU_ASSERT_TRUE(g->n->chain);
	CU_ASSERT_EQUAL(g->said[HS_MSG_ACK], acks);

	/* In the midst of another epoch it costs that one its chain. */
	rig_make_next(g, &c, false, 4);
	rig_put_chunk(g, &c.chunk[0]);
	rig_put_chunk(g, &old.chunk[0]);
	rig_put_chunk(g, &c.chunk[1]);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_GAP], 1);
	CU_ASSERT_FALSE(g->n->chain);
	rig_expect_image(g);
	hs_chunks_fini(&old);
	hs_chunks_fini(&c);
	rig_expect_mended(g);
	rig_destroy(g);
}

/* A chunk, or a whole epoch, that never came. */
static void
gaps_are_refused(void)
{
	for (int what = 0; what < 3; what++) {
		struct rig *g = rig_with_image();
		struct chunks c;

		if (what == 1)
			g->epoch++;
		if (what == 2)
			g->lineage[3] ^= 1;
		rig_make_next(g, &c, false, 2);
		if (what == 0)
			rig_put_chunk(g, &c.chunk[1]);
		else
			rig_put_chunks(g, &c);
		if (what == 1)
			g->epoch--;
		if (what == 2)
			g->lineage[3] ^= 1;
		rig_expect_refused(g, HS_REFUSED_GAP);
		CU_ASSERT_FALSE(g->n->chain);
		CU_ASSERT_EQUAL(g->state, HS_STATE_STALE);
		hs_chunks_fini(&c);
		rig_expect_mended(g);
		rig_destroy(g);
	}
}

static void
another_arena_is_refused(void)
{
	struct rig *g = rig_with_image();
	struct chunks_plan p = rig_plan(g, true);
	struct chunks c;

	p.npages = NPAGES + 1;
	hs_chunks_init(&c, &p);
	hs_chunks_page(&c, NPAGES, 9);
	hs_chunks_end(&c);
	rig_put_chunks(g, &c);
	rig_expect_refused(g, HS_REFUSED_GEOMETRY);
	CU_ASSERT_FALSE(g->n->chain);
	hs_chunks_fini(&c);
	rig_expect_mended(g);
	rig_destroy(g);
}

/* Epochs are numbered anew by a primary that goes on from an older one. */
static void
a_new_primary_may_begin_behind_the_image(void)
{
	struct rig *g = rig_with_image();

	for (uint8_t i = 2; i < 6; i++)
		rig_send_next(g, false, i);
	g->n->term++;
	g->n->chain = false;
	g->epoch = 1;
	rig_expect_mended(g);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_REPLAY], 0);
	CU_ASSERT_EQUAL(g->n->id.term, TERM + 1);
	rig_destroy(g);
}

/* An ACK is an agent's word. */
static void
acks_count_from_agents_alone(void)
{
	struct rig *g = rig_with_image();
	struct hs_msg_head h = { .term = TERM, .epoch = 1000 };
	struct hs_msg_ack m = { .digest = { 1 } };
	uint8_t buf[128];
	int rc = hs_msg_encode_ack(buf, sizeof(buf), &h, &m);

	CU_ASSERT_FATAL(rc > 0);
	rig_put(g, buf, (size_t)rc);
	CU_ASSERT_TRUE(g->n->held_epoch < 1000);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_SENDER], 1);
	rig_say_state(g, HS_STATE_READY);
	rig_put(g, buf, (size_t)rc);
	CU_ASSERT_EQUAL(g->n->held_epoch, 1000);
	rig_destroy(g);
}

#ifdef HS_FAULTS
static void
no_memory_is_said_and_mended(void)
{
	static const enum hs_fault_id point[] = { HS_FAULT_STAGE_ALLOC,
		HS_FAULT_IMAGE_FALLOCATE, HS_FAULT_CHUNK_DROP };
	static const enum hs_refusal want[] = { HS_REFUSED_MEMORY,
		HS_REFUSED_MEMORY, HS_REFUSED_GAP };

	for (int i = 0; i < 3; i++) {
		struct rig *g = rig_with_image();
		struct chunks_plan p = rig_plan(g, false);
		unsigned fired = hs_fault_fired(point[i]);
		struct chunks c;

		hs_fault_arm(point[i], 1);
		hs_chunks_init(&c, &p);
		hs_chunks_page(&c, 1, 2);
		hs_chunks_page(&c, 7, 2); /* new to the image */
		hs_chunks_next(&c);
		hs_chunks_page(&c, 8, 2);
		hs_chunks_end(&c);
		rig_put_chunks(g, &c);
		hs_chunks_fini(&c);
		CU_ASSERT_EQUAL(hs_fault_fired(point[i]), fired + 1);
		CU_ASSERT_TRUE(g->n->refused[want[i]] >= 1);
		CU_ASSERT_FALSE(g->n->chain);
		rig_expect_image(g);
		rig_expect_mended(g);
		rig_destroy(g);
	}
}
#else
static void
no_memory_is_said_and_mended(void)
{
}
#endif

HS_SUITE(agent_follow, HS_TEST(epochs_are_followed_and_acknowledged),
    HS_TEST(nothing_is_acknowledged_without_quorum),
    HS_TEST(damaged_and_truncated_chunks_are_refused),
    HS_TEST(a_stranger_breaks_nothing), HS_TEST(another_version_is_refused),
    HS_TEST(old_terms_and_wrong_senders_are_refused),
    HS_TEST(a_replayed_epoch_changes_nothing), HS_TEST(gaps_are_refused),
    HS_TEST(another_arena_is_refused),
    HS_TEST(a_new_primary_may_begin_behind_the_image),
    HS_TEST(acks_count_from_agents_alone),
    HS_TEST(no_memory_is_said_and_mended))
