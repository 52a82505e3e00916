/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the node is, derived from what it has, and told to whom it concerns: the
 * other agents (STATE), the service (POLICY), Pacemaker (score, attributes).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <qb/qblog.h>

#include "agent/node.h"
#include "agent/term.h"
#include "base/clock.h"

/* Scores in fixed bands: one that floats makes a healthy cluster swap roles. */
#define SCORE_PRIMARY 1000
#define SCORE_READY 100
#define SCORE_LAST_COPY 10 /* stale, but nothing newer was held */
#define SCORE_LOOK_MS 10000 /* a look is 20 ms of one core */
#define SCORE_COLD 5 /* nobody has an image: start from nothing */

#define LOST_POLL_NS 250000000ull
/* Longer than a takeover takes after a service's death, with room. */
#define PUBLISH_PRIMARY_NS 2000000000ull
#define PUBLISH_NS 4000000000ull

#define BIT(k) (1u << HS_STATE_##k)
static const unsigned next_kinds[] = {
	[HS_STATE_EMPTY] =
	    BIT(SYNCING) | BIT(READY) | BIT(PRIMARY) | BIT(INCOMPATIBLE),
	[HS_STATE_SYNCING] = BIT(READY) | BIT(EMPTY) | BIT(STALE) |
	    BIT(PRIMARY) | BIT(INCOMPATIBLE),
	[HS_STATE_READY] = BIT(PRIMARY) | BIT(STALE) | BIT(SYNCING) |
	    BIT(EMPTY) | BIT(INCOMPATIBLE),
	[HS_STATE_PRIMARY] = BIT(FAILED) | BIT(READY) | BIT(STALE) |
	    BIT(SYNCING) | BIT(EMPTY) | BIT(INCOMPATIBLE),
	[HS_STATE_STALE] =
	    BIT(SYNCING) | BIT(READY) | BIT(PRIMARY) | BIT(INCOMPATIBLE),
	[HS_STATE_INCOMPATIBLE] =
	    BIT(EMPTY) | BIT(SYNCING) | BIT(READY) | BIT(STALE) | BIT(PRIMARY),
	[HS_STATE_FAILED] = BIT(READY) | BIT(STALE) | BIT(SYNCING) |
	    BIT(EMPTY) | BIT(INCOMPATIBLE) | BIT(PRIMARY),
};

static const char *const kind_names[] = {
	[HS_STATE_EMPTY] = "EMPTY",
	[HS_STATE_SYNCING] = "SYNCING",
	[HS_STATE_READY] = "READY",
	[HS_STATE_PRIMARY] = "PRIMARY",
	[HS_STATE_STALE] = "STALE",
	[HS_STATE_INCOMPATIBLE] = "INCOMPATIBLE",
	[HS_STATE_FAILED] = "FAILED",
};

const char *
hs_node_kind_name(enum hs_msg_state_kind kind)
{
	return kind_names[kind];
}

unsigned
hs_node_spares(const struct hs_node *n)
{
	return n->cfg->standalone ? 1
				  : hs_peer_count(&n->peers, HS_STATE_READY);
}

static enum hs_msg_state_kind
derive_kind(const struct hs_node *n)
{
	if (hs_node_serves(n))
		return HS_STATE_PRIMARY;
	if (n->failed)
		return HS_STATE_FAILED;
	if (n->incompatible)
		return HS_STATE_INCOMPATIBLE;
	if (n->chain)
		return HS_STATE_READY;
	if (n->source != 0)
		return HS_STATE_SYNCING;
	return n->image != NULL ? HS_STATE_STALE : HS_STATE_EMPTY;
}

static bool
set_kind(struct hs_node *n, enum hs_msg_state_kind kind)
{
	if (kind == n->kind)
		return false;
	assert(next_kinds[n->kind] & (1u << kind));
	qb_log(LOG_NOTICE, "%s -> %s (term %llu epoch %llu)%s%s",
	    kind_names[n->kind], kind_names[kind], (unsigned long long)n->term,
	    (unsigned long long)n->id.epoch, n->why[0] != '\0' ? ": " : "",
	    n->why);
	if ((kind == HS_STATE_PRIMARY) != (n->kind == HS_STATE_PRIMARY))
		n->role_ns = hs_clock_ns();
	n->kind = kind;
	return true;
}

