/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/intake.h"
#include "base/digest.h"
#include "base/fault.h"

struct hs_intake {
	hs_intake_rec_fn *fn;
	void *arg;
	struct hs_digest *digest;
	struct hs_epoch *e; /* the begun one */
	struct hs_rec_rd rd; /* of its newest chunk, read to the end */
};

void
hs_intake_destroy_epoch(struct hs_epoch *e)
{
	if (e == NULL)
		return;
	/* Records that were handed on left no chunks. */
	for (size_t i = 0; e->chunk != NULL && i < e->nchunk; i++)
		free(e->chunk[i].body);
	free(e->chunk);
	free(e);
}

int
hs_intake_create(struct hs_intake **out, hs_intake_rec_fn *fn, void *arg)
{
	struct hs_intake *in = calloc(1, sizeof(*in));
	int rc;

	if (in == NULL)
		return -ENOMEM;
	rc = hs_digest_create(&in->digest);
	if (rc < 0) {
		free(in);
		return rc;
	}
	in->fn = fn;
	in->arg = arg;
	*out = in;
	return 0;
}

void
hs_intake_reset(struct hs_intake *in)
{
	hs_intake_destroy_epoch(in->e);
	in->e = NULL;
}

void
hs_intake_destroy(struct hs_intake *in)
{
	if (in == NULL)
		return;
	hs_intake_reset(in);
	hs_digest_destroy(in->digest);
	free(in);
}

bool
hs_intake_busy(const struct hs_intake *in)
{
	return in->e != NULL;
}

size_t
hs_intake_bytes(const struct hs_intake *in)
{
	return in->e != NULL ? in->e->bytes : 0;
}

const struct hs_rec_begin *
hs_intake_begin(const struct hs_intake *in)
{
	return in->e != NULL ? &in->e->begin : NULL;
}

static int
take_begin(struct hs_intake *in, const struct hs_rec *r)
{
	/* R3 allows one page more than an image can have. */
	if (r->begin.arena_bytes / HS_MSG_PAGE_BYTES > UINT32_MAX)
		return HS_EWIRE;
	in->e->begin = r->begin;
	hs_digest_reset(in->digest);
	hs_digest_add(in->digest, r->begin.base_digest, HS_MSG_DIGEST_BYTES);
	return 0;
}

/* The reader judges the records, across chunks too, as it carries on. */
static int
check_chunk(struct hs_intake *in, const struct hs_msg_head *h,
    const uint8_t *body, size_t len)
{
	struct hs_rec_rd rd;
	struct hs_rec r;
	int rc;

	hs_rec_read(&rd, h, body, len);
	if (h->seq > 0)
		hs_rec_carry(&rd, &in->rd);
	while ((rc = hs_rec_next(&rd, &r)) == 1) {
		if (r.kind == HS_REC_END)
			in->e->end = r.end;
		if (r.kind == HS_REC_BEGIN && (rc = take_begin(in, &r)) < 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	in->rd = rd;
	hs_digest_add(in->digest, body,
	    h->flags & HS_MSG_LAST ? len - HS_REC_END_BYTES : len);
	return 0;
}

static int
hand_on(struct hs_intake *in, const struct hs_msg_head *h, const uint8_t *body,
    size_t len)
{
	struct hs_rec_rd rd;
	struct hs_rec r;
	int rc = 0;

	hs_rec_read(&rd, h, body, len);
	while (rc >= 0 && hs_rec_next(&rd, &r) == 1)
		rc = in->fn(in->arg, &in->e->begin, &r);
	in->e->nchunk++;
	return rc < 0 ? rc : 0;
}

static int
keep(struct hs_intake *in, const struct hs_msg_head *h, const uint8_t *body,
    size_t len)
{
	struct hs_epoch *e = in->e;
	struct hs_chunk *c;

	if (hs_fault(HS_FAULT_STAGE_ALLOC))
		return -ENOMEM;
	if ((e->nchunk & (e->nchunk - 1)) == 0) { /* grow by doubling */
		size_t n = e->nchunk == 0 ? 1 : e->nchunk * 2;

		c = realloc(e->chunk, n * sizeof(*c));
		if (c == NULL)
			return -ENOMEM;
		e->chunk = c;
	}
	c = &e->chunk[e->nchunk];
	c->body = malloc(len);
	if (c->body == NULL)
		return -ENOMEM;
	memcpy(c->body, body, len);
	c->head = *h;
	c->len = len;
	e->nchunk++;
	e->bytes += len;
	return 0;
}

static int
start(struct hs_intake *in, const struct hs_msg_head *h)
{
	hs_intake_reset(in); /* an epoch that its sender gave up */
	in->e = calloc(1, sizeof(*in->e));
	if (in->e == NULL)
		return -ENOMEM;
	in->e->term = h->term;
	in->e->epoch = h->epoch;
	return 0;
}

static int
finish(struct hs_intake *in, struct hs_epoch **out)
{
	uint8_t digest[HS_MSG_DIGEST_BYTES];
	struct hs_epoch *e = in->e;

	hs_digest_get(in->digest, digest);
	if (e->end.nchunk != e->nchunk ||
	    memcmp(digest, e->end.digest, sizeof(digest)) != 0)
		return HS_EWIRE;
	if (in->fn == NULL) {
		*out = e;
		in->e = NULL;
	} else {
		*out = NULL;
	}
	hs_intake_reset(in);
	return 1;
}

int
hs_intake_add(struct hs_intake *in, const struct hs_msg_head *h,
    const uint8_t *body, size_t len, struct hs_epoch **out)
{
	int rc;

	if (h->seq == 0) {
		rc = start(in, h);
		if (rc < 0)
			return rc;
	} else if (in->e == NULL || h->seq != in->e->nchunk ||
	    h->term != in->e->term || h->epoch != in->e->epoch) {
		hs_intake_reset(in);
		return HS_EGAP;
	}
	rc = check_chunk(in, h, body, len);
	if (rc == 0)
		rc = in->fn != NULL ? hand_on(in, h, body, len)
				    : keep(in, h, body, len);
	if (rc == 0 && (h->flags & HS_MSG_LAST))
		rc = finish(in, out);
	if (rc < 0)
		hs_intake_reset(in);
	return rc;
}
