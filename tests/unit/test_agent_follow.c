/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node whose only peer is this test: it says what a primary, or whoever else
 * is in the group, might say, and looks at what the node makes of it.  The node
 * is the real one, from the transport's delivery on.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/node.h"
#include "base/fault.h"
#include "tests/unit/agent_chunks.h"

#define PAGE HS_MSG_PAGE_BYTES
#define NPAGES 40u
#define TERM 5
#define SELF HS_NODE_STANDALONE_SPARE
#define PEER HS_NODE_STANDALONE_SERVICE
#define PEER_PID 4711

struct rig {
	struct hs_node_config cfg;
	qb_loop_t *loop;
	struct hs_node *n;
	struct hs_xport *x; /* the peer's end */
	uint8_t now[NPAGES * PAGE]; /* what the primary has */
	uint64_t epoch, off;
	uint8_t lineage[HS_MSG_DIGEST_BYTES];
	/* What the node said, counted by type; the newest ACK. */
	unsigned said[HS_MSG_LEAVE + 1];
	struct hs_msg_head ack;
	struct hs_msg_ack ack_body;
	uint8_t state; /* as it told last */
};

static void
hear(void *arg, const struct hs_xport_addr *from, const uint8_t *buf,
    size_t len)
{
	struct rig *g = arg;
	struct hs_msg_state st;
	struct hs_msg_head h;
	const uint8_t *body;
	size_t body_len;

	if (from->nodeid == PEER)
		return;
	CU_ASSERT_EQUAL_FATAL(hs_msg_open(buf, len, &h, &body, &body_len), 0);
	CU_ASSERT_FATAL(h.type <= HS_MSG_LEAVE);
	g->said[h.type]++;
	if (h.type == HS_MSG_ACK) {
		g->ack = h;
		CU_ASSERT_EQUAL(hs_msg_decode_ack(body, body_len, &g->ack_body),
		    0);
	}
	if (h.type == HS_MSG_STATE &&
	    hs_msg_decode_state(body, body_len, &st) == 0)
		g->state = st.kind;
}

static void
see(void *arg, const struct hs_xport_view *v)
{
	(void)arg;
	(void)v;
}

static const struct hs_xport_events events = { .deliver = hear, .view = see };

static void
both(struct rig *g)
{
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(hs_xport_dispatch(g->n->xport, 1 << 20), 0);
		CU_ASSERT_EQUAL(hs_xport_dispatch(g->x, 1 << 20), 0);
	}
}

