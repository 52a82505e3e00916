/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/api_life.h"

#include "tests/unit/suite.h"

struct peer life_peer;

static int
start_life(void)
{
	struct hs_options o = HS_OPTIONS;
	int rc;

	o.arena_bytes = PEER_ARENA_BYTES;
	peer_run(&life_peer);
	rc = hsinit(&o);
	if (rc >= 0)
		peer_policy(&life_peer, HS_PROTECTED, false);
	else
		peer_stop(&life_peer);
	return rc;
}

void
life_begin(void)
{
	peer_init(&life_peer);
	peer_set_ack(&life_peer, PEER_ACK_GOOD);
	CU_ASSERT_EQUAL_FATAL(start_life(), HS_FRESH);
}

void
life_stop(void)
{
	CU_ASSERT_EQUAL(hsfini(1000), 0);
	peer_stop(&life_peer);
	CU_ASSERT_STRING_EQUAL(life_peer.wrong, "");
}

int
life_restore(void)
{
	peer_again(&life_peer);
	return start_life();
}

void
life_end(void)
{
	peer_fini(&life_peer);
}
