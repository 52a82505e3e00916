/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "base/why.h"
#include "ckpt/ckpt.h"

int
hscpt(unsigned how, uint64_t *epoch)
{
	struct hs_ckpt *c;
	int rc = hs_self_find("hscpt", &c);

	if (rc < 0)
		return rc;
	*hs_why_line() = '\0';
	rc = hs_ckpt_take(c, how, epoch);
	/* A line of what failed within says more. */
	return rc < 0 && *hs_why_line() == '\0'
	    ? hs_why(rc, "hscpt: %s", hs_err_text(rc))
	    : rc;
}
