/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each level promises, judged at the other end of the stream.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "mem/arena.h"
#include "state/park.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_ckpt_peer.h"

#define MIB ((size_t)1 << 20)
#define INFLIGHT (64 * MIB)
#define SHORT_MS 60

/* A service with one allocation of len bytes, under policy pr. */
struct rig {
	struct peer p;
	struct hs_ckpt *c;
	uint8_t *mem;
};

static void
rig_up(struct rig *r, size_t len, size_t inflight, enum hs_protection pr)
{
	void *mem;

	peer_init(&r->p);
	r->c = peer_start(&r->p, inflight);
	peer_policy(&r->p, pr, false);
	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(hs_ckpt_arena(r->c), 16, len, true,
				  &mem),
	    0);
	CU_ASSERT_EQUAL_FATAL(hs_arena_root_set(hs_ckpt_arena(r->c), "mem",
				  mem),
	    0);
	r->mem = mem;
}

static void
rig_down(struct rig *r)
{
	CU_ASSERT_STRING_EQUAL(r->p.wrong, "");
	(void)hs_ckpt_close(&r->c, 0);
	peer_stop(&r->p);
	peer_fini(&r->p);
}

static int
protection(struct rig *r)
{
	struct hs_status st;

	hs_ckpt_status(r->c, &st);
	return st.protection;
}

/* Policies go another way than acks do: wait until pr is in force. */
static void
await_protection(struct rig *r, int pr)
{
	const uint64_t until = hs_clock_ns() + 5000000000;

	while (protection(r) != pr && hs_clock_ns() < until)
		(void)poll(NULL, 0, 1);
	CU_ASSERT_EQUAL(protection(r), pr);
}

/* A few writes of a few bytes anywhere, runs and whole pages now and then. */
static void
scribble(struct hs_random *rnd, uint8_t *mem, size_t len)
{
	for (uint64_t n = hs_random_below(rnd, 40); n > 0; n--) {
		size_t max = hs_random_below(rnd, 10) == 0 ? 20000 : 64;
		size_t run = 1 + hs_random_below(rnd, max);
		size_t at = hs_random_below(rnd, len - run);

		if (hs_random_below(rnd, 8) == 0)
			memset(mem + at, 0, run);
		else
			hs_random_fill(rnd, mem + at, run);
	}
}

static void
held_image_is_the_arena(void)
{
	struct hs_random rnd;
	uint64_t epoch, last = 0;
	struct rig r;

	hs_random_init(&rnd);
	rig_up(&r, 8 * MIB, INFLIGHT, HS_PROTECTED);
	for (int i = 0; i < 200; i++) {
		scribble(&rnd, r.mem, 8 * MIB);
		CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, &epoch), 0);
		CU_ASSERT(epoch >= last && epoch <= last + 1);
		last = epoch;
		CU_ASSERT_TRUE(peer_equals(&r.p, r.c));
	}
	CU_ASSERT_EQUAL(PEER_GET(&r.p, fulls), 1);	/* the first alone */
	rig_down(&r);
}

static void
small_epoch_is_one_message(void)
{
	struct rig r;
	unsigned before;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, NULL), 0);
	for (int i = 0; i < 10; i++) {
		before = PEER_GET(&r.p, messages);
		for (size_t j = 0; j < 8; j++)
			r.mem[j * 8192]++;
		CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, NULL), 0);
		CU_ASSERT_EQUAL(PEER_GET(&r.p, messages), before + 1);
	}
	rig_down(&r);
}

static void
unchanged_memory_makes_no_epoch(void)
{
	uint64_t a, b;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, &a), 0);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, &b), 0);
	/* The full tracker says of every page that it is dirty, always. */
	if (strncmp(r.p.hello.tracker, "full", 4) != 0)
		CU_ASSERT_EQUAL(a, b);
	r.mem[5]++;
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, &b), 0);
	CU_ASSERT(b > a);
	rig_down(&r);
}

struct writer {
	struct rig *r;
	uint8_t *mem;
	size_t len;
	struct hs_random rnd;
	int rc;
};

