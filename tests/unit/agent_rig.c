/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/agent_rig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/suite.h"

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

struct rig *
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

void
rig_destroy(struct rig *g)
{
	hs_node_destroy(g->n);
	hs_xport_close(&g->x);
	qb_loop_destroy(g->loop);
	free(g);
}

void
rig_put(struct rig *g, uint8_t *buf, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(hs_xport_send(g->x, buf, len), 0);
	both(g);
}

size_t
rig_seal(uint8_t *buf, const struct chunk *k)
{
	memcpy(buf + HS_MSG_HEAD_BYTES, k->body, k->len);
	return hs_msg_seal(buf, &k->head, k->len);
}

void
rig_put_chunk(struct rig *g, const struct chunk *k)
{
	static uint8_t buf[HS_MSG_HEAD_BYTES + CHUNKS_BODY];

	rig_put(g, buf, rig_seal(buf, k));
}

void
rig_put_chunks(struct rig *g, const struct chunks *c)
{
	for (size_t i = 0; i < c->n; i++)
		rig_put_chunk(g, &c->chunk[i]);
}

struct chunks_plan
rig_plan(const struct rig *g, bool full)
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

void
rig_make_next(struct rig *g, struct chunks *c, bool full, uint8_t fill)
{
	struct chunks_plan p = rig_plan(g, full);

	hs_chunks_init(c, &p);
	hs_chunks_page(c, 1, fill);
	hs_chunks_next(c);
	hs_chunks_page(c, 3, fill);
	hs_chunks_end(c);
}

void
rig_note_sent(struct rig *g, const struct chunks *c, uint8_t fill)
{
	if (c->begin.flags & HS_REC_FULL)
		memset(g->now, 0, sizeof(g->now));
	memset(g->now + PAGE, fill, PAGE);
	memset(g->now + 3 * PAGE, fill, PAGE);
	memcpy(g->lineage, c->lineage, sizeof(g->lineage));
	g->epoch = c->chunk[0].head.epoch;
}

void
rig_send_next(struct rig *g, bool full, uint8_t fill)
{
	struct chunks c;

	rig_make_next(g, &c, full, fill);
	rig_put_chunks(g, &c);
	rig_note_sent(g, &c, fill);
	hs_chunks_fini(&c);
}

void
rig_expect_image(const struct rig *g)
{
	const struct hs_node *n = g->n;

	CU_ASSERT_EQUAL(n->id.epoch, g->epoch);
	CU_ASSERT_EQUAL(memcmp(n->id.digest, g->lineage, 16), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(n->image);
	CU_ASSERT_EQUAL(memcmp(hs_image_page(n->image, 0), g->now,
			    sizeof(g->now)),
	    0);
}

void
rig_expect_acked(const struct rig *g)
{
	CU_ASSERT_EQUAL(g->ack.epoch, g->epoch);
	CU_ASSERT_EQUAL(g->ack.term, g->n->term);
	CU_ASSERT_EQUAL(memcmp(g->ack_body.digest, g->lineage, 16), 0);
}

void
rig_expect_refused(const struct rig *g, enum hs_refusal r)
{
	for (int i = 0; i < HS_REFUSED_COUNT; i++)
		CU_ASSERT_EQUAL(g->n->refused[i], i == (int)r);
	rig_expect_image(g);
}

void
rig_expect_mended(struct rig *g)
{
	rig_send_next(g, true, 0xee);
	CU_ASSERT_TRUE(g->n->chain);
	CU_ASSERT_EQUAL(g->n->kind, HS_STATE_READY);
	rig_expect_image(g);
	rig_expect_acked(g);
}

struct rig *
rig_with_image(void)
{
	struct rig *g = rig_create();

	rig_send_next(g, true, 1);
	rig_expect_image(g);
	CU_ASSERT_EQUAL(g->n->kind, HS_STATE_READY);
	return g;
}

void
rig_say_state(struct rig *g, enum hs_msg_state_kind kind)
{
	rig_say_tenure(g, kind, g->n->term);
}

void
rig_say_tenure(struct rig *g, enum hs_msg_state_kind kind, uint64_t tenure)
{
	struct hs_msg_head h = { .term = g->n->term, .epoch = g->epoch };
	struct hs_msg_state m = {
		.kind = (uint8_t)kind,
		.quorate = 1,
		.abi = HS_MSG_VERSION,
		.arena_base = CHUNKS_BASE,
		.arena_bytes = (uint64_t)NPAGES * PAGE,
		.tenure = tenure,
		.pid = kind == HS_STATE_PRIMARY ? PEER_PID : 0,
	};
	uint8_t buf[256];
	int rc;

	memcpy(m.digest, g->lineage, sizeof(m.digest));
	rc = hs_msg_encode_state(buf, sizeof(buf), &h, &m);
	CU_ASSERT_FATAL(rc > 0);
	rig_put(g, buf, (size_t)rc);
}