static struct rig *
rig_create(void)
{
	static const struct hs_xport_addr self = { PEER, PEER_PID };
	struct rig *g = calloc(1, sizeof(*g));
	struct hs_xport_addr peer = { SELF, (uint32_t)getpid() };
	struct hs_node *n = calloc(1, sizeof(*n));

	CU_ASSERT_FATAL(g != NULL && n != NULL);
	g->loop = qb_loop_create();
	g->n = n;
	g->cfg.resource = "test";
	n->cfg = &g->cfg;
	n->loop = g->loop;
	n->peer_fd = -1;
	n->quorate = true;
	n->term = TERM;
	n->primary = self;
	n->chain = true;
	CU_ASSERT_EQUAL_FATAL(hs_intake_create(&n->intake, NULL, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(hs_catchup_init(n), 0);
	CU_ASSERT_EQUAL_FATAL(hs_group_pair(n, PEER_PID), 0);
	CU_ASSERT_EQUAL_FATAL(hs_xport_unix_open(&g->x, n->peer_fd, self, peer,
				  &events, g),
	    0);
	n->peer_fd = -1;
	both(g);
	return g;
}

static void
rig_destroy(struct rig *g)
{
	hs_node_destroy(g->n);
	hs_xport_close(&g->x);
	qb_loop_destroy(g->loop);
	free(g);
}

static void
put(struct rig *g, uint8_t *buf, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(hs_xport_send(g->x, buf, len), 0);
	both(g);
}

static size_t
seal(uint8_t *buf, const struct chunk *k)
{
	memcpy(buf + HS_MSG_HEAD_BYTES, k->body, k->len);
	return hs_msg_seal(buf, &k->head, k->len);
}

static void
put_chunk(struct rig *g, const struct chunk *k)
{
	static uint8_t buf[HS_MSG_HEAD_BYTES + CHUNKS_BODY];

	put(g, buf, seal(buf, k));
}

static void
put_chunks(struct rig *g, const struct chunks *c)
{
	for (size_t i = 0; i < c->n; i++)
		put_chunk(g, &c->chunk[i]);
}

static struct chunks_plan
plan_next(const struct rig *g, bool full)
{
	struct chunks_plan p = {
		.type = HS_MSG_DATA,
		.term = g->n->term,
		.epoch = g->epoch + 1,
		.base_epoch = full ? 0 : g->epoch,
		.full = full,
		.npages = NPAGES,
	};

	if (!full)
		memcpy(p.base_digest, g->lineage, sizeof(p.base_digest));
	return p;
}

/*
 * The primary's next epoch, in two chunks: pages 1 and 3 now hold fill.  Right
 * in itself; the caller may break it before it is sent.
 */
static void
make_next(struct rig *g, struct chunks *c, bool full, uint8_t fill)
{
	struct chunks_plan p = plan_next(g, full);

	hs_chunks_init(c, &p);
	hs_chunks_page(c, 1, fill);
	hs_chunks_next(c);
	hs_chunks_page(c, 3, fill);
	hs_chunks_end(c);
}

static void
note_sent(struct rig *g, const struct chunks *c, uint8_t fill)
{
	if (c->begin.flags & HS_REC_FULL)
		memset(g->now, 0, sizeof(g->now));
	memset(g->now + PAGE, fill, PAGE);
	memset(g->now + 3 * PAGE, fill, PAGE);
	memcpy(g->lineage, c->lineage, sizeof(g->lineage));
	g->epoch = c->chunk[0].head.epoch;
}

static void
send_next(struct rig *g, bool full, uint8_t fill)
{
	struct chunks c;

	make_next(g, &c, full, fill);
	put_chunks(g, &c);
	note_sent(g, &c, fill);
	hs_chunks_fini(&c);
}

/* M1, S1: the image is exactly what the primary has as of its epoch. */
static void
expect_image(const struct rig *g)
{
	const struct hs_node *n = g->n;

	CU_ASSERT_EQUAL(n->id.epoch, g->epoch);
	CU_ASSERT_EQUAL(memcmp(n->id.digest, g->lineage, 16), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(n->image);
	CU_ASSERT_EQUAL(memcmp(hs_image_page(n->image, 0), g->now,
			    sizeof(g->now)),
	    0);
}

static void
expect_acked(const struct rig *g)
{
	CU_ASSERT_EQUAL(g->ack.epoch, g->epoch);
	CU_ASSERT_EQUAL(g->ack.term, g->n->term);
	CU_ASSERT_EQUAL(memcmp(g->ack_body.digest, g->lineage, 16), 0);
}

/* Refused once for r, and for nothing else. */
static void
expect_refused(const struct rig *g, enum hs_refusal r)
{
	for (int i = 0; i < HS_REFUSED_COUNT; i++)
		CU_ASSERT_EQUAL(g->n->refused[i], i == (int)r);
	expect_image(g);
}

/* A full epoch mends whatever was broken. */
static void
expect_mended(struct rig *g)
{
	send_next(g, true, 0xee);
	CU_ASSERT_TRUE(g->n->chain);
	CU_ASSERT_EQUAL(g->n->kind, HS_STATE_READY);
	expect_image(g);
	expect_acked(g);
}

static struct rig *
rig_with_image(void)
{
	struct rig *g = rig_create();

	send_next(g, true, 1);
	expect_image(g);
	CU_ASSERT_EQUAL(g->n->kind, HS_STATE_READY);
	return g;
}

static void
epochs_are_followed_and_acknowledged(void)
{
	struct rig *g = rig_with_image();

	expect_acked(g);
	for (uint8_t i = 2; i < 20; i++) {
		send_next(g, i % 7 == 0, i);
		expect_image(g);
		expect_acked(g);
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
	send_next(g, false, 2);
	expect_image(g);
	CU_ASSERT_EQUAL(g->said[HS_MSG_ACK], acks);
	rig_destroy(g);
}

static void
damage_of(struct rig *g, int what)
{
	static uint8_t buf[HS_MSG_HEAD_BYTES + CHUNKS_BODY];
	struct chunks c;
	size_t len;

	make_next(g, &c, false, 2);
	len = seal(buf, &c.chunk[0]);
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
	put(g, buf, len);
	hs_chunks_fini(&c);
}

static void
damaged_and_truncated_chunks_are_refused(void)
{
	for (int what = 0; what < 4; what++) {
		struct rig *g = rig_with_image();

		damage_of(g, what);
		expect_refused(g, HS_REFUSED_DAMAGED);
		CU_ASSERT_FALSE(g->n->chain);
		CU_ASSERT_EQUAL(g->n->kind, HS_STATE_STALE);
		expect_mended(g);
		rig_destroy(g);
	}
}

static void
a_stranger_breaks_nothing(void)
{
	struct rig *g = rig_with_image();

	g->n->primary.pid++; /* so this peer is not the primary */
	damage_of(g, 0);
	expect_refused(g, HS_REFUSED_DAMAGED);
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

	make_next(g, &c, false, 2);
	len = seal(buf, &c.chunk[0]);
	buf[4] = HS_MSG_VERSION + 1;
	put(g, buf, len);
	expect_refused(g, HS_REFUSED_VERSION);
	CU_ASSERT_FALSE(g->n->chain);
	hs_chunks_fini(&c);
	expect_mended(g);
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

		make_next(g, &c, false, 2);
		if (what == 0)
			c.chunk[0].head.term = TERM - 1;
		else if (what == 1)
			c.chunk[0].head.term = TERM + 1;
		else
			g->n->primary.pid++;
		put_chunk(g, &c.chunk[0]);
		expect_refused(g, want[what]);
		CU_ASSERT_TRUE(g->n->chain);
		hs_chunks_fini(&c);
		g->n->primary.pid = PEER_PID;
		send_next(g, false, 3); /* nothing happened */
		expect_image(g);
		expect_acked(g);
		rig_destroy(g);
	}
}

static void
a_replayed_epoch_changes_nothing(void)
{
	struct rig *g = rig_with_image();
	struct chunks old, c;
	unsigned acks;

	make_next(g, &old, false, 2);
	put_chunks(g, &old);
	note_sent(g, &old, 2);
	send_next(g, false, 3);
	acks = g->said[HS_MSG_ACK];
	put_chunks(g, &old);
	expect_refused(g, HS_REFUSED_REPLAY);
	CU_ASSERT_TRUE(g->n->chain);
	CU_ASSERT_EQUAL(g->said[HS_MSG_ACK], acks);

	/* In the midst of another epoch it costs that one its chain. */
	make_next(g, &c, false, 4);
	put_chunk(g, &c.chunk[0]);
	put_chunk(g, &old.chunk[0]);
	put_chunk(g, &c.chunk[1]);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_GAP], 1);
	CU_ASSERT_FALSE(g->n->chain);
	expect_image(g);
	hs_chunks_fini(&old);
	hs_chunks_fini(&c);
	expect_mended(g);
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
		make_next(g, &c, false, 2);
		if (what == 0)
			put_chunk(g, &c.chunk[1]);
		else
			put_chunks(g, &c);
		if (what == 1)
			g->epoch--;
		if (what == 2)
			g->lineage[3] ^= 1;
		expect_refused(g, HS_REFUSED_GAP);
		CU_ASSERT_FALSE(g->n->chain);
		CU_ASSERT_EQUAL(g->state, HS_STATE_STALE);
		hs_chunks_fini(&c);
		expect_mended(g);
		rig_destroy(g);
	}
}