static void *
write_and_take(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < 40 && w->rc == 0; i++) {
		scribble(&w->rnd, w->mem, w->len);
		w->rc = hs_ckpt_take(w->r->c,
		    i % 3 == 0 ? HS_HELD | HS_NOWAIT : HS_HELD, NULL);
	}
	return NULL;
}

static void
many_threads_take(void)
{
	struct writer w[4];
	pthread_t t[4];
	struct rig r;

	rig_up(&r, 8 * MIB, INFLIGHT, HS_PROTECTED);
	for (size_t i = 0; i < 4; i++) {
		w[i] = (struct writer){ .r = &r,
			.mem = r.mem + i * 2 * MIB,
			.len = 2 * MIB };
		hs_random_init(&w[i].rnd);
		w[i].rnd.state += i;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL,
					  write_and_take, &w[i]),
		    0);
	}
	for (size_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(pthread_join(t[i], NULL), 0);
		CU_ASSERT_EQUAL(w[i].rc, 0);
	}
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, NULL), 0);
	CU_ASSERT_TRUE(peer_equals(&r.p, r.c));
	rig_down(&r);
}

static void
no_ack_no_held(void)
{
	uint64_t epoch;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	peer_set_ack(&r.p, PEER_ACK_NONE);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_SENT, &epoch), 0);
	CU_ASSERT_TRUE(peer_await(&r.p, epoch));
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_SENT, 0), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 0), HS_ETIMEDOUT);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, SHORT_MS),
	    HS_ETIMEDOUT);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch + 1, HS_HELD, 0), HS_EMISUSE);
	peer_send_ack(&r.p, NULL);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 5000), 0);
	rig_down(&r);
}

static void *
take_meanwhile(void *arg)
{
	struct rig *r = arg;
	intptr_t rc;

	r->mem[0]++;
	rc = hs_ckpt_take(r->c, HS_SENT, NULL);
	return (void *)rc;
}

/* Not even for a checkpoint that waits for this thread to leave. */
static void
who_only_asks_waits_for_nothing(void)
{
	pthread_t taker;
	uint64_t epoch;
	struct rig r;
	void *rc;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	peer_set_ack(&r.p, PEER_ACK_NONE);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_SENT, &epoch), 0);
	CU_ASSERT_TRUE(peer_await(&r.p, epoch));
	CU_ASSERT_EQUAL(hs_park_enter(), 0);
	CU_ASSERT_EQUAL(pthread_create(&taker, NULL, take_meanwhile, &r), 0);
	while ((__atomic_load_n(&hs_park_stop, __ATOMIC_ACQUIRE) &
		   HS_PARK_STOP) == 0)
		(void)usleep(100);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_SENT, 0), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 0), HS_ETIMEDOUT);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 1), HS_ELOCK);
	/* The stop goes on; asking was no safepoint. */
	CU_ASSERT_EQUAL(__atomic_load_n(&hs_park_stop, __ATOMIC_ACQUIRE) &
		HS_PARK_STOP,
	    HS_PARK_STOP);
	hs_park_lower();
	CU_ASSERT_EQUAL(pthread_join(taker, &rc), 0);
	CU_ASSERT_PTR_NULL(rc);
	rig_down(&r);
}

static void
ack_of_another_digest_does_not_hold(void)
{
	uint64_t epoch;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	peer_set_ack(&r.p, PEER_ACK_BAD);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_SENT, &epoch), 0);
	CU_ASSERT_TRUE(peer_await(&r.p, epoch));
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, SHORT_MS),
	    HS_ETIMEDOUT);
	peer_send_ack(&r.p, NULL);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 5000), 0);
	rig_down(&r);
}

static void
garbage_in_the_group_is_ignored(void)
{
	static const uint8_t junk[] = "HSMG but not for long, nor with a crc "
				      "that would fit to it, is what this is";
	uint64_t epoch;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	peer_send_raw(&r.p, junk, sizeof(junk));
	peer_send_raw(&r.p, junk, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, &epoch), 0);
	CU_ASSERT_TRUE(peer_equals(&r.p, r.c));
	rig_down(&r);
}

