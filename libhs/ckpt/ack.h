/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who holds what: the acknowledgements of the members of the current view, and
 * what they add up to.  Pure bookkeeping: no I/O, no lock; the caller has one.
 *
 * K1  An ack counts only if its sender is in the view and its digest is the
 *     lineage digest of that epoch: of an epoch that is in the ring.
 * K2  An ack of epoch n says that all epochs <= n are held.
 * K3  This node's own agent never counts as a holder.
 * K4  A member that leaves the view takes its acks along; one that comes back
 *     begins anew.
 */
#ifndef HS_CKPT_ACK_H
#define HS_CKPT_ACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "net/xport.h"

/*
 * Epochs whose digests are kept.  No more are sent ahead of the slowest
 * receiver, so that its acks always find theirs.
 */
#define HS_ACK_RING 4096

struct hs_ack_node {
	struct hs_xport_addr addr;
	uint64_t epoch;		/* newest acked; 0: none in this view */
	uint64_t off;		/* stream bytes received */
	bool agent;		/* it told its STATE in this view */
};

struct hs_ack_digest {
	uint64_t epoch;
	uint64_t off;		/* stream bytes up to its end */
	uint8_t digest[HS_DIGEST_BYTES];
};

struct hs_ack {
	uint32_t own_nodeid;
	unsigned need;		/* holders for an epoch to be held, >= 1 */
	uint64_t own_off;	/* stream bytes the own agent applied */
	size_t nnode;
	struct hs_ack_node node[HS_XPORT_MAX_MEMBERS];
	struct hs_ack_digest ring[HS_ACK_RING];
};

void hs_ack_init(struct hs_ack *a, uint32_t own_nodeid, unsigned min_spares);
/* The administrator changed it: for epochs that are not held yet. */
void hs_ack_need(struct hs_ack *a, unsigned min_spares);

/* Members that stay keep what they said. */
void hs_ack_view(struct hs_ack *a, const struct hs_xport_view *v);

/*
 * This is the digest by which acks of epoch are known, and off where it ends in
 * the stream: who has it needs nothing before, whatever it received of that.
 */
void hs_ack_expect(struct hs_ack *a, uint64_t epoch, uint64_t off,
    const uint8_t digest[HS_DIGEST_BYTES]);

/* from told its STATE: it is an agent, and no other process of its node. */
void hs_ack_agent(struct hs_ack *a, const struct hs_xport_addr *from);
bool hs_ack_is_agent(struct hs_ack *a, const struct hs_xport_addr *from);

/* An ack came; true if it counts (K1).  It counts once it is new, too. */
bool hs_ack_note(struct hs_ack *a, const struct hs_xport_addr *from,
    uint64_t epoch, const uint8_t digest[HS_DIGEST_BYTES]);

/* from has received the stream up to off. */
void hs_ack_progress(struct hs_ack *a, const struct hs_xport_addr *from,
    uint64_t off);

/* The own agent has applied the stream up to off. */
void hs_ack_own(struct hs_ack *a, uint64_t off);

/* Newest epoch that `need` nodes hold now; 0: none. */
uint64_t hs_ack_held(const struct hs_ack *a);

/* Nodes that hold epoch now. */
unsigned hs_ack_holders(const struct hs_ack *a, uint64_t epoch);

/* Stream bytes that the own agent and every receiver that acks have got. */
uint64_t hs_ack_received(const struct hs_ack *a);

/* Newest epoch that all receivers have acked; UINT64_MAX: there are none. */
uint64_t hs_ack_oldest(const struct hs_ack *a);

#endif
