/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records: the body of DATA and IMAGE messages ("chunks") is a sequence of
 * them.  The format is docs/format/records.md; little-endian, no padding.
 *
 * BEGIN, 78 bytes		PAGE, 4101 bytes	ZERO, 9 bytes
 * off len field		off len field		off len field
 *   0   1 kind = 1		  0   1 kind = 2	  0   1 kind = 3
 *   1   1 flags: bit 0 FULL	  1   4 page		  1   4 page
 *   2   8 base_epoch		  5 4096 bytes		  5   4 count >= 1
 *  10   8 arena_base
 *  18   8 arena_bytes		END, 33 bytes		DELTA
 *  26   8 used_bytes		off len field		off len field
 *  34   4 page_bytes = 4096	  0   1 kind = 5	  0   1 kind = 4
 *  38  16 base_digest		  1   4 nchunk		  1   4 page
 *  54  24 reserved, 0		  5   4 npage		  5   2 nrun, 1..2048
 *				  9   8 reserved, 0	  7     nrun times:
 *				 17  16 digest		    2 off, 2 len >= 1,
 *							    len bytes
 *
 * Every breach is HS_EWIRE:
 *
 * R1  BEGIN is the first record of chunk 0, and only there; END is the last
 *     record of the chunk flagged LAST, and only there.
 * R2  Flags other than FULL and reserved bytes are 0; a FULL epoch's base_epoch
 *     is 0.
 * R3  arena_base and arena_bytes are multiples of 4096; arena_bytes <= 2^44;
 *     used_bytes <= arena_bytes; the arena does not wrap around.
 * R4  Pages ascend within an epoch, none is named twice, and all are below
 *     used_bytes / 4096, rounded up.
 * R5  DELTA: off + len <= 4096; runs ascend and do not touch each other.
 * R6  A FULL epoch or an IMAGE says all of the arena: pages that it does not
 *     name are zero, and it has no DELTA, as there is nothing to differ from.
 * R7  nchunk is the number of chunks (seq + 1 of this one), npage that of the
 *     pages named: count of a ZERO, else 1.
 * R8  A chunk has at least one record and nothing after its last one.
 *
 * The digest of an epoch is XXH3-128 of base_digest, then each chunk's body in
 * order, the END record left out: so it names a whole lineage.  In the END of
 * an IMAGE, digest is made the same way and vouches for the transfer alone;
 * base_digest is the lineage that the image has once it is there.
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
HS_MUST_CHECK int hs_rec_put_begin(struct hs_rec_wr *w,
    const struct hs_rec_begin *b);
HS_MUST_CHECK int hs_rec_put_page(struct hs_rec_wr *w, uint32_t page,
    const uint8_t *bytes);
HS_MUST_CHECK int hs_rec_put_zero(struct hs_rec_wr *w, uint32_t page,
    uint32_t count);
HS_MUST_CHECK int hs_rec_put_end(struct hs_rec_wr *w,
    const struct hs_rec_end *e);
/*
 * The difference from twin to now: nothing when they are equal, ZERO when now
 * is all zero, else DELTA, or PAGE where that is no longer.  Runs closer than
 * 4 bytes (what a run's header takes) are joined.  twin NULL: PAGE or ZERO.
 * *wrote: 1 if a record was written, 0 if the pages are equal.
 */
HS_MUST_CHECK int hs_rec_put_diff(struct hs_rec_wr *w, uint32_t page,
    const uint8_t *twin, const uint8_t *now, int *wrote);

/*
 * Reading.  hs_rec_next() gives each record of a body in turn: 1 and *rec; 0 at
 * the end; HS_EWIRE, from then on for ever, for any breach that can be seen in
 * this chunk alone (R5 included, so hs_rec_apply() cannot fail).  R4, R6 and
 * npage hold across chunks if what was read is carried on:
 *
 *	hs_rec_read(&r, &h, body, len);
 *	if (h.seq > 0)
 *		hs_rec_carry(&r, &before);
 *
 * where before is the reader of chunk seq - 1, read to its end.
 */
struct hs_rec_rd {
	const uint8_t *p;
	size_t left;
	uint32_t seq;		/* of the chunk: BEGIN is required iff 0 */
	int last;		/* flagged LAST: END is required iff 1 */
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
