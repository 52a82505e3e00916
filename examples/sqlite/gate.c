/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/sqlite/gate.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

/* Times hsthreadtimeout(): another thread is in the way for longer. */
#define STOP_TRIES 10

void
gate_init(struct gate *g)
{
	*g = (struct gate){
		.lock = { .name = "sqlite" },
	};
}

/* There may be no memory, yet, to remember this thread by. */
static void
take(int (*lock)(struct hs_rwlock *), struct gate *g)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int rc;

	while ((rc = lock(&g->lock)) == -ENOMEM)
		(void)nanosleep(&pause, NULL);
	assert(rc == 0);
}

void
gate_enter(struct gate *g)
{
	take(hsrwlockrdlock, g);
}

void
gate_leave(struct gate *g)
{
	(void)hsrwlockunlock(&g->lock);
}

void
gate_begin(struct gate *g)
{
	take(hsrwlockwrlock, g);
}

void
gate_end(struct gate *g, bool changed)
{
	if (changed)
		(void)__atomic_add_fetch(&g->changes, 1, __ATOMIC_RELEASE);
	(void)hsrwlockunlock(&g->lock);
}

static void
note_held(struct gate *g, uint64_t changes)
{
	uint64_t held = __atomic_load_n(&g->held, __ATOMIC_RELAXED);

	while (held < changes &&
	    !__atomic_compare_exchange_n(&g->held, &held, changes, true,
		__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		continue;
}

int
gate_hold(struct gate *g, enum gate_policy policy)
{
	unsigned how = HS_HELD | (policy == GATE_WAIT ? HS_NEEDSPARE : 0);
	uint64_t changes = __atomic_load_n(&g->changes, __ATOMIC_ACQUIRE);
	int rc, tries = 0;

	if (changes <= __atomic_load_n(&g->held, __ATOMIC_RELAXED))
		return GATE_HELD;
	do {
		rc = hscpt(how, NULL);
	} while (rc == HS_ESTOP && ++tries < STOP_TRIES);
	if (rc == 0)
		note_held(g, changes);
	return rc == HS_ENOSPARE && policy == GATE_OPTIONAL ? GATE_KEPT : rc;
}
