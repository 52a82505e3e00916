/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "ckpt/ckpt.h"

int
hswait(uint64_t epoch, enum hs_level level, int timeout_ms)
{
	struct hs_ckpt *c = hs_self_ckpt();

	if (c == NULL)
		return HS_ESTATE;
	return hs_ckpt_wait(c, epoch, level, timeout_ms);
}

int
hseventfd(void)
{
	struct hs_ckpt *c = hs_self_ckpt();

	return c == NULL ? HS_ESTATE : hs_ckpt_eventfd(c);
}
