/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "ckpt/extra.h"
#include "state/context.h"

int
hsctxreg(unsigned what)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (c == NULL)
		return HS_ESTATE;
	rc = hs_extra_lock(c, &s);
	if (rc < 0)
		return rc;
	rc = hs_context_keep(s, what);
	hs_extra_unlock(c);
	return rc;
}
