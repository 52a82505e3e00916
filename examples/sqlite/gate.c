/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/sqlite/gate.h"

#include <time.h>

#include <hotspare/hs.h>

/* Longer than held takes; then a checkpoint is asked for anew, see hs.h. */
#define RENEW_MS 2000
#define WAIT_SPARE_MS 20	/* how often is looked for a spare */

void
gate_init(struct gate *g)
{
	*g = (struct gate){
		/* A stream of readers must not keep changes out. */
		.lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP,
		.sealing = PTHREAD_MUTEX_INITIALIZER,
	};
}

void
gate_enter(struct gate *g)
{
	(void)pthread_rwlock_rdlock(&g->lock);
}

void
gate_leave(struct gate *g)
{
	(void)pthread_rwlock_unlock(&g->lock);
}

void
gate_begin(struct gate *g)
{
	(void)pthread_rwlock_wrlock(&g->lock);
}

void
gate_end(struct gate *g, bool changed)
{
	if (changed)
		g->changes++;
	(void)pthread_rwlock_unlock(&g->lock);
}

/*
 * g->sealing is held.  A checkpoint with no change under way: it is copied when
 * hscpt() returns, and the gate is open again while it travels.
 */
static int
seal(struct gate *g)
{
	uint64_t changes, epoch;
	int rc;

	gate_enter(g);
	changes = g->changes;
	rc = hscpt(HS_HELD | HS_NOWAIT, &epoch);
	gate_leave(g);
	if (rc < 0)
		return rc;
	g->sealed_any = true;
	g->sealed_changes = changes;
	g->sealed_epoch = epoch;
	return 0;
}

/* An epoch that has all changes so far; taken if there is none, or anew. */
static int
cover(struct gate *g, bool anew, uint64_t *epoch)
{
	uint64_t changes;
	int rc = 0;

	gate_enter(g);
	changes = g->changes;
	gate_leave(g);
	(void)pthread_mutex_lock(&g->sealing);
	if (anew || !g->sealed_any || g->sealed_changes < changes)
		rc = seal(g);
	*epoch = g->sealed_epoch;
	(void)pthread_mutex_unlock(&g->sealing);
	return rc;
}

static bool
may_get_spare(void)
{
	struct hs_status st = { .size = sizeof(st) };

	return hsstatus(&st) == 0 && st.protection != HS_ALONE;
}

int
gate_hold(struct gate *g, enum gate_policy policy)
{
	const struct timespec pause = { .tv_nsec = WAIT_SPARE_MS * 1000000L };
	uint64_t epoch;
	int rc;

	rc = cover(g, false, &epoch);
	while (rc == 0) {
		rc = hswait(epoch, HS_HELD, RENEW_MS);
		if (rc == HS_ENOSPARE && policy == GATE_WAIT &&
		    may_get_spare()) {
			(void)nanosleep(&pause, NULL);
			rc = 0;
		} else if (rc == HS_ETIMEDOUT)
			rc = cover(g, true, &epoch);
		else
			break;
	}
	return rc == HS_ENOSPARE && policy == GATE_OPTIONAL ? GATE_KEPT : rc;
}
