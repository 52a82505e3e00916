/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/rec.h"

#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "wire/delta.h"

#define BEGIN_RESERVED_BYTES 24
#define DELTA_HEAD_BYTES 7	/* kind, page, nrun */
#define PAGES_MAX (UINT64_C(1) << 32)	/* as many as a u32 can index */
#define PAGE_MASK ((uint64_t)HS_MSG_PAGE_BYTES - 1)

/*
 * A cursor over the next len bytes of w, which are then taken.  -EMSGSIZE
 * takes nothing; so a record is written whole or not at all.
 */
static int
open_record(struct hs_rec_wr *w, struct hs_wr *out, size_t len)
{
	if (len > w->left)
		return -EMSGSIZE;
	hs_wr_init(out, w->p, len);
	w->p += len;
	w->left -= len;
	return 0;
}

int
hs_rec_put_begin(struct hs_rec_wr *w, const struct hs_rec_begin *b)
{
	struct hs_wr out;

	if (open_record(w, &out, HS_REC_BEGIN_BYTES) < 0)
		return -EMSGSIZE;
	hs_wr_u8(&out, HS_REC_BEGIN);
	hs_wr_u8(&out, b->flags);
	hs_wr_u64(&out, b->base_epoch);
	hs_wr_u64(&out, b->arena_base);
	hs_wr_u64(&out, b->arena_bytes);
	hs_wr_u64(&out, b->used_bytes);
	hs_wr_u32(&out, HS_MSG_PAGE_BYTES);
	hs_wr_bytes(&out, b->base_digest, sizeof(b->base_digest));
	hs_wr_zeros(&out, BEGIN_RESERVED_BYTES);
	return 0;
}

int
hs_rec_put_page(struct hs_rec_wr *w, uint32_t page, const uint8_t *bytes)
{
	struct hs_wr out;

	if (open_record(w, &out, HS_REC_PAGE_BYTES) < 0)
		return -EMSGSIZE;
	hs_wr_u8(&out, HS_REC_PAGE);
	hs_wr_u32(&out, page);
	hs_wr_bytes(&out, bytes, HS_MSG_PAGE_BYTES);
	return 0;
}

int
hs_rec_put_zero(struct hs_rec_wr *w, uint32_t page, uint32_t count)
{
	struct hs_wr out;

	if (open_record(w, &out, HS_REC_ZERO_BYTES) < 0)
		return -EMSGSIZE;
	hs_wr_u8(&out, HS_REC_ZERO);
	hs_wr_u32(&out, page);
	hs_wr_u32(&out, count);
	return 0;
}

int
hs_rec_put_end(struct hs_rec_wr *w, const struct hs_rec_end *e)
{
	struct hs_wr out;

	if (open_record(w, &out, HS_REC_END_BYTES) < 0)
		return -EMSGSIZE;
	hs_wr_u8(&out, HS_REC_END);
	hs_wr_u32(&out, e->nchunk);
	hs_wr_u32(&out, e->npage);
	hs_wr_zeros(&out, 8);
	hs_wr_bytes(&out, e->digest, sizeof(e->digest));
	return 0;
}

static int
put_runs(struct hs_rec_wr *w, uint32_t page, const struct hs_delta_map *map,
    const uint8_t *now)
{
	/* A DELTA at least as long as a PAGE is written as one. */
	const uint32_t limit = HS_REC_PAGE_BYTES - DELTA_HEAD_BYTES - 1;
	struct hs_delta_run runs[HS_DELTA_MAX_RUNS];
	struct hs_wr out;
	uint32_t bytes;
	int n = hs_delta_runs(map, runs, limit, &bytes);

	if (n < 0)
		return hs_rec_put_page(w, page, now);
	if (open_record(w, &out, DELTA_HEAD_BYTES + bytes) < 0)
		return -EMSGSIZE;
	hs_wr_u8(&out, HS_REC_DELTA);
	hs_wr_u32(&out, page);
	hs_wr_u16(&out, (uint16_t)n);
	for (int i = 0; i < n; i++) {
		hs_wr_u16(&out, runs[i].off);
		hs_wr_u16(&out, runs[i].len);
		hs_wr_bytes(&out, now + runs[i].off, runs[i].len);
	}
	return 0;
}

int
hs_rec_put_diff(struct hs_rec_wr *w, uint32_t page, const uint8_t *twin,
    const uint8_t *now, int *wrote)
{
	struct hs_delta_map map;
	int rc;

	*wrote = 0;
	if (twin == NULL) {
		rc = hs_delta_is_zero(now) ? hs_rec_put_zero(w, page, 1)
					   : hs_rec_put_page(w, page, now);
	} else {
		hs_delta_compare(&map, twin, now);
		if (map.words == 0)
			return 0;
		rc = map.zero ? hs_rec_put_zero(w, page, 1)
			      : put_runs(w, page, &map, now);
	}
	*wrote = rc == 0;
	return rc;
}

void
hs_rec_read(struct hs_rec_rd *r, const struct hs_msg_head *h,
    const uint8_t *body, size_t len)
{
	*r = (struct hs_rec_rd){
		.p = body,
		.left = len,
		.seq = h->seq,
		.last = (h->flags & HS_MSG_LAST) != 0,
		.end_page = PAGES_MAX,
		.full = h->type == HS_MSG_IMAGE,
		.whole = h->seq == 0,
	};
}

void
hs_rec_carry(struct hs_rec_rd *r, const struct hs_rec_rd *before)
{
	r->next_page = before->next_page;
	r->end_page = before->end_page;
	r->npage = before->npage;
	r->full = before->full;
	r->whole = before->whole;
}

