/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/pump.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "ckpt/impl.h"
#include "ckpt/link.h"

/* Delivered at a time, before the queue has its turn. */
#define DISPATCH_BYTES (1u << 20)
/* Messages sent at a time, before acks and policy have theirs. */
#define SEND_BURST 16

/* c->lock is held. */
static void
take_ack(struct hs_ckpt *c, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const uint8_t digest[HS_DIGEST_BYTES])
{
	if (h->term != c->role.term || hs_fault(HS_FAULT_ACK_DROP))
		return;
	if (hs_ack_note(&c->ack, from, h->epoch, digest))
		hs_ckpt_advance(c);
}

/* c->lock is held.  How far from has got with the stream. */
static void
take_progress(struct hs_ckpt *c, const struct hs_xport_addr *from,
    const struct hs_msg_head *h)
{
	if (h->term != c->role.term)
		return;
	hs_ack_progress(&c->ack, from, h->off);
	/* Over UNIX the agent is the only other member. */
	if (from->nodeid == c->role.nodeid ||
	    c->role.transport == HS_TRANSPORT_UNIX)
		hs_ack_own(&c->ack, h->off);
}

/*
 * c->lock is held.  Whoever may speak to corosync can be in the group: only an
 * agent can say that another is primary.  Over UNIX nobody else is there.
 */
static void
take_term(struct hs_ckpt *c, const struct hs_xport_addr *from,
    const struct hs_msg_head *h)
{
	if (h->term > c->role.term &&
	    (c->role.transport == HS_TRANSPORT_UNIX ||
		hs_ack_is_agent(&c->ack, from)))
		hs_ckpt_goto(c, HS_CKPT_FENCED);
}

/* c->lock is held. */
static void
take_message(struct hs_ckpt *c, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const uint8_t *body, size_t len)
{
	struct hs_msg_term term;
	struct hs_msg_ack ack;

	switch (h->type) {
	case HS_MSG_ACK:
		if (hs_msg_decode_ack(body, len, &ack) == 0) {
			take_progress(c, from, h);
			take_ack(c, from, h, ack.digest);
		}
		break;
	case HS_MSG_PROGRESS:
		/* Addressed: of an image's transfer, between two agents. */
		if (h->to == 0)
			take_progress(c, from, h);
		break;
	case HS_MSG_TERM:
		if (hs_msg_decode_term(body, len, &term) == 0)
			take_term(c, from, h);
		break;
	case HS_MSG_STATE:
		hs_ack_agent(&c->ack, from);
		break;
	default:
		break;
	}
}

static void
on_deliver(void *arg, const struct hs_xport_addr *from, const uint8_t *buf,
    size_t len)
{
	struct hs_ckpt *c = arg;
	struct hs_msg_head h;
	const uint8_t *body;
	size_t body_len;

	/* Its own stream comes back to it; no need to look inside. */
	if (from->nodeid == c->x->self.nodeid && from->pid == c->x->self.pid)
		return;
	/* A damaged message is a lost one: whoever sent it says it again. */
	if (hs_msg_open(buf, len, &h, &body, &body_len) < 0)
		return;
	pthread_mutex_lock(&c->lock);
	take_message(c, from, &h, body, body_len);
	pthread_mutex_unlock(&c->lock);
}

static void
on_view(void *arg, const struct hs_xport_view *v)
{
	struct hs_ckpt *c = arg;
	bool member = false;

	for (size_t i = 0; i < v->nmember; i++)
		member |= v->member[i].nodeid == c->x->self.nodeid &&
		    v->member[i].pid == c->x->self.pid;
	pthread_mutex_lock(&c->lock);
	hs_ack_view(&c->ack, v);
	if (member && c->state == HS_CKPT_JOINING)
		hs_ckpt_goto(c, HS_CKPT_FLOWING);
	hs_ckpt_advance(c);
	hs_ckpt_announce(c);
	pthread_mutex_unlock(&c->lock);
}

static const struct hs_xport_events events = {
	.deliver = on_deliver,
	.view = on_view,
};

static int
open_xport(struct hs_ckpt *c, char *why, size_t why_size)
{
	/* Not of this node, or its acks would not count (K3). */
	const struct hs_xport_addr peer = { .nodeid = ~c->role.nodeid,
		.pid = c->role.peer_pid };
	const struct hs_xport_addr self = { .nodeid = c->role.nodeid,
		.pid = (uint32_t)getpid() };
	int rc;

	if (c->role.transport == HS_TRANSPORT_CPG)
		return hs_xport_cpg_open(&c->x, c->role.group, &events, c, why,
		    why_size);
	if (c->role.data_fd < 0)
		return HS_ETRANSPORT;	/* it was lost; there is no second */
	rc = hs_xport_unix_open(&c->x, c->role.data_fd, self, peer, &events, c);
	if (rc == 0)
		c->role.data_fd = -1;
	return rc;
}

void
hs_pump_lose(struct hs_ckpt *c)
{
	const struct hs_xport_view none = { .nmember = 0 };

	hs_xport_close(&c->x);
	hs_send_break(c);
	pthread_mutex_lock(&c->lock);
	c->xport_fd = -1;
	hs_ack_view(&c->ack, &none);			/* K4 */
	if (c->state == HS_CKPT_JOINING || c->state == HS_CKPT_FLOWING)
		hs_ckpt_goto(c, HS_CKPT_BROKEN);
	pthread_mutex_unlock(&c->lock);
}

int
hs_pump_open(struct hs_ckpt *c, char *why, size_t why_size)
{
	int rc;

	rc = open_xport(c, why, why_size);
	if (rc < 0)
		return rc;
	if (c->x->max_bytes < HS_SEND_MIN_BYTES) {
		hs_pump_lose(c);
		return HS_ETRANSPORT;
	}
	pthread_mutex_lock(&c->lock);
	c->xport_fd = hs_xport_fd(c->x);
	if (c->state == HS_CKPT_BROKEN)
		hs_ckpt_goto(c, HS_CKPT_JOINING);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

/*
 * What was in flight is of unknown fate: nothing more goes this way, whoever
 * found it out.  The worker closes the transport.
 */
static enum hs_send_step
break_stream(struct hs_ckpt *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->state == HS_CKPT_JOINING || c->state == HS_CKPT_FLOWING)
		hs_ckpt_goto(c, HS_CKPT_BROKEN);
	pthread_mutex_unlock(&c->lock);
	return HS_SEND_LOST;
}

enum hs_send_step
hs_pump_send(struct hs_ckpt *c)
{
	enum hs_send_step step = HS_SEND_IDLE;
	unsigned burst = SEND_BURST;

	if (c->x == NULL || hs_ckpt_state_now(c) != HS_CKPT_FLOWING)
		return HS_SEND_IDLE;
	do
		step = hs_send_next(c);
	while (step == HS_SEND_MORE && --burst > 0);
	return step == HS_SEND_LOST ? break_stream(c) : step;
}

enum hs_send_step
hs_pump_run(struct hs_ckpt *c)
{
	hs_link_drain(c);
	if (c->x == NULL)
		return HS_SEND_LOST;
	if (hs_xport_dispatch(c->x, DISPATCH_BYTES) < 0)
		return break_stream(c);
	return hs_pump_send(c);
}
