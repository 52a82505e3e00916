/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transport and the link, taken one turn further: by the worker, or by a
 * thread of the service that waits anyway.  For all of these io is held and
 * c->lock is not.
 */
#ifndef HS_CKPT_PUMP_H
#define HS_CKPT_PUMP_H

#include <stddef.h>

#include "base/err.h"
#include "ckpt/send.h"

struct hs_ckpt;

/* Worker only.  Open the transport; a line in why if that fails. */
HS_MUST_CHECK int hs_pump_open(struct hs_ckpt *c, char *why, size_t why_size);
/* Worker only.  Close the transport; the stream is broken (E2). */
void hs_pump_lose(struct hs_ckpt *c);

/* Send what is queued, some messages of it, if the stream flows. */
enum hs_send_step hs_pump_send(struct hs_ckpt *c);

/*
 * Take policy, acks and views, then send.  LOST: the transport is gone, and it
 * is the worker's to close it.  The caller has HS_XPORT_STACK_BYTES of stack.
 */
enum hs_send_step hs_pump_run(struct hs_ckpt *c);

#endif
