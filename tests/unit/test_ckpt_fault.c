/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fault on the way of a checkpoint does to it.  The points exist in
 * builds with --enable-faults alone; elsewhere there is nothing to test here.
 */
#include "base/fault.h"

#include "mem/arena.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_ckpt_peer.h"

#ifdef HS_FAULTS

#include <poll.h>

static struct peer p;
static struct hs_ckpt *c;

static uint8_t *
begin(void)
{
	void *mem;

	peer_init(&p);
	c = peer_start(&p, 0);
	peer_policy(&p, HS_PROTECTED, false);
	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(hs_ckpt_arena(c), 16, 100000, true,
				  &mem),
	    0);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	return mem;
}

static void
finish(void)
{
	(void)hs_ckpt_close(&c, 0);
	peer_stop(&p);
	peer_fini(&p);
}

static void
no_memory_for_the_copy_forgets_no_write(void)
{
	uint8_t *mem = begin();
	uint64_t epoch = 0;

	mem[50000] = 1;
	hs_fault_arm(HS_FAULT_STAGE_ALLOC, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), -ENOMEM);
	CU_ASSERT_EQUAL(epoch, 0);
	mem[60000] = 1;
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	CU_ASSERT_EQUAL(epoch, 2);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	finish();
}

static void
broken_stream_is_not_gone_on_with(void)
{
	uint8_t *mem = begin();
	struct hs_status st;
	uint64_t epoch;

	mem[0] = 1;
	hs_fault_arm(HS_FAULT_XPORT_SEND, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, &epoch), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_SENT, 300), HS_ETIMEDOUT);
	CU_ASSERT_EQUAL(hs_fault_fired(HS_FAULT_XPORT_SEND), 1);
	/* The next send would succeed; it must not be made (E2). */
	mem[1] = 1;
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, &epoch), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 300), HS_ETIMEDOUT);
	hs_ckpt_status(c, &st);
	CU_ASSERT_EQUAL(st.epoch_sent, 1);
	CU_ASSERT_EQUAL(PEER_GET(&p, epoch), 1);
	CU_ASSERT_STRING_EQUAL(p.wrong, "");
	finish();
}

static void
corrupt_chunk_is_never_held(void)
{
	uint8_t *mem = begin();
	uint64_t epoch;

	mem[0] = 1;
	hs_fault_arm(HS_FAULT_CHUNK_CORRUPT, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SENT, &epoch), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 300), HS_ETIMEDOUT);
	CU_ASSERT_EQUAL(PEER_GET(&p, epoch), 1);
	CU_ASSERT_STRING_NOT_EQUAL(p.wrong, "");	/* it saw the damage */
	/* The agent's answer to it. */
	pthread_mutex_lock(&p.lock);
	p.wrong[0] = '\0';
	pthread_mutex_unlock(&p.lock);
	peer_policy(&p, HS_PROTECTED, true);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 100), HS_ETIMEDOUT);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 2);
	finish();
}

static void
lost_ack_is_made_good_by_the_next(void)
{
	uint8_t *mem = begin();
	uint64_t epoch, next;

	mem[0] = 1;
	hs_fault_arm(HS_FAULT_ACK_DROP, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD | HS_NOWAIT, &epoch), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 200), HS_ETIMEDOUT);
	mem[0] = 2;
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &next), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 0), 0);
	finish();
}

HS_SUITE(ckpt_fault, HS_TEST(no_memory_for_the_copy_forgets_no_write),
    HS_TEST(broken_stream_is_not_gone_on_with),
    HS_TEST(corrupt_chunk_is_never_held),
    HS_TEST(lost_ack_is_made_good_by_the_next))

#else

static void
nothing_to_test_without_fault_points(void)
{
	CU_ASSERT_FALSE(hs_fault(HS_FAULT_STAGE_ALLOC));
}

HS_SUITE(ckpt_fault, HS_TEST(nothing_to_test_without_fault_points))

#endif
