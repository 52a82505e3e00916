/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged records of signals and timers: refused before anything is done, and
 * never obeyed.  test_api_signal.c has all that is well.
 */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/why.h"
#include "state/signal.h"
#include "state/timer.h"
#include "tests/unit/state_store.h"
#include "tests/unit/suite.h"

#define MOST 256

static uint8_t bytes[MOST];

static size_t
load(struct hs_store *s, uint16_t kind, uint64_t key)
{
	struct hs_store_rec rec;

	CU_ASSERT_EQUAL_FATAL(hs_store_get(s, kind, key, &rec), 0);
	CU_ASSERT_FATAL(rec.len < sizeof(bytes));
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, rec.bytes, rec.len);
	return rec.len;
}

static int
restore(struct hs_store *s, uint16_t kind, uint64_t key, size_t len)
{
	const struct hs_section_ops *ops =
	    kind == HS_STORE_SIGNAL ? &hs_signal_section : &hs_timer_section;

	CU_ASSERT_EQUAL_FATAL(hs_store_put(s, kind, key, bytes, len), 0);
	return ops->restore(s);
}

static bool
is_refused(struct hs_store *s, uint16_t kind, uint64_t key, size_t len)
{
	return restore(s, kind, key, len) == HS_ECORRUPT &&
	    strstr(hs_why_line(), "is not valid") != NULL;
}

/* Each byte with each bit turned, where that must be noticed. */
static void
check_bits(struct hs_store *s, uint16_t kind, uint64_t key, size_t len,
    size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1u << bit);
			CU_ASSERT_TRUE(is_refused(s, kind, key, len));
			bytes[i] ^= (uint8_t)(1u << bit);
		}
}

static void
damaged_signals_are_refused(void)
{
	const int rt = SIGRTMIN + 1;
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	struct sigaction old;
	sigset_t set;
	size_t len;

	hs_signal_home();
	CU_ASSERT_EQUAL_FATAL(hs_signal_add(s, SIGUSR1), 0);
	len = load(s, HS_STORE_SIGNAL, SIGUSR1);
	CU_ASSERT_EQUAL(restore(s, HS_STORE_SIGNAL, SIGUSR1, len), 0);
	hs_signal_release();
	for (size_t cut = 0; cut < len; cut++)
		CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, SIGUSR1, cut));
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, SIGUSR1, len + 1));
	check_bits(s, HS_STORE_SIGNAL, SIGUSR1, len, 0, 1);
	check_bits(s, HS_STORE_SIGNAL, SIGUSR1, len, 3, 4);
	check_bits(s, HS_STORE_SIGNAL, SIGUSR1, len, 56, 64);
	bytes[1] = 3;				/* no such disposition */
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, SIGUSR1, len));
	bytes[1] = 0;
	bytes[2] = 4;				/* no such bit */
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, SIGUSR1, len));
	bytes[2] = 0;
	/* A queue that is longer than the record, or of no realtime signal. */
	bytes[56] = 1;
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, SIGUSR1, len));
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, SIGUSR1, len + 48));
	bytes[59] = 0xff;
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, SIGUSR1, len + 48));
	CU_ASSERT_EQUAL(hs_store_del(s, HS_STORE_SIGNAL, SIGUSR1), 0);
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, (uint64_t)rt, len + 48));
	CU_ASSERT_EQUAL(hs_store_del(s, HS_STORE_SIGNAL, (uint64_t)rt), 0);
	bytes[56] = bytes[59] = 0;
	/* What may not be handled; what is no signal. */
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, SIGKILL, len));
	CU_ASSERT_EQUAL(hs_store_del(s, HS_STORE_SIGNAL, SIGKILL), 0);
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, 0, len));
	CU_ASSERT_EQUAL(hs_store_del(s, HS_STORE_SIGNAL, 0), 0);
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_SIGNAL, 65, len));
	/* Nothing of it was obeyed. */
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, NULL, &old), 0);
	CU_ASSERT(old.sa_handler == SIG_DFL);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &set);
	CU_ASSERT_EQUAL(sigismember(&set, SIGUSR1), 0);
	state_store_close(s, &l);
}

static void
damaged_timers_are_refused(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	struct itimerval v;
	size_t len;

	hs_signal_home();
	CU_ASSERT_EQUAL_FATAL(hs_signal_add(s, SIGALRM), 0);
	CU_ASSERT_EQUAL_FATAL(hs_timer_add_itimer(s, ITIMER_REAL), 0);
	len = load(s, HS_STORE_TIMER, ITIMER_REAL);
	CU_ASSERT_EQUAL(restore(s, HS_STORE_TIMER, ITIMER_REAL, len), 0);
	hs_timer_arm(s);
	for (size_t cut = 0; cut < len; cut++)
		CU_ASSERT_TRUE(is_refused(s, HS_STORE_TIMER, ITIMER_REAL, cut));
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_TIMER, ITIMER_REAL, len + 1));
	check_bits(s, HS_STORE_TIMER, ITIMER_REAL, len, 0, 4);
	check_bits(s, HS_STORE_TIMER, ITIMER_REAL, len, 12, 16);
	bytes[4] = 5;				/* no clock of a timer */
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_TIMER, ITIMER_REAL, len));
	bytes[4] = 1;
	bytes[8] = 65;				/* no signal */
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_TIMER, ITIMER_REAL, len));
	bytes[8] = 0;
	bytes[39] = 0x80;			/* beyond any time */
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_TIMER, ITIMER_REAL, len));
	bytes[39] = 0;
	bytes[47] = 0x80;
	CU_ASSERT_TRUE(is_refused(s, HS_STORE_TIMER, ITIMER_REAL, len));
	bytes[47] = 0;
	CU_ASSERT_EQUAL(getitimer(ITIMER_REAL, &v), 0);
	CU_ASSERT_EQUAL(v.it_value.tv_sec, 0);
	hs_timer_arm(NULL);
	state_store_close(s, &l);
}

HS_SUITE(state_signal, HS_TEST(damaged_signals_are_refused),
    HS_TEST(damaged_timers_are_refused))
