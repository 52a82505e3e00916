/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/restart.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <qb/qblog.h>

#include "agent/node.h"
#include "base/clock.h"

/* A spare takes over in less than a tenth of that. */
#define BOUND_NS 10000000000ull
#define WINDOW_NS (HS_RESTART_WINDOW_S * 1000000000ull)

unsigned
hs_restart_used(const struct hs_restart *r)
{
	uint64_t now = hs_clock_ns(), n = r->begun;
	unsigned used = 0;

	while (n > 0 && used < HS_RESTART_MAX &&
	    now - r->begun_ns[(n - 1) % HS_RESTART_MAX] < WINDOW_NS) {
		used++;
		n--;
	}
	return used;
}

static const char *
find_objection(const struct hs_node *n)
{
	if (!n->joined || !n->quorate)
		return "there is no quorum";
	if (n->peers.nlost > 0)
		return "a node vanished, and may be promoted";
	if (!n->chain)
		return "the image here is not the newest";
	if (n->id.epoch < n->held_epoch)
		return "a newer checkpoint was held elsewhere"; /* S4 */
	return NULL;
}

const char *
hs_restart_objection(const struct hs_node *n)
{
	return hs_restart_busy(&n->restart) ? find_objection(n) : NULL;
}

static void
end_phase(struct hs_node *n)
{
	if (n->restart.bounded)
		qb_loop_timer_del(n->loop, n->restart.timer);
	n->restart.bounded = false;
	n->restart.phase = HS_RESTART_IDLE;
}

static void
on_bound(void *data)
{
	struct hs_node *n = data;

	n->restart.bounded = false;
	if (n->active == NULL) {
		hs_tenure_give_up(n, "it took too long");
		return;
	}
	qb_log(LOG_ERR, "the service does not come to run: killed");
	hs_service_kill(n->active); /* its death ends the promotion */
}

bool
hs_restart_begin(struct hs_node *n, const struct hs_service *s)
{
	struct hs_restart *r = &n->restart;
	const char *objection = find_objection(n);
	unsigned used = hs_restart_used(r);

	assert(n->active == NULL && !hs_restart_busy(r));
	if (r->limit == 0 || n->cfg->standalone)
		return false;
	if (used >= r->limit) {
		qb_log(LOG_WARNING,
		    "not restarted here: that was done %u times within %u "
		    "minutes",
		    used, HS_RESTART_WINDOW_S / 60);
		return false;
	}
	if (objection == NULL &&
	    qb_loop_timer_add(n->loop, QB_LOOP_HIGH, BOUND_NS, n, on_bound,
		&r->timer) < 0)
		objection = "no memory for a timer";
	if (objection != NULL) {
		qb_log(LOG_WARNING, "not restarted here: %s", objection);
		return false;
	}
	r->bounded = true;
	r->phase = HS_RESTART_FLUSHING;
	r->begun_ns[r->begun++ % HS_RESTART_MAX] = hs_clock_ns();
	snprintf(r->end, sizeof(r->end), "%s", hs_service_end(s));
	r->mark++;
	hs_node_update(n); /* is the process that waits a fit one? */
	hs_group_send_bare(n, HS_MSG_PROGRESS, n->nodeid, r->mark);
	return true;
}

void
hs_restart_flushed(struct hs_node *n, uint64_t mark)
{
	struct hs_restart *r = &n->restart;

	if (r->phase != HS_RESTART_FLUSHING || mark != r->mark)
		return;
	r->phase = HS_RESTART_PROMOTING;
	if (find_objection(n) != NULL)
		hs_restart_fail(n, find_objection(n));
	else
		hs_tenure_promote(n, NULL);
}

void
hs_restart_done(struct hs_node *n)
{
	struct hs_restart *r = &n->restart;
	uint64_t began = r->begun_ns[(r->begun - 1) % HS_RESTART_MAX];
	struct timespec t;

	assert(n->active != NULL && r->phase == HS_RESTART_PROMOTING); /* S7 */
	end_phase(n);
	clock_gettime(CLOCK_REALTIME, &t);
	r->done++;
	r->done_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	r->took_ms = (double)(hs_clock_ns() - began) / 1e6;
	r->epoch = n->go_epoch;
	memcpy(r->why, r->end, sizeof(r->why));
	qb_log(LOG_WARNING,
	    "restarted here (%u of %u within %u minutes): service %s; went "
	    "on from epoch %llu after %.1f ms",
	    hs_restart_used(r), r->limit, HS_RESTART_WINDOW_S / 60, r->why,
	    (unsigned long long)r->epoch, r->took_ms);
	hs_group_send_state(n); /* the process is another one */
}

void
hs_restart_fail(struct hs_node *n, const char *why)
{
	char because[sizeof(n->why)]; /* why may be n->why */

	assert(n->active == NULL);
	end_phase(n);
	n->failed = n->penalty = true;
	snprintf(because, sizeof(because), "%s", why);
	snprintf(n->why, sizeof(n->why),
	    "the service %s; not restarted: %.140s", n->restart.end, because);
	qb_log(LOG_ERR, "%s", n->why);
	hs_node_update(n);
	hs_tenure_drop_kept(n);
	hs_child_stand_by(n);
}

void
hs_restart_cancel(struct hs_node *n)
{
	if (!hs_restart_busy(&n->restart))
		return;
	qb_log(LOG_NOTICE, "the service is not restarted any more");
	end_phase(n);
	if (n->active == NULL)
		hs_tenure_drop_kept(n);
	hs_child_stand_by(n);
}

void
hs_restart_set_limit(struct hs_node *n, unsigned limit)
{
	n->restart.limit = limit;
	hs_child_stand_by(n);
}

struct json_object *
hs_restart_json(const struct hs_restart *r)
{
	struct json_object *o = json_object_new_object(), *last;

	json_object_object_add(o, "limit", json_object_new_int((int)r->limit));
	json_object_object_add(o, "window_s",
	    json_object_new_int(HS_RESTART_WINDOW_S));
	json_object_object_add(o, "used",
	    json_object_new_int((int)hs_restart_used(r)));
	json_object_object_add(o, "done",
	    json_object_new_int64((int64_t)r->done));
	if (r->done == 0)
		return o;
	last = json_object_new_object();
	json_object_object_add(last, "why", json_object_new_string(r->why));
	json_object_object_add(last, "epoch",
	    json_object_new_int64((int64_t)r->epoch));
	json_object_object_add(last, "took_ms",
	    json_object_new_double(r->took_ms));
	json_object_object_add(last, "at_ms",
	    json_object_new_int64((int64_t)r->done_ms));
	json_object_object_add(o, "last", last);
	return o;
}
