/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Epochs that are copied after the pause: what they say is what was there, and
 * what is lost of them is said again.  Where the tracker makes no cuts these
 * are the same promises of epochs copied in the pause.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "mem/arena.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_ckpt_peer.h"

#define MIB ((size_t)1 << 20)

static struct peer p;
static struct hs_ckpt *c;
static struct hs_random rnd;

/* len bytes of checkpoint memory, of which the first epoch is held. */
static uint8_t *
begin(size_t len)
{
	uint64_t epoch = 0;
	void *mem;

	hs_random_init(&rnd);
	peer_init(&p);
	c = peer_start(&p, 0);
	peer_policy(&p, HS_PROTECTED, false);
	CU_ASSERT_EQUAL_FATAL(hs_arena_alloc(hs_ckpt_arena(c), 16, len, true,
				  &mem),
	    0);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	CU_ASSERT_EQUAL(epoch, 1);
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
scribble(uint8_t *mem, size_t len)
{
	size_t at = hs_random_below(&rnd, len - 20000);

	hs_random_fill(&rnd, mem + at, hs_random_below(&rnd, 20000));
}

/* The part of the image that mem is. */
static bool
image_has(const uint8_t *mem, const uint8_t *want, size_t len)
{
	const uint8_t *base = hs_arena_base(hs_ckpt_arena(c));
	bool has;

	pthread_mutex_lock(&p.lock);
	has = memcmp(p.image + (mem - base), want, len) == 0;
	pthread_mutex_unlock(&p.lock);
	return has;
}

static bool
has_cuts(void)
{
	struct hs_status st;

	hs_ckpt_status(c, &st);
	return strcmp(st.tracker, "kmod") == 0;
}

/* What is written once hscpt() has returned is not in its checkpoint. */
static void
what_was_sealed_stays(void)
{
	const size_t len = 2 * MIB;
	uint8_t *want = malloc(len);
	uint8_t *mem = begin(len);
	uint64_t epoch;

	CU_ASSERT_PTR_NOT_NULL_FATAL(want);
	for (int i = 0; i < 20; i++) {
		for (size_t at = 0; at < len; at += 4096)
			mem[at + at / 4096 % 4096]++;
		memcpy(want, mem, len);
		CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD | HS_NOWAIT, &epoch),
		    0);
		for (int n = 0; n < 10; n++)
			scribble(mem, len);
		CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 5000), 0);
		CU_ASSERT_TRUE(image_has(mem, want, len));
	}
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 1);
	finish();
	free(want);
}

/* One after the other without a wait: each is copied before the next. */
static void
sealed_ones_follow_each_other(void)
{
	uint8_t *mem = begin(MIB);
	uint64_t epoch = 0, last = 1;

	for (int i = 0; i < 30; i++) {
		for (size_t at = 0; at < MIB; at += 4096)
			mem[at]++;
		CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, &epoch), 0);
		CU_ASSERT_EQUAL(epoch, last + 1);
		last = epoch;
	}
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 5000), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 1);
	finish();
}

/* ---- a module built for tests, in which copies on write fail ---- */

#define FAIL_COPIES "/sys/module/hscpt/parameters/fail_copies"

/* So many from now on; false: there is no such module. */
static bool
fail_copies(unsigned n)
{
	FILE *f = fopen(FAIL_COPIES, "we");
	bool done;

	if (f == NULL)
		return false;
	done = fprintf(f, "%u\n", n) > 0;
	return fclose(f) == 0 && done;
}

static bool
has_failed(void)
{
	FILE *f = fopen(FAIL_COPIES, "re");
	unsigned left = 1;

	if (f == NULL)
		return false;
	if (fscanf(f, "%u", &left) != 1)
		left = 1;
	(void)fclose(f);
	return left == 0;
}

