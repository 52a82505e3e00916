/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serve the image to a node that lacks it: one at a time; others ask again.
 *
 * V1  A transfer starts between two epochs in the group's order, so that the
 *     asker, which keeps every epoch that begins after it asked, has all that
 *     comes after the image.
 */
#include <qb/qblog.h>

#include "agent/node.h"

#define RETRY_NS 1000000

static void
on_retry(void *data)
{
	hs_serve_pump(data);
}

static int
send_chunk(void *arg, const uint8_t *buf, size_t len)
{
	struct hs_node *n = arg;

	/* What the agent has to say itself goes first. */
	return n->outbox != NULL ? -EAGAIN : hs_xport_send(n->xport, buf, len);
}

static void
save_page(void *arg, uint32_t page, const uint8_t *old)
{
	struct hs_node *n = arg;

	if (n->sync != NULL && !hs_sync_save(n->sync, page, old)) {
		qb_log(LOG_ERR,
		    "no memory to serve the image to node %u; "
		    "it will ask again",
		    hs_sync_to(n->sync));
		hs_serve_stop(n);
	}
}

void
hs_serve_stop(struct hs_node *n)
{
	if (n->image != NULL)
		hs_image_on_change(n->image, NULL, NULL);
	hs_sync_destroy(n->sync);
	n->sync = NULL;
}

/*
 * It asks before it says that it is SYNCING.  One that says anything else
 * no longer wants the image: a full epoch came first, say.
 */
void
hs_serve_state(struct hs_node *n, uint32_t nodeid, uint8_t kind)
{
	if (kind == HS_STATE_SYNCING)
		return;
	if (n->asker == nodeid)
		n->asker = 0;
	if (n->sync != NULL && hs_sync_to(n->sync) == nodeid)
		hs_serve_stop(n);
}

void
hs_serve_start(struct hs_node *n)
{
	const struct hs_service *s = n->active;
	struct hs_sync_plan plan = {
		.to = n->asker,
		.term = n->term,
		.id = n->id,
		.image = n->image,
		.send = send_chunk,
		.arg = n,
	};

	if (n->asker == 0 || !n->chain || s == NULL ||
	    hs_intake_busy(n->intake) || /* V1 */
	    (n->sync != NULL && hs_sync_to(n->sync) != n->asker))
		return;
	n->asker = 0;
	hs_serve_stop(n);
	plan.arena_base = hs_service_hello(s)->arena_base;
	plan.arena_bytes = hs_service_hello(s)->arena_bytes;
	if (hs_sync_create(&n->sync, &plan) < 0) {
		qb_log(LOG_ERR,
		    "no memory to serve the image to node %u; "
		    "it will ask again",
		    plan.to);
		return;
	}
	qb_log(LOG_NOTICE, "serving the image of epoch %llu to node %u",
	    (unsigned long long)n->id.epoch, plan.to);
	if (n->image != NULL)
		hs_image_on_change(n->image, save_page, n);
	hs_serve_pump(n);
}

void
hs_serve_pump(struct hs_node *n)
{
	qb_loop_timer_handle timer;
	int rc;

	if (n->sync == NULL)
		return;
	rc = hs_sync_pump(n->sync);
	if (rc == -EAGAIN) {
		if (qb_loop_timer_add(n->loop, QB_LOOP_LOW, RETRY_NS, n,
			on_retry, &timer) < 0)
			hs_serve_stop(n);
	} else if (rc != 0) {
		if (rc == 1)
			qb_log(LOG_NOTICE, "image sent to node %u: %llu bytes",
			    hs_sync_to(n->sync),
			    (unsigned long long)hs_sync_sent(n->sync));
		hs_serve_stop(n);
	}
}
