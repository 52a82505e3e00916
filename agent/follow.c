/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follow the primary's stream: chunks become epochs, epochs change the image.
 */
#include <assert.h>
#include <string.h>

#include <qb/qblog.h>

#include "agent/node.h"
#include "base/fault.h"

/* Tell the sender how far the stream came in, so that its window moves. */
#define PROGRESS_BYTES (1u << 20)
#define ACK_BYTES 256

/* Is this node one whose ACK means "held"?  The primary's own is not (S2). */
static bool
is_holder(const struct hs_node *n)
{
	return n->nodeid != n->primary.nodeid;
}

static void
send_ack(struct hs_node *n)
{
	struct hs_msg_head h = {
		.type = HS_MSG_ACK,
		.term = n->term,
		.epoch = n->id.epoch,
		.off = n->rx_off,
	};
	struct hs_msg_ack m;
	uint8_t buf[ACK_BYTES];
	int rc;

	memcpy(m.digest, n->id.digest, sizeof(m.digest));
	rc = hs_msg_encode_ack(buf, sizeof(buf), &h, &m);
	if (rc > 0 && !hs_fault(HS_FAULT_ACK_DROP))
		hs_group_send(n, buf, (size_t)rc);
	n->rx_told = n->rx_off;
}

void
hs_follow_ack(struct hs_node *n)
{
	bool holds = n->kind == HS_STATE_READY || n->cfg->standalone;

	if (holds && is_holder(n) && n->quorate && n->chain &&
	    n->id.epoch > 0 && n->id.term == n->term)
		send_ack(n); /* S2 */
}

static void
tell_progress(struct hs_node *n)
{
	if (n->rx_off - n->rx_told < PROGRESS_BYTES)
		return;
	n->rx_told = n->rx_off;
	if (is_holder(n))
		hs_group_send_bare(n, HS_MSG_PROGRESS, 0, n->rx_off);
	else
		hs_node_tell_policy(n);
}

void
hs_follow_reset(struct hs_node *n)
{
	hs_intake_reset(n->intake);
	n->rx_off = n->rx_told = 0;
}

void
hs_follow_break(struct hs_node *n, const char *why)
{
	if (!n->chain)
		return;
	qb_log(LOG_WARNING, "image stays at term %llu epoch %llu: %s",
	    (unsigned long long)n->id.term, (unsigned long long)n->id.epoch,
	    why);
	n->chain = false;
	snprintf(n->why, sizeof(n->why), "%s", why);
	hs_node_update(n);
}

/* Both walk all records; they were checked by the intake. */
static int
prepare(struct hs_image *im, const struct hs_epoch *e)
{
	struct hs_rec_rd rd;
	struct hs_rec r;
	int rc = 0;

	for (size_t i = 0; i < e->nchunk && rc == 0; i++) {
		const struct hs_chunk *c = &e->chunk[i];

		hs_rec_read(&rd, &c->head, c->body, c->len);
		while (rc == 0 && hs_rec_next(&rd, &r) == 1)
			rc = hs_image_prepare(im, &r);
	}
	return rc;
}

static void
apply(struct hs_image *im, const struct hs_epoch *e)
{
	bool full = e->begin.flags & HS_REC_FULL;
	uint32_t next = 0; /* full: pages not named are zero */
	struct hs_rec_rd rd;
	struct hs_rec r;

	for (size_t i = 0; i < e->nchunk; i++) {
		const struct hs_chunk *c = &e->chunk[i];

		hs_rec_read(&rd, &c->head, c->body, c->len);
		while (hs_rec_next(&rd, &r) == 1) {
			if (r.kind == HS_REC_BEGIN || r.kind == HS_REC_END)
				continue;
			if (full)
				hs_image_clear(im, next, r.page);
			hs_image_apply(im, &r);
			next = r.page + (r.kind == HS_REC_ZERO ? r.count : 1);
		}
	}
	if (full)
		hs_image_clear(im, next,
		    (uint32_t)(hs_image_bytes(im) / HS_MSG_PAGE_BYTES));
	hs_image_set_used(im, e->begin.used_bytes);
}

