/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hsctl shows: docs of the members are in hsctl(8).
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/node.h"
#include "base/clock.h"
#include "config.h"

/* Return codes of the OCF resource agent API 1.1, with Pacemaker's degraded. */
#define OCF_SUCCESS 0
#define OCF_ERR_GENERIC 1
#define OCF_RUNNING_PROMOTED 8
#define OCF_FAILED_PROMOTED 9
#define OCF_DEGRADED 190
#define OCF_DEGRADED_PROMOTED 191

/* A waiting process that dies so often in a row is an error of the resource. */
#define DEATHS_SHOWN 3
/* The first monitor follows the start or the promotion at once. */
#define PLAIN_NS 5000000000ull

static void
add_int(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)v));
}

static void
add_text(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

static void
add_hex(struct json_object *o, const char *key, const uint8_t *p, size_t len)
{
	char hex[2 * HS_MSG_DIGEST_BYTES + 1] = "";

	for (size_t i = 0; i < len && i < HS_MSG_DIGEST_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	add_text(o, key, hex);
}

static const char *
protection_name(uint8_t p)
{
	static const char *const names[] = {
		[HS_ALONE] = "alone",
		[HS_PROTECTED] = "protected",
		[HS_UNPROTECTED] = "unprotected",
		[HS_BLOCKED] = "blocked",
		[HS_FENCED] = "fenced",
	};

	return p < sizeof(names) / sizeof(names[0]) ? names[p] : "?";
}

static const char *
explain_protection(const struct hs_node *n)
{
	if (n->kind == HS_STATE_FAILED)
		return n->why;
	if (n->kind != HS_STATE_PRIMARY)
		return n->why;
	if (!n->quorate)
		return "no quorum: nothing is reported held";
	if (n->active == NULL)
		return "the service died and is being restarted here";
	if (hs_service_text(n->active)[0] != '\0')
		return hs_service_text(n->active); /* sends no checkpoints */
	if (n->policy.protection == HS_BLOCKED && n->peers.nlost > 0)
		return "a node vanished and is not known to be fenced: held "
		       "waits; see 'pcs stonith history', or 'hsctl confirm'";
	if (n->policy.protection == HS_BLOCKED)
		return "fewer spares than min_spares: held waits";
	if (n->policy.protection == HS_UNPROTECTED)
		return "no spare holds an image";
	return "";
}

static struct json_object *
service_json(const struct hs_node *n)
{
	const struct hs_service *s = n->active != NULL ? n->active : n->waiting;
	struct json_object *o = json_object_new_object();

	if (s == NULL) {
		add_text(o, "phase", "none");
		add_text(o, "text", n->death_text);
		return o;
	}
	add_int(o, "pid", (uint64_t)hs_service_pid(s));
	add_text(o, "phase", hs_service_phase_name(hs_service_phase(s)));
	add_text(o, "tracker", hs_service_hello(s)->tracker);
	add_text(o, "version", hs_service_hello(s)->version);
	if (hs_service_text(s)[0] != '\0')
		add_text(o, "text", hs_service_text(s));
	return o;
}

static struct json_object *
image_json(const struct hs_node *n)
{
	struct json_object *o = json_object_new_object();

	add_int(o, "epoch", n->id.epoch);
	add_int(o, "term", n->id.term);
	add_hex(o, "digest", n->id.digest, sizeof(n->id.digest));
	if (n->image != NULL) {
		add_int(o, "arena_base", hs_image_base(n->image));
		add_int(o, "arena_bytes", hs_image_bytes(n->image));
		add_int(o, "used_bytes", hs_image_used(n->image));
		add_int(o, "resident_bytes", hs_image_resident(n->image));
	}
	return o;
}

static struct json_object *
peers_json(const struct hs_node *n)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < n->peers.n; i++) {
		const struct hs_peer *p = &n->peers.peer[i];
		struct json_object *o = json_object_new_object();

		add_int(o, "nodeid", p->addr.nodeid);
		add_text(o, "state", hs_node_kind_name(p->state.kind));
		add_int(o, "term", p->term);
		add_int(o, "epoch", p->epoch);
		json_object_object_add(o, "quorate",
		    json_object_new_boolean(p->state.quorate));
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *
stats_json(const struct hs_node *n)
{
	const struct hs_msg_stats *m;
	struct json_object *o = json_object_new_object();

	if (n->active == NULL)
		return o;
	m = hs_service_stats(n->active);
	add_int(o, "epoch_held", hs_service_held_epoch(n->active));
	add_int(o, "epoch_sealed", m->epoch_sealed);
	add_int(o, "epoch_sent", m->epoch_sent);
	add_int(o, "pages_dirty", m->pages_dirty);
	add_int(o, "bytes_sent", m->bytes_sent);
	add_int(o, "pause_ns_last", m->pause_ns_last);
	add_int(o, "pause_ns_max", m->pause_ns_max);
	add_int(o, "held_ns_last", m->held_ns_last);
	return o;
}

static struct json_object *
refused_json(const struct hs_node *n)
{
	struct json_object *o = json_object_new_object();

	for (enum hs_refusal r = 0; r < HS_REFUSED_COUNT; r++)
		if (n->refused[r] > 0)
			add_int(o, hs_group_refusal_name(r), n->refused[r]);
	return o;
}

static struct json_object *
lost_json(const struct hs_node *n)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < n->peers.nlost; i++)
		json_object_array_add(a,
		    json_object_new_int64(n->peers.lost[i].nodeid));
	return a;
}

