/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "api/self.h"
#include "ckpt/start.h"

static int
refuse(int rc, const char *text)
{
	(void)snprintf(hs_self_message(), HS_SELF_MESSAGE_BYTES, "hsinit: %s",
	    text);
	return rc;
}

int
hsinit(const struct hs_options *opt)
{
	struct hs_ckpt *c;
	int rc;

	if (hs_self_forked())
		return refuse(HS_ESTATE,
		    "called in a child of fork(): the "
		    "checkpointing is its parent's; exec a program first");
	if (hs_self_ckpt() != NULL)
		return refuse(HS_ESTATE, "called twice: call hsfini() first");
	rc = hs_self_watch_fork();
	if (rc < 0)
		return refuse(rc, hs_err_text(rc));
	rc = hs_start_run(&c, opt, hs_self_message(), HS_SELF_MESSAGE_BYTES);
	if (rc >= 0)
		hs_self_set(c);
	return rc;
}
