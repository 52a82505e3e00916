/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that carries on while the service computes: it opens and watches
 * the transport, sends what is queued, takes acks and the agent's policy,
 * and settles the dirty tracking when there is nothing else to do.
 */
#ifndef HS_CKPT_WORKER_H
#define HS_CKPT_WORKER_H

#include "base/err.h"

struct hs_ckpt;

HS_MUST_CHECK int hs_worker_start(struct hs_ckpt *c);
/* Ends and joins it; the transport is closed. */
void hs_worker_stop(struct hs_ckpt *c);
/* There is something to send.  Any thread, any lock. */
void hs_worker_kick(struct hs_ckpt *c);
/* Look at how things stand.  Any thread, any lock. */
void hs_worker_nudge(struct hs_ckpt *c);

#endif
