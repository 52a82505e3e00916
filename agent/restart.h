/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local restart: a service whose process died on a live node goes on there, in
 * another process, before Pacemaker hears of it (docs/adr/0017).
 *
 *	IDLE -> FLUSHING -> PROMOTING -> IDLE, the service runs
 *	           \____________\______> IDLE, FAILED: as without local restarts
 *
 * IDLE -> FLUSHING       hs_restart_begin(): the process died
 * FLUSHING -> PROMOTING  hs_restart_flushed(): all that it sent has come back
 * PROMOTING -> IDLE      hs_restart_done(): hsinit() has returned
 * any -> IDLE, FAILED    hs_restart_fail()
 * any -> IDLE            hs_restart_cancel(): somebody else decided
 */
#ifndef HS_AGENT_RESTART_H
#define HS_AGENT_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>
#include <qb/qbloop.h>

#include "base/err.h"

#define HS_RESTART_MAX 1000 /* of local_restarts */
/*
 * Long enough that what a node's own fault does again and again is noticed
 * under a small limit, and short enough that two accidents of one day are two.
 */
#define HS_RESTART_WINDOW_S 600

struct hs_node;
struct hs_service;

enum hs_restart_phase {
	HS_RESTART_IDLE,
	HS_RESTART_FLUSHING,
	HS_RESTART_PROMOTING,
};

struct hs_restart {
	enum hs_restart_phase phase;
	unsigned limit; /* in HS_RESTART_WINDOW_S; 0: none at all */
	uint64_t mark; /* of the PROGRESS to itself that is waited for */
	bool bounded;
	qb_loop_timer_handle timer;
	char end[64]; /* of the process that died */
	uint64_t begun; /* how many there were; a ring of when: */
	uint64_t begun_ns[HS_RESTART_MAX];
	/* The newest that succeeded, and how many did. */
	uint64_t done, done_ms, epoch; /* CLOCK_REALTIME ms; of its image */
	double took_ms;
	char why[64];
};

/*
 * The process s, which was the running service, died and nobody wanted that.
 * false: no restart follows, and why not is in the log.
 */
HS_MUST_CHECK bool hs_restart_begin(struct hs_node *n,
    const struct hs_service *s);
/* A PROGRESS of this very agent to itself came back. */
void hs_restart_flushed(struct hs_node *n, uint64_t mark);
void hs_restart_done(struct hs_node *n);
void hs_restart_fail(struct hs_node *n, const char *why);
/* Demoted, stopped or superseded; nothing if none is under way. */
void hs_restart_cancel(struct hs_node *n);

static inline bool
hs_restart_busy(const struct hs_restart *r)
{
	return r->phase != HS_RESTART_IDLE;
}

/* S8: why one that is under way must not go on; NULL: it may. */
const char *hs_restart_objection(const struct hs_node *n);
/* Restarts begun within the window. */
unsigned hs_restart_used(const struct hs_restart *r);
/* From now on; a process stands by where it may be needed. */
void hs_restart_set_limit(struct hs_node *n, unsigned limit);
struct json_object *hs_restart_json(const struct hs_restart *r);

#endif
