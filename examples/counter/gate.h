/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers wait here until the checkpoint with their effect is held.  All that
 * came in together shares one checkpoint, and several checkpoints may be on
 * their way: so the cost of one is spread over many requests, and nobody
 * waits for a quiet moment.
 *
 * A1  An answer leaves only when its checkpoint is held, or when there is no
 *     spare and the administrator allows the service to go on (HS_ENOSPARE).
 * A2  Answers to one connection leave in the order in which they were put.
 */
#ifndef EXAMPLES_COUNTER_GATE_H
#define EXAMPLES_COUNTER_GATE_H

#include <stdbool.h>

#include "examples/common/net.h"

#define GATE_BATCHES 8	/* checkpoints on their way at most, and one open */

struct gate;

int gate_create(struct gate **out);
void gate_destroy(struct gate *g);

/* Answer c once held.  false: no memory; the connection must be closed. */
bool gate_put(struct gate *g, struct net_conn *c, const char *text, size_t len);

/*
 * Take a checkpoint for what was put since the last one.  0, HS_EAGAIN: too
 * much is in flight, call again; or an error after which to stop.
 */
int gate_seal(struct gate *g);

/* Send what may leave.  0 or an error after which to stop. */
int gate_release(struct gate *g, struct net *n);

/* Answers put and not sealed; no room for another checkpoint. */
bool gate_open(const struct gate *g);
bool gate_full(const struct gate *g);

#endif