static void
blocked_holds_nothing_until_it_ends(void)
{
	uint64_t epoch;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_BLOCKED);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD | HS_NOWAIT, &epoch), 0);
	CU_ASSERT_TRUE(peer_await(&r.p, epoch));
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, SHORT_MS),
	    HS_ETIMEDOUT);
	peer_policy(&r.p, HS_PROTECTED, false);
	/* By the ack that came while it was blocked. */
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 5000), 0);
	peer_policy(&r.p, HS_BLOCKED, false);
	await_protection(&r, HS_BLOCKED);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 0), 0);
	r.mem[0]++;
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD | HS_NOWAIT, &epoch), 0);
	CU_ASSERT_TRUE(peer_await(&r.p, epoch));
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, SHORT_MS),
	    HS_ETIMEDOUT);
	rig_down(&r);
}

static void *
take_needing_spare(void *arg)
{
	struct writer *w = arg;

	w->rc = hs_ckpt_take(w->r->c, HS_HELD | HS_NEEDSPARE, NULL);
	return NULL;
}

static void
unprotected_says_so_unless_a_spare_is_needed(void)
{
	uint64_t epoch = 0;
	struct writer w;
	pthread_t t;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_UNPROTECTED);
	peer_set_ack(&r.p, PEER_ACK_NONE);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, &epoch), HS_ENOSPARE);
	CU_ASSERT_EQUAL(epoch, 1);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, -1), HS_ENOSPARE);
	w = (struct writer){ .r = &r, .rc = 1 };
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, take_needing_spare, &w),
	    0);
	(void)poll(NULL, 0, SHORT_MS);
	CU_ASSERT_TRUE(peer_await(&r.p, epoch));
	peer_send_ack(&r.p, NULL);
	CU_ASSERT_EQUAL(pthread_join(t, NULL), 0);
	CU_ASSERT_EQUAL(w.rc, 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 0), 0);
	rig_down(&r);
}

static void
newer_term_fences(void)
{
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	peer_send_term(&r.p, PEER_TERM - 1);
	peer_send_term(&r.p, PEER_TERM);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, NULL), 0);
	peer_send_term(&r.p, PEER_TERM + 1);
	await_protection(&r, HS_FENCED);
	r.mem[0]++;
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_SEALED, NULL), HS_EFENCED);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, NULL), HS_EFENCED);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, 1, HS_HELD, -1), HS_EFENCED);
	CU_ASSERT_EQUAL(hs_ckpt_ping(r.c), HS_EFENCED);
	peer_policy(&r.p, HS_PROTECTED, false);		/* it is for ever */
	(void)poll(NULL, 0, SHORT_MS);
	CU_ASSERT_EQUAL(protection(&r), HS_FENCED);
	CU_ASSERT_EQUAL(PEER_GET(&r.p, epoch), 1);	/* nothing was sent */
	rig_down(&r);
}

static void
policy_fences_a_waiter(void)
{
	struct writer w;
	pthread_t t;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_BLOCKED);
	w = (struct writer){ .r = &r, .rc = 1 };
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, take_needing_spare, &w),
	    0);
	(void)poll(NULL, 0, SHORT_MS);
	peer_policy(&r.p, HS_FENCED, false);
	CU_ASSERT_EQUAL(pthread_join(t, NULL), 0);
	CU_ASSERT_EQUAL(w.rc, HS_EFENCED);
	rig_down(&r);
}

/* The one meets the other in the worker now and then: 100 times, some do. */
static void
fenced_while_it_closes(void)
{
	for (int i = 0; i < 100; i++) {
		struct rig r;

		rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
		peer_policy(&r.p, HS_FENCED, false);
		rig_down(&r);
	}
}

static void
lost_agent_ends_the_waiting(void)
{
	uint64_t epoch;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_BLOCKED);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_SENT, &epoch), 0);
	peer_stop(&r.p);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 5000), HS_EAGENT);
	CU_ASSERT_EQUAL(hs_ckpt_ping(r.c), HS_EAGENT);
	CU_ASSERT_EQUAL(protection(&r), HS_BLOCKED);
	CU_ASSERT_EQUAL(hs_ckpt_close(&r.c, 5000), HS_EAGENT);
	peer_fini(&r.p);
}

