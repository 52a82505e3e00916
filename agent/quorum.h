/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quorum, from libquorum.  The change callback is a hint that comes on a
 * connection of its own; hs_quorum_ask() is the truth as of now and is what
 * the node asks at every change of membership, before it goes on.
 */
#ifndef HS_AGENT_QUORUM_H
#define HS_AGENT_QUORUM_H

#include <stdbool.h>

#include <qb/qbloop.h>

#include "base/err.h"

struct hs_quorum;

typedef void hs_quorum_fn(void *arg, bool quorate);

/* why gets one line that says what to do. */
HS_MUST_CHECK int hs_quorum_create(struct hs_quorum **out, qb_loop_t *loop,
    hs_quorum_fn *fn, void *arg, char *why, size_t why_size);
void hs_quorum_destroy(struct hs_quorum *q);
/* One round trip to the local corosync.  Anything but a clear yes is false. */
bool hs_quorum_ask(struct hs_quorum *q);

#endif