bool
hs_node_cold(const struct hs_node *n)
{
	if (n->kind != HS_STATE_EMPTY || !n->joined || !n->quorate ||
	    !n->settled || n->peers.nlost > 0)
		return false;
	for (size_t i = 0; i < n->peers.n; i++)
		if (n->peers.peer[i].state.kind != HS_STATE_EMPTY &&
		    n->peers.peer[i].state.kind != HS_STATE_INCOMPATIBLE)
			return false;
	return true;
}

static int
derive_score(const struct hs_node *n)
{
	bool ready_peer = hs_peer_count(&n->peers, HS_STATE_READY) > 0;
	bool primary_peer = hs_peer_count(&n->peers, HS_STATE_PRIMARY) > 0;

	if (n->stopping)
		return HS_SCORE_NEVER;
	if (n->kind == HS_STATE_PRIMARY)
		return SCORE_PRIMARY;
	if ((n->kind == HS_STATE_FAILED || n->penalty) && ready_peer)
		return HS_SCORE_NEVER;
	if (n->id.epoch < n->held_epoch)
		return HS_SCORE_NEVER; /* S4 */
	if (n->kind == HS_STATE_READY || n->kind == HS_STATE_FAILED)
		return SCORE_READY;
	if (n->kind != HS_STATE_INCOMPATIBLE && n->image != NULL &&
	    !ready_peer && !primary_peer)
		return SCORE_LAST_COPY;
	return hs_node_cold(n) ? SCORE_COLD : HS_SCORE_NEVER;
}

static enum hs_protection
derive_protection(const struct hs_node *n)
{
	unsigned need = n->min_spares > 1 ? n->min_spares : 1;

	if (n->cfg->standalone)
		return HS_PROTECTED;
	if (!n->quorate)
		return HS_BLOCKED;
	if (hs_node_spares(n) >= need)
		return HS_PROTECTED;
	if (n->peers.nlost > 0 || n->min_spares > 0)
		return HS_BLOCKED; /* S6 */
	return HS_UNPROTECTED;
}

void
hs_node_tell_policy(struct hs_node *n)
{
	struct hs_msg_head h = {
		.type = HS_MSG_POLICY,
		.term = n->term,
		.epoch = n->id.epoch,
		.off = n->rx_off,
	};

	if (n->active != NULL)
		hs_service_policy(n->active, &h, &n->policy);
}

static void
update_policy(struct hs_node *n)
{
	struct hs_msg_policy p = {
		.protection = (uint8_t)derive_protection(n),
		.spares = (uint8_t)hs_node_spares(n),
		.full = n->active != NULL && !n->chain,
		.min_spares = (uint8_t)n->min_spares,
	};

	if (memcmp(&p, &n->policy, sizeof(p)) == 0)
		return;
	n->policy = p;
	hs_node_tell_policy(n);
}

static void
on_lost_poll(void *data)
{
	struct hs_node *n = data;

	n->lost_timer_armed = false;
	hs_node_update(n);
}

void
hs_node_ask_lost(struct hs_node *n)
{
	for (size_t i = 0; n->fence != NULL && i < n->peers.nlost; i++)
		hs_fence_ask(n->fence, n->peers.lost[i].nodeid);
}

/* Ask for the fate of lost nodes, until each is known. */
static void
update_lost(struct hs_node *n)
{
	if (n->peers.nlost == 0 || n->fence == NULL || n->lost_timer_armed)
		return;
	hs_node_ask_lost(n);
	n->lost_timer_armed =
	    qb_loop_timer_add(n->loop, QB_LOOP_MED, LOST_POLL_NS, n,
		on_lost_poll, &n->lost_timer) == 0;
}

