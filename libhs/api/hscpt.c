/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "ckpt/ckpt.h"

int
hscpt(unsigned how, uint64_t *epoch)
{
	struct hs_ckpt *c = hs_self_ckpt();

	return c == NULL ? HS_ESTATE : hs_ckpt_take(c, how, epoch);
}
