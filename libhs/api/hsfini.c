/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "ckpt/ckpt.h"

int
hsfini(int timeout_ms)
{
	struct hs_ckpt *c = hs_self_ckpt();

	if (c == NULL)
		return HS_ESTATE;
	hs_self_set(NULL);
	return hs_ckpt_close(&c, timeout_ms);
}
