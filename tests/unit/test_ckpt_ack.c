/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "ckpt/ack.h"
#include "tests/unit/suite.h"

#define OWN 1

static const struct hs_xport_addr own = { OWN, 10 };
static const struct hs_xport_addr spare = { 2, 20 };
static const struct hs_xport_addr third = { 3, 30 };
static const struct hs_xport_addr twice = { 2, 21 };	/* spare's node, too */

static struct hs_ack *
make_ack(unsigned need)
{
	struct hs_ack *a = malloc(sizeof(*a));

	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	hs_ack_init(a, OWN, need);
	return a;
}

static void
see(struct hs_ack *a, const struct hs_xport_addr *m, size_t n)
{
	const struct hs_xport_view v = { .member = m, .nmember = n };

	hs_ack_view(a, &v);
}

static void
digest_of(uint64_t epoch, uint8_t d[HS_DIGEST_BYTES])
{
	memset(d, 0x40 + (int)(epoch & 0x3f), HS_DIGEST_BYTES);
	memcpy(d, &epoch, sizeof(epoch));
}

static void
expect(struct hs_ack *a, uint64_t epoch)
{
	uint8_t d[HS_DIGEST_BYTES];

	digest_of(epoch, d);
	hs_ack_expect(a, epoch, 0, d);
}

static bool
note(struct hs_ack *a, const struct hs_xport_addr *from, uint64_t epoch)
{
	uint8_t d[HS_DIGEST_BYTES];

	digest_of(epoch, d);
	return hs_ack_note(a, from, epoch, d);
}

static void
ack_of_a_member_covers_all_before(void)
{
	const struct hs_xport_addr m[] = { own, spare };
	struct hs_ack *a = make_ack(0);

	see(a, m, 2);
	for (uint64_t e = 1; e <= 5; e++)
		expect(a, e);
	CU_ASSERT_EQUAL(hs_ack_held(a), 0);
	CU_ASSERT_TRUE(note(a, &spare, 4));
	CU_ASSERT_EQUAL(hs_ack_held(a), 4);
	CU_ASSERT_EQUAL(hs_ack_holders(a, 1), 1);
	CU_ASSERT_EQUAL(hs_ack_holders(a, 4), 1);
	CU_ASSERT_EQUAL(hs_ack_holders(a, 5), 0);
	CU_ASSERT_FALSE(note(a, &spare, 3));	/* an old one says nothing */
	CU_ASSERT_EQUAL(hs_ack_held(a), 4);
	free(a);
}

static void
other_digest_does_not_count(void)
{
	const struct hs_xport_addr m[] = { own, spare };
	struct hs_ack *a = make_ack(1);
	uint8_t d[HS_DIGEST_BYTES];

	see(a, m, 2);
	expect(a, 1);
	for (size_t i = 0; i < sizeof(d); i++) {
		digest_of(1, d);
		d[i] ^= 0x80;
		CU_ASSERT_FALSE(hs_ack_note(a, &spare, 1, d));
	}
	CU_ASSERT_FALSE(note(a, &spare, 2));	/* never sent */
	CU_ASSERT_FALSE(note(a, &spare, 1 + HS_ACK_RING));
	CU_ASSERT_FALSE(note(a, &spare, 0));
	CU_ASSERT_EQUAL(hs_ack_held(a), 0);
	free(a);
}

static void
stranger_and_own_agent_do_not_count(void)
{
	const struct hs_xport_addr m[] = { own, spare };
	struct hs_ack *a = make_ack(1);

	see(a, m, 2);
	expect(a, 1);
	CU_ASSERT_FALSE(note(a, &third, 1));
	(void)note(a, &own, 1);
	CU_ASSERT_EQUAL(hs_ack_held(a), 0);
	CU_ASSERT_EQUAL(hs_ack_holders(a, 1), 0);
	CU_ASSERT_EQUAL(hs_ack_oldest(a), UINT64_MAX);
	free(a);
}

static void
min_spares_counts_nodes(void)
{
	const struct hs_xport_addr m[] = { own, spare, twice, third };
	struct hs_ack *a = make_ack(2);

	see(a, m, 4);
	for (uint64_t e = 1; e <= 9; e++)
		expect(a, e);
	CU_ASSERT_TRUE(note(a, &spare, 9));
	CU_ASSERT_TRUE(note(a, &twice, 9));
	CU_ASSERT_EQUAL(hs_ack_holders(a, 9), 1);
	CU_ASSERT_EQUAL(hs_ack_held(a), 0);
	CU_ASSERT_TRUE(note(a, &third, 6));
	CU_ASSERT_EQUAL(hs_ack_held(a), 6);
	CU_ASSERT_EQUAL(hs_ack_oldest(a), 6);
	free(a);
}

