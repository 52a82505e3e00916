/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of the closed process group and of the link between hs-agent and the
 * service: bytes <-> structs, and no history.  The format is
 * docs/format/message.md; what a message means for an image is the agent's to
 * judge.
 *
 * All integers are little-endian.  Every message starts with:
 *
 * off len field    rule                                       violation
 *   0   4 magic    48 53 4d 47 "HSMG"                         HS_EWIRE
 *   4   2 version  = 1                                        HS_EVERSION
 *   6   1 type     one of enum hs_msg_type                    HS_EWIRE
 *   7   1 flags    bit 0 LAST (DATA, IMAGE); others MUST be 0 HS_EWIRE
 *   8   4 len      bytes of the message, this header included HS_EWIRE
 *  12   4 crc      crc32c of the message with this field 0    HS_EWIRE
 *  16   8 term     tenure of the primary                      (agent)
 *  24   8 epoch    checkpoint; see each type                  (agent)
 *  32   4 seq      DATA, IMAGE: chunk of this epoch, from 0   (agent)
 *  36   4 to       nodeid of the addressee; 0: everybody      (agent)
 *  40   8 off      DATA, IMAGE: stream bytes sent before it   (agent)
 *  48     body
 */
#ifndef HS_WIRE_MSG_H
#define HS_WIRE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/keep.h"

#define HS_MSG_VERSION 1
#define HS_MSG_HEAD_BYTES 48
#define HS_MSG_LEN_OFF 8
#define HS_MSG_CRC_OFF 12
#define HS_MSG_MAX_BYTES 1000000	/* below corosync's 1,047,552 */
#define HS_MSG_DIGEST_BYTES 16
#define HS_MSG_PAGE_BYTES 4096
#define HS_MSG_TEXT_BYTES 240
#define HS_MSG_GROUP_BYTES 128
#define HS_MSG_KEEP_BYTES HS_KEEP_BYTES

/* Bodies of fixed length, on the wire. */
#define HS_MSG_ACK_BYTES 16
#define HS_MSG_STATE_BYTES 64
#define HS_MSG_TERM_BYTES 25
#define HS_MSG_HELLO_BYTES 68
#define HS_MSG_GO_BYTES 199
#define HS_MSG_POLICY_BYTES 4
#define HS_MSG_STATS_BYTES 56

enum hs_msg_type {
	/* In the group. */
	HS_MSG_DATA = 1,	/* primary: records of an epoch */
	HS_MSG_ACK = 2,		/* agent: I hold this epoch, verified */
	HS_MSG_STATE = 3,	/* agent: what I am and have */
	HS_MSG_TERM = 4,	/* agent: a new tenure begins, at this node */
	HS_MSG_NEED = 5,	/* agent: send me the image (to: the source) */
	HS_MSG_IMAGE = 6,	/* agent: a whole image (to: asker) */
	HS_MSG_PROGRESS = 7,	/* agent: received the stream up to off */
	HS_MSG_LEAVE = 8,	/* agent: I stop in good order */
	/* On the link between agent and service. */
	HS_MSG_HELLO = 32,	/* service: I am in hsinit() */
	HS_MSG_GO = 33,		/* agent: you are the primary */
	HS_MSG_RUNNING = 34,	/* service: hsinit() returns */
	HS_MSG_FAILED = 35,	/* service: hsinit() fails, for this reason */
	HS_MSG_POLICY = 36,	/* agent: what may be reported */
	HS_MSG_PING = 37,	/* service: alive */
	HS_MSG_STATS = 38,	/* service: counters */
	HS_MSG_NOTE = 39,	/* service: for the log */
};

#define HS_MSG_LAST 0x01

struct hs_msg_head {
	uint8_t type;
	uint8_t flags;
	uint32_t len;
	uint64_t term;
	uint64_t epoch;
	uint32_t seq;
	uint32_t to;
	uint64_t off;
};

/*
 * Bodies: the members in this order, without padding.  Digests are 16 opaque
 * bytes (base/digest.h).  Texts hold a NUL, zeros after it and no control
 * characters.
 */

struct hs_msg_ack {		/* ACK: head.term, head.epoch are held */
	uint8_t digest[HS_MSG_DIGEST_BYTES];
};				/* head.off: stream received so far */

/* What an agent is, as told to the others; see agent/node.h. */
enum hs_msg_state_kind {
	HS_STATE_EMPTY = 0,	/* no image */
	HS_STATE_SYNCING = 1,	/* an image is on its way */
	HS_STATE_READY = 2,	/* whole image, newest epoch */
	HS_STATE_PRIMARY = 3,	/* the service runs here */
	HS_STATE_STALE = 4,	/* image lost its chain; wants a new one */
	HS_STATE_INCOMPATIBLE = 5, /* other program, arena or version */
	HS_STATE_FAILED = 6,	/* the service died here as primary */
};

