/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The closed process group: what is sent, what comes in, who is there.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "agent/node.h"

/* Longest message of the agent's own, images apart. */
#define SEND_BYTES 512
/* A bite of dispatch, so that timers and the control socket get their turn. */
#define DISPATCH_BYTES (4u << 20)
/* Retry of what the transport would not take: it empties in well under 1 ms. */
#define RETRY_NS 1000000
#define SPIN_TRIES 4
#define SPIN_NS 50000
/* Every agent tells its state at once when one joins; this is ample. */
#define SETTLE_NS 300000000ull

struct hs_outbox {
	struct hs_outbox *next;
	size_t len;
	uint8_t buf[];
};

static const char *const refusal_names[HS_REFUSED_COUNT] = {
	[HS_REFUSED_DAMAGED] = "damaged",
	[HS_REFUSED_VERSION] = "version",
	[HS_REFUSED_TERM] = "old-term",
	[HS_REFUSED_SENDER] = "sender",
	[HS_REFUSED_REPLAY] = "replayed",
	[HS_REFUSED_GAP] = "gap",
	[HS_REFUSED_GEOMETRY] = "arena",
	[HS_REFUSED_MEMORY] = "memory",
};

const char *
hs_group_refusal_name(enum hs_refusal r)
{
	return refusal_names[r];
}

/* Logged at its 1st, 10th, 100th... time: a flood must not fill the disk. */
void
hs_group_refuse(struct hs_node *n, enum hs_refusal r, const char *what,
    const struct hs_msg_head *h)
{
	n->refused[r]++;
	if (n->refused[r] < n->refused_logged[r])
		return;
	n->refused_logged[r] =
	    n->refused_logged[r] == 0 ? 10 : n->refused_logged[r] * 10;
	qb_log(LOG_WARNING,
	    "refused %s of term %llu epoch %llu chunk %u (%s): %s; %llu so far",
	    h != NULL ? hs_msg_name(h->type) : "message",
	    h != NULL ? (unsigned long long)h->term : 0ull,
	    h != NULL ? (unsigned long long)h->epoch : 0ull,
	    h != NULL ? h->seq : 0, refusal_names[r], what,
	    (unsigned long long)n->refused[r]);
}

/* The transport is lost: nothing can be promised any more. */
static void
lose_transport(struct hs_node *n, int rc)
{
	qb_log(LOG_CRIT,
	    "lost the cluster's messaging (%s): the service is stopped; "
	    "see whether corosync runs on this node",
	    hs_err_text(rc));
	n->exit_status = 1;
	qb_loop_stop(n->loop);
}

static int
send_soon(struct hs_node *n, const uint8_t *buf, size_t len)
{
	const struct timespec pause = { .tv_nsec = SPIN_NS };
	int rc = -EAGAIN;

	for (int i = 0; i < SPIN_TRIES && rc == -EAGAIN; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		rc = hs_xport_send(n->xport, buf, len);
	}
	return rc;
}

static void
on_retry(void *data)
{
	struct hs_node *n = data;
	qb_loop_timer_handle timer;

	while (n->outbox != NULL && n->xport != NULL) {
		struct hs_outbox *o = n->outbox;
		int rc = send_soon(n, o->buf, o->len);

		if (rc == -EAGAIN) {
			(void)qb_loop_timer_add(n->loop, QB_LOOP_HIGH, RETRY_NS,
			    n, on_retry, &timer);
			return;
		}
		if (rc < 0) {
			lose_transport(n, rc);
			return;
		}
		n->outbox = o->next;
		free(o);
	}
}

static void
queue(struct hs_node *n, const uint8_t *buf, size_t len)
{
	struct hs_outbox *o = malloc(sizeof(*o) + len), **tail = &n->outbox;
	qb_loop_timer_handle timer;

	if (o == NULL) {
		lose_transport(n, -ENOMEM);
		return;
	}
	memcpy(o->buf, buf, len);
	o->len = len;
	o->next = NULL;
	if (n->outbox == NULL)
		(void)qb_loop_timer_add(n->loop, QB_LOOP_HIGH, RETRY_NS, n,
		    on_retry, &timer);
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = o;
}

void
hs_group_send(struct hs_node *n, const uint8_t *buf, size_t len)
{
	int rc;

	if (n->xport == NULL)
		return; /* standalone, and no service runs */
	rc = n->outbox != NULL ? -EAGAIN : send_soon(n, buf, len);
	if (rc == -EAGAIN)
		queue(n, buf, len);
	else if (rc < 0 && !n->cfg->standalone)
		lose_transport(n, rc);
}