static void
on_fenced(void *arg, uint32_t nodeid, time_t when)
{
	struct hs_node *n = arg;

	for (size_t i = 0; i < n->peers.nlost; i++)
		if (n->peers.lost[i].nodeid == nodeid &&
		    when > n->peers.lost[i].since) {
			qb_log(LOG_NOTICE, "node %u is fenced", nodeid);
			hs_peer_found(&n->peers, nodeid);
			hs_node_update(n);
			return;
		}
}

static void
update_compatible(struct hs_node *n)
{
	const struct hs_peer *p = hs_peer_of_kind(&n->peers, HS_STATE_PRIMARY);
	char why[sizeof(n->why)];

	if (p != NULL && p->state.arena_bytes != 0)
		memcpy(n->build, p->state.build, sizeof(n->build));
	if (n->active != NULL || n->waiting == NULL ||
	    hs_service_phase(n->waiting) != HS_SERVICE_WAITING)
		return;
	n->incompatible = hs_child_check(n, why, sizeof(why)) < 0;
	if (n->incompatible)
		memcpy(n->why, why, sizeof(why));
}

static void
check_started(struct hs_node *n)
{
	void (*fn)(void *, int, const char *) = n->on_ready;

	if (fn == NULL || n->waiting == NULL ||
	    hs_service_phase(n->waiting) != HS_SERVICE_WAITING ||
	    (!n->joined && !n->cfg->standalone))
		return;
	n->on_ready = NULL;
	fn(n->on_ready_arg, 0, "");
}

static void
publish_now(struct hs_node *n)
{
	char count[24];

	n->score = derive_score(n);
	n->shown = n->kind;
	hs_cluster_score(n->cluster, n->score);
	hs_cluster_attr(n->cluster, "state", kind_names[n->kind]);
	if (n->shown_restarts == n->restart.done)
		return;
	n->shown_restarts = n->restart.done;
	snprintf(count, sizeof(count), "%llu",
	    (unsigned long long)n->shown_restarts);
	hs_cluster_attr(n->cluster, "restarts", count);
}

static void
on_publish(void *data)
{
	struct hs_node *n = data;

	n->publish_armed = false;
	publish_now(n);
}

/* Some time after the newest change of kind or term; see PUBLISH_NS. */
static void
publish_later(struct hs_node *n)
{
	if (n->publish_armed && n->publish_kind == n->kind &&
	    n->publish_term == n->term)
		return;
	if (n->publish_armed)
		qb_loop_timer_del(n->loop, n->publish_timer);
	n->publish_kind = n->kind;
	n->publish_term = n->term;
	n->publish_armed =
	    qb_loop_timer_add(n->loop, QB_LOOP_LOW,
		n->kind == HS_STATE_PRIMARY ? PUBLISH_PRIMARY_NS : PUBLISH_NS,
		n, on_publish, &n->publish_timer) == 0;
}

/* The primary's agent is in the group, whether it has said so yet or not. */
static bool
has_primary(struct hs_node *n)
{
	const struct hs_peer *p = hs_peer_find(&n->peers, n->primary.nodeid);

	return n->kind == HS_STATE_PRIMARY ||
	    hs_peer_count(&n->peers, HS_STATE_PRIMARY) > 0 ||
	    (p != NULL && p->state.tenure < n->term); /* it will say so */
}

/*
 * A score that falls, or without which nobody could be promoted, is told at
 * once. All else waits: a change of an attribute aborts the transition that
 * Pacemaker is in, and right after a failure that is the takeover.  The
 * primary's rises first, or it would be the lower one for a moment, and
 * demoted.
 */
static void
publish(struct hs_node *n)
{
	int score = derive_score(n);
	bool needed =
	    !has_primary(n) && hs_peer_count(&n->peers, HS_STATE_READY) == 0;

	if (n->cluster == NULL ||
	    (score == n->score && n->kind == n->shown &&
		n->shown_restarts == n->restart.done))
		return;
	if (!n->published || (needed && score != n->score)) {
		n->published = true;
		publish_now(n);
		return;
	}
	if (score < n->score) {
		n->score = score;
		hs_cluster_score(n->cluster, score);
	}
	publish_later(n);
}

