/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "api/self.h"
#include "base/why.h"
#include "ckpt/extra.h"
#include "mem/arena.h"
#include "state/timer.h"

static int
change_itimer(int which, int (*change)(struct hs_store *, int))
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (c == NULL)
		return HS_ESTATE;
	rc = hs_extra_lock(c, &s);
	if (rc < 0)
		return rc;
	rc = change(s, which);
	hs_extra_unlock(c);
	return rc;
}

int
hsitimerreg(int which)
{
	return change_itimer(which, hs_timer_add_itimer);
}

int
hsitimerunreg(int which)
{
	return change_itimer(which, hs_timer_del_itimer);
}

int
hstimerreg(void *slot, int clock, const struct sigevent *ev)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (c == NULL)
		return HS_ESTATE;
	if ((uintptr_t)slot % sizeof(timer_t) != 0 ||
	    !hs_arena_has(hs_self_arena(), slot, sizeof(timer_t)))
		return hs_why(HS_EMISUSE,
		    "hstimerreg: %p is no timer_t in checkpoint memory, where "
		    "the new id is written at the restore: use hsmalloc()",
		    slot);
	rc = hs_extra_lock(c, &s);
	if (rc < 0)
		return rc;
	rc = hs_timer_add(s, slot, clock, ev);
	hs_extra_unlock(c);
	return rc;
}

int
hstimerunreg(void *slot)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (c == NULL)
		return HS_ESTATE;
	rc = hs_extra_lock(c, &s);
	if (rc < 0)
		return rc;
	rc = hs_timer_del(s, slot);
	hs_extra_unlock(c);
	return rc;
}