static void
member_that_left_begins_anew(void)
{
	const struct hs_xport_addr both[] = { own, spare };
	struct hs_ack *a = make_ack(1);

	see(a, both, 2);
	expect(a, 1);
	expect(a, 2);
	CU_ASSERT_TRUE(note(a, &spare, 2));
	see(a, both, 1);
	CU_ASSERT_EQUAL(hs_ack_held(a), 0);
	CU_ASSERT_FALSE(note(a, &spare, 2));	/* it is not in the view */
	see(a, both, 2);
	CU_ASSERT_EQUAL(hs_ack_held(a), 0);
	CU_ASSERT_TRUE(note(a, &spare, 2));	/* the same ack again */
	CU_ASSERT_EQUAL(hs_ack_held(a), 2);
	see(a, both, 2);	/* nothing has changed */
	CU_ASSERT_EQUAL(hs_ack_held(a), 2);
	free(a);
}

static void
slowest_receiver_bounds_the_stream(void)
{
	const struct hs_xport_addr m[] = { own, spare, third };
	struct hs_ack *a = make_ack(1);

	see(a, m, 3);
	expect(a, 1);
	hs_ack_own(a, 1000);
	hs_ack_progress(a, &spare, 400);
	/* Not a receiver before it acked: it may be loading an image. */
	CU_ASSERT_EQUAL(hs_ack_received(a), 1000);
	CU_ASSERT_TRUE(note(a, &spare, 1));
	CU_ASSERT_EQUAL(hs_ack_received(a), 400);
	hs_ack_progress(a, &spare, 300);	/* never back */
	CU_ASSERT_EQUAL(hs_ack_received(a), 400);
	hs_ack_progress(a, &spare, 5000);
	CU_ASSERT_EQUAL(hs_ack_received(a), 1000);
	CU_ASSERT_TRUE(note(a, &third, 1));
	CU_ASSERT_EQUAL(hs_ack_received(a), 0);
	see(a, m, 2);
	CU_ASSERT_EQUAL(hs_ack_received(a), 1000);
	hs_ack_own(a, 900);
	CU_ASSERT_EQUAL(hs_ack_received(a), 1000);
	free(a);
}

static void
ring_forgets_what_is_too_old(void)
{
	const struct hs_xport_addr m[] = { own, spare };
	struct hs_ack *a = make_ack(1);

	see(a, m, 2);
	for (uint64_t e = 1; e <= HS_ACK_RING + 1; e++)
		expect(a, e);
	CU_ASSERT_FALSE(note(a, &spare, 1));
	CU_ASSERT_TRUE(note(a, &spare, 2));
	CU_ASSERT_TRUE(note(a, &spare, HS_ACK_RING + 1));
	CU_ASSERT_EQUAL(hs_ack_held(a), HS_ACK_RING + 1);
	free(a);
}

/*
 * A spare that got the image, and nothing of the stream since, says that it has
 * the epoch and 0 bytes: that must not close the window for ever.
 */
static void
who_has_an_epoch_needs_nothing_before(void)
{
	const struct hs_xport_addr m[] = { own, spare };
	struct hs_ack *a = make_ack(1);
	uint8_t d[HS_DIGEST_BYTES];

	see(a, m, 2);
	hs_ack_own(a, 20000);
	digest_of(7, d);
	hs_ack_expect(a, 7, 9000, d);
	hs_ack_progress(a, &spare, 0);
	CU_ASSERT_TRUE(note(a, &spare, 7));
	CU_ASSERT_EQUAL(hs_ack_received(a), 9000);
	hs_ack_progress(a, &spare, 12000);
	CU_ASSERT_EQUAL(hs_ack_received(a), 12000);
	free(a);
}

/* As they said, until they leave; another process of the node is no agent. */
static void
agents_are_those_that_told_their_state(void)
{
	const struct hs_xport_addr m[] = { own, spare };
	const struct hs_xport_addr other = { spare.nodeid, spare.pid + 1 };
	struct hs_ack *a = make_ack(1);

	hs_ack_agent(a, &spare); /* no member yet */
	see(a, m, 2);
	CU_ASSERT_FALSE(hs_ack_is_agent(a, &spare));
	hs_ack_agent(a, &spare);
	CU_ASSERT_TRUE(hs_ack_is_agent(a, &spare));
	CU_ASSERT_FALSE(hs_ack_is_agent(a, &other));
	see(a, m, 2);
	CU_ASSERT_TRUE(hs_ack_is_agent(a, &spare));
	see(a, m, 1);
	see(a, m, 2);
	CU_ASSERT_FALSE(hs_ack_is_agent(a, &spare));
	free(a);
}

HS_SUITE(ckpt_ack, HS_TEST(ack_of_a_member_covers_all_before),
    HS_TEST(other_digest_does_not_count),
    HS_TEST(stranger_and_own_agent_do_not_count),
    HS_TEST(min_spares_counts_nodes), HS_TEST(member_that_left_begins_anew),
    HS_TEST(slowest_receiver_bounds_the_stream),
    HS_TEST(ring_forgets_what_is_too_old),
    HS_TEST(who_has_an_epoch_needs_nothing_before),
    HS_TEST(agents_are_those_that_told_their_state))
