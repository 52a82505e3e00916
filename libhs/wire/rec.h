/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records: the body of DATA and IMAGE messages, a sequence of
 *
 * kind 1 BEGIN  first record of chunk 0, and only there (78 bytes)
 *     1 kind, 1 flags (bit 0 FULL; others 0), 8 base_epoch (FULL: 0),
 *     8 arena_base, 8 arena_bytes, 8 used_bytes (<= arena_bytes),
 *     4 page_bytes (= 4096), 16 base_digest, 24 reserved, 0
 * kind 2 PAGE   1 kind, 4 page, 4096 bytes
 * kind 3 ZERO   1 kind, 4 page, 4 count (>= 1): pages of zeros
 * kind 4 DELTA  1 kind, 4 page, 2 nrun (1..2048), then nrun times
 *     2 off, 2 len (>= 1), len bytes; off + len <= 4096; runs ascend and do
 *     not touch each other
 * kind 5 END    last record of the chunk flagged LAST, and only there (33 bytes)
 *     1 kind, 4 nchunk, 4 npage, 8 bytes (0 reserved), 16 digest
 *
 * A FULL epoch or an IMAGE says all of the arena: pages that it does not name are
 * zero, and it has no DELTA, for there is nothing to differ from.  arena_base
 * and arena_bytes are multiples of 4096, arena_bytes is at most 2^44.  A page
 * index is below used_bytes / 4096 (rounded up); pages ascend within an epoch
 * and no page is named twice.  A chunk has at least one record.  nchunk is the
 * number of chunks, npage that of the pages named: count of a ZERO, else 1.
 *
 * digest of an epoch = XXH3-128(base_digest, then each chunk's body in order,
 * the END record of the last one left out): so it names a whole lineage.
 * digest in the END of an IMAGE: XXH3-128 of the chunks' bodies in the same way,
 * with base_digest = the lineage digest of the image, which is what the image has
 * after it.
 */
#ifndef HS_WIRE_REC_H
#define HS_WIRE_REC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/msg.h"

enum hs_rec_kind {
	HS_REC_BEGIN = 1,
	HS_REC_PAGE = 2,
	HS_REC_ZERO = 3,
	HS_REC_DELTA = 4,
	HS_REC_END = 5,
};

#define HS_REC_FULL 0x01
#define HS_REC_BEGIN_BYTES 78
#define HS_REC_END_BYTES 33
#define HS_REC_PAGE_BYTES (1 + 4 + HS_MSG_PAGE_BYTES)
#define HS_REC_ZERO_BYTES 9
#define HS_REC_MAX_RUNS 2048

struct hs_rec_begin {
	uint8_t flags;
	uint64_t base_epoch;
	uint64_t arena_base;
	uint64_t arena_bytes;
	uint64_t used_bytes;
	uint8_t base_digest[HS_MSG_DIGEST_BYTES];
};

struct hs_rec_end {
	uint32_t nchunk;
	uint32_t npage;
	uint8_t digest[HS_MSG_DIGEST_BYTES];
};

struct hs_rec {
	enum hs_rec_kind kind;
	uint32_t page;		/* PAGE ZERO DELTA */
	uint32_t count;		/* ZERO: pages; DELTA: runs */
	const uint8_t *bytes;	/* PAGE: 4096; DELTA: the runs; borrowed */
	size_t len;		/* of bytes */
	struct hs_rec_begin begin;
	struct hs_rec_end end;
};

/* Writing: a cursor over the caller's buffer. */
struct hs_rec_wr {
	uint8_t *p;
	size_t left;
};

/* 0, or -EMSGSIZE and nothing is written: close this chunk, open the next. */
HS_MUST_CHECK int hs_rec_put_begin(
    struct hs_rec_wr *w, const struct hs_rec_begin *b);
HS_MUST_CHECK int hs_rec_put_page(
    struct hs_rec_wr *w, uint32_t page, const uint8_t *bytes);
HS_MUST_CHECK int hs_rec_put_zero(
    struct hs_rec_wr *w, uint32_t page, uint32_t count);
HS_MUST_CHECK int hs_rec_put_end(
    struct hs_rec_wr *w, const struct hs_rec_end *e);
/*
 * The difference from twin to now as DELTA, or as PAGE where that is
 * shorter, or ZERO when now is all zero, or nothing when they are equal.  Runs
 * closer than 4 bytes (a run's own header) are joined.  twin NULL: PAGE or ZERO.
 * *wrote: 1 if a record was written, 0 if the pages are equal.
 */
HS_MUST_CHECK int hs_rec_put_diff(struct hs_rec_wr *w, uint32_t page,
    const uint8_t *twin, const uint8_t *now, int *wrote);

/*
 * Reading.  hs_rec_next() gives each record of a body in turn: 1 and *r; 0 at the
 * end; HS_EWIRE, from then on for ever, for anything that breaks a rule above
 * that can be seen in this chunk alone (DELTA runs included, so hs_rec_apply()
 * cannot fail).  Rules about a whole epoch (page order and bound, npage, no DELTA
 * in what is FULL) hold across chunks if each is carried to the next:
 *
 *	hs_rec_read(&r, &h, body, len);
 *	if (h.seq > 0)
 *		hs_rec_carry(&r, &before);	(the reader of seq - 1, at its end)
 */
struct hs_rec_rd {
	const uint8_t *p;
	size_t left;
	uint32_t seq;		/* of the chunk: BEGIN is required iff 0 */
	int last;		/* chunk is flagged LAST: END is required iff 1 */
	uint64_t next_page;	/* pages must be >= this */
	uint64_t end_page;	/* ... and < this */
	uint64_t npage;		/* named so far */
	unsigned nrec;		/* in this chunk */
	int ended;
	int full;		/* DELTA has no place here */
	int whole;		/* seen from chunk 0 on: npage is the epoch's */
	int err;
};

/* h is of a DATA or IMAGE message that hs_msg_open() took; body is borrowed. */
void hs_rec_read(struct hs_rec_rd *r, const struct hs_msg_head *h,
    const uint8_t *body, size_t len);
void hs_rec_carry(struct hs_rec_rd *r, const struct hs_rec_rd *before);
HS_MUST_CHECK int hs_rec_next(struct hs_rec_rd *r, struct hs_rec *rec);

/*
 * Apply PAGE or DELTA to the 4096 bytes at page; the record was checked.  ZERO
 * is the caller's: it may have a cheaper way to make many pages zero.
 */
void hs_rec_apply(const struct hs_rec *rec, uint8_t *page);

#endif
