/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/why.h"
#include "state/hook.h"

static int
check_hook(const char *call, enum hs_when when, void (*fn)(void *))
{
	if (fn == NULL)
		return hs_why(HS_EMISUSE, "%s: no function given", call);
	/* An unsigned of the compiler's choice: one comparison is enough. */
	if ((unsigned)when > HS_AT_DEMOTION)
		return hs_why(HS_EMISUSE,
		    "%s: there is no occasion %d: use HS_BEFORE_CHECKPOINT, "
		    "HS_AFTER_RESTORE, HS_AT_PROMOTION or HS_AT_DEMOTION",
		    call, (int)when);
	return 0;
}

int
hshook(enum hs_when when, int order, void (*fn)(void *), void *arg)
{
	int rc = check_hook("hshook", when, fn);

	return rc < 0 ? rc : hs_hook_add(when, order, fn, arg);
}

int
hsunhook(enum hs_when when, void (*fn)(void *), void *arg)
{
	int rc = check_hook("hsunhook", when, fn);

	if (rc == 0)
		rc = hs_hook_del(when, fn, arg);
	if (rc == -ENOENT)
		return hs_why(rc,
		    "hsunhook: no such hook: give the occasion, function and "
		    "argument of hshook()");
	return rc;
}
