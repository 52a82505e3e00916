/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "base/why.h"
#include "ckpt/extra.h"
#include "ckpt/start.h"

int
hsinit(const struct hs_options *opt)
{
	struct hs_ckpt *c;
	int rc;

	if (hs_self_forked())
		return hs_why(HS_ESTATE,
		    "hsinit: called in a child of fork(): the checkpointing is "
		    "its parent's; exec a program first");
	if (hs_self_ckpt() != NULL)
		return hs_why(HS_ESTATE,
		    "hsinit: called twice: call hsfini() first");
	rc = hs_self_watch_fork();
	if (rc < 0)
		return hs_why(rc, "hsinit: %s", hs_err_text(rc));
	rc = hs_start_run(&c, opt, hs_why_line(), HS_WHY_BYTES);
	if (rc < 0)
		return rc;
	hs_self_set(c);
	hs_extra_serve(c, rc == HS_RESTORED);
	return rc;
}