static void
another_arena_is_refused(void)
{
	struct rig *g = rig_with_image();
	struct chunks_plan p = plan_next(g, true);
	struct chunks c;

	p.npages = NPAGES + 1;
	hs_chunks_init(&c, &p);
	hs_chunks_page(&c, NPAGES, 9);
	hs_chunks_end(&c);
	put_chunks(g, &c);
	expect_refused(g, HS_REFUSED_GEOMETRY);
	CU_ASSERT_FALSE(g->n->chain);
	hs_chunks_fini(&c);
	expect_mended(g);
	rig_destroy(g);
}

/* Epochs are numbered anew by a primary that goes on from an older one. */
static void
a_new_primary_may_begin_behind_the_image(void)
{
	struct rig *g = rig_with_image();

	for (uint8_t i = 2; i < 6; i++)
		send_next(g, false, i);
	g->n->term++;
	g->n->chain = false;
	g->epoch = 1;
	expect_mended(g);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_REPLAY], 0);
	CU_ASSERT_EQUAL(g->n->id.term, TERM + 1);
	rig_destroy(g);
}

static void
say_state(struct rig *g, enum hs_msg_state_kind kind)
{
	struct hs_msg_head h = { .term = g->n->term, .epoch = g->epoch };
	struct hs_msg_state m = {
		.kind = (uint8_t)kind,
		.quorate = 1,
		.abi = HS_MSG_VERSION,
		.arena_base = CHUNKS_BASE,
		.arena_bytes = (uint64_t)NPAGES * PAGE,
		.tenure = g->n->term,
		.pid = kind == HS_STATE_PRIMARY ? PEER_PID : 0,
	};
	uint8_t buf[256];
	int rc;

	memcpy(m.digest, g->lineage, sizeof(m.digest));
	rc = hs_msg_encode_state(buf, sizeof(buf), &h, &m);
	CU_ASSERT_FATAL(rc > 0);
	put(g, buf, (size_t)rc);
}