void
hs_group_send_bare(struct hs_node *n, uint8_t type, uint32_t to, uint64_t off)
{
	struct hs_msg_head h = {
		.type = type,
		.term = n->term,
		.epoch = n->id.epoch,
		.to = to,
		.off = off,
	};
	uint8_t buf[SEND_BYTES];
	int rc = hs_msg_encode_bare(buf, sizeof(buf), &h);

	if (rc > 0)
		hs_group_send(n, buf, (size_t)rc);
}

void
hs_group_send_state(struct hs_node *n)
{
	struct hs_msg_head h = {
		.type = HS_MSG_STATE,
		.term = n->id.term,
		.epoch = n->id.epoch,
	};
	struct hs_msg_state m = {
		.kind = (uint8_t)n->kind,
		.quorate = n->quorate,
		.abi = HS_MSG_VERSION,
		.tenure = n->term,
		.pid = hs_node_serves(n) ? n->primary.pid : 0,
	};
	const struct hs_service *s = n->active != NULL ? n->active : n->waiting;
	uint8_t buf[SEND_BYTES];
	int rc;

	if (!n->joined)
		return;
	if (s != NULL && hs_service_phase(s) != HS_SERVICE_SPAWNED) {
		m.arena_base = hs_service_hello(s)->arena_base;
		m.arena_bytes = hs_service_hello(s)->arena_bytes;
		memcpy(m.build, hs_service_hello(s)->build, sizeof(m.build));
	}
	memcpy(m.digest, n->id.digest, sizeof(m.digest));
	rc = hs_msg_encode_state(buf, sizeof(buf), &h, &m);
	if (rc > 0)
		hs_group_send(n, buf, (size_t)rc);
}

static void
on_state(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const uint8_t *body, size_t len)
{
	struct hs_msg_state m;
	struct hs_peer *p;

	if (hs_msg_decode_state(body, len, &m) < 0) {
		hs_group_refuse(n, HS_REFUSED_DAMAGED, "body", h);
		return;
	}
	if (from->nodeid == n->nodeid)
		return;
	p = hs_peer_get(&n->peers, from);
	if (p == NULL) {
		hs_group_refuse(n, HS_REFUSED_MEMORY, "too many nodes", h);
		return;
	}
	p->state = m;
	p->term = h->term;
	p->epoch = h->epoch;
	hs_peer_found(&n->peers, from->nodeid);
	hs_serve_state(n, from->nodeid, m.kind);
	hs_tenure_learn(n, from, h, &m);
	hs_node_update(n);
}

/* An agent: services and strangers are in the group, too. */
static bool
is_agent(struct hs_node *n, const struct hs_xport_addr *a,
    const struct hs_msg_head *h)
{
	const struct hs_peer *p = hs_peer_find(&n->peers, a->nodeid);

	if ((p != NULL && p->addr.pid == a->pid) ||
	    (a->nodeid == n->nodeid && a->pid == n->xport->self.pid))
		return true;
	hs_group_refuse(n, HS_REFUSED_SENDER, "not from an agent", h);
	return false;
}

/* Between two STATEs of a node, for whoever asks how far it is. */
static void
note_epoch(struct hs_node *n, uint32_t nodeid, const struct hs_msg_head *h)
{
	struct hs_peer *p = hs_peer_find(&n->peers, nodeid);

	if (p == NULL)
		return;
	p->term = h->term;
	p->epoch = h->epoch;
}

static void
on_ack(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h)
{
	if (h->term != n->term || !is_agent(n, from, h))
		return;
	note_epoch(n, from->nodeid, h);
	n->held_term = h->term;
	if (h->epoch > n->held_epoch)
		n->held_epoch = h->epoch;
}

static void
on_progress(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h)
{
	if (from->nodeid == n->nodeid && from->pid == n->xport->self.pid &&
	    h->to == n->nodeid) {
		hs_restart_flushed(n, h->off);
		return;
	}
	if (n->sync != NULL && h->to == n->nodeid &&
	    hs_sync_to(n->sync) == from->nodeid) {
		hs_sync_confirm(n->sync, h->off);
		hs_serve_pump(n);
	}
}

static void
on_leave(struct hs_node *n, const struct hs_xport_addr *from)
{
	struct hs_peer *p = hs_peer_find(&n->peers, from->nodeid);

	if (p != NULL && p->addr.pid == from->pid)
		p->leaving = true;
}

static void
on_need(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h)
{
	if (h->to != n->nodeid || n->kind != HS_STATE_PRIMARY)
		return;
	n->asker = from->nodeid;
	hs_serve_start(n);
}

