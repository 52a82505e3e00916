/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/records.h"
#include "hs.h"
#include "state/context.h"

int
hsctxreg(unsigned what)
{
	struct hs_store *s;
	int rc;

	rc = hs_records_lock("hsctxreg", &s);
	if (rc < 0)
		return rc;
	rc = hs_context_keep(s, what);
	hs_records_unlock();
	return rc;
}