struct hs_msg_state {		/* head.term, head.epoch: of the image */
	uint8_t kind;		/* enum hs_msg_state_kind */
	uint8_t quorate;	/* 0 or 1 */
	uint16_t abi;		/* HS_MSG_VERSION of the sender */
	uint64_t arena_base;
	uint64_t arena_bytes;
	uint8_t digest[HS_MSG_DIGEST_BYTES];	/* lineage of the image */
	uint8_t build[HS_MSG_DIGEST_BYTES];	/* digest of the build-id */
	uint64_t tenure;	/* newest term that the sender knows of */
	uint32_t pid;		/* PRIMARY: its service, as in TERM; else 0 */
};

struct hs_msg_term {		/* head.term: the new one; head.epoch: base */
	uint32_t nodeid;
	uint32_t pid;		/* the only process whose DATA counts */
	uint8_t fresh;		/* 1: starts from nothing, epoch is 0 */
	uint8_t digest[HS_MSG_DIGEST_BYTES];	/* lineage it starts from */
};

struct hs_msg_hello {
	uint32_t pid;
	uint64_t arena_base;
	uint64_t arena_bytes;
	uint8_t build[HS_MSG_DIGEST_BYTES];
	char tracker[16];	/* NUL-padded */
	char version[16];
};

enum hs_msg_transport {
	HS_TRANSPORT_UNIX = 0,	/* descriptor follows the memfd */
	HS_TRANSPORT_CPG = 1,
};

struct hs_msg_go {		/* head.term; head.epoch: of the image */
	uint8_t restored;	/* 1: an image descriptor comes along */
	uint8_t transport;
	uint8_t min_spares;
	uint32_t nodeid;	/* of this node, whose acks do not count */
	uint64_t used_bytes;	/* of the image */
	uint8_t digest[HS_MSG_DIGEST_BYTES];
	char group[HS_MSG_GROUP_BYTES];	/* NUL-terminated */
	uint64_t warm_term;	/* the image is of the process that had it and
				   died here; 0: not known to be */
	char keep[HS_MSG_KEEP_BYTES];	/* checkpoint memory outlives the
				   process under this name: A-Za-z0-9._-;
				   "": it does not, and warm_term is 0 */
};

struct hs_msg_text {		/* FAILED, NOTE: a line for the operator */
	char text[HS_MSG_TEXT_BYTES];	/* NUL-terminated */
};

struct hs_msg_policy {		/* head.off: stream applied by the agent */
	uint8_t protection;	/* enum hs_protection */
	uint8_t spares;		/* ready ones */
	uint8_t full;		/* 1: the next epoch must be a full one */
	uint8_t min_spares;	/* held needs so many; 0 is one */
};

struct hs_msg_stats {		/* head.epoch: newest held */
	uint64_t epoch_sealed;
	uint64_t epoch_sent;
	uint64_t pages_dirty;
	uint64_t bytes_sent;
	uint64_t pause_ns_last;
	uint64_t pause_ns_max;
	uint64_t held_ns_last;	/* hscpt() to held */
};

/*
 * Check everything that the table above makes wire/'s to check, crc included,
 * and that the body's length is one that the type can have.  On success *h is
 * filled and *body / *body_len are the body, borrowed from buf; on failure they
 * are untouched.
 */
HS_MUST_CHECK int hs_msg_open(const uint8_t *buf, size_t len,
    struct hs_msg_head *h, const uint8_t **body, size_t *body_len);

/*
 * Finish a message in buf, whose body of body_len bytes is already at
 * buf + HS_MSG_HEAD_BYTES: writes the header, len and crc.  Returns the whole
 * length.  Cannot fail: body_len <= HS_MSG_MAX_BYTES - HS_MSG_HEAD_BYTES.
 */
size_t hs_msg_seal(uint8_t *buf, const struct hs_msg_head *h, size_t body_len);

/*
 * Bodies.  Encoders write a whole message (header too) into buf of size bytes
 * and return its length or -EMSGSIZE; they set the type themselves and no
 * flags, cut long texts short and put blanks for control characters.  Decoders
 * take the body that hs_msg_open() gave: 0 or HS_EWIRE; a body with bytes left
 * over is HS_EWIRE, and so are values outside the enums and bad texts.
 * An encoder and a decoder for each: ack state term hello go text policy stats;
 * text is the body of FAILED and NOTE, which its encoder takes from h->type.
 */
#define HS_MSG_CODEC(name)                                                     \
	HS_MUST_CHECK int hs_msg_encode_##name(uint8_t *buf, size_t size,      \
	    const struct hs_msg_head *h, const struct hs_msg_##name *m);       \
	HS_MUST_CHECK int hs_msg_decode_##name(const uint8_t *body,       \
	    size_t len, struct hs_msg_##name *m);
HS_MSG_CODEC(ack)
HS_MSG_CODEC(state)
HS_MSG_CODEC(term)
HS_MSG_CODEC(hello)
HS_MSG_CODEC(go)
HS_MSG_CODEC(text)
HS_MSG_CODEC(policy)
HS_MSG_CODEC(stats)

/*
 * A message without a body: h->type is one of NEED PROGRESS LEAVE RUNNING PING,
 * else HS_EMISUSE.
 */
HS_MUST_CHECK int hs_msg_encode_bare(uint8_t *buf, size_t size,
    const struct hs_msg_head *h);

/* "DATA", "ACK", ...; "?" for what is none.  For logs. */
const char *hs_msg_name(uint8_t type);

#endif
