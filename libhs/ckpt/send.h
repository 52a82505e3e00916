/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stream: queued epochs become DATA messages, one chunk after the other.
 * A stepper, so that any thread that has the io lock can take it further and
 * none has to wait inside of it.
 *
 * S1  off is the sum of the lengths of the messages sent in this term.
 * S2  out holds at most one encoded message; it is sent, or the stream breaks.
 * S3  A page's twin is what the epochs encoded so far make of it.
 */
#ifndef HS_CKPT_SEND_H
#define HS_CKPT_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

struct hs_ckpt;
struct hs_seal_snap;

/* A message that holds any one record.  Transports take more. */
#define HS_SEND_MIN_BYTES 8192

struct hs_send {
	struct hs_seal_snap *snap;	/* being encoded; NULL between epochs */
	size_t next;			/* first page of it not encoded */
	uint32_t seq;			/* of the next chunk */
	uint32_t npage;			/* named so far */
	bool last;			/* out ends the epoch */
	struct hs_digest *digest;
	uint8_t lineage[HS_DIGEST_BYTES];	/* of the last epoch encoded */
	uint64_t base_epoch;		/* the last epoch encoded */
	uint8_t *out;
	size_t out_size;
	size_t out_len;			/* 0: nothing is encoded */
	uint64_t off;			/* S1 */
	uint64_t window_off;		/* sent below it: never mind */
};

/* What keeps the stream from going on. */
enum hs_send_step {
	HS_SEND_IDLE = 0,	/* nothing to send */
	HS_SEND_MORE = 1,	/* a message went out, or none had to: again */
	HS_SEND_FULL = 2,	/* the transport is full: again in 100 us */
	HS_SEND_WINDOW = 3,	/* the receivers are behind: after dispatch() */
	HS_SEND_LOST = 4,	/* the transport is lost */
};

HS_MUST_CHECK int hs_send_init(struct hs_ckpt *c);
void hs_send_fini(struct hs_ckpt *c);

/* Encode and send one message.  io is held, c->lock is not. */
enum hs_send_step hs_send_next(struct hs_ckpt *c);

/*
 * The stream is broken: give up what is queued and half sent; the next epoch
 * will be a full one.  io is held, c->lock is not.
 */
void hs_send_break(struct hs_ckpt *c);

#endif
