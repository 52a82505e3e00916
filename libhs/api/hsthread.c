/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Safepoints and regions.  Their inline definitions in hs.h are compiled here
 * once more, for callers that are not compiled with hs.h, or not optimised.
 */
#define HS_PARK_INLINE
#include "hs.h"

#include "api/self.h"
#include "ckpt/crew.h"
#include "state/park.h"
#include "state/park_stop.h"

/* A registered thread ends.  After hsfini() it has no record any more. */
static void
end_thread(void *arg)
{
	struct hs_ckpt *c = hs_self_ckpt();
	int rc;

	(void)arg;
	rc = c != NULL ? hs_crew_unreg(c) : hs_park_unregister();
	/* With a lock in its hands: the record stays, and hscpt() says why. */
	(void)rc;
}

int
hsthreadreg(const char *name, void (*fn)(void *), void *arg)
{
	struct hs_ckpt *c;
	const int rc = hs_self_find("hsthreadreg", &c);

	return rc < 0 ? rc : hs_crew_reg(c, name, fn, arg, end_thread);
}

int
hsthreadunreg(void)
{
	struct hs_ckpt *c = hs_self_ckpt();

	return c != NULL ? hs_crew_unreg(c) : hs_park_unregister();
}

int
hsthreadstart(void)
{
	struct hs_ckpt *c;
	const int rc = hs_self_find("hsthreadstart", &c);

	return rc < 0 ? rc : hs_crew_start(c, end_thread);
}

int
hsthreadtimeout(int ms)
{
	return ms < -1 ? HS_EMISUSE : hs_park_stop_timeout(ms);
}
