/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "ckpt/extra.h"
#include "state/signal.h"

static int
change_signal(int signo, int (*change)(struct hs_store *, int))
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (c == NULL)
		return HS_ESTATE;
	rc = hs_extra_lock(c, &s);
	if (rc < 0)
		return rc;
	rc = change(s, signo);
	hs_extra_unlock(c);
	return rc;
}

int
hssigreg(int signo)
{
	return change_signal(signo, hs_signal_add);
}

int
hssigunreg(int signo)
{
	return change_signal(signo, hs_signal_del);
}
