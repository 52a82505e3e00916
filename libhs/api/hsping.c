/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "ckpt/ckpt.h"

int
hsping(void)
{
	struct hs_ckpt *c = hs_self_ckpt();

	return c == NULL ? HS_ESTATE : hs_ckpt_ping(c);
}
