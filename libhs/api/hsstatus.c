/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "api/self.h"
#include "ckpt/ckpt.h"

int
hsstatus(struct hs_status *st)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_status now;
	size_t size;

	if (c == NULL)
		return HS_ESTATE;
	if (st == NULL || st->size <= offsetof(struct hs_status, protection))
		return HS_EMISUSE;
	size = st->size;
	hs_ckpt_status(c, &now);
	/* What this library does not know reads as zero. */
	if (size > sizeof(now))
		memset((uint8_t *)st + sizeof(now), 0, size - sizeof(now));
	memcpy(st, &now, size < sizeof(now) ? size : sizeof(now));
	st->size = size;
	return 0;
}
