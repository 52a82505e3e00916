/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tenure: a node becomes primary, and ceases to be.
 *
 *  promote -> [wait for a process in hsinit()] -> TERM to the group
 *	-> TERM comes back in order (S5) -> GO -> RUNNING -> answer
 *  demote  -> SIGTERM, SIGKILL -> dead -> answer
 */
#include <assert.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "agent/node.h"
#include "agent/term.h"
#include "base/clock.h"

#define TERM_BYTES 256
/* Not in the way of what a new tenure has to say first. */
#define RESERVE_NS 1000000
/* Standalone: a service that dies so soon, so often, is not restarted again. */
#define CRASH_NS 2000000000ull
#define CRASHES 5

static double
ms_since(uint64_t ns)
{
	return (double)(hs_clock_ns() - ns) / 1e6;
}

static uint64_t
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
end_promote(struct hs_node *n, int rc, const char *text)
{
	struct hs_ctl_req *req = n->promote;

	n->promoting = false;
	n->promote_term = 0;
	n->promote = NULL;
	if (rc != 0 && hs_restart_busy(&n->restart))
		hs_restart_fail(n, text);
	else if (rc != 0)
		qb_log(LOG_ERR, "not promoted: %s", text);
	if (req != NULL)
		hs_ctl_reply(req, rc, text, NULL);
	if (rc != 0 && n->cfg->standalone) {
		n->exit_status = 1;
		qb_loop_stop(n->loop);
	}
}

/* Why this node must not be promoted; NULL: it may. */
static const char *
find_objection(const struct hs_node *n)
{
	if (n->stopping)
		return "the agent is stopping";
	if (n->failed)
		return "the service died here: demote first";
	if (n->cfg->standalone)
		return NULL;
	if (!n->joined || !n->quorate)
		return "no quorum: nothing is promoted without it";
	if (hs_peer_count(&n->peers, HS_STATE_PRIMARY) > 0)
		return "another node is primary: demote it first";
	if (n->incompatible)
		return n->why;
	if (n->id.epoch < n->held_epoch)
		return "a newer checkpoint was held elsewhere: "
		       "start that node, or clean up the resource"; /* S4 */
	if (!n->chain && n->image == NULL && !hs_node_cold(n))
		return "no complete image here yet";
	return NULL;
}

void
hs_tenure_give_up(struct hs_node *n, const char *why)
{
	if (n->promoting)
		end_promote(n, 1, why);
	else
		hs_restart_fail(n, why);
}

void
hs_tenure_promote(struct hs_node *n, struct hs_ctl_req *req)
{
	bool restart = hs_restart_busy(&n->restart);
	const char *objection;

	if ((n->active != NULL && !n->promoting) || (restart && req != NULL)) {
		if (req != NULL)
			hs_ctl_reply(req, 0, "already promoted", NULL);
		return;
	}
	if (n->promoting) {
		if (req != NULL)
			hs_ctl_reply(req, 1, "a promotion is in progress",
			    NULL);
		return;
	}
	n->promote = req;
	n->promoting = true;
	n->promote_ns = hs_clock_ns();
	hs_node_ask_lost(n); /* fencing has preceded this */
	objection = find_objection(n);
	if (objection != NULL)
		end_promote(n, 1, objection);
	else
		hs_tenure_go_on(n);
}

/*
 * Above every term that this node saw, or may have used before it was
 * restarted.
 */
static uint64_t
next_term(const struct hs_node *n)
{
	return (n->term > n->term_floor ? n->term : n->term_floor) + 1;
}

static void
announce(struct hs_node *n)
{
	struct hs_msg_head h = { .type = HS_MSG_TERM, .epoch = n->id.epoch };
	struct hs_msg_term m = {
		.nodeid =
		    n->cfg->standalone ? HS_NODE_STANDALONE_SERVICE : n->nodeid,
		.pid = hs_service_hello(n->waiting)->pid,
		.fresh = n->id.epoch == 0,
	};
	uint8_t buf[TERM_BYTES];
	int rc = 0;

	h.term = next_term(n);
	if (h.term > n->term_disk && !n->cfg->standalone) {
		rc = hs_term_store(n->cfg->state_dir, n->cfg->resource, h.term);
		if (rc < 0) {
			end_promote(n, 1,
			    "cannot write the term: see that "
			    "the state directory is writable and not full");
			return;
		}
		n->term_disk = h.term;
	}
	if (n->cfg->standalone)
		rc = hs_group_pair(n, m.pid);
	memcpy(m.digest, n->id.digest, sizeof(m.digest));
	if (rc == 0)
		rc = hs_msg_encode_term(buf, sizeof(buf), &h, &m);
	if (rc < 0) {
		end_promote(n, 1, hs_err_text(rc));
		return;
	}
	n->promote_term = h.term;
	hs_group_send(n, buf, (size_t)rc);
}