void
hs_node_update(struct hs_node *n)
{
	update_compatible(n);
	hs_catchup_update(n);
	if (set_kind(n, derive_kind(n))) {
		hs_group_send_state(n);
		/* An epoch that came just before it was READY counts too. */
		if (n->kind == HS_STATE_READY)
			hs_follow_ack(n);
	}
	update_policy(n);
	update_lost(n);
	publish(n);
	check_started(n);
}

static void
on_quorum(void *arg, bool quorate)
{
	struct hs_node *n = arg;

	if (quorate == n->quorate)
		return;
	qb_log(LOG_NOTICE, "quorum %s", quorate ? "gained" : "lost");
	n->quorate = quorate;
	hs_group_send_state(n);
	hs_node_update(n);
	hs_follow_ack(n); /* what came in while it might not be said */
}

static int
connect_cluster(struct hs_node *n, char *why, size_t why_size)
{
	int rc;

	rc = hs_quorum_create(&n->quorum, n->loop, on_quorum, n, why, why_size);
	if (rc < 0)
		return rc;
	n->quorate = hs_quorum_ask(n->quorum);
	rc = hs_cluster_create(&n->cluster, n->loop, n->cfg->resource);
	if (rc == 0)
		rc = hs_fence_create(&n->fence, n->loop, on_fenced, n);
	if (rc < 0) {
		snprintf(why, why_size, "%s", hs_err_text(rc));
		return rc;
	}
	rc = hs_group_open(n, why, why_size);
	if (rc == 0)
		hs_cluster_watch(n->cluster, n->nodeid, SCORE_LOOK_MS);
	return rc;
}

int
hs_node_create(struct hs_node **out, qb_loop_t *loop,
    const struct hs_node_config *cfg, char *why, size_t why_size)
{
	struct hs_node *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL)
		return -ENOMEM;
	n->loop = loop;
	n->cfg = cfg;
	n->peer_fd = -1;
	n->role_ns = hs_clock_ns();
	n->min_spares = cfg->min_spares;
	n->ping_timeout_ms = cfg->ping_timeout_ms;
	n->restart.limit = cfg->local_restarts;
	n->quorate = cfg->standalone;
	hs_keep_open(&n->keep, cfg->resource, cfg->state_dir, cfg->standalone);
	hs_keep_free(&n->keep); /* of an agent that was killed */
	rc = hs_intake_create(&n->intake, NULL, NULL);
	if (rc == 0)
		rc = hs_catchup_init(n);
	if (rc == 0 && !cfg->standalone)
		rc =
		    hs_term_load(cfg->state_dir, cfg->resource, &n->term_floor);
	n->term_disk = n->term_floor;
	if (rc < 0)
		snprintf(why, why_size, "%s/%s.term: %s", cfg->state_dir,
		    cfg->resource, hs_err_text(rc));
	else if (!cfg->standalone)
		rc = connect_cluster(n, why, why_size);
	if (rc == 0)
		rc = hs_child_prepare(n, why, why_size);
	if (rc < 0) {
		hs_node_destroy(n);
		return rc;
	}
	hs_tenure_reserve(n);
	*out = n;
	return 0;
}

void
hs_node_destroy(struct hs_node *n)
{
	if (n == NULL)
		return;
	hs_tenure_fini(n);
	hs_service_destroy(n->active);
	hs_service_destroy(n->waiting);
	hs_keep_close(&n->keep);
	hs_serve_stop(n);
	if (n->sync_intake != NULL)
		hs_catchup_fini(n);
	hs_group_close(n);
	hs_intake_destroy(n->intake);
	hs_image_destroy(n->image);
	if (n->fence != NULL)
		hs_fence_destroy(n->fence);
	if (n->cluster != NULL)
		hs_cluster_destroy(n->cluster);
	if (n->quorum != NULL)
		hs_quorum_destroy(n->quorum);
	free(n);
}
