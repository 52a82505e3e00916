/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/records.h"

#include <stddef.h>

#include "api/self.h"
#include "ckpt/extra.h"

int
hs_records_lock(const char *call, struct hs_store **s)
{
	struct hs_ckpt *c;
	const int rc = hs_self_find(call, &c);

	return rc < 0 ? rc : hs_extra_lock(c, call, s);
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
