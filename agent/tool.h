/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A short-lived program run beside the loop: its end is seen by pidfd, never
 * waited for.
 */
#ifndef HS_AGENT_TOOL_H
#define HS_AGENT_TOOL_H

#include <qb/qbloop.h>

#include "base/err.h"

struct hs_tool;

/*
 * Called once from the loop, when the tool is gone and *out of hs_tool_run()
 * no longer valid.  status: its exit status, 128 + the signal that ended it, or
 * -ETIMEDOUT.  text: the first line it printed, on either output; may be "".
 */
typedef void hs_tool_fn(void *arg, int status, const char *text);

/*
 * Run argv[0], found by PATH; argv ends in NULL and is not kept.  It inherits
 * no descriptor, and gets SIGKILL after timeout_ms.  On failure fn is not
 * called.
 */
HS_MUST_CHECK int hs_tool_run(struct hs_tool **out, qb_loop_t *loop,
    const char *const *argv, unsigned timeout_ms, hs_tool_fn *fn, void *arg);

/* Kill and reap; fn is not called. */
void hs_tool_cancel(struct hs_tool *t);

#endif
