/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two chunks of an epoch, from one input: the reader goes on from the first to
 * the second as an agent does, and applies what it reads to an image of 64
 * pages.  The rules that hold across chunks are checked once more, simply.
 *
 * Input: 1 byte flags (1 IMAGE, 2 the first chunk is the last one, 4 it is
 * not the epoch's first), 2 bytes length of the first chunk, then both bodies.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "wire/rec.h"

#define PAGES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct image {
	uint8_t named[PAGES];	/* in this epoch */
	uint8_t (*pages)[HS_MSG_PAGE_BYTES];
	uint64_t npage;
	int full;
};

static void
require(int ok)
{
	if (!ok)
		abort();
}

static void
take_page(struct image *im, uint64_t page)
{
	im->npage++;
	if (page >= PAGES)
		return;
	require(!im->named[page]);
	im->named[page] = 1;
}

static void
take_record(struct image *im, const struct hs_rec *rec)
{
	switch (rec->kind) {
	case HS_REC_BEGIN:
		im->full |= rec->begin.flags & HS_REC_FULL;
		return;
	case HS_REC_ZERO:
		im->npage += rec->count;
		for (uint64_t i = rec->page;
		     i < PAGES && i < (uint64_t)rec->page + rec->count; i++) {
			im->npage--;
			take_page(im, i);
			memset(im->pages[i], 0, sizeof(im->pages[i]));
		}
		return;
	case HS_REC_PAGE:
	case HS_REC_DELTA:
		require(rec->kind == HS_REC_PAGE || !im->full);
		take_page(im, rec->page);
		hs_rec_apply(rec, im->pages[rec->page % PAGES]);
		return;
	case HS_REC_END:
		return;
	}
	abort();
}

/* 0 if the chunk was good and read to its end. */
static int
read_chunk(struct image *im, struct hs_rec_rd *r)
{
	struct hs_rec rec;
	int rc, ended = 0;

	while ((rc = hs_rec_next(r, &rec)) == 1) {
		require(!ended);
		take_record(im, &rec);
		if (rec.kind != HS_REC_END)
			continue;
		ended = 1;
		require(r->last && rec.end.nchunk == r->seq + 1);
		require(!r->whole || rec.end.npage == im->npage);
	}
	if (rc == 0)
		require(ended == r->last && r->left == 0);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_msg_head h = { .type = HS_MSG_DATA };
	struct image im = { .npage = 0 };
	struct hs_rec_rd first, second;
	struct hs_rd in;
	size_t cut;
	uint8_t how;

	hs_rd_init(&in, data, size);
	how = hs_rd_u8(&in);
	cut = hs_rd_u16(&in);
	if (in.err != 0)
		return 0;
	cut = cut < in.left ? cut : in.left;
	im.pages = calloc(PAGES, HS_MSG_PAGE_BYTES);
	if (im.pages == NULL)
		return 0;
	h.type = (how & 1) != 0 ? HS_MSG_IMAGE : HS_MSG_DATA;
	h.flags = (how & 2) != 0 ? HS_MSG_LAST : 0;
	h.seq = (how & 4) != 0;
	im.full = h.type == HS_MSG_IMAGE;
	hs_rec_read(&first, &h, in.p, cut);
	if (read_chunk(&im, &first) == 0 && !first.last) {
		h.seq++;
		h.flags = HS_MSG_LAST;
		hs_rec_read(&second, &h, in.p + cut, in.left - cut);
		hs_rec_carry(&second, &first);
		(void)read_chunk(&im, &second);
	}
	free(im.pages);
	return 0;
}
