/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the control socket.
 */
#include <string.h>

#include <qb/qblog.h>

#include "agent/command.h"

static void
cmd_status(struct hs_node *n, struct json_object *body, struct hs_ctl_req *req)
{
	(void)body;
	hs_ctl_reply(req, 0, "", hs_status_json(n));
}

static void
cmd_monitor(struct hs_node *n, struct json_object *body, struct hs_ctl_req *req)
{
	const char *text;
	int rc = hs_status_monitor(n, &text);

	(void)body;
	hs_ctl_reply(req, rc, text, NULL);
}

static void
cmd_promote(struct hs_node *n, struct json_object *body, struct hs_ctl_req *req)
{
	(void)body;
	hs_tenure_promote(n, req);
}

static void
cmd_demote(struct hs_node *n, struct json_object *body, struct hs_ctl_req *req)
{
	(void)body;
	hs_tenure_demote(n, req);
}

static void
cmd_stop(struct hs_node *n, struct json_object *body, struct hs_ctl_req *req)
{
	(void)body;
	hs_tenure_stop(n, req);
}

/* The administrator vouches that a lost node is down. */
static void
cmd_confirm(struct hs_node *n, struct json_object *body, struct hs_ctl_req *req)
{
	struct json_object *id = NULL;
	uint32_t nodeid = 0;
	size_t before = n->peers.nlost;

	if (json_object_object_get_ex(body, "nodeid", &id))
		nodeid = (uint32_t)json_object_get_int64(id);
	hs_peer_found(&n->peers, nodeid);
	if (n->peers.nlost == before) {
		hs_ctl_reply(req, -ENOENT,
		    "no such node is waited for; "
		    "'hsctl status' lists them",
		    NULL);
		return;
	}
	qb_log(LOG_WARNING, "node %u: confirmed down by hand", nodeid);
	hs_node_update(n);
	hs_ctl_reply(req, 0, "", NULL);
}

/* A whole number from 0 to max of body, or *v as it is; false: unusable. */
static bool
take_number(struct json_object *body, const char *key, unsigned max,
    unsigned *v)
{
	struct json_object *o = NULL;
	int64_t k;

	if (!json_object_object_get_ex(body, key, &o))
		return true;
	k = json_object_get_int64(o);
	if (k < 0 || k > max)
		return false;
	*v = (unsigned)k;
	return true;
}

/*
 * What may change while the service runs: min_spares, ping_timeout (s),
 * local_restarts.
 */
static void
cmd_set(struct hs_node *n, struct json_object *body, struct hs_ctl_req *req)
{
	unsigned spares = n->min_spares, ping_s = n->ping_timeout_ms / 1000;
	unsigned restarts = n->restart.limit;

	if (!take_number(body, "min_spares", HS_NODE_MAX_SPARES, &spares) ||
	    !take_number(body, "ping_timeout", HS_NODE_MAX_PING_S, &ping_s) ||
	    !take_number(body, "local_restarts", HS_RESTART_MAX, &restarts)) {
		hs_ctl_reply(req, -EINVAL,
		    "min_spares, ping_timeout or local_restarts is out of "
		    "range",
		    NULL);
		return;
	}
	n->min_spares = spares;
	n->ping_timeout_ms = ping_s * 1000;
	hs_child_watch_pings(n);
	hs_restart_set_limit(n, restarts);
	qb_log(LOG_NOTICE,
	    "min_spares is %u, ping_timeout %u s, local_restarts %u", spares,
	    ping_s, restarts);
	hs_node_update(n);
	hs_ctl_reply(req, 0, "", NULL);
}

static const struct {
	const char *name;
	void (*fn)(struct hs_node *, struct json_object *, struct hs_ctl_req *);
} commands[] = {
	{ "status", cmd_status },
	{ "monitor", cmd_monitor },
	{ "promote", cmd_promote },
	{ "demote", cmd_demote },
	{ "stop", cmd_stop },
	{ "confirm", cmd_confirm },
	{ "set", cmd_set },
};

void
hs_command_run(void *arg, const char *cmd, struct json_object *body,
    struct hs_ctl_req *req)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(cmd, commands[i].name) == 0) {
			commands[i].fn(arg, body, req);
			return;
		}
	hs_ctl_reply(req, -EINVAL,
	    "unknown command: is hsctl of the same "
	    "version as hs-agent?",
	    NULL);
}
