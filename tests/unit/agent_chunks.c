/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/agent_chunks.h"
#include "wire/delta.h"

#define PAGE HS_MSG_PAGE_BYTES
#define ROOM (HS_REC_PAGE_BYTES + HS_REC_END_BYTES)

/* What a test cannot do without; CUnit goes on after a failed assertion. */
static void
must(bool good)
{
	if (!good)
		abort();
}

static void
open_chunk(struct chunks *c)
{
	struct chunk *k = &c->chunk[c->n];

	must(c->n < CHUNKS_MAX);
	k->head = c->chunk[0].head;
	k->head.seq = (uint32_t)c->n;
	k->head.flags = 0;
	k->body = malloc(CHUNKS_BODY);
	must(k->body != NULL);
	c->w = (struct hs_rec_wr){ k->body, CHUNKS_BODY };
}

static void
close_chunk(struct chunks *c)
{
	struct chunk *k = &c->chunk[c->n++];

	k->len = (size_t)(c->w.p - k->body);
	k->head.off =
	    c->n == 1 ? 0 : k[-1].head.off + HS_MSG_HEAD_BYTES + k[-1].len;
	k->head.len = (uint32_t)(HS_MSG_HEAD_BYTES + k->len);
}

void
hs_chunks_init(struct chunks *c, const struct chunks_plan *p)
{
	*c = (struct chunks){
		.begin = {
			.flags = p->full ? HS_REC_FULL : 0,
			.base_epoch = p->base_epoch,
			.arena_base = CHUNKS_BASE,
			.arena_bytes = (uint64_t)p->npages * PAGE,
			.used_bytes = (uint64_t)p->npages * PAGE,
		},
	};
	c->chunk = calloc(CHUNKS_MAX, sizeof(*c->chunk));
	must(c->chunk != NULL);
	memcpy(c->begin.base_digest, p->base_digest, HS_MSG_DIGEST_BYTES);
	c->chunk[0].head = (struct hs_msg_head){
		.type = p->type,
		.term = p->term,
		.epoch = p->epoch,
	};
	must(hs_digest_create(&c->digest) == 0);
	hs_digest_reset(c->digest);
	hs_digest_add(c->digest, p->base_digest, HS_MSG_DIGEST_BYTES);
	open_chunk(c);
	must(hs_rec_put_begin(&c->w, &c->begin) == 0);
}

void
hs_chunks_fini(struct chunks *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->chunk[i].body);
	free(c->chunk);
	hs_digest_destroy(c->digest);
}

void
hs_chunks_next(struct chunks *c)
{
	struct chunk *k = &c->chunk[c->n];

	hs_digest_add(c->digest, k->body, (size_t)(c->w.p - k->body));
	close_chunk(c);
	open_chunk(c);
}

void
hs_chunks_page(struct chunks *c, uint32_t page, uint8_t fill)
{
	static uint8_t bytes[PAGE];

	memset(bytes, fill, sizeof(bytes));
	must(hs_rec_put_page(&c->w, page, bytes) == 0);
	c->npage++;
}

void
hs_chunks_zero(struct chunks *c, uint32_t page, uint32_t count)
{
	must(hs_rec_put_zero(&c->w, page, count) == 0);
	c->npage += count;
}

void
hs_chunks_delta(struct chunks *c, uint32_t page, uint8_t v)
{
	static const uint8_t twin[PAGE];
	static uint8_t now[PAGE];
	int wrote;

	memset(now, 0, sizeof(now));
	now[page % PAGE] = v;
	must(hs_rec_put_diff(&c->w, page, twin, now, &wrote) == 0 && wrote);
	c->npage++;
}

void
hs_chunks_truth(struct chunks *c, struct hs_rec_end *e)
{
	const struct chunk *k = &c->chunk[c->n];

	hs_digest_add(c->digest, k->body, (size_t)(c->w.p - k->body));
	e->nchunk = (uint32_t)c->n + 1;
	e->npage = c->npage;
	hs_digest_get(c->digest, e->digest);
}

void
hs_chunks_end_with(struct chunks *c, const struct hs_rec_end *e)
{
	memcpy(c->lineage, e->digest, sizeof(c->lineage));
	must(hs_rec_put_end(&c->w, e) == 0);
	c->chunk[c->n].head.flags = HS_MSG_LAST;
	close_chunk(c);
}

void
hs_chunks_end(struct chunks *c)
{
	struct hs_rec_end e;

	hs_chunks_truth(c, &e);
	hs_chunks_end_with(c, &e);
}

/* Between chunks of one record and chunks of all that fits. */
static void
cut(struct chunks *c, struct hs_random *r, uint64_t every)
{
	bool empty = c->w.p == c->chunk[c->n].body;

	if (c->w.left < ROOM ||
	    (!empty && c->n + 8 < CHUNKS_MAX && hs_random_below(r, every) == 0))
		hs_chunks_next(c);
}

void
hs_chunks_random(struct chunks *c, struct hs_random *r, const uint8_t *was,
    const uint8_t *now)
{
	uint32_t npages = (uint32_t)(c->begin.used_bytes / PAGE);
	uint64_t every = 1 + hs_random_below(r, 16);
	int wrote;

	for (uint32_t i = 0; i < npages; i++) {
		const uint8_t *p = now + (size_t)i * PAGE;
		const uint8_t *twin =
		    was == NULL ? NULL : was + (size_t)i * PAGE;

		if (was == NULL ? hs_delta_is_zero(p)
				: memcmp(twin, p, PAGE) == 0)
			continue;
		cut(c, r, every);
		/* A primary that lost its twin sends the whole page. */
		if (hs_random_below(r, 4) == 0)
			twin = NULL;
		must(hs_rec_put_diff(&c->w, i, twin, p, &wrote) == 0 && wrote);
		c->npage++;
	}
	cut(c, r, every);
	hs_chunks_end(c);
}