void
hs_tenure_go_on(struct hs_node *n)
{
	char why[HS_MSG_TEXT_BYTES];

	if (!n->promoting || n->promote_term != 0)
		return;
	if (n->waiting == NULL && hs_child_prepare(n, why, sizeof(why)) < 0)
		end_promote(n, 1, why);
	else if (hs_service_phase(n->waiting) != HS_SERVICE_WAITING)
		return;
	else if (n->incompatible)
		end_promote(n, 1, n->why); /* it was started since */
	else
		announce(n);
}

/* It may have died, or been started anew, while its TERM was on the way. */
static bool
still_waits(const struct hs_node *n, uint32_t pid)
{
	return n->waiting != NULL &&
	    hs_service_phase(n->waiting) == HS_SERVICE_WAITING &&
	    hs_service_hello(n->waiting)->pid == pid;
}

void
hs_tenure_drop_kept(struct hs_node *n)
{
	if (n->kept_term != 0)
		hs_keep_free(&n->keep);
	n->kept_term = 0;
}

/* Memory for the next process here, and that of the last one if it is sound. */
static void
plan_keep(struct hs_node *n, struct hs_msg_go *m)
{
	bool keep = n->cfg->standalone || n->restart.limit > 0;

	if (!m->restored || !keep)
		hs_tenure_drop_kept(n);
	m->warm_term = n->kept_term;
	if (keep)
		memcpy(m->keep, n->keep.name, sizeof(m->keep));
	n->kept_term = m->keep[0] != '\0' ? n->term : 0;
}

static void
give_go(struct hs_node *n)
{
	struct hs_msg_head h = { .type = HS_MSG_GO,
		.term = n->term,
		.epoch = n->id.epoch };
	struct hs_msg_go m = {
		.restored = n->id.epoch > 0,
		.transport =
		    n->cfg->standalone ? HS_TRANSPORT_UNIX : HS_TRANSPORT_CPG,
		.min_spares = (uint8_t)n->min_spares,
		.nodeid = n->primary.nodeid,
		.used_bytes = n->image != NULL ? hs_image_used(n->image) : 0,
	};
	int fds[2], nfd = 0, rc;

	memcpy(m.digest, n->id.digest, sizeof(m.digest));
	snprintf(m.group, sizeof(m.group), "hs:%s", n->cfg->resource);
	plan_keep(n, &m);
	if (m.restored)
		fds[nfd++] = hs_image_fd(n->image);
	if (n->cfg->standalone)
		fds[nfd++] = n->peer_fd;
	n->active = n->waiting;
	n->waiting = NULL;
	n->superseded = false;
	memcpy(n->build, hs_service_hello(n->active)->build, sizeof(n->build));
	n->go_ns = hs_clock_ns();
	n->go_epoch = n->id.epoch;
	n->to_go_ms = ms_since(n->promote_ns);
	rc = hs_service_go(n->active, &h, &m, fds, nfd);
	if (n->cfg->standalone) {
		close(n->peer_fd);
		n->peer_fd = -1;
	}
	if (rc < 0) {
		qb_log(LOG_ERR, "cannot hand the image over: %s",
		    hs_err_text(rc));
		hs_service_kill(n->active); /* its death ends the promotion */
		return;
	}
	hs_node_update(n);
	hs_node_tell_policy(n);
}

/* Another node is primary now. */
static void
be_superseded(struct hs_node *n)
{
	hs_restart_cancel(n);
	if (n->active != NULL) {
		qb_log(LOG_CRIT,
		    "another node became primary: the service "
		    "here is killed at once");
		n->superseded = true;
		n->policy.protection = HS_FENCED;
		hs_node_tell_policy(n);
		hs_service_kill(n->active);
	}
	n->failed = false;
	if (n->promoting)
		end_promote(n, 1, "another node was promoted meanwhile");
}

/* Is the image here what the new primary goes on from? */
static bool
is_its_image(const struct hs_node *n, const struct hs_msg_head *h,
    const struct hs_msg_term *m)
{
	return n->id.epoch == h->epoch &&
	    memcmp(n->id.digest, m->digest, sizeof(m->digest)) == 0;
}

