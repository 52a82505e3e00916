/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a restore itself writes to checkpoint memory, under any tracker.
 */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "hs.h"
#include "mem/arena.h"
#include "tests/unit/api_life.h"
#include "tests/unit/suite.h"

/*
 * A restore gives timers new ids.  The next checkpoint is whole: the spare has
 * what the restore wrote, too.
 */
static void
the_next_spare_learns_new_ids(void)
{
	const uint8_t *base = (const uint8_t *)HS_ARENA_DEFAULT_BASE;
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	/* In pages that nothing else writes to. */
	timer_t *slot;

	life_begin();
	slot = hsmalloc(2 * 4096);
	CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
	CU_ASSERT_EQUAL_FATAL(timer_create(CLOCK_MONOTONIC, &ev, slot), 0);
	CU_ASSERT_EQUAL(hstimerreg(slot, CLOCK_MONOTONIC, &ev), 0);
	CU_ASSERT_EQUAL(hsroot("slot", slot), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	/* The old one is there still: so the new id is another. */
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	slot = hsfind("slot");
	CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	pthread_mutex_lock(&life_peer.lock);
	CU_ASSERT_EQUAL(memcmp(life_peer.image, base, life_peer.used_bytes), 0);
	pthread_mutex_unlock(&life_peer.lock);
	CU_ASSERT_EQUAL(timer_delete(*slot), 0);
	life_stop();
	life_end();
}

HS_SUITE(api_restore, HS_TEST(the_next_spare_learns_new_ids))
