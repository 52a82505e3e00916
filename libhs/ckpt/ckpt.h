/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checkpointing of one arena: what hs.h's calls do, without errno.
 *
 * E1  base <= held <= sent <= sealed: epochs, each only grows.
 * E2  What was sealed never changes: it is sent as it was then, or given up
 *     whole, and then the next epoch is a full one; or, if none of it was
 *     copied yet (cut.h), says all of it.
 * E3  An epoch is held only by acks that carry its lineage digest, only while
 *     the agent's policy allows it, and never once fenced.
 * E4  Epochs are copied, queued, encoded and sent in the order of their
 *     numbers, each delta against the one before it.
 * E5  Staged bytes not yet encoded are within the bound, or are one epoch's.
 */
#ifndef HS_CKPT_CKPT_H
#define HS_CKPT_CKPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct hs_arena;
struct hs_ckpt;

/*
 * Where the stream of epochs stands:
 *
 *   OFF ---> JOINING ---> FLOWING        OFF: no agent, nothing is tracked
 *               ^  ^---------.|          JOINING: no transport, or not in
 *               |  `-BROKEN <-'                   the group yet; epochs queue
 *               |      |                 BROKEN: transport lost; the queue was
 *               `------'                          given up, next epoch is full
 *   any ---> FENCED ---> CLOSED          FENCED: another node is primary
 *
 *   JOINING -> FLOWING	worker: the first view that names this process
 *   JOINING -> BROKEN	worker: the transport was lost before that
 *   FLOWING -> BROKEN	worker: send() or dispatch() says that it is lost
 *   BROKEN  -> JOINING	worker: a new transport was opened
 *   any -> FENCED	worker: a TERM above ours, or the agent's policy
 *   any -> CLOSED	hs_ckpt_close()
 */
enum hs_ckpt_state {
	HS_CKPT_OFF,
	HS_CKPT_JOINING,
	HS_CKPT_FLOWING,
	HS_CKPT_BROKEN,
	HS_CKPT_FENCED,
	HS_CKPT_CLOSED,
};

/* The only writer of c->state; c->lock is held.  Wakes whom it concerns. */
void hs_ckpt_goto(struct hs_ckpt *c, enum hs_ckpt_state next);
/* c->state for who does not hold c->lock; it may be another one already. */
enum hs_ckpt_state hs_ckpt_state_now(struct hs_ckpt *c);

/* A level or the protection changed: wake the waiters.  c->lock is held. */
void hs_ckpt_announce(struct hs_ckpt *c);

/* Acks, view or policy changed: is more held now?  c->lock is held. */
void hs_ckpt_advance(struct hs_ckpt *c);

/* As hscpt().  epoch may be NULL. */
HS_MUST_CHECK int hs_ckpt_take(struct hs_ckpt *c, unsigned how,
    uint64_t *epoch);
/* As hswait(). */
HS_MUST_CHECK int hs_ckpt_wait(struct hs_ckpt *c, uint64_t epoch,
    enum hs_level level, int timeout_ms);
/* As hseventfd(). */
int hs_ckpt_eventfd(struct hs_ckpt *c);
/* As hsping(). */
HS_MUST_CHECK int hs_ckpt_ping(struct hs_ckpt *c);
/* As hsstatus(), all of it. */
void hs_ckpt_status(struct hs_ckpt *c, struct hs_status *st);
/* Borrowed: valid until hs_ckpt_close(). */
struct hs_arena *hs_ckpt_arena(struct hs_ckpt *c);

/*
 * Wait for what is in flight for up to timeout_ms (-1: for ever), then end the
 * checkpointing and free *c, whatever the return is: what hs_ckpt_wait() said.
 */
int hs_ckpt_close(struct hs_ckpt **c, int timeout_ms);

#endif