static void
take_up_chain(struct hs_node *n, const struct hs_msg_head *h,
    const struct hs_msg_term *m)
{
	if (m->fresh)
		n->chain = n->image == NULL || n->id.epoch == 0;
	else
		n->chain = is_its_image(n, h, m);
	snprintf(n->why, sizeof(n->why), "%s",
	    n->chain ? "" : "the new primary goes on from another epoch");
}

/* Its own TERM came back, and nothing is in the way. */
static void
take_office(struct hs_node *n, const struct hs_msg_head *h,
    const struct hs_msg_term *m)
{
	bool waits = still_waits(n, m->pid);

	n->chain = true; /* S1, S5 */
	n->why[0] = '\0';
	if (waits && is_its_image(n, h, m)) {
		give_go(n);
	} else if (waits || hs_restart_busy(&n->restart)) {
		/*
		 * Epochs of the old primary came in between, or the process is
		 * to be another one: not what was announced.
		 */
		n->promote_term = 0;
		hs_tenure_go_on(n);
	} else {
		end_promote(n, 1, "the spare process died meanwhile");
	}
}

/* One that told its state, or this one: whoever else is in the group is not. */
static bool
is_agent(struct hs_node *n, const struct hs_xport_addr *a)
{
	const struct hs_peer *p = hs_peer_find(&n->peers, a->nodeid);

	if (a->nodeid == n->nodeid)
		return a->pid == n->xport->self.pid;
	return p != NULL && p->addr.pid == a->pid;
}

void
hs_tenure_term(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const struct hs_msg_term *m)
{
	bool own = from->nodeid == n->nodeid &&
	    from->pid == n->xport->self.pid && n->promote_term != 0 &&
	    h->term == n->promote_term;
	const char *objection = own ? hs_restart_objection(n) : NULL;

	if (!is_agent(n, from)) {
		hs_group_refuse(n, HS_REFUSED_SENDER, "not from an agent", h);
		return;
	}
	if (h->term <= n->term) { /* S3 */
		hs_group_refuse(n, HS_REFUSED_TERM, "ignored", h);
		if (own)
			end_promote(n, 1, "another node took this term");
		return;
	}
	n->term = h->term;
	n->primary.nodeid = m->nodeid;
	n->primary.pid = m->pid;
	n->held_term = h->term;
	n->held_epoch = h->epoch; /* the lineage goes on from there */
	n->penalty = false;
	hs_serve_stop(n);
	n->asker = 0;
	hs_catchup_abort(n);
	hs_follow_reset(n);
	if (objection != NULL) { /* S8 */
		end_promote(n, 1, objection);
	} else if (own) {
		take_office(n, h, m);
	} else {
		be_superseded(n);
		take_up_chain(n, h, m);
	}
	hs_node_update(n);
	if (!own)
		hs_tenure_reserve(n);
}

/*
 * Two primaries of one term: fencing failed.  Both see this; one rule decides.
 */
static bool
yields_to(const struct hs_node *n, uint32_t other)
{
	return hs_node_serves(n) && other < n->nodeid;
}

void
hs_tenure_learn(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const struct hs_msg_state *m)
{
	bool primary = m->kind == HS_STATE_PRIMARY;

	if (m->tenure > n->term ||
	    (m->tenure == n->term && primary && yields_to(n, from->nodeid))) {
		n->term = m->tenure;
		n->primary.nodeid = n->primary.pid = 0;
		hs_serve_stop(n);
		hs_catchup_abort(n);
		hs_follow_reset(n);
		be_superseded(n);
		hs_follow_break(n, "a tenure began without this node");
		hs_tenure_reserve(n);
	}
	if (!primary || m->tenure != n->term || hs_node_serves(n))
		return;
	n->primary.nodeid = from->nodeid;
	n->primary.pid = m->pid;
	/*
	 * All epochs up to the primary's were delivered before its STATE (X1).
	 */
	if (h->epoch > n->id.epoch ||
	    (h->epoch == n->id.epoch &&
		memcmp(m->digest, n->id.digest, sizeof(m->digest)) != 0))
		hs_follow_break(n, "checkpoints were missed");
}

static void
on_reserve(void *data)
{
	struct hs_node *n = data;
	uint64_t next = next_term(n);

	n->reserve_armed = false;
	if (n->cfg->standalone || n->term_disk >= next)
		return;
	/* Now, so that the next promotion need not wait for the disk. */
	if (hs_term_store(n->cfg->state_dir, n->cfg->resource, next) == 0)
		n->term_disk = next;
}

void
hs_tenure_reserve(struct hs_node *n)
{
	if (!n->reserve_armed)
		n->reserve_armed =
		    qb_loop_timer_add(n->loop, QB_LOOP_LOW, RESERVE_NS, n,
			on_reserve, &n->reserve_timer) == 0;
}

