/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate between the store and the checkpoints: whoever changes the store is
 * alone, and no checkpoint is taken meanwhile, whoever asks for it.  Its lock
 * is one of libhs's: those are free in every checkpoint.
 *
 * G1  Each checkpoint has the store as it was between two changes, all earlier
 *     changes whole and no later one.  So an image is like a disk that writes
 *     in order and never tears: the device that SQLite's recovery asks for, and
 *     more.
 * G2  gate_hold() returns GATE_HELD only when a spare has every change that was
 *     made before it was called.
 */
#ifndef EXAMPLES_SQLITE_GATE_H
#define EXAMPLES_SQLITE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <hotspare/hs.h>

/* What to do while there is no spare and the administrator allows that. */
enum gate_policy {
	GATE_OPTIONAL,	/* go on: as good as this process is */
	GATE_WAIT,	/* wait for one */
	GATE_REFUSE,	/* fail */
	GATE_POLICIES
};

/* Beside errors, what gate_hold() may return. */
#define GATE_HELD 0
#define GATE_KEPT 1	/* GATE_OPTIONAL: no spare has it */

struct gate {
	struct hs_rwlock lock;
	/* Atomic, and they only grow; changes within the lock. */
	uint64_t changes;
	uint64_t held;		/* so many of them are held */
};

void gate_init(struct gate *g);

/* Around reading the store. */
void gate_enter(struct gate *g);
void gate_leave(struct gate *g);

/* Around one change of it, or what turned out to be none. */
void gate_begin(struct gate *g);
void gate_end(struct gate *g, bool changed);

/*
 * Have all changes so far held by a spare; not within the gate.  HS_ENOSPARE:
 * GATE_REFUSE, or GATE_WAIT without an agent; HS_EFENCED and so on as hscpt().
 */
int gate_hold(struct gate *g, enum gate_policy policy);

#endif
