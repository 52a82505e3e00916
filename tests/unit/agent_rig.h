/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node whose only peer is the test: it says what a primary, or whoever else
 * is in the group, might say, and looks at what the node makes of it.  The node
 * is the real one, from the transport's delivery on.
 */
#ifndef HS_UNIT_AGENT_RIG_H
#define HS_UNIT_AGENT_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/node.h"
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

/* Without an image; or with one, by a full epoch. */
struct rig *rig_create(void);
struct rig *rig_with_image(void);
void rig_destroy(struct rig *g);

/* ---- what the peer says ---- */

void rig_put(struct rig *g, uint8_t *buf, size_t len);
void rig_put_chunk(struct rig *g, const struct chunk *k);
void rig_put_chunks(struct rig *g, const struct chunks *c);
/* The chunk as a message: its length. */
size_t rig_seal(uint8_t *buf, const struct chunk *k);
void rig_say_state(struct rig *g, enum hs_msg_state_kind kind);
/* Of another tenure than the node's. */
void rig_say_tenure(struct rig *g, enum hs_msg_state_kind kind,
    uint64_t tenure);

/* What the primary's next epoch begins with. */
struct chunks_plan rig_plan(const struct rig *g, bool full);
/*
 * The primary's next epoch, in two chunks: pages 1 and 3 now hold fill.  Right
 * in itself; the caller may break it before it is sent.
 */
void rig_make_next(struct rig *g, struct chunks *c, bool full, uint8_t fill);
void rig_note_sent(struct rig *g, const struct chunks *c, uint8_t fill);
/* All three. */
void rig_send_next(struct rig *g, bool full, uint8_t fill);

/* ---- what the node makes of it ---- */

/* M1, S1: the image is exactly what the primary has as of its epoch. */
void rig_expect_image(const struct rig *g);
void rig_expect_acked(const struct rig *g);
/* Refused once for r, and for nothing else. */
void rig_expect_refused(const struct rig *g, enum hs_refusal r);
/* A full epoch mends whatever was broken. */
void rig_expect_mended(struct rig *g);

#endif