/* Does e follow what the image is?  HS_REFUSED_COUNT: yes. */
static enum hs_refusal
judge(const struct hs_node *n, const struct hs_epoch *e)
{
	if (n->image != NULL &&
	    (e->begin.arena_base != hs_image_base(n->image) ||
		e->begin.arena_bytes != hs_image_bytes(n->image)))
		return HS_REFUSED_GEOMETRY;
	/* A new primary may begin behind what this image has (S3: e->term). */
	if (e->term == n->id.term && e->epoch <= n->id.epoch)
		return HS_REFUSED_REPLAY;
	if (e->begin.flags & HS_REC_FULL)
		return HS_REFUSED_COUNT;
	if (!n->chain || e->begin.base_epoch != n->id.epoch ||
	    memcmp(e->begin.base_digest, n->id.digest, sizeof(n->id.digest)) !=
		0)
		return HS_REFUSED_GAP;
	return HS_REFUSED_COUNT;
}

static const char *const judgements[HS_REFUSED_COUNT] = {
	[HS_REFUSED_GEOMETRY] = "the arena is another than the image's",
	[HS_REFUSED_REPLAY] = "the image has this epoch already",
	[HS_REFUSED_GAP] = "it does not follow the image's epoch",
};

static int
take_memory(struct hs_node *n, const struct hs_epoch *e)
{
	int rc = 0;

	if (n->image == NULL) {
		rc = hs_image_create(&n->image, e->begin.arena_base,
		    e->begin.arena_bytes);
		if (rc == 0 && n->sync != NULL)
			hs_serve_stop(n); /* it serves an empty one */
	}
	return rc < 0 ? rc : prepare(n->image, e);
}

bool
hs_follow_epoch(struct hs_node *n, struct hs_epoch *e)
{
	struct hs_msg_head h = { .type = HS_MSG_DATA,
		.term = e->term,
		.epoch = e->epoch };
	enum hs_refusal r = judge(n, e);

	if (r == HS_REFUSED_COUNT && take_memory(n, e) < 0)
		r = HS_REFUSED_MEMORY;
	if (r != HS_REFUSED_COUNT) {
		const char *why = r == HS_REFUSED_MEMORY
		    ? "no memory for the image: free memory or raise the limit"
		    : judgements[r];

		hs_group_refuse(n, r, why, &h);
		if (r != HS_REFUSED_REPLAY)
			hs_follow_break(n, why);
		hs_intake_destroy_epoch(e);
		return r == HS_REFUSED_REPLAY;
	}
	n->id.term = e->term;
	n->id.epoch = e->epoch;
	memcpy(n->id.digest, e->end.digest, sizeof(n->id.digest));
	if (!n->chain) { /* a full epoch mends the chain */
		n->chain = true;
		n->why[0] = '\0';
		hs_node_update(n);
	}
	hs_follow_ack(n); /* cannot fail from here on (M3) */
	apply(n->image, e);
	hs_image_set_id(n->image, &n->id);
	hs_intake_destroy_epoch(e);
	return true;
}

void
hs_follow_data(struct hs_node *n, const struct hs_msg_head *h,
    const uint8_t *body, size_t len)
{
	struct hs_epoch *e = NULL;
	int rc;

	if (hs_fault(HS_FAULT_CHUNK_DROP))
		return;
	n->rx_off = h->off + HS_MSG_HEAD_BYTES + len;
	rc = hs_intake_add(n->intake, h, body, len, &e);
	if (rc == HS_EGAP && !n->chain) {
		/* Joined in its middle: the image that comes covers it. */
	} else if (rc < 0) {
		enum hs_refusal r = rc == HS_EGAP ? HS_REFUSED_GAP
		    : rc == -ENOMEM		  ? HS_REFUSED_MEMORY
						  : HS_REFUSED_DAMAGED;

		hs_group_refuse(n, r, hs_err_text(rc), h);
		hs_follow_break(n, "a chunk of the primary's was refused");
	} else if (rc == 1 && n->kind == HS_STATE_SYNCING) {
		hs_catchup_epoch(n, e);
	} else if (rc == 1) {
		(void)hs_follow_epoch(n, e);
	}
	if (n->asker != 0 && !hs_intake_busy(n->intake))
		hs_serve_start(n);
	tell_progress(n);
}
