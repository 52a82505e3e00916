/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "ckpt/ckpt.h"
#include "ckpt/extra.h"
#include "state/hook.h"
#include "state/park.h"

int
hsfini(int timeout_ms)
{
	struct hs_ckpt *c = hs_self_ckpt();
	int rc;

	if (c == NULL)
		return HS_ESTATE;
	rc = hs_hook_refuse("hsfini");
	if (rc == 0)
		rc = hs_park_check("hsfini");
	if (rc < 0)
		return rc;
	hs_extra_end(c);
	hs_self_set(NULL);
	return hs_ckpt_close(&c, timeout_ms);
}
