/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream itself: full epochs, flow control, the bound of what is in flight,
 * and the going on after a restore.
 */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ckpt/ack.h"
#include "mem/arena.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_ckpt_peer.h"

#define MIB ((size_t)1 << 20)
#define INFLIGHT (64 * MIB)
/* The window (ckpt/impl.h), and the message that finds it still open. */
#define WINDOW_BYTES (8 * MIB)
#define SETTLE_MS 300

static struct peer p;
static struct hs_ckpt *c;
static struct hs_random rnd;

static uint8_t *
begin(size_t len, size_t inflight)
{
	void *mem;

	hs_random_init(&rnd);
	peer_init(&p);
	c = peer_start(&p, inflight);
	peer_policy(&p, HS_PROTECTED, false);
	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(hs_ckpt_arena(c), 16, len, true,
				  &mem),
	    0);
	CU_ASSERT_EQUAL_FATAL(hs_arena_root_set(hs_ckpt_arena(c), "mem", mem),
	    0);
	return mem;
}

static void
finish(void)
{
	CU_ASSERT_STRING_EQUAL(p.wrong, "");
	(void)hs_ckpt_close(&c, 0);
	peer_stop(&p);
	peer_fini(&p);
}

static void
await_fulls(unsigned n)
{
	const uint64_t until = hs_clock_ns() + 5000000000;

	while (PEER_GET(&p, fulls) < n && hs_clock_ns() < until)
		(void)poll(NULL, 0, 1);
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), n);
}

static void
full_epoch_when_the_agent_wants_it(void)
{
	uint8_t *mem = begin(4 * MIB, INFLIGHT);
	uint64_t a, b;

	hs_random_fill(&rnd, mem, MIB);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &a), 0);
	peer_policy(&p, HS_PROTECTED, true);
	(void)poll(NULL, 0, SETTLE_MS);
	/* Nothing has changed, and yet an epoch is made: it says everything. */
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &b), 0);
	CU_ASSERT_EQUAL(b, a + 1);
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 2);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	mem[1]++;
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &b), 0);
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 2);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	finish();
}

static void
full_epoch_on_its_way_is_not_asked_for_again(void)
{
	uint8_t *mem = begin(24 * MIB, INFLIGHT);
	unsigned wishes = 0;

	hs_random_fill(&rnd, mem, 24 * MIB);
	peer_set_ack(&p, PEER_ACK_NONE);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, NULL), 0);
	/* As the agent does at each step of the progress. */
	while (peer_wish_first(&p)) {
		(void)poll(NULL, 0, 5);
		wishes++;
	}
	CU_ASSERT(wishes > 2);
	peer_set_ack(&p, PEER_ACK_GOOD);
	peer_send_ack(&p, NULL);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 1);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	finish();
}

static void *
take_held(void *arg)
{
	*(int *)arg = hs_ckpt_take(c, HS_HELD, NULL);
	return NULL;
}

static void
waiting_hscpt_takes_the_full_epoch_itself(void)
{
	uint8_t *mem = begin(MIB, INFLIGHT);
	pthread_t t;
	int rc = 1;

	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	peer_set_ack(&p, PEER_ACK_NONE);
	mem[0]++;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, take_held, &rc), 0);
	CU_ASSERT_TRUE(peer_await(&p, 2));
	/* Say, no agent could use that delta. */
	peer_set_ack(&p, PEER_ACK_GOOD);
	peer_policy(&p, HS_PROTECTED, true);
	CU_ASSERT_EQUAL(pthread_join(t, NULL), 0);
	CU_ASSERT_EQUAL(rc, 0);
	await_fulls(2);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	finish();
}

/* What has come in once nothing more comes. */
static uint64_t
await_standstill(void)
{
	uint64_t before, now = PEER_GET(&p, off);

	do {
		before = now;
		(void)poll(NULL, 0, SETTLE_MS);
		now = PEER_GET(&p, off);
	} while (now != before || now == 0);
	return now;
}

static void
stream_stops_at_the_window(void)
{
	uint8_t *mem = begin(24 * MIB, INFLIGHT);
	uint64_t epoch, got;

	peer_set_ack(&p, PEER_ACK_NONE);
	hs_random_fill(&rnd, mem, 24 * MIB);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, &epoch), 0);
	got = await_standstill();
	CU_ASSERT(got > WINDOW_BYTES / 2);
	CU_ASSERT(got <= WINDOW_BYTES);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_SENT, 0), HS_ETIMEDOUT);
	peer_send_progress(&p);
	CU_ASSERT(await_standstill() > got);
	CU_ASSERT(PEER_GET(&p, off) <= got + WINDOW_BYTES);
	peer_set_ack(&p, PEER_ACK_GOOD);
	peer_send_progress(&p);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 10000), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	finish();
}

static void *
take_sealed(void *arg)
{
	*(int *)arg = hs_ckpt_take(c, HS_SEALED, NULL);
	return NULL;
}

