/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate between the store and its checkpoints: whoever changes the store is
 * alone, and no checkpoint is taken meanwhile.
 *
 * G1  Each checkpoint that the gate takes has the store as it was between two
 *     changes, all earlier changes whole and no later one.  So an image is
 *     like a disk that writes in order and never tears: the device that
 *     SQLite's recovery asks for, and more.
 * G2  gate_hold() returns GATE_HELD only when a spare has every change that was
 *     made before it was called.
 */
#ifndef EXAMPLES_SQLITE_GATE_H
#define EXAMPLES_SQLITE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* What to do while there is no spare and the administrator allows that. */
enum gate_policy {
	GATE_OPTIONAL,	/* go on: as good as this process is */
	GATE_WAIT,	/* wait for one */
	GATE_REFUSE,	/* fail */
	GATE_POLICIES
};

/* Beside 0: what gate_hold() may return.  Negative: HS_E*. */
#define GATE_HELD 0
#define GATE_KEPT 1	/* GATE_OPTIONAL: no spare has it */

struct gate {
	pthread_rwlock_t lock;
	uint64_t changes;	/* guarded by lock */
	pthread_mutex_t sealing;
	/* Guarded by sealing: the newest checkpoint and what is in it. */
	bool sealed_any;
	uint64_t sealed_changes;
	uint64_t sealed_epoch;
};

void gate_init(struct gate *g);

/* Around reading the store. */
void gate_enter(struct gate *g);
void gate_leave(struct gate *g);

/* Around one change of it, or what turned out to be none. */
void gate_begin(struct gate *g);
void gate_end(struct gate *g, bool changed);

/*
 * Have all changes so far held by a spare.  HS_ENOSPARE: GATE_REFUSE, or
 * GATE_WAIT without an agent; HS_EFENCED and so on as hscpt().
 */
int gate_hold(struct gate *g, enum gate_policy policy);

#endif