static void
read_begin(struct hs_rec_rd *r, struct hs_rd *in, struct hs_rec_begin *b)
{
	uint32_t page_bytes;

	b->flags = hs_rd_u8(in);
	b->base_epoch = hs_rd_u64(in);
	b->arena_base = hs_rd_u64(in);
	b->arena_bytes = hs_rd_u64(in);
	b->used_bytes = hs_rd_u64(in);
	page_bytes = hs_rd_u32(in);
	hs_rd_copy(in, b->base_digest, sizeof(b->base_digest));
	hs_rd_zeros(in, BEGIN_RESERVED_BYTES);

	hs_rd_require(in, r->seq == 0 && r->nrec == 0);
	hs_rd_require(in, (b->flags & ~HS_REC_FULL) == 0);
	hs_rd_require(in, (b->flags & HS_REC_FULL) == 0 || b->base_epoch == 0);
	hs_rd_require(in, page_bytes == HS_MSG_PAGE_BYTES);
	hs_rd_require(in, ((b->arena_base | b->arena_bytes) & PAGE_MASK) == 0);
	hs_rd_require(in, b->arena_bytes <= PAGES_MAX * HS_MSG_PAGE_BYTES);
	hs_rd_require(in, b->arena_base <= UINT64_MAX - b->arena_bytes);
	hs_rd_require(in, b->used_bytes <= b->arena_bytes);
	r->end_page = (b->used_bytes + PAGE_MASK) / HS_MSG_PAGE_BYTES;
	r->full |= (b->flags & HS_REC_FULL) != 0;
}

static void
read_end(struct hs_rec_rd *r, struct hs_rd *in, struct hs_rec_end *e)
{
	e->nchunk = hs_rd_u32(in);
	e->npage = hs_rd_u32(in);
	hs_rd_zeros(in, 8);
	hs_rd_copy(in, e->digest, sizeof(e->digest));

	hs_rd_require(in, r->last);
	hs_rd_require(in, e->nchunk == (uint64_t)r->seq + 1);
	hs_rd_require(in, !r->whole || e->npage == r->npage);
	r->ended = 1;
}

/* Account for count pages from page on. */
static void
take_pages(struct hs_rec_rd *r, struct hs_rd *in, uint32_t page, uint32_t count)
{
	uint64_t next = (uint64_t)page + count;

	hs_rd_require(in, count > 0);
	hs_rd_require(in, page >= r->next_page && next <= r->end_page);
	r->next_page = next;
	r->npage += count;
}

static void
read_runs(struct hs_rd *in, struct hs_rec *rec)
{
	uint32_t least = 0;	/* where the next run may start */

	rec->count = hs_rd_u16(in);
	rec->bytes = in->p;
	hs_rd_require(in, rec->count >= 1 && rec->count <= HS_REC_MAX_RUNS);
	for (uint32_t i = 0; i < rec->count && in->err == 0; i++) {
		uint32_t off = hs_rd_u16(in);
		uint32_t len = hs_rd_u16(in);

		hs_rd_require(in, off >= least);
		hs_rd_require(in, off + len <= HS_MSG_PAGE_BYTES);
		(void)hs_rd_bytes(in, len);	/* refuses len 0 */
		least = off + len + 1;
	}
	rec->len = (size_t)(in->p - rec->bytes);
}

static void
read_record(struct hs_rec_rd *r, struct hs_rd *in, struct hs_rec *rec)
{
	uint8_t kind = hs_rd_u8(in);

	rec->kind = (enum hs_rec_kind)kind;
	/* BEGIN opens the epoch, and nothing else does. */
	hs_rd_require(in, r->seq > 0 || r->nrec > 0 || kind == HS_REC_BEGIN);
	hs_rd_require(in, !r->ended);
	if (kind >= HS_REC_PAGE && kind <= HS_REC_DELTA)
		rec->page = hs_rd_u32(in);
	switch (kind) {
	case HS_REC_BEGIN:
		read_begin(r, in, &rec->begin);
		break;
	case HS_REC_PAGE:
		rec->bytes = hs_rd_bytes(in, HS_MSG_PAGE_BYTES);
		rec->len = HS_MSG_PAGE_BYTES;
		take_pages(r, in, rec->page, 1);
		break;
	case HS_REC_ZERO:
		rec->count = hs_rd_u32(in);
		take_pages(r, in, rec->page, rec->count);
		break;
	case HS_REC_DELTA:
		read_runs(in, rec);
		take_pages(r, in, rec->page, 1);
		hs_rd_require(in, !r->full);
		break;
	case HS_REC_END:
		read_end(r, in, &rec->end);
		break;
	default:
		hs_rd_require(in, 0);
		break;
	}
}

int
hs_rec_next(struct hs_rec_rd *r, struct hs_rec *rec)
{
	struct hs_rd in;

	if (r->err != 0)
		return r->err;
	if (r->left == 0) {
		if (r->nrec == 0 || (r->last && !r->ended))
			r->err = HS_EWIRE;
		return r->err;
	}
	memset(rec, 0, sizeof(*rec));
	hs_rd_init(&in, r->p, r->left);
	read_record(r, &in, rec);
	r->err = in.err;
	if (r->err != 0)
		return r->err;
	r->p = in.p;
	r->left = in.left;
	r->nrec++;
	return 1;
}

void
hs_rec_apply(const struct hs_rec *rec, uint8_t *page)
{
	struct hs_rd in;

	if (rec->kind == HS_REC_PAGE) {
		memcpy(page, rec->bytes, HS_MSG_PAGE_BYTES);
		return;
	}
	hs_rd_init(&in, rec->bytes, rec->len);
	for (uint32_t i = 0; i < rec->count; i++) {
		size_t off = hs_rd_u16(&in);
		size_t len = hs_rd_u16(&in);

		hs_rd_copy(&in, page + off, len);
	}
}