/*
 * IMAGE messages for others are most of the traffic during a sync: by offset.
 */
static bool
is_others_image(const struct hs_node *n, const uint8_t *buf, size_t len)
{
	uint32_t to;

	if (len < HS_MSG_HEAD_BYTES || buf[6] != HS_MSG_IMAGE)
		return false;
	to = (uint32_t)buf[36] | (uint32_t)buf[37] << 8 |
	    (uint32_t)buf[38] << 16 | (uint32_t)buf[39] << 24;
	return to != n->nodeid;
}

static void
on_damaged(struct hs_node *n, const struct hs_xport_addr *from, int rc)
{
	hs_group_refuse(n,
	    rc == HS_EVERSION ? HS_REFUSED_VERSION : HS_REFUSED_DAMAGED,
	    hs_err_text(rc), NULL);
	/* Which message it was is unknown: the stream may have a hole now. */
	if (from->nodeid == n->primary.nodeid && from->pid == n->primary.pid)
		hs_follow_break(n, "a damaged message came from the primary");
}

static void
on_data(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const uint8_t *body, size_t len)
{
	if (h->term < n->term)
		hs_group_refuse(n, HS_REFUSED_TERM, "ignored", h);
	else if (n->primary.nodeid == 0)
		return; /* just joined: the primary's STATE will come */
	else if (h->term > n->term || from->nodeid != n->primary.nodeid ||
	    from->pid != n->primary.pid)
		hs_group_refuse(n, HS_REFUSED_SENDER, "ignored", h);
	else {
		if (h->flags & HS_MSG_LAST)
			note_epoch(n, from->nodeid, h);
		hs_follow_data(n, h, body, len); /* S3 */
	}
}

static void
deliver(void *arg, const struct hs_xport_addr *from, const uint8_t *buf,
    size_t len)
{
	struct hs_node *n = arg;
	struct hs_msg_head h;
	struct hs_msg_term term;
	const uint8_t *body;
	size_t body_len;
	int rc;

	if (is_others_image(n, buf, len))
		return;
	rc = hs_msg_open(buf, len, &h, &body, &body_len);
	if (rc < 0) {
		on_damaged(n, from, rc);
		return;
	}
	switch (h.type) {
	case HS_MSG_DATA:
		on_data(n, from, &h, body, body_len);
		break;
	case HS_MSG_ACK:
		on_ack(n, from, &h);
		break;
	case HS_MSG_STATE:
		on_state(n, from, &h, body, body_len);
		break;
	case HS_MSG_TERM:
		if (hs_msg_decode_term(body, body_len, &term) < 0)
			hs_group_refuse(n, HS_REFUSED_DAMAGED, "body", &h);
		else
			hs_tenure_term(n, from, &h, &term);
		break;
	case HS_MSG_NEED:
		on_need(n, from, &h);
		break;
	case HS_MSG_IMAGE:
		if (from->nodeid == n->source && is_agent(n, from, &h))
			hs_catchup_image(n, &h, body, body_len);
		break;
	case HS_MSG_PROGRESS:
		on_progress(n, from, &h);
		break;
	case HS_MSG_LEAVE:
		on_leave(n, from);
		break;
	default:
		hs_group_refuse(n, HS_REFUSED_SENDER, "not for the group", &h);
	}
}

static void
on_settled(void *data)
{
	struct hs_node *n = data;

	n->settled = true;
	hs_node_update(n);
}

static void
unsettle(struct hs_node *n)
{
	if (n->settle_timer != 0)
		qb_loop_timer_del(n->loop, n->settle_timer);
	n->settled = false;
	if (qb_loop_timer_add(n->loop, QB_LOOP_MED, SETTLE_NS, n, on_settled,
		&n->settle_timer) < 0)
		n->settled = true;
}

static enum hs_xport_why
why_gone(const struct hs_xport_view *v, const struct hs_xport_addr *a)
{
	for (size_t i = 0; i < v->nchange; i++)
		if (v->change[i].addr.nodeid == a->nodeid &&
		    v->change[i].addr.pid == a->pid)
			return v->change[i].why;
	return HS_XPORT_NODEDOWN; /* not said: assume the worst */
}

static bool
is_member(const struct hs_xport_view *v, const struct hs_xport_addr *a)
{
	for (size_t i = 0; i < v->nmember; i++)
		if (v->member[i].nodeid == a->nodeid &&
		    v->member[i].pid == a->pid)
			return true;
	return false;
}

