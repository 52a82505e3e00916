/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sync.h"
#include "base/digest.h"

#define PAGE HS_MSG_PAGE_BYTES
/* Small, so that a checkpoint's message never waits behind much. */
#define CHUNK_BYTES 65536
/* About 10 ms of CPG's throughput at an MTU of 1500. */
#define WINDOW_BYTES (1u << 20)

struct hs_sync {
	struct hs_sync_plan plan;
	uint64_t used;
	struct hs_digest *digest;
	uint32_t npages;
	uint32_t cursor; /* pages below it were sent */
	uint8_t **saved; /* a page's content as of plan.id, or NULL */
	uint32_t seq, npage;
	uint64_t sent, confirmed;
	uint8_t *buf;
	size_t pending; /* bytes in buf that send() did not take */
	bool done;
};

int
hs_sync_create(struct hs_sync **out, const struct hs_sync_plan *p)
{
	struct hs_sync *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->plan = *p;
	s->used = p->image != NULL ? hs_image_used(p->image) : 0;
	s->npages = (uint32_t)((s->used + PAGE - 1) / PAGE);
	s->saved = calloc(s->npages + 1u, sizeof(*s->saved));
	s->buf = malloc(CHUNK_BYTES);
	if (s->saved == NULL || s->buf == NULL ||
	    hs_digest_create(&s->digest) < 0) {
		hs_sync_destroy(s);
		return -ENOMEM;
	}
	hs_digest_reset(s->digest);
	hs_digest_add(s->digest, p->id.digest, HS_MSG_DIGEST_BYTES);
	*out = s;
	return 0;
}

void
hs_sync_destroy(struct hs_sync *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; s->saved != NULL && i < s->npages; i++)
		free(s->saved[i]);
	free(s->saved);
	free(s->buf);
	if (s->digest != NULL)
		hs_digest_destroy(s->digest);
	free(s);
}

uint32_t
hs_sync_to(const struct hs_sync *s)
{
	return s->plan.to;
}

uint64_t
hs_sync_sent(const struct hs_sync *s)
{
	return s->sent;
}

bool
hs_sync_save(struct hs_sync *s, uint32_t page, const uint8_t *old)
{
	if (page < s->cursor || page >= s->npages || s->saved[page] != NULL)
		return true;
	s->saved[page] = malloc(PAGE);
	if (s->saved[page] == NULL)
		return false;
	memcpy(s->saved[page], old, PAGE);
	return true;
}

void
hs_sync_confirm(struct hs_sync *s, uint64_t off)
{
	if (off > s->confirmed && off <= s->sent)
		s->confirmed = off;
}

/* A page that is populated now or was saved; saved ones are populated too. */
static bool
next_page(const struct hs_sync *s, uint32_t *page)
{
	return s->plan.image != NULL &&
	    hs_image_next(s->plan.image, s->cursor, page) && *page < s->npages;
}

/* 1: the chunk is full; 0: no page is left. */
static int
fill_pages(struct hs_sync *s, struct hs_rec_wr *w)
{
	uint32_t page;
	int wrote;

	while (next_page(s, &page)) {
		const uint8_t *now = s->saved[page] != NULL
		    ? s->saved[page]
		    : hs_image_page(s->plan.image, page);

		if (w->left < HS_REC_PAGE_BYTES + HS_REC_END_BYTES)
			return 1;
		if (hs_rec_put_diff(w, page, NULL, now, &wrote) < 0)
			return 1;
		s->npage++;
		free(s->saved[page]);
		s->saved[page] = NULL;
		s->cursor = page + 1;
	}
	s->cursor = s->npages;
	return 0;
}

static void
put_begin(struct hs_sync *s, struct hs_rec_wr *w)
{
	struct hs_rec_begin b = {
		.flags = HS_REC_FULL,
		.arena_base = s->plan.arena_base,
		.arena_bytes = s->plan.arena_bytes,
		.used_bytes = s->used,
	};
	int rc;

	memcpy(b.base_digest, s->plan.id.digest, sizeof(b.base_digest));
	rc = hs_rec_put_begin(w, &b);
	assert(rc == 0); /* the chunk is empty yet */
	(void)rc;
}

static void
put_end(struct hs_sync *s, struct hs_rec_wr *w)
{
	struct hs_rec_end e = { .nchunk = s->seq + 1, .npage = s->npage };
	int rc;

	hs_digest_get(s->digest, e.digest);
	rc = hs_rec_put_end(w, &e);
	assert(rc == 0); /* fill_pages() left its room */
	(void)rc;
}

static void
build_chunk(struct hs_sync *s)
{
	uint8_t *body = s->buf + HS_MSG_HEAD_BYTES;
	struct hs_rec_wr w = { body, CHUNK_BYTES - HS_MSG_HEAD_BYTES };
	struct hs_msg_head h = {
		.type = HS_MSG_IMAGE,
		.term = s->plan.term,
		.epoch = s->plan.id.epoch,
		.seq = s->seq,
		.to = s->plan.to,
		.off = s->sent,
	};

	if (s->seq == 0)
		put_begin(s, &w);
	if (fill_pages(s, &w) == 0) {
		h.flags = HS_MSG_LAST;
		s->done = true;
	}
	hs_digest_add(s->digest, body, (size_t)(w.p - body));
	if (s->done)
		put_end(s, &w);
	s->pending = hs_msg_seal(s->buf, &h, (size_t)(w.p - body));
	s->seq++;
}

int
hs_sync_pump(struct hs_sync *s)
{
	int rc;

	while (s->pending > 0 || !s->done) {
		if (s->sent - s->confirmed >= WINDOW_BYTES)
			return 0;
		if (s->pending == 0)
			build_chunk(s);
		rc = s->plan.send(s->plan.arg, s->buf, s->pending);
		if (rc < 0)
			return rc;
		s->sent += s->pending;
		s->pending = 0;
	}
	return 1;
}
