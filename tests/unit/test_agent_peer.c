/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/peer.h"
#include "tests/unit/suite.h"

static struct hs_xport_addr
at(uint32_t nodeid, uint32_t pid)
{
	return (struct hs_xport_addr){ .nodeid = nodeid, .pid = pid };
}

static void
one_peer_a_node(void)
{
	struct hs_xport_addr a = at(1, 10), b = at(1, 11);
	static struct hs_peers p;
	struct hs_peer *x;

	CU_ASSERT_PTR_NULL(hs_peer_find(&p, 1));
	x = hs_peer_get(&p, &a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(x);
	x->state.kind = HS_STATE_READY;
	x->epoch = 5;
	x->leaving = true;
	CU_ASSERT_PTR_EQUAL(hs_peer_get(&p, &a), x);
	CU_ASSERT_EQUAL(x->epoch, 5);
	/* A new process there has nothing of what the old one had. */
	x = hs_peer_get(&p, &b);
	CU_ASSERT_EQUAL(p.n, 1);
	CU_ASSERT_EQUAL(x->epoch, 0);
	CU_ASSERT_EQUAL(x->state.kind, HS_STATE_EMPTY);
	CU_ASSERT_FALSE(x->leaving);
	CU_ASSERT_EQUAL(x->addr.pid, 11);
	hs_peer_remove(&p, 2); /* is not there */
	CU_ASSERT_EQUAL(p.n, 1);
	hs_peer_remove(&p, 1);
	CU_ASSERT_PTR_NULL(hs_peer_find(&p, 1));
}

static void
the_table_is_bounded(void)
{
	static struct hs_peers p;

	for (uint32_t i = 1; i <= HS_XPORT_MAX_MEMBERS + 1; i++) {
		struct hs_xport_addr a = at(i, i);

		if (i <= HS_XPORT_MAX_MEMBERS)
			CU_ASSERT_PTR_NOT_NULL(hs_peer_get(&p, &a))
		else
			CU_ASSERT_PTR_NULL(hs_peer_get(&p, &a));
		hs_peer_lose(&p, i, 0);
	}
	CU_ASSERT_EQUAL(p.nlost, HS_XPORT_MAX_MEMBERS);
	for (uint32_t i = HS_XPORT_MAX_MEMBERS; i > 0; i--) {
		hs_peer_remove(&p, i);
		hs_peer_found(&p, i);
	}
	CU_ASSERT_EQUAL(p.n, 0);
	CU_ASSERT_EQUAL(p.nlost, 0);
}

static void
removal_keeps_the_others(void)
{
	static struct hs_peers p;

	for (uint32_t i = 1; i <= 5; i++) {
		struct hs_xport_addr a = at(i, 10 * i);

		hs_peer_get(&p, &a)->epoch = i;
	}
	hs_peer_remove(&p, 2);
	hs_peer_remove(&p, 5);
	CU_ASSERT_EQUAL(p.n, 3);
	for (uint32_t i = 1; i <= 5; i++) {
		const struct hs_peer *x = hs_peer_find(&p, i);

		if (i == 2 || i == 5)
			CU_ASSERT_PTR_NULL(x)
		else
			CU_ASSERT_TRUE(x != NULL && x->epoch == i);
	}
}

/* Lost twice is lost once, since when it was seen last. */
static void
a_lost_node_is_lost_until_found(void)
{
	static struct hs_peers p;

	hs_peer_lose(&p, 7, 100);
	hs_peer_lose(&p, 8, 100);
	hs_peer_lose(&p, 7, 200);
	CU_ASSERT_EQUAL_FATAL(p.nlost, 2);
	for (size_t i = 0; i < p.nlost; i++)
		CU_ASSERT_EQUAL(p.lost[i].since,
		    p.lost[i].nodeid == 7 ? 200 : 100);
	hs_peer_found(&p, 9);
	CU_ASSERT_EQUAL(p.nlost, 2);
	hs_peer_found(&p, 7);
	CU_ASSERT_EQUAL_FATAL(p.nlost, 1);
	CU_ASSERT_EQUAL(p.lost[0].nodeid, 8);
	hs_peer_found(&p, 8);
	CU_ASSERT_EQUAL(p.nlost, 0);
}

static void
kinds_are_counted(void)
{
	static struct hs_peers p;

	for (uint32_t i = 1; i <= 4; i++) {
		struct hs_xport_addr a = at(i, i);

		hs_peer_get(&p, &a)->state.kind =
		    i == 3 ? HS_STATE_PRIMARY : HS_STATE_READY;
	}
	CU_ASSERT_EQUAL(hs_peer_count(&p, HS_STATE_READY), 3);
	CU_ASSERT_EQUAL(hs_peer_count(&p, HS_STATE_PRIMARY), 1);
	CU_ASSERT_EQUAL(hs_peer_count(&p, HS_STATE_FAILED), 0);
	CU_ASSERT_EQUAL(hs_peer_of_kind(&p, HS_STATE_PRIMARY)->addr.nodeid, 3);
	CU_ASSERT_PTR_NULL(hs_peer_of_kind(&p, HS_STATE_STALE));
}

HS_SUITE(agent_peer, HS_TEST(one_peer_a_node), HS_TEST(the_table_is_bounded),
    HS_TEST(removal_keeps_the_others), HS_TEST(a_lost_node_is_lost_until_found),
    HS_TEST(kinds_are_counted))