static void
part_with(struct hs_node *n, const struct hs_peer *p, enum hs_xport_why why)
{
	uint32_t nodeid = p->addr.nodeid;
	bool clean = p->leaving || why != HS_XPORT_NODEDOWN;

	qb_log(LOG_NOTICE, "node %u %s", nodeid,
	    clean ? "left the group" : "is out of reach: dead or cut off");
	if (!clean)
		hs_peer_lose(&n->peers, nodeid, p->joined);
	hs_peer_remove(&n->peers, nodeid);
	if (n->sync != NULL && hs_sync_to(n->sync) == nodeid)
		hs_serve_stop(n);
	if (n->asker == nodeid)
		n->asker = 0;
	if (n->source == nodeid)
		hs_catchup_abort(n);
}

static void
view(void *arg, const struct hs_xport_view *v)
{
	struct hs_node *n = arg;
	bool was_joined = n->joined, was_quorate = n->quorate, grew = false;

	n->joined = is_member(v, &n->xport->self);
	if (was_joined && !n->joined) {
		lose_transport(n, HS_ETRANSPORT);
		return;
	}
	/* As of this membership: before anything that comes in it (S2). */
	if (n->quorum != NULL)
		n->quorate = hs_quorum_ask(n->quorum);
	for (size_t i = n->peers.n; i-- > 0;) {
		const struct hs_peer *p = &n->peers.peer[i];

		if (!is_member(v, &p->addr))
			part_with(n, p, why_gone(v, &p->addr));
	}
	/* Whatever it could not do, it is in the group now. */
	if (n->active != NULL && is_member(v, &n->primary))
		hs_service_forget_text(n->active);
	for (size_t i = 0; i < v->nchange; i++)
		grew |= v->change[i].why == HS_XPORT_JOIN;
	unsettle(n);
	hs_node_update(n);
	if (grew)
		hs_group_send_state(n);
	if (n->quorate && !was_quorate)
		hs_follow_ack(n);
	hs_tenure_go_on(n);
}

static const struct hs_xport_events events = {
	.deliver = deliver,
	.view = view,
};

static int32_t
on_readable(int32_t fd, int32_t revents, void *data)
{
	struct hs_node *n = data;
	int rc;

	(void)fd;
	(void)revents;
	if (n->xport == NULL)
		return 0;
	rc = hs_xport_dispatch(n->xport, DISPATCH_BYTES);
	if (rc < 0 && n->cfg->standalone)
		qb_loop_poll_del(n->loop, fd); /* the pidfd tells the rest */
	else if (rc < 0)
		lose_transport(n, rc);
	return 0;
}

static int
watch(struct hs_node *n)
{
	return qb_loop_poll_add(n->loop, QB_LOOP_MED, hs_xport_fd(n->xport),
	    POLLIN, n, on_readable);
}

int
hs_group_open(struct hs_node *n, char *why, size_t why_size)
{
	char group[HS_MSG_GROUP_BYTES];
	int rc;

	snprintf(group, sizeof(group), "hs:%s", n->cfg->resource);
	rc = hs_xport_cpg_open(&n->xport, group, &events, n, why, why_size);
	if (rc < 0)
		return rc;
	n->nodeid = n->xport->self.nodeid;
	return watch(n);
}

/* Standalone: a group of the service and this process. */
int
hs_group_pair(struct hs_node *n, uint32_t pid)
{
	struct hs_xport_addr self = { HS_NODE_STANDALONE_SPARE,
		(uint32_t)getpid() };
	struct hs_xport_addr peer = { HS_NODE_STANDALONE_SERVICE, pid };
	int pair[2], rc;

	hs_group_close(n);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) < 0)
		return -errno;
	rc = hs_xport_unix_open(&n->xport, pair[0], self, peer, &events, n);
	if (rc < 0) {
		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	n->nodeid = self.nodeid;
	n->peer_fd = pair[1];
	return watch(n);
}

void
hs_group_close(struct hs_node *n)
{
	struct hs_outbox *o;

	while ((o = n->outbox) != NULL) {
		n->outbox = o->next;
		free(o);
	}
	if (n->peer_fd >= 0)
		close(n->peer_fd);
	n->peer_fd = -1;
	if (n->xport == NULL)
		return;
	/*
	 * All that the service sent before it ended still counts; the socket
	 * holds less than one bite.
	 */
	if (n->cfg->standalone)
		(void)hs_xport_dispatch(n->xport, DISPATCH_BYTES);
	n->joined = false;
	qb_loop_poll_del(n->loop, hs_xport_fd(n->xport));
	hs_xport_close(&n->xport);
}