/* What cannot be kept of a cut is in the next epoch, copied in the pause. */
static void
failed_copy_is_said_by_the_next(void)
{
	const size_t len = 2 * MIB;
	uint8_t *mem = begin(len);
	bool can_fail = has_cuts() && fail_copies(0);
	unsigned failed = 0;

	for (int i = 0; i < (can_fail ? 200 : 5) && failed < 5; i++) {
		memset(mem, i + 1, len);
		(void)fail_copies(1);
		CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD | HS_NOWAIT, NULL), 0);
		for (size_t at = len; at > 0; at -= 4096)
			mem[at - 1]++;
		failed += has_failed();
		(void)fail_copies(0);
		CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
		CU_ASSERT_TRUE(peer_equals(&p, c));
	}
	CU_ASSERT_EQUAL(failed, can_fail ? 5 : 0);
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 1);
	finish();
}

struct scribbler {
	pthread_t thread;
	uint8_t *mem;
	size_t len;
	_Atomic bool stop;
};

static void *
write_on(void *arg)
{
	struct scribbler *s = arg;
	uint8_t value = 0;

	for (size_t at = 0; !atomic_load(&s->stop); at += 4096)
		__atomic_store_n(&s->mem[at % s->len], ++value,
		    __ATOMIC_RELAXED);
	return NULL;
}

/* Not one copy is to be had: every other epoch is copied in the pause. */
static void
failing_copies_delay_no_checkpoint(void)
{
	struct scribbler s = { .mem = begin(2 * MIB), .len = 2 * MIB };
	bool can_fail = has_cuts() && fail_copies(1000000000);
	uint64_t epoch = 0, last = 1;
	unsigned lost = 0;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&s.thread, NULL, write_on, &s), 0);
	for (int i = 0; i < (can_fail ? 200 : 5) && lost < 5; i++) {
		CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
		lost += epoch > last + 1;
		last = epoch;
	}
	atomic_store(&s.stop, true);
	CU_ASSERT_EQUAL(pthread_join(s.thread, NULL), 0);
	CU_ASSERT_EQUAL(lost, can_fail ? 5 : 0);
	(void)fail_copies(0);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 1);
	finish();
}

#ifdef HS_FAULTS

/* Enough pages for the next epoch to be a cut. */
static void
rewrite(uint8_t *mem, int byte)
{
	memset(mem, byte, 100000);
}

static void
lost_cut_is_taken_again(void)
{
	uint8_t *mem = begin(100000);
	uint64_t epoch = 0;

	rewrite(mem, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	rewrite(mem, 2);
	hs_fault_arm(HS_FAULT_CUT_STALE, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	CU_ASSERT_EQUAL(epoch, has_cuts() ? 4 : 3);
	CU_ASSERT_EQUAL(hs_fault_fired(HS_FAULT_CUT_STALE), has_cuts());
	CU_ASSERT_TRUE(peer_equals(&p, c));
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 1);
	hs_fault_arm(HS_FAULT_CUT_STALE, 0);
	finish();
}

static void
lost_cut_is_said_by_the_next(void)
{
	uint8_t *mem = begin(100000);
	uint64_t epoch = 0, next = 0;

	rewrite(mem, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &epoch), 0);
	rewrite(mem, 2);
	hs_fault_arm(HS_FAULT_CUT_STALE, 1);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD | HS_NOWAIT, &epoch), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 200),
	    has_cuts() ? HS_ETIMEDOUT : 0);
	mem[50000] = 3;
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, &next), 0);
	CU_ASSERT_EQUAL(next, epoch + 1);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, epoch, HS_HELD, 0), 0);
	CU_ASSERT_TRUE(peer_equals(&p, c));
	CU_ASSERT_EQUAL(PEER_GET(&p, fulls), 1);
	hs_fault_arm(HS_FAULT_CUT_STALE, 0);
	finish();
}

HS_SUITE(ckpt_cut, HS_TEST(what_was_sealed_stays),
    HS_TEST(sealed_ones_follow_each_other),
    HS_TEST(failed_copy_is_said_by_the_next),
    HS_TEST(failing_copies_delay_no_checkpoint),
    HS_TEST(lost_cut_is_taken_again), HS_TEST(lost_cut_is_said_by_the_next))

#else

HS_SUITE(ckpt_cut, HS_TEST(what_was_sealed_stays),
    HS_TEST(sealed_ones_follow_each_other),
    HS_TEST(failed_copy_is_said_by_the_next),
    HS_TEST(failing_copies_delay_no_checkpoint))

#endif
