/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Catch up: get a whole image from the primary's node, and meanwhile keep the
 * epochs that come after it.
 *
 * C1  The old image, if there is one, stays what it is until the new one is
 *     whole and verified: should the primary die before that, the old one may
 *     be the newest that is left.
 * C2  Every epoch that begins after NEED came back is kept whole, or the
 *     transfer is given up.
 */
#include <assert.h>
#include <string.h>

#include <qb/qblog.h>

#include "agent/node.h"
#include "base/clock.h"

/*
 * Epochs kept during a transfer; more means that it is slower than the
 * service.
 */
#define QUEUE_BYTES (256u << 20)
#define PROGRESS_BYTES (256u << 10)
#define STALL_NS 2000000000ull

static int take_record(void *arg, const struct hs_rec_begin *b,
    const struct hs_rec *r);

static void
drop_queue(struct hs_node *n)
{
	struct hs_epoch *e;

	while ((e = n->queue) != NULL) {
		n->queue = e->next;
		hs_intake_destroy_epoch(e);
	}
	n->queue_tail = &n->queue;
	n->queue_bytes = 0;
}

static void
stop(struct hs_node *n)
{
	n->source = 0;
	drop_queue(n);
	hs_intake_reset(n->sync_intake);
	hs_image_destroy(n->incoming);
	n->incoming = NULL;
	if (n->sync_timer_armed)
		qb_loop_timer_del(n->loop, n->sync_timer);
	n->sync_timer_armed = false;
}

int
hs_catchup_init(struct hs_node *n)
{
	n->queue_tail = &n->queue;
	return hs_intake_create(&n->sync_intake, take_record, n);
}

void
hs_catchup_fini(struct hs_node *n)
{
	stop(n);
	hs_intake_destroy(n->sync_intake);
}

void
hs_catchup_abort(struct hs_node *n)
{
	if (n->source == 0)
		return;
	qb_log(LOG_WARNING, "the image from node %u did not arrive whole",
	    n->source);
	stop(n);
}

static void
on_stall(void *data)
{
	struct hs_node *n = data;

	n->sync_timer_armed = false;
	if (n->source == 0)
		return;
	if (hs_clock_ns() - n->sync_seen >= STALL_NS) {
		hs_catchup_abort(n);
		hs_node_update(n); /* asks again */
		return;
	}
	n->sync_timer_armed = qb_loop_timer_add(n->loop, QB_LOOP_LOW, STALL_NS,
				  n, on_stall, &n->sync_timer) == 0;
}

static void
ask(struct hs_node *n, uint32_t source)
{
	stop(n);
	n->source = source;
	n->sync_rx = n->sync_told = 0;
	n->sync_seen = hs_clock_ns();
	n->sync_timer_armed = qb_loop_timer_add(n->loop, QB_LOOP_LOW, STALL_NS,
				  n, on_stall, &n->sync_timer) == 0;
	qb_log(LOG_INFO, "asking node %u for its image", source);
	hs_group_send_bare(n, HS_MSG_NEED, source, 0);
}

void
hs_catchup_update(struct hs_node *n)
{
	const struct hs_peer *p = hs_peer_of_kind(&n->peers, HS_STATE_PRIMARY);
	bool want = n->joined && !n->chain && !hs_node_serves(n) &&
	    !n->failed && !n->incompatible && !n->stopping && n->term > 0;

	if (!want || p == NULL)
		hs_catchup_abort(n);
	else if (n->source != p->addr.nodeid)
		ask(n, p->addr.nodeid);
}

/* A record of the image that comes in. */
static int
take_record(void *arg, const struct hs_rec_begin *b, const struct hs_rec *r)
{
	struct hs_node *n = arg;
	int rc = 0;

	if (r->kind == HS_REC_BEGIN) {
		n->sync_begin = *b;
		hs_image_destroy(n->incoming);
		n->incoming = NULL;
		rc = hs_image_create(&n->incoming, b->arena_base,
		    b->arena_bytes);
		if (rc == 0)
			hs_image_set_used(n->incoming, b->used_bytes);
	} else if (n->incoming == NULL) {
		rc = HS_EGAP;
	} else {
		rc = hs_image_prepare(n->incoming, r);
		if (rc == 0)
			hs_image_apply(n->incoming, r);
	}
	return rc;
}

static void
switch_image(struct hs_node *n, const struct hs_msg_head *h)
{
	hs_image_destroy(n->image);
	n->image = n->incoming;
	n->incoming = NULL;
	n->id.term = h->term;
	n->id.epoch = h->epoch;
	memcpy(n->id.digest, n->sync_begin.base_digest, sizeof(n->id.digest));
	hs_image_set_id(n->image, &n->id);
	n->chain = true; /* S1: from id on, the queue follows */
	n->why[0] = '\0';
}

static void
finish(struct hs_node *n, const struct hs_msg_head *h)
{
	struct hs_epoch *e, *queue = n->queue;

	switch_image(n, h);
	n->queue = NULL;
	n->queue_tail = &n->queue;
	stop(n);
	while ((e = queue) != NULL) {
		queue = e->next;
		e->next = NULL;
		if (e->epoch <= n->id.epoch || !n->chain)
			hs_intake_destroy_epoch(e); /* the image has it */
		else
			(void)hs_follow_epoch(n, e);
	}
	qb_log(LOG_NOTICE, "image complete: term %llu epoch %llu",
	    (unsigned long long)n->id.term, (unsigned long long)n->id.epoch);
	hs_node_update(n);
	hs_follow_ack(n);
}

void
hs_catchup_image(struct hs_node *n, const struct hs_msg_head *h,
    const uint8_t *body, size_t len)
{
	struct hs_epoch *none;
	int rc;

	if (h->term != n->term) {
		hs_group_refuse(n, HS_REFUSED_TERM, "ignored", h);
		return;
	}
	n->sync_seen = hs_clock_ns();
	n->sync_rx = h->off + HS_MSG_HEAD_BYTES + len;
	if (h->seq == 0)
		n->sync_told = 0;
	else if (!hs_intake_busy(n->sync_intake))
		return; /* the rest of a transfer given up */
	rc = hs_intake_add(n->sync_intake, h, body, len, &none);
	if (rc < 0) {
		hs_group_refuse(n,
		    rc == -ENOSPC || rc == -ENOMEM ? HS_REFUSED_MEMORY
						   : HS_REFUSED_DAMAGED,
		    hs_err_text(rc), h);
		hs_image_destroy(n->incoming);
		n->incoming = NULL; /* the stall timer asks again */
	} else if (rc == 1) {
		finish(n, h);
	} else if (n->sync_rx - n->sync_told >= PROGRESS_BYTES) {
		n->sync_told = n->sync_rx;
		hs_group_send_bare(n, HS_MSG_PROGRESS, n->source, n->sync_rx);
	}
}

void
hs_catchup_epoch(struct hs_node *n, struct hs_epoch *e)
{
	if (e->begin.flags & HS_REC_FULL) { /* says all; no image needed */
		stop(n);
		(void)hs_follow_epoch(n, e);
		if (!n->chain)
			hs_node_update(n); /* asks again */
		return;
	}
	if (n->queue_bytes + e->bytes > QUEUE_BYTES) {
		qb_log(LOG_WARNING,
		    "the service changes faster than its image "
		    "arrives: %u MiB of checkpoints wait; starting again",
		    QUEUE_BYTES >> 20);
		hs_intake_destroy_epoch(e);
		hs_catchup_abort(n);
		hs_node_update(n);
		return;
	}
	n->queue_bytes += e->bytes;
	e->next = NULL;
	*n->queue_tail = e;
	n->queue_tail = &e->next;
}
