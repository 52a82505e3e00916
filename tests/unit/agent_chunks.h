/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Epochs as a primary would send them, made by the tests: by hand, record by
 * record, or at random from two versions of an arena.
 */
#ifndef HS_TESTS_UNIT_AGENT_CHUNKS_H
#define HS_TESTS_UNIT_AGENT_CHUNKS_H

#include <stdbool.h>

#include "base/digest.h"
#include "tests/unit/suite.h"
#include "wire/rec.h"

#define CHUNKS_BASE UINT64_C(0x200000000000)
#define CHUNKS_MAX 128
#define CHUNKS_BODY 60000	/* with its head a message of any transport */

struct chunk {
	struct hs_msg_head head;
	size_t len;
	uint8_t *body;
};

struct chunks {
	struct chunk *chunk;	/* CHUNKS_MAX of them */
	size_t n;
	struct hs_rec_begin begin;
	uint32_t npage;
	struct hs_digest *digest;
	struct hs_rec_wr w;	/* the open chunk's */
	uint8_t lineage[HS_MSG_DIGEST_BYTES]; /* once ended: its digest */
};

/* Which epoch, of which arena. */
struct chunks_plan {
	uint8_t type;
	uint64_t term, epoch, base_epoch;
	bool full;
	uint32_t npages;
	uint8_t base_digest[HS_MSG_DIGEST_BYTES];
};

void hs_chunks_init(struct chunks *c, const struct chunks_plan *p);
void hs_chunks_fini(struct chunks *c);

/* Record by record.  next closes the open chunk; end the last one. */
void hs_chunks_next(struct chunks *c);
void hs_chunks_page(struct chunks *c, uint32_t page, uint8_t fill);
void hs_chunks_zero(struct chunks *c, uint32_t page, uint32_t count);
/* One byte of the page is now v. */
void hs_chunks_delta(struct chunks *c, uint32_t page, uint8_t v);
void hs_chunks_end(struct chunks *c);
/* As end, with a record that lies: e NULL is the truth. */
void hs_chunks_end_with(struct chunks *c, const struct hs_rec_end *e);
/* What END would say now. */
void hs_chunks_truth(struct chunks *c, struct hs_rec_end *e);

/* From was to now, both of npages pages, cut at random; was NULL: full. */
void hs_chunks_random(struct chunks *c, struct hs_random *r, const uint8_t *was,
    const uint8_t *now);

#endif
