/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other agents of the resource, one a node, and the nodes that vanished
 * while they might have held an image ("lost": out of reach, not yet known to
 * be fenced).
 */
#ifndef HS_AGENT_PEER_H
#define HS_AGENT_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "net/xport.h"
#include "wire/msg.h"

struct hs_peer {
	struct hs_xport_addr addr;
	bool leaving; /* it said LEAVE */
	time_t joined; /* CLOCK_REALTIME s: this agent was there then */
	uint64_t term, epoch; /* of its image */
	struct hs_msg_state state;
};

struct hs_lost {
	uint32_t nodeid;
	/*
	 * CLOCK_REALTIME s, as the fencer's times are: when this incarnation
	 * of the node was first seen.  A fencing that ended later killed it.
	 */
	time_t since;
};

struct hs_peers {
	struct hs_peer peer[HS_XPORT_MAX_MEMBERS];
	size_t n;
	struct hs_lost lost[HS_XPORT_MAX_MEMBERS];
	size_t nlost;
};

struct hs_peer *hs_peer_find(struct hs_peers *p, uint32_t nodeid);
/*
 * Find or add; NULL when the table is full.  A new pid at a node is a new
 * peer.
 */
struct hs_peer *hs_peer_get(struct hs_peers *p,
    const struct hs_xport_addr *addr);
void hs_peer_remove(struct hs_peers *p, uint32_t nodeid);
void hs_peer_lose(struct hs_peers *p, uint32_t nodeid, time_t since);
/* The node is fenced, or back. */
void hs_peer_found(struct hs_peers *p, uint32_t nodeid);
/* How many are of this kind; and the first such. */
unsigned hs_peer_count(const struct hs_peers *p, enum hs_msg_state_kind kind);
const struct hs_peer *hs_peer_of_kind(const struct hs_peers *p,
    enum hs_msg_state_kind kind);

#endif
