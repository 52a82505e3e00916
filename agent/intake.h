/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intake: puts the chunks of one epoch, or of one image, back together and
 * judges everything that can be judged without an image: order, records,
 * page order across chunks, counts and the digest.
 *
 * N1  An epoch comes out whole and verified, or not at all.
 * N2  After a refusal the intake waits for the next chunk 0.
 */
#ifndef HS_AGENT_INTAKE_H
#define HS_AGENT_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/rec.h"

struct hs_intake;

/* One whole verified epoch: its chunks' bodies, in order. */
struct hs_epoch {
	struct hs_epoch *next; /* for the owner's queue */
	uint64_t term, epoch;
	struct hs_rec_begin begin;
	struct hs_rec_end end;
	size_t nchunk, bytes;
	struct hs_chunk {
		struct hs_msg_head head;
		size_t len;
		uint8_t *body;
	} * chunk;
};

void hs_intake_destroy_epoch(struct hs_epoch *e);

/*
 * Called for each record of a chunk once the whole chunk was checked; the page
 * is within begin->used_bytes.  For images, which are too large to be kept.
 */
typedef int hs_intake_rec_fn(void *arg, const struct hs_rec_begin *begin,
    const struct hs_rec *r);

/* fn NULL: chunks are kept and given out as an epoch. */
HS_MUST_CHECK int hs_intake_create(struct hs_intake **out, hs_intake_rec_fn *fn,
    void *arg);
void hs_intake_destroy(struct hs_intake *in);
/* Forget a begun epoch. */
void hs_intake_reset(struct hs_intake *in);
/* An epoch is begun and not ended. */
bool hs_intake_busy(const struct hs_intake *in);
/* Bytes kept for a begun epoch. */
size_t hs_intake_bytes(const struct hs_intake *in);
const struct hs_rec_begin *hs_intake_begin(const struct hs_intake *in);

/*
 * The next chunk; its message was opened.  1: the epoch is whole: *out is it,
 * the caller's to destroy (NULL where fn took the records).  0: more to come.
 * HS_EGAP: not the chunk that was due.  HS_EWIRE: breaks a rule.  -ENOMEM.
 */
HS_MUST_CHECK int hs_intake_add(struct hs_intake *in,
    const struct hs_msg_head *h, const uint8_t *body, size_t len,
    struct hs_epoch **out);

#endif