static void
event_tells_of_levels_and_protection(void)
{
	struct pollfd pfd = { .events = POLLIN };
	uint64_t n, epoch;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_BLOCKED);
	await_protection(&r, HS_BLOCKED);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_SENT, &epoch), 0);
	CU_ASSERT_TRUE(peer_await(&r.p, epoch));
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, SHORT_MS),
	    HS_ETIMEDOUT);
	pfd.fd = hs_ckpt_eventfd(r.c);
	CU_ASSERT_EQUAL_FATAL(read(pfd.fd, &n, sizeof(n)), sizeof(n));
	CU_ASSERT_EQUAL(poll(&pfd, 1, 0), 0);
	peer_policy(&r.p, HS_PROTECTED, false);
	CU_ASSERT_EQUAL(poll(&pfd, 1, 5000), 1);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, epoch, HS_HELD, 5000), 0);
	rig_down(&r);
}

static void
bad_arguments_are_refused(void)
{
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, 0, NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, 4, NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD | 0x800, NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, 0, (enum hs_level)9, 0), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_ckpt_wait(r.c, 0, HS_SEALED, -2), HS_EMISUSE);
	rig_down(&r);
}

static void
status_and_statistics_tell_the_same(void)
{
	struct hs_status st;
	uint64_t until;
	struct rig r;

	rig_up(&r, MIB, INFLIGHT, HS_PROTECTED);
	CU_ASSERT_EQUAL(hs_ckpt_take(r.c, HS_HELD, NULL), 0);
	hs_ckpt_status(r.c, &st);
	CU_ASSERT_EQUAL(st.protection, HS_PROTECTED);
	CU_ASSERT_EQUAL(st.spares, 1);
	CU_ASSERT_EQUAL(st.term, PEER_TERM);
	CU_ASSERT_EQUAL(st.epoch_held, 1);
	CU_ASSERT_EQUAL(st.epoch_sealed, 1);
	CU_ASSERT_EQUAL(st.bytes_sent, PEER_GET(&r.p, off));
	CU_ASSERT(st.pages_dirty >= HS_ARENA_EXTENT_BYTES / 4096);
	CU_ASSERT(st.pause_ns_last > 0 && st.pause_ns_max >= st.pause_ns_last);
	CU_ASSERT_STRING_EQUAL(st.transport, "unix");
	CU_ASSERT_STRING_EQUAL(st.tracker, r.p.hello.tracker);
	CU_ASSERT_EQUAL(hs_ckpt_ping(r.c), 0);
	until = hs_clock_ns() + 5000000000;
	while (hs_clock_ns() < until) {
		(void)poll(NULL, 0, 5);
		if (PEER_GET(&r.p, stats) > 0 && PEER_GET(&r.p, pings) == 1)
			break;
	}
	CU_ASSERT(PEER_GET(&r.p, stats) > 0);
	CU_ASSERT_EQUAL(PEER_GET(&r.p, pings), 1);
	rig_down(&r);
}

HS_SUITE(ckpt_levels, HS_TEST(held_image_is_the_arena),
    HS_TEST(small_epoch_is_one_message),
    HS_TEST(unchanged_memory_makes_no_epoch), HS_TEST(many_threads_take),
    HS_TEST(no_ack_no_held), HS_TEST(who_only_asks_waits_for_nothing),
    HS_TEST(ack_of_another_digest_does_not_hold),
    HS_TEST(garbage_in_the_group_is_ignored),
    HS_TEST(blocked_holds_nothing_until_it_ends),
    HS_TEST(unprotected_says_so_unless_a_spare_is_needed),
    HS_TEST(newer_term_fences), HS_TEST(policy_fences_a_waiter),
    HS_TEST(fenced_while_it_closes), HS_TEST(lost_agent_ends_the_waiting),
    HS_TEST(event_tells_of_levels_and_protection),
    HS_TEST(bad_arguments_are_refused),
    HS_TEST(status_and_statistics_tell_the_same))
