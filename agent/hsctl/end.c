/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/hsctl/end.h"

#include <unistd.h>

#include "agent/hsctl/pids.h"
#include "base/clock.h"

static int
read_pids(const struct hs_ask *a, struct hs_pids *p)
{
	int rc = hs_pids_read(a->pids, p);

	if (rc == 0)
		return HS_RC_OK;
	hs_ask_say(a, "cannot tell what runs: %s: %s", a->pids,
	    hs_err_text(rc));
	return HS_RC_ERROR;
}

static int
wait_all(const struct hs_ask *a, const struct hs_pids *p, int timeout_ms)
{
	const struct hs_pids_one *o = NULL;

	if (hs_pids_wait(p, timeout_ms) < 0)
		o = hs_pids_left(p);
	if (o != NULL) {
		hs_ask_say(a, "the %s, pid %d, is still there", o->role,
		    (int)o->pid);
		return HS_RC_ERROR;
	}
	(void)unlink(a->socket);
	(void)unlink(a->pids);
	return HS_RC_OK;
}

int
hs_end_stop(const struct hs_ask *a)
{
	uint64_t start_ns = hs_clock_ns();
	struct hs_pids p;
	int rc, used_ms;

	/* Before the agent removes the file. */
	rc = read_pids(a, &p);
	if (rc != HS_RC_OK)
		return rc;
	rc = hs_ask_simple(a, hs_ask_request("stop"));
	if (rc != HS_RC_OK && rc != HS_RC_NOT_RUNNING)
		return rc;
	used_ms = (int)((hs_clock_ns() - start_ns) / 1000000u);
	return wait_all(a, &p,
	    used_ms < a->timeout_ms ? a->timeout_ms - used_ms : 0);
}

int
hs_end_kill(const struct hs_ask *a)
{
	struct hs_pids p;
	int rc;

	rc = read_pids(a, &p);
	if (rc != HS_RC_OK)
		return rc;
	rc = hs_pids_kill(&p);
	if (rc < 0) {
		hs_ask_say(a, "cannot kill: %s", hs_err_text(rc));
		return rc == -EPERM ? HS_RC_PERM : HS_RC_ERROR;
	}
	return wait_all(a, &p, a->timeout_ms);
}