void
hs_tenure_fini(struct hs_node *n)
{
	if (n->reserve_armed)
		qb_loop_timer_del(n->loop, n->reserve_timer);
	n->reserve_armed = false;
}

void
hs_tenure_running(struct hs_node *n)
{
	n->to_running_ms = ms_since(n->promote_ns);
	n->promoted_ms = wall_ms() - (uint64_t)n->to_running_ms;
	qb_log(LOG_NOTICE,
	    "primary of term %llu from epoch %llu: "
	    "GO after %.1f ms, running after %.1f ms",
	    (unsigned long long)n->term, (unsigned long long)n->id.epoch,
	    n->to_go_ms, n->to_running_ms);
	end_promote(n, 0, "");
	if (hs_restart_busy(&n->restart))
		hs_restart_done(n);
	hs_node_update(n);
	hs_tenure_reserve(n);
	hs_child_stand_by(n);
}

void
hs_tenure_demote(struct hs_node *n, struct hs_ctl_req *req)
{
	hs_restart_cancel(n);
	if (n->active == NULL) {
		/* What nobody waits for any more must not come true. */
		if (n->promoting)
			end_promote(n, 1, "demoted meanwhile");
		n->failed = false;
		hs_node_update(n);
		hs_ctl_reply(req, 0, "", NULL);
		return;
	}
	if (n->demoting) {
		hs_ctl_reply(req, 1, "a demotion is in progress", NULL);
		return;
	}
	n->demoting = true;
	n->demote = req;
	hs_service_stop(n->active);
}

static void
finish_stop(void *arg)
{
	struct hs_node *n = arg;

	if (n->stop != NULL)
		hs_ctl_reply(n->stop, 0, "", NULL);
	n->stop = NULL;
	qb_loop_stop(n->loop);
}

static void
go_on_stop(struct hs_node *n)
{
	if (n->active != NULL)
		return;
	hs_service_destroy(n->waiting);
	n->waiting = NULL;
	hs_group_send_bare(n, HS_MSG_LEAVE, 0, 0);
	if (n->cluster != NULL)
		hs_cluster_clear(n->cluster, finish_stop, n);
	else
		finish_stop(n);
}

void
hs_tenure_stop(struct hs_node *n, struct hs_ctl_req *req)
{
	if (n->stopping) {
		if (req != NULL)
			hs_ctl_reply(req, 1, "the agent is stopping", NULL);
		return;
	}
	n->stopping = true;
	n->stop = req;
	hs_restart_cancel(n);
	if (n->promoting)
		end_promote(n, 1, "the agent is stopping");
	hs_node_update(n);
	if (n->active != NULL)
		hs_service_stop(n->active);
	else
		go_on_stop(n);
}

/* Standalone: go on from the image, or end as the service ended. */
static void
restart_here(struct hs_node *n, int status)
{
	bool soon = hs_clock_ns() - n->go_ns < CRASH_NS;

	hs_group_close(n); /* takes in what the service sent last */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		qb_loop_stop(n->loop);
		return;
	}
	n->crashes = soon ? n->crashes + 1 : 0;
	if (n->crashes >= CRASHES) {
		qb_log(LOG_ERR, "the service dies again and again: given up");
		n->exit_status = 1;
		qb_loop_stop(n->loop);
		return;
	}
	n->failed = false;
	hs_tenure_promote(n, NULL);
}

void
hs_tenure_dead(struct hs_node *n)
{
	struct hs_service *s = n->active;
	struct hs_ctl_req *req = n->demote;
	bool wanted = n->demoting || n->stopping || n->superseded;

	n->active = NULL;
	n->demoting = n->superseded = false;
	n->demote = NULL;
	if (!wanted && !n->promoting && hs_restart_begin(n, s))
		return;
	if (!wanted) {
		n->failed = n->penalty = true;
		snprintf(n->why, sizeof(n->why), "the service %s",
		    hs_service_end(s));
	}
	hs_node_update(n);
	if (n->promoting)
		end_promote(n, 1,
		    hs_service_text(s)[0] != '\0'
			? hs_service_text(s)
			: "the service died while it took over");
	if (req != NULL)
		hs_ctl_reply(req, 0, "", NULL);
	if (!n->cfg->standalone) /* last: it may be much */
		hs_tenure_drop_kept(n);
	if (n->stopping)
		go_on_stop(n);
	else if (n->cfg->standalone)
		restart_here(n, hs_service_status(s));
	else
		hs_child_stand_by(n);
}