/* The image as of now, as the primary's agent would send it. */
static void
make_image(struct rig *g, struct chunks *c, struct hs_random *r)
{
	struct chunks_plan p = plan_next(g, true);

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
		say_state(g, HS_STATE_PRIMARY);
		CU_ASSERT_EQUAL(g->said[HS_MSG_NEED], 1);
		CU_ASSERT_EQUAL(g->n->kind, HS_STATE_SYNCING);
		make_image(g, &image, &r);
		for (size_t i = 0; i < image.n; i++) {
			if (hs_random_below(&r, 3) == 0)
				send_next(g, false,
				    (uint8_t)hs_random_u64(&r) | 1);
			CU_ASSERT_EQUAL(g->said[HS_MSG_ACK], 0);
			put_chunk(g, &image.chunk[i]);
		}
		CU_ASSERT_EQUAL(g->n->kind, HS_STATE_READY);
		expect_image(g);
		expect_acked(g);
		send_next(g, false, 9);
		expect_image(g);
		expect_acked(g);
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
	say_state(g, HS_STATE_PRIMARY);
	make_image(g, &image, &r);
	image.chunk[image.n - 1].body[image.chunk[image.n - 1].len - 1] ^= 1;
	put_chunks(g, &image);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_DAMAGED], 1);
	CU_ASSERT_FALSE(g->n->chain);
	CU_ASSERT_PTR_NULL(g->n->incoming);
	expect_image(g);
	CU_ASSERT_EQUAL(g->n->kind, HS_STATE_SYNCING);
	hs_chunks_fini(&image);
	expect_mended(g);
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
	put_chunks(g, &image); /* nobody asked */
	CU_ASSERT_PTR_NULL(g->n->incoming);
	g->n->chain = false;
	say_state(g, HS_STATE_PRIMARY);
	CU_ASSERT_NOT_EQUAL(g->n->source, 0);
	hs_peer_find(&g->n->peers, PEER)->addr.pid++; /* not that process */
	put_chunks(g, &image);
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
	say_state(g, HS_STATE_PRIMARY);
	CU_ASSERT_EQUAL(g->said[HS_MSG_NEED], 1);
	make_next(g, &c, true, 3);
	g->n->id.term = TERM; /* the image has that number already */
	g->n->id.epoch = c.chunk[0].head.epoch;
	put_chunks(g, &c);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_REPLAY], 1);
	CU_ASSERT_EQUAL(g->said[HS_MSG_NEED], 2);
	CU_ASSERT_EQUAL(g->n->source, PEER);
	g->n->id.epoch = g->epoch;
	hs_chunks_fini(&c);
	expect_mended(g);
	CU_ASSERT_EQUAL(g->n->source, 0);
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
	put(g, buf, (size_t)rc);
	CU_ASSERT_TRUE(g->n->held_epoch < 1000);
	CU_ASSERT_EQUAL(g->n->refused[HS_REFUSED_SENDER], 1);
	say_state(g, HS_STATE_READY);
	put(g, buf, (size_t)rc);
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
		struct chunks_plan p = plan_next(g, false);
		unsigned fired = hs_fault_fired(point[i]);
		struct chunks c;

		hs_fault_arm(point[i], 1);
		hs_chunks_init(&c, &p);
		hs_chunks_page(&c, 1, 2);
		hs_chunks_page(&c, 7, 2); /* new to the image */
		hs_chunks_next(&c);
		hs_chunks_page(&c, 8, 2);
		hs_chunks_end(&c);
		put_chunks(g, &c);
		hs_chunks_fini(&c);
		CU_ASSERT_EQUAL(hs_fault_fired(point[i]), fired + 1);
		CU_ASSERT_TRUE(g->n->refused[want[i]] >= 1);
		CU_ASSERT_FALSE(g->n->chain);
		expect_image(g);
		expect_mended(g);
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
    HS_TEST(an_image_and_what_follows_it),
    HS_TEST(a_damaged_image_is_not_taken),
    HS_TEST(an_image_comes_from_the_source_alone),
    HS_TEST(a_full_epoch_ends_the_waiting),
    HS_TEST(acks_count_from_agents_alone),
    HS_TEST(no_memory_is_said_and_mended))
