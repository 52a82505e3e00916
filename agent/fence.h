/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Was a node fenced?  Asks Pacemaker's fencer (stonith_api_time() of
 * libstonithd, loaded at run time by a child, "hsctl fenced", because the call
 * blocks and the library may be absent).  A manual "pcs stonith confirm" counts
 * as fencing there.
 */
#ifndef HS_AGENT_FENCE_H
#define HS_AGENT_FENCE_H

#include <stdint.h>
#include <time.h>

#include <qb/qbloop.h>

#include "base/err.h"

struct hs_fence;

/*
 * when: of the last completed fencing of nodeid, in seconds of CLOCK_REALTIME,
 * 0 for never; < 0: cannot tell.  Called from the loop, or from hs_fence_ask()
 * itself when not even the question can be put.
 */
typedef void hs_fence_fn(void *arg, uint32_t nodeid, time_t when);

HS_MUST_CHECK int hs_fence_create(struct hs_fence **out, qb_loop_t *loop,
    hs_fence_fn *fn, void *arg);
void hs_fence_destroy(struct hs_fence *f);
/* A second question about a node, while the first one runs, is dropped. */
void hs_fence_ask(struct hs_fence *f, uint32_t nodeid);

#endif