static struct json_object *
promote_json(const struct hs_node *n)
{
	struct json_object *o = json_object_new_object();

	if (n->promoted_ms == 0)
		return o;
	json_object_object_add(o, "to_go_ms",
	    json_object_new_double(n->to_go_ms));
	json_object_object_add(o, "to_running_ms",
	    json_object_new_double(n->to_running_ms));
	add_int(o, "at", n->promoted_ms / 1000);
	add_int(o, "at_ms", n->promoted_ms);
	return o;
}

struct json_object *
hs_status_json(const struct hs_node *n)
{
	struct json_object *o = json_object_new_object();
	char host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	add_text(o, "resource", n->cfg->resource);
	add_text(o, "node", host);
	add_int(o, "nodeid", n->nodeid);
	add_text(o, "state", hs_node_kind_name(n->kind));
	add_int(o, "term", n->term);
	add_int(o, "epoch", n->id.epoch);
	if (n->kind == HS_STATE_PRIMARY)
		add_text(o, "protection",
		    protection_name(n->policy.protection));
	add_text(o, "why", explain_protection(n));
	add_int(o, "spares", hs_node_spares(n));
	add_int(o, "min_spares", n->min_spares);
	json_object_object_add(o, "quorate",
	    json_object_new_boolean(n->quorate));
	add_text(o, "transport", n->cfg->standalone ? "unix" : "cpg");
	json_object_object_add(o, "service", service_json(n));
	json_object_object_add(o, "image", image_json(n));
	json_object_object_add(o, "peers", peers_json(n));
	json_object_object_add(o, "stats", stats_json(n));
	json_object_object_add(o, "refused", refused_json(n));
	json_object_object_add(o, "lost", lost_json(n));
	json_object_object_add(o, "last_promote", promote_json(n));
	json_object_object_add(o, "restarts", hs_restart_json(&n->restart));
	add_int(o, "pid", (uint64_t)getpid());
	add_text(o, "agent_version", PACKAGE_VERSION);
	return o;
}

/*
 * Pacemaker (2.1.5) keeps the first result of a recurring monitor only if it is
 * a plain success.  A monitor without such an entry that another controller
 * started cannot be cancelled, and a takeover that has to cancel it waits for
 * the operation's timeout and a minute.  So a role begins with plain answers.
 */
static bool
may_degrade(const struct hs_node *n)
{
	return hs_clock_ns() - n->role_ns > PLAIN_NS;
}

int
hs_status_monitor(const struct hs_node *n, const char **text)
{
	*text = "";
	if (n->kind == HS_STATE_FAILED) {
		*text = n->why;
		return OCF_FAILED_PROMOTED;
	}
	if (n->kind == HS_STATE_PRIMARY) {
		/* S7: to Pacemaker, nothing happened. */
		if (n->active == NULL || explain_protection(n)[0] == '\0' ||
		    !may_degrade(n))
			return OCF_RUNNING_PROMOTED;
		*text = explain_protection(n);
		return OCF_DEGRADED_PROMOTED;
	}
	if (n->deaths >= DEATHS_SHOWN) {
		*text = n->death_text;
		return OCF_ERR_GENERIC;
	}
	/* Before the first promotion there is nothing that could be missing. */
	if (n->kind == HS_STATE_READY ||
	    (n->kind == HS_STATE_EMPTY && n->term == 0 &&
		hs_peer_count(&n->peers, HS_STATE_PRIMARY) == 0))
		return OCF_SUCCESS;
	if (!may_degrade(n))
		return OCF_SUCCESS;
	*text = n->why[0] != '\0' ? n->why : "no complete image here yet";
	return OCF_DEGRADED;
}
