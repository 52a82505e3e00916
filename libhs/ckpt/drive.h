/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread that waits for a level takes the transport over meanwhile: it sends
 * and takes acks itself, so that no other thread has to run between hscpt()
 * and the ack.  One such driver at a time; the worker keeps off.
 *
 *	hs_drive_send(c);	send now, if nothing is in the way
 *	lock(c->lock)
 *	if (hs_drive_begin(c)) {
 *		while (not yet there && rc == 0)
 *			rc = hs_drive_turn(c, deadline_ns);
 *		hs_drive_end(c);
 *	}
 *
 * V1  What changes a level or the protection wakes the driver, whoever did it.
 * V2  A driver leaves opening and closing the transport to the worker.
 */
#ifndef HS_CKPT_DRIVE_H
#define HS_CKPT_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct hs_ckpt;

/*
 * Send what is queued from this thread, as far as that goes without waiting;
 * the worker has the rest.  c->lock is not held.
 */
void hs_drive_send(struct hs_ckpt *c);

/* For these c->lock is held, but not while hs_drive_turn() waits. */

/* False: somebody drives, there is no stream, or this stack is too small. */
bool hs_drive_begin(struct hs_ckpt *c);
/*
 * Wait for something to happen, and take it in.  0; HS_ETIMEDOUT;
 * HS_ETRANSPORT: the transport is lost, so end driving.
 */
HS_MUST_CHECK int hs_drive_turn(struct hs_ckpt *c, uint64_t deadline_ns);
void hs_drive_end(struct hs_ckpt *c);
/* Something changed: let a driver other than this thread see it (V1). */
void hs_drive_wake(struct hs_ckpt *c);

#endif
