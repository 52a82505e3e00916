/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "agent/peer.h"

struct hs_peer *
hs_peer_find(struct hs_peers *p, uint32_t nodeid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->peer[i].addr.nodeid == nodeid)
			return &p->peer[i];
	return NULL;
}

struct hs_peer *
hs_peer_get(struct hs_peers *p, const struct hs_xport_addr *addr)
{
	struct hs_peer *peer = hs_peer_find(p, addr->nodeid);

	if (peer == NULL) {
		if (p->n == HS_XPORT_MAX_MEMBERS)
			return NULL;
		peer = &p->peer[p->n++];
	} else if (peer->addr.pid == addr->pid) {
		return peer;
	}
	memset(peer, 0, sizeof(*peer));
	peer->addr = *addr;
	peer->joined = time(NULL);
	return peer;
}

void
hs_peer_remove(struct hs_peers *p, uint32_t nodeid)
{
	struct hs_peer *peer = hs_peer_find(p, nodeid);

	if (peer != NULL)
		*peer = p->peer[--p->n];
}

void
hs_peer_lose(struct hs_peers *p, uint32_t nodeid, time_t since)
{
	hs_peer_found(p, nodeid);
	if (p->nlost == HS_XPORT_MAX_MEMBERS)
		return; /* more nodes than a group can have */
	p->lost[p->nlost].nodeid = nodeid;
	p->lost[p->nlost++].since = since;
}

void
hs_peer_found(struct hs_peers *p, uint32_t nodeid)
{
	for (size_t i = 0; i < p->nlost; i++)
		if (p->lost[i].nodeid == nodeid) {
			p->lost[i] = p->lost[--p->nlost];
			return;
		}
}

unsigned
hs_peer_count(const struct hs_peers *p, enum hs_msg_state_kind kind)
{
	unsigned k = 0;

	for (size_t i = 0; i < p->n; i++)
		k += p->peer[i].state.kind == kind;
	return k;
}

const struct hs_peer *
hs_peer_of_kind(const struct hs_peers *p, enum hs_msg_state_kind kind)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->peer[i].state.kind == kind)
			return &p->peer[i];
	return NULL;
}
