/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/records.h"

#include <stddef.h>

#include "api/self.h"
#include "base/why.h"
#include "ckpt/extra.h"

int
hs_records_lock(const char *call, struct hs_store **s)
{
	struct hs_ckpt *c = hs_self_ckpt();

	if (hs_self_forked())
		return hs_why(HS_ESTATE,
		    "%s: called in a child of fork(): the checkpointing is its "
		    "parent's",
		    call);
	if (c == NULL)
		return hs_why(HS_ESTATE, "%s: call hsinit() first", call);
	return hs_extra_lock(c, call, s);
}

void
hs_records_unlock(void)
{
	hs_extra_unlock(hs_self_ckpt());
}

int
hs_records_change(const char *call, int (*change)(struct hs_store *, int),
    int n)
{
	struct hs_store *s;
	int rc;

	rc = hs_records_lock(call, &s);
	if (rc < 0)
		return rc;
	rc = change(s, n);
	hs_records_unlock();
	return rc;
}
