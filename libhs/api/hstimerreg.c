/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "api/records.h"
#include "api/self.h"
#include "base/why.h"
#include "mem/arena.h"
#include "state/timer.h"

int
hsitimerreg(int which)
{
	return hs_records_change("hsitimerreg", hs_timer_add_itimer, which);
}

int
hsitimerunreg(int which)
{
	return hs_records_change("hsitimerunreg", hs_timer_del_itimer, which);
}

int
hstimerreg(void *slot, int clock, const struct sigevent *ev)
{
	struct hs_store *s;
	int rc;

	rc = hs_records_lock("hstimerreg", &s);
	if (rc < 0)
		return rc;
	if ((uintptr_t)slot % sizeof(timer_t) != 0 ||
	    !hs_arena_has(hs_self_arena(), slot, sizeof(timer_t)))
		rc = hs_why(HS_EMISUSE,
		    "hstimerreg: %p is no timer_t in checkpoint memory, where "
		    "the new id is written at the restore: use hsmalloc()",
		    slot);
	else
		rc = hs_timer_add(s, slot, clock, ev);
	hs_records_unlock();
	return rc;
}

int
hstimerunreg(void *slot)
{
	struct hs_store *s;
	int rc;

	rc = hs_records_lock("hstimerunreg", &s);
	if (rc < 0)
		return rc;
	rc = hs_timer_del(s, slot);
	hs_records_unlock();
	return rc;
}