static void
bound_of_what_is_in_flight(void)
{
	uint8_t *mem = begin(24 * MIB, 2 * MIB);
	uint64_t before, epoch;
	struct hs_status st;
	pthread_t t;
	int rc = 1;

	peer_set_ack(&p, PEER_ACK_NONE);
	hs_random_fill(&rnd, mem, 20 * MIB);
	/* Larger than the bound: it goes alone. */
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED | HS_TRY, &before), 0);
	mem[0]++;
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED | HS_TRY, NULL), HS_EAGAIN);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD | HS_TRY, NULL), HS_EAGAIN);
	hs_ckpt_status(c, &st);
	CU_ASSERT_EQUAL(st.epoch_sealed, before);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, take_sealed, &rc), 0);
	(void)poll(NULL, 0, SETTLE_MS);
	hs_ckpt_status(c, &st);
	CU_ASSERT_EQUAL(st.epoch_sealed, before);	/* it waits */
	peer_set_ack(&p, PEER_ACK_GOOD);
	peer_send_progress(&p);
	CU_ASSERT_EQUAL(pthread_join(t, NULL), 0);
	CU_ASSERT_EQUAL(rc, 0);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	CU_ASSERT(epoch > before);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	finish();
}

static void
refused_take_forgets_no_write(void)
{
	uint8_t *mem = begin(24 * MIB, 4 * MIB);
	unsigned refused = 0;

	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	peer_set_ack(&p, PEER_ACK_NONE);
	for (int i = 0; i < 60; i++) {
		size_t at = hs_random_below(&rnd, 20 * MIB);
		int rc;

		if (i == 30) {
			peer_set_ack(&p, PEER_ACK_GOOD);
			peer_send_progress(&p);
		}
		hs_random_fill(&rnd, mem + at, 3 * MIB);
		rc = hs_ckpt_take(c, HS_SEALED | HS_TRY, NULL);
		refused += rc == HS_EAGAIN;
		CU_ASSERT(rc == 0 || rc == HS_EAGAIN);
	}
	CU_ASSERT(refused > 0);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	finish();
}

static void
many_small_epochs_unwatched(void)
{
	uint8_t *mem = begin(MIB, INFLIGHT);
	uint64_t epoch = 0;

	/* More than the ring of digests holds. */
	for (int i = 0; i < 3 * HS_ACK_RING; i++) {
		mem[(size_t)i * 64 % MIB]++;
		CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, &epoch), 0);
	}
	CU_ASSERT_EQUAL(epoch, 3 * HS_ACK_RING);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 20000), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	finish();
}

static void
restored_service_goes_on_from_the_image(void)
{
	uint8_t *mem = begin(4 * MIB, INFLIGHT);
	void *found = NULL;
	uint64_t epoch, before;

	hs_random_fill(&rnd, mem, 4 * MIB);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &before), 0);
	mem[7]++;				/* nobody was told */
	CU_ASSERT_EQUAL(hs_ckpt_close(&c, 1000), 0);
	peer_stop(&p);
	peer_again(&p);
	c = peer_start(&p, INFLIGHT);
	peer_policy(&p, HS_PROTECTED, false);
	CU_ASSERT_EQUAL(hs_arena_root_get(hs_ckpt_arena(c), "mem", &found), 0);
	CU_ASSERT_PTR_EQUAL_FATAL(found, mem);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	/* Held by whom is not known yet: the first one is always made. */
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	CU_ASSERT_EQUAL(epoch, before + 1);
	for (int i = 0; i < 50; i++) {
		hs_random_fill(&rnd, mem + hs_random_below(&rnd, 4 * MIB - 500),
		    500);
		CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
		CU_ASSERT_TRUE(peer_equals(&p, c));
	}
	/* The allocator goes on, too, above what the image had. */
	CU_ASSERT_EQUAL(hs_arena_alloc(hs_ckpt_arena(c), 16, 8 * MIB, true,
			    &found),
	    0);
	hs_random_fill(&rnd, found, 8 * MIB);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 1);	/* deltas all the way */
	finish();
}

static void
close_waits_for_what_is_in_flight(void)
{
	uint8_t *mem = begin(8 * MIB, INFLIGHT);
	uint64_t epoch;

	hs_random_fill(&rnd, mem, 8 * MIB);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, &epoch), 0);
	CU_ASSERT_EQUAL(hs_ckpt_close(&c, 10000), 0);
	CU_ASSERT_EQUAL(PEER_GET(&p, epoch), epoch);
	peer_stop(&p);
	peer_fini(&p);
	mem = begin(MIB, INFLIGHT);
	peer_set_ack(&p, PEER_ACK_NONE);
	mem[0]++;
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, &epoch), 0);
	CU_ASSERT_EQUAL(hs_ckpt_close(&c, 100), HS_ETIMEDOUT);
	peer_stop(&p);
	peer_fini(&p);
}

HS_SUITE(ckpt_stream, HS_TEST(full_epoch_when_the_agent_wants_it),
    HS_TEST(full_epoch_on_its_way_is_not_asked_for_again),
    HS_TEST(waiting_hscpt_takes_the_full_epoch_itself),
    HS_TEST(stream_stops_at_the_window), HS_TEST(bound_of_what_is_in_flight),
    HS_TEST(refused_take_forgets_no_write),
    HS_TEST(many_small_epochs_unwatched),
    HS_TEST(restored_service_goes_on_from_the_image),
    HS_TEST(close_waits_for_what_is_in_flight))
