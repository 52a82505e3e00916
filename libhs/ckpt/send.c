/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/send.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "ckpt/cut.h"
#include "ckpt/impl.h"
#include "wire/rec.h"

/*
 * Largest message.  Longer ones gain no throughput on a ring of MTU 1500,
 * and a receiver cannot answer while one is under way.
 */
#define CHUNK_BYTES (256u << 10)

static const uint8_t no_digest[HS_DIGEST_BYTES];

int
hs_send_init(struct hs_ckpt *c)
{
	struct hs_send *s = &c->send;
	int rc;

	rc = hs_digest_create(&s->digest);
	if (rc < 0)
		return rc;
	s->out = malloc(CHUNK_BYTES);
	if (s->out == NULL) {
		hs_digest_destroy(s->digest);
		s->digest = NULL;
		return -ENOMEM;
	}
	s->out_size = CHUNK_BYTES;
	return 0;
}

void
hs_send_fini(struct hs_ckpt *c)
{
	struct hs_send *s = &c->send;

	free(s->out);
	if (s->digest != NULL)
		hs_digest_destroy(s->digest);
	*s = (struct hs_send){ .out = NULL };
}

static struct hs_seal_snap *
take_queued(struct hs_ckpt *c)
{
	struct hs_seal_snap *s;

	pthread_mutex_lock(&c->lock);
	s = c->queue;
	if (s != NULL) {
		c->queue = s->next;
		if (c->queue == NULL)
			c->queue_tail = &c->queue;
		s->next = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	return s;
}

/* s is encoded, or given up: its bytes are no more in flight. */
static void
release_snap(struct hs_ckpt *c, struct hs_seal_snap *s)
{
	pthread_mutex_lock(&c->lock);
	c->inflight_bytes -= s->n * HS_ARENA_PAGE_BYTES;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	hs_seal_drop(c, s);
}

static void
begin_epoch(struct hs_ckpt *c, struct hs_seal_snap *snap)
{
	struct hs_send *s = &c->send;

	s->snap = snap;
	s->next = 0;
	s->seq = 0;
	s->npage = 0;
	s->last = false;
	if (snap->full) {
		hs_twin_drop(c->twin);			/* S3 */
		s->base_epoch = 0;
		memcpy(s->lineage, no_digest, sizeof(s->lineage));
	}
	hs_digest_reset(s->digest);
	hs_digest_add(s->digest, s->lineage, sizeof(s->lineage));
}

static int
put_begin(struct hs_ckpt *c, struct hs_rec_wr *w)
{
	const struct hs_send *s = &c->send;
	struct hs_rec_begin b = {
		.flags = s->snap->full ? HS_REC_FULL : 0,
		.base_epoch = s->base_epoch,
		.arena_base = (uintptr_t)hs_arena_base(c->arena),
		.arena_bytes = hs_arena_bytes(c->arena),
		.used_bytes = s->snap->used_bytes,
	};

	memcpy(b.base_digest, s->lineage, sizeof(b.base_digest));
	return hs_rec_put_begin(w, &b);
}

/* The run of zero pages that starts at s->next. */
static int
put_zeros(struct hs_send *s, struct hs_rec_wr *w)
{
	const struct hs_seal_snap *snap = s->snap;
	const uint32_t first = snap->page[s->next];
	uint32_t n = 1;
	int rc;

	while (s->next + n < snap->n && snap->buf[s->next + n] == NULL &&
	    snap->page[s->next + n] == first + n)
		n++;
	rc = hs_rec_put_zero(w, first, n);
	if (rc < 0)
		return rc;
	s->next += n;
	s->npage += n;
	return 0;
}

static int
put_page(struct hs_ckpt *c, struct hs_rec_wr *w)
{
	struct hs_send *s = &c->send;
	const uint32_t page = s->snap->page[s->next];
	uint8_t *buf = s->snap->buf[s->next];
	int rc, wrote = 0;

	rc = hs_rec_put_diff(w, page, hs_twin_find(c->twin, page), buf, &wrote);
	if (rc < 0)
		return rc;
	hs_twin_keep(c->twin, page, buf);
	s->snap->buf[s->next++] = NULL;
	s->npage += (uint32_t)wrote;
	return 0;
}

/* Pages until the chunk is full; true when none is left. */
static bool
put_pages(struct hs_ckpt *c, struct hs_rec_wr *w)
{
	struct hs_send *s = &c->send;
	int rc = 0;

	while (rc == 0 && s->next < s->snap->n)
		rc = s->snap->buf[s->next] == NULL ? put_zeros(s, w)
						   : put_page(c, w);
	return rc == 0;
}

static void
finish_epoch(struct hs_ckpt *c, struct hs_rec_wr *w)
{
	struct hs_send *s = &c->send;
	struct hs_rec_end e = { .nchunk = s->seq + 1, .npage = s->npage };
	int rc;

	hs_digest_get(s->digest, s->lineage);
	memcpy(e.digest, s->lineage, sizeof(e.digest));
	rc = hs_rec_put_end(w, &e);
	assert(rc == 0);	/* the caller left room */
	(void)rc;
	s->base_epoch = s->snap->epoch;
	s->last = true;
	pthread_mutex_lock(&c->lock);
	hs_ack_expect(&c->ack, s->snap->epoch, s->off + (size_t)(w->p - s->out),
	    s->lineage);
	pthread_mutex_unlock(&c->lock);
}

/* Encode the next message of s->snap into out. */
static void
fill_chunk(struct hs_ckpt *c)
{
	struct hs_send *s = &c->send;
	size_t size =
	    s->out_size < c->x->max_bytes ? s->out_size : c->x->max_bytes;
	uint8_t *body = s->out + HS_MSG_HEAD_BYTES;
	struct hs_rec_wr w = { .p = body, .left = size - HS_MSG_HEAD_BYTES };
	struct hs_msg_head h = { .type = HS_MSG_DATA,
		.term = c->role.term,
		.epoch = s->snap->epoch,
		.seq = s->seq,
		.off = s->off };
	bool end;
	int rc;

	if (s->seq == 0) {
		rc = put_begin(c, &w);
		assert(rc == 0);	/* HS_SEND_MIN_BYTES */
		(void)rc;
	}
	end = put_pages(c, &w) && w.left >= HS_REC_END_BYTES;
	hs_digest_add(s->digest, body, (size_t)(w.p - body));
	if (end)
		finish_epoch(c, &w);
	h.flags = end ? HS_MSG_LAST : 0;
	s->out_len = hs_msg_seal(s->out, &h, (size_t)(w.p - body));
	s->seq++;
	if (hs_fault(HS_FAULT_CHUNK_CORRUPT))
		s->out[s->out_len / 2] ^= 0x10;
}

/* May out be sent without leaving the receivers too far behind? */
static bool
window_open(struct hs_ckpt *c)
{
	const struct hs_send *s = &c->send;
	uint64_t got, oldest;

	pthread_mutex_lock(&c->lock);
	got = hs_ack_received(&c->ack);
	oldest = hs_ack_oldest(&c->ack);
	pthread_mutex_unlock(&c->lock);
	if (got < s->window_off)
		got = s->window_off;
	if (oldest != UINT64_MAX && s->snap->epoch >= oldest + HS_ACK_RING)
		return false;
	return got >= s->off ||
	    s->off + s->out_len - got <= HS_CKPT_WINDOW_BYTES;
}

/* out was sent and ends its epoch. */
static void
note_sent(struct hs_ckpt *c)
{
	struct hs_seal_snap *snap = c->send.snap;

	c->send.snap = NULL;
	pthread_mutex_lock(&c->lock);
	assert(snap->epoch > c->sent && snap->epoch <= c->sealed); /* E1 E4 */
	c->sent = snap->epoch;
	if (snap->full)
		c->full_off = c->send.off;
	hs_ckpt_announce(c);
	pthread_mutex_unlock(&c->lock);
	release_snap(c, snap);
}

static int
send_out(struct hs_ckpt *c)
{
	if (hs_fault(HS_FAULT_XPORT_SEND))
		return HS_ETRANSPORT;
	if (hs_fault(HS_FAULT_CHUNK_DROP))
		return 0;
	return hs_xport_send(c->x, c->send.out, c->send.out_len);
}

enum hs_send_step
hs_send_next(struct hs_ckpt *c)
{
	struct hs_send *s = &c->send;
	int rc;

	if (s->snap == NULL) {
		struct hs_seal_snap *snap = take_queued(c);

		if (snap == NULL)
			return HS_SEND_IDLE;
		if (hs_cut_fill(c, snap) < 0) {
			release_snap(c, snap);
			return HS_SEND_MORE;
		}
		begin_epoch(c, snap);
	}
	if (s->out_len == 0)
		fill_chunk(c);
	if (!window_open(c))
		return HS_SEND_WINDOW;
	rc = send_out(c);
	if (rc == -EAGAIN)
		return HS_SEND_FULL;
	if (rc < 0)
		return HS_SEND_LOST;
	pthread_mutex_lock(&c->lock);
	c->count.bytes_sent += s->out_len;
	pthread_mutex_unlock(&c->lock);
	s->off += s->out_len;				/* S1 */
	s->out_len = 0;					/* S2 */
	if (s->last)
		note_sent(c);
	return HS_SEND_MORE;
}

void
hs_send_break(struct hs_ckpt *c)
{
	struct hs_send *s = &c->send;
	struct hs_seal_snap *snap, *next;

	/* At once, so that no delta finds its way into the queue (E2). */
	pthread_mutex_lock(&c->lock);
	snap = c->queue;
	c->queue = NULL;
	c->queue_tail = &c->queue;
	c->want_full = true;
	pthread_mutex_unlock(&c->lock);
	if (s->snap != NULL) {
		s->snap->next = snap;
		snap = s->snap;
	}
	for (; snap != NULL; snap = next) {
		next = snap->next;
		release_snap(c, snap);
	}
	s->snap = NULL;
	s->out_len = 0;
	s->window_off = s->off;
}
