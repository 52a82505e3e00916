/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/ack.h"

#include <string.h>

static bool
same_addr(const struct hs_xport_addr *a, const struct hs_xport_addr *b)
{
	return a->nodeid == b->nodeid && a->pid == b->pid;
}

static struct hs_ack_node *
find_node(struct hs_ack *a, const struct hs_xport_addr *addr)
{
	for (size_t i = 0; i < a->nnode; i++)
		if (same_addr(&a->node[i].addr, addr))
			return &a->node[i];
	return NULL;
}

void
hs_ack_init(struct hs_ack *a, uint32_t own_nodeid, unsigned min_spares)
{
	memset(a, 0, sizeof(*a));
	a->own_nodeid = own_nodeid;
	hs_ack_need(a, min_spares);
}

void
hs_ack_need(struct hs_ack *a, unsigned min_spares)
{
	a->need = min_spares > 1 ? min_spares : 1;
}

void
hs_ack_view(struct hs_ack *a, const struct hs_xport_view *v)
{
	struct hs_ack_node next[HS_XPORT_MAX_MEMBERS];
	size_t n = 0;

	for (size_t i = 0; i < v->nmember && n < HS_XPORT_MAX_MEMBERS; i++) {
		const struct hs_ack_node *old = find_node(a, &v->member[i]);

		if (old != NULL)
			next[n++] = *old;
		else
			next[n++] =
			    (struct hs_ack_node){ .addr = v->member[i] };
	}
	memcpy(a->node, next, n * sizeof(next[0]));
	a->nnode = n;
}

void
hs_ack_expect(struct hs_ack *a, uint64_t epoch, uint64_t off,
    const uint8_t digest[HS_DIGEST_BYTES])
{
	struct hs_ack_digest *d = &a->ring[epoch % HS_ACK_RING];

	d->epoch = epoch;
	d->off = off;
	memcpy(d->digest, digest, sizeof(d->digest));
}

bool
hs_ack_note(struct hs_ack *a, const struct hs_xport_addr *from, uint64_t epoch,
    const uint8_t digest[HS_DIGEST_BYTES])
{
	const struct hs_ack_digest *d = &a->ring[epoch % HS_ACK_RING];
	struct hs_ack_node *n = find_node(a, from);

	if (n == NULL || epoch == 0 || d->epoch != epoch ||
	    memcmp(d->digest, digest, sizeof(d->digest)) != 0)
		return false;				/* K1 */
	if (epoch <= n->epoch)
		return false;
	n->epoch = epoch;				/* K2 */
	if (d->off > n->off)
		n->off = d->off;
	return true;
}

void
hs_ack_agent(struct hs_ack *a, const struct hs_xport_addr *from)
{
	struct hs_ack_node *n = find_node(a, from);

	if (n != NULL)
		n->agent = true;
}

bool
hs_ack_is_agent(struct hs_ack *a, const struct hs_xport_addr *from)
{
	const struct hs_ack_node *n = find_node(a, from);

	return n != NULL && n->agent;
}

void
hs_ack_progress(struct hs_ack *a, const struct hs_xport_addr *from,
    uint64_t off)
{
	struct hs_ack_node *n = find_node(a, from);

	if (n != NULL && off > n->off)
		n->off = off;
}

void
hs_ack_own(struct hs_ack *a, uint64_t off)
{
	if (off > a->own_off)
		a->own_off = off;
}

static bool
holds(const struct hs_ack *a, const struct hs_ack_node *n, uint64_t epoch)
{
	return n->addr.nodeid != a->own_nodeid && n->epoch >= epoch; /* K3 */
}

unsigned
hs_ack_holders(const struct hs_ack *a, uint64_t epoch)
{
	unsigned holders = 0;

	if (epoch == 0)
		return 0;
	for (size_t i = 0; i < a->nnode; i++) {
		bool counted = false;

		if (!holds(a, &a->node[i], epoch))
			continue;
		/* Two processes of one node are one holder. */
		for (size_t j = 0; j < i && !counted; j++)
			counted = holds(a, &a->node[j], epoch) &&
			    a->node[j].addr.nodeid == a->node[i].addr.nodeid;
		if (!counted)
			holders++;
	}
	return holders;
}

uint64_t
hs_ack_held(const struct hs_ack *a)
{
	uint64_t held = 0;

	for (size_t i = 0; i < a->nnode; i++)
		if (a->node[i].epoch > held &&
		    hs_ack_holders(a, a->node[i].epoch) >= a->need)
			held = a->node[i].epoch;
	return held;
}

uint64_t
hs_ack_received(const struct hs_ack *a)
{
	uint64_t off = a->own_off;

	for (size_t i = 0; i < a->nnode; i++)
		if (holds(a, &a->node[i], 1) && a->node[i].off < off)
			off = a->node[i].off;
	return off;
}

uint64_t
hs_ack_oldest(const struct hs_ack *a)
{
	uint64_t epoch = UINT64_MAX;

	for (size_t i = 0; i < a->nnode; i++)
		if (holds(a, &a->node[i], 1) && a->node[i].epoch < epoch)
			epoch = a->node[i].epoch;
	return epoch;
}
