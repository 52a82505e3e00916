/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/golden.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/digest.h"
#include "base/wr.h"
#include "wire/rec.h"

#define PAGES 16

static struct hs_msg_head
make_head(uint8_t type)
{
	return (struct hs_msg_head){ .type = type,
		.term = 7,
		.epoch = 0x1122334455,
		.to = type == HS_MSG_NEED || type == HS_MSG_IMAGE ? 2 : 0,
		.off = 0x10000 };
}

static void
make_digest(uint8_t digest[HS_MSG_DIGEST_BYTES], unsigned first)
{
	for (unsigned i = 0; i < HS_MSG_DIGEST_BYTES; i++)
		digest[i] = (uint8_t)(first + i);
}

/* The encoders' results are lengths: a golden file is never too long. */
static size_t
must_fit(int len)
{
	if (len < 0)
		abort();
	return (size_t)len;
}

static size_t
build_bare(uint8_t *buf, uint8_t type)
{
	struct hs_msg_head h = make_head(type);

	return must_fit(hs_msg_encode_bare(buf, HS_GOLDEN_MAX_BYTES, &h));
}

static size_t
build_need(uint8_t *buf)
{
	return build_bare(buf, HS_MSG_NEED);
}

static size_t
build_progress(uint8_t *buf)
{
	return build_bare(buf, HS_MSG_PROGRESS);
}

static size_t
build_leave(uint8_t *buf)
{
	return build_bare(buf, HS_MSG_LEAVE);
}

static size_t
build_running(uint8_t *buf)
{
	return build_bare(buf, HS_MSG_RUNNING);
}

static size_t
build_ping(uint8_t *buf)
{
	return build_bare(buf, HS_MSG_PING);
}

static size_t
build_ack(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_ACK);
	struct hs_msg_ack m;

	make_digest(m.digest, 0xa0);
	return must_fit(hs_msg_encode_ack(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

static size_t
build_state(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_STATE);
	struct hs_msg_state m = { .kind = HS_STATE_READY,
		.quorate = 1,
		.abi = HS_MSG_VERSION,
		.arena_base = 0x200000000000,
		.arena_bytes = 1 << 30,
		.tenure = 8 };

	make_digest(m.digest, 0xb0);
	make_digest(m.build, 0xc0);
	return must_fit(hs_msg_encode_state(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

static size_t
build_term(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_TERM);
	struct hs_msg_term m = { .nodeid = 2, .pid = 4321, .fresh = 0 };

	make_digest(m.digest, 0xa0);
	return must_fit(hs_msg_encode_term(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

static size_t
build_hello(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_HELLO);
	struct hs_msg_hello m = { .pid = 4321,
		.arena_base = 0x200000000000,
		.arena_bytes = 1 << 30,
		.tracker = "wpa",
		.version = "0.1.0" };

	make_digest(m.build, 0xc0);
	return must_fit(hs_msg_encode_hello(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

static size_t
build_go(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_GO);
	struct hs_msg_go m = { .restored = 1,
		.transport = HS_TRANSPORT_CPG,
		.min_spares = 1,
		.nodeid = 2,
		.used_bytes = 0x123000,
		.group = "hs:tetris",
		.warm_term = 6,
		.keep = "hs.tetris" };

	make_digest(m.digest, 0xa0);
	return must_fit(hs_msg_encode_go(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

static size_t
build_failed(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_FAILED);
	struct hs_msg_text m = { .text = "checkpoint memory is taken" };

	return must_fit(hs_msg_encode_text(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

static size_t
build_note(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_NOTE);
	struct hs_msg_text m = { .text = "12 of 4096 pages rolled back" };

	return must_fit(hs_msg_encode_text(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

static size_t
build_policy(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_POLICY);
	struct hs_msg_policy m = { .protection = HS_PROTECTED, .spares = 1 };

	return must_fit(hs_msg_encode_policy(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

static size_t
build_stats(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_STATS);
	struct hs_msg_stats m = { 11, 10, 4096, 1 << 20, 300000, 900000,
		1500000 };

	return must_fit(hs_msg_encode_stats(buf, HS_GOLDEN_MAX_BYTES, &h, &m));
}

/* A chunk of records, made in a buffer behind its header. */
struct chunk {
	uint8_t *body;
	struct hs_rec_wr w;
};

static void
start_chunk(struct chunk *c, uint8_t *buf)
{
	c->body = buf + HS_MSG_HEAD_BYTES;
	c->w.p = c->body;
	c->w.left = HS_GOLDEN_MAX_BYTES - HS_MSG_HEAD_BYTES;
}

static void
must_put(int rc)
{
	if (rc != 0)
		abort();
}

static void
put_begin(struct chunk *c, uint8_t flags)
{
	struct hs_rec_begin b = { .flags = flags,
		.base_epoch = (flags & HS_REC_FULL) != 0 ? 0 : 0x1122334454,
		.arena_base = 0x200000000000,
		.arena_bytes = 1 << 21,
		.used_bytes = PAGES * HS_MSG_PAGE_BYTES - 100 };

	make_digest(b.base_digest, 0xd0);
	must_put(hs_rec_put_begin(&c->w, &b));
}

static void
put_page(struct chunk *c, uint32_t page)
{
	static uint8_t bytes[HS_MSG_PAGE_BYTES];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + page);
	must_put(hs_rec_put_page(&c->w, page, bytes));
}

/* One changed word, and then two bytes that are joined, being 3 apart. */
static void
put_delta(struct chunk *c, uint32_t page)
{
	static uint8_t twin[HS_MSG_PAGE_BYTES], now[HS_MSG_PAGE_BYTES];
	int wrote;

	twin[0] = now[0] = 1;
	memset(now + 0x100, 0xee, 8);
	now[0xffb] = 0xaa;
	now[0xfff] = 0xbb;
	must_put(hs_rec_put_diff(&c->w, page, twin, now, &wrote));
}

/* For a chunk that is the epoch: its digest is over what is in c so far. */
static void
put_end(struct chunk *c, uint32_t nchunk, uint32_t npage)
{
	struct hs_rec_end e = { .nchunk = nchunk, .npage = npage };
	uint8_t base[HS_MSG_DIGEST_BYTES];
	struct hs_digest *d;

	make_digest(base, 0xd0);
	must_put(hs_digest_create(&d));
	hs_digest_add(d, base, sizeof(base));
	hs_digest_add(d, c->body, (size_t)(c->w.p - c->body));
	hs_digest_get(d, e.digest);
	hs_digest_destroy(d);
	must_put(hs_rec_put_end(&c->w, &e));
}

static size_t
seal_chunk(struct chunk *c, uint8_t type, uint32_t seq, uint8_t flags)
{
	struct hs_msg_head h = make_head(type);

	h.seq = seq;
	h.flags = flags;
	return hs_msg_seal(c->body - HS_MSG_HEAD_BYTES, &h,
	    (size_t)(c->w.p - c->body));
}

/* A checkpoint in one chunk that changes one page: the worked example. */
static size_t
build_delta(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, 0);
	put_delta(&c, 5);
	put_end(&c, 1, 1);
	return seal_chunk(&c, HS_MSG_DATA, 0, HS_MSG_LAST);
}

static size_t
build_full(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, HS_REC_FULL);
	put_page(&c, 2);
	must_put(hs_rec_put_zero(&c.w, 3, 4));
	put_end(&c, 1, 5);
	return seal_chunk(&c, HS_MSG_DATA, 0, HS_MSG_LAST);
}

/* A full image that names no page: all of them are zero. */
static size_t
build_image(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, HS_REC_FULL);
	put_end(&c, 1, 0);
	return seal_chunk(&c, HS_MSG_IMAGE, 0, HS_MSG_LAST);
}

static size_t
build_image_delta(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, 0);
	put_delta(&c, 5);
	put_end(&c, 1, 1);
	return seal_chunk(&c, HS_MSG_IMAGE, 0, HS_MSG_LAST);
}

/* The first of two chunks. */
static size_t
build_first(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, 0);
	must_put(hs_rec_put_zero(&c.w, 1, 2));
	must_put(hs_rec_put_zero(&c.w, 6, 1));
	return seal_chunk(&c, HS_MSG_DATA, 0, 0);
}

/* The second of two; its digest is of itself alone, for a file has no past. */
static size_t
build_second(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_delta(&c, 7);
	must_put(hs_rec_put_zero(&c.w, 8, 1));
	put_end(&c, 2, 5);
	return seal_chunk(&c, HS_MSG_DATA, 1, HS_MSG_LAST);
}

static size_t
build_begin_twice(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, 0);
	put_begin(&c, 0);
	return seal_chunk(&c, HS_MSG_DATA, 0, 0);
}

static size_t
build_after_end(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, 0);
	put_end(&c, 1, 0);
	must_put(hs_rec_put_zero(&c.w, 1, 1));
	return seal_chunk(&c, HS_MSG_DATA, 0, HS_MSG_LAST);
}

static size_t
build_delta_in_full(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, HS_REC_FULL);
	put_delta(&c, 5);
	put_end(&c, 1, 1);
	return seal_chunk(&c, HS_MSG_DATA, 0, HS_MSG_LAST);
}

/* 2049 runs of one byte each, two apart: they fit the page, not the limit. */
static size_t
build_many_runs(uint8_t *buf)
{
	struct chunk c;
	struct hs_wr out;
	int len;

	start_chunk(&c, buf);
	put_begin(&c, 0);
	hs_wr_init(&out, c.w.p, c.w.left);
	hs_wr_u8(&out, HS_REC_DELTA);
	hs_wr_u32(&out, 5);
	hs_wr_u16(&out, HS_REC_MAX_RUNS + 1);
	for (unsigned i = 0; i <= HS_REC_MAX_RUNS; i++) {
		hs_wr_u16(&out, (uint16_t)(2 * i));
		hs_wr_u16(&out, 1);
		hs_wr_u8(&out, 0xaa);
	}
	len = hs_wr_end(&out);
	c.w.p += must_fit(len);
	return seal_chunk(&c, HS_MSG_DATA, 0, 0);
}

static size_t
build_short_page(uint8_t *buf)
{
	struct chunk c;

	start_chunk(&c, buf);
	put_begin(&c, 0);
	put_page(&c, 5);
	c.w.p--;
	return seal_chunk(&c, HS_MSG_DATA, 0, 0);
}

/* A body with a byte too many and with one too few. */
static size_t
build_long_ack(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_ACK);

	(void)build_ack(buf);
	buf[HS_MSG_HEAD_BYTES + HS_MSG_ACK_BYTES] = 0;
	return hs_msg_seal(buf, &h, HS_MSG_ACK_BYTES + 1);
}

static size_t
build_short_ack(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_ACK);

	(void)build_ack(buf);
	return hs_msg_seal(buf, &h, HS_MSG_ACK_BYTES - 1);
}

static size_t
build_empty_data(uint8_t *buf)
{
	struct hs_msg_head h = make_head(HS_MSG_DATA);

	h.seq = 1;
	return hs_msg_seal(buf, &h, 0);
}

static size_t
build_cut_head(uint8_t *buf)
{
	(void)build_ping(buf);
	return HS_MSG_HEAD_BYTES - 1;
}

#define GOOD(ident)                                    \
	{                                                                      \
		.name = #ident, .build = build_##ident \
	}
#define BAD(text, breaks, from, at, n, ...)                                    \
	{                                                                     \
		.name = "bad-" text, .rule = (breaks), .build = build_##from,  \
		.patch = { (at), (n), { __VA_ARGS__ } }, .rc = HS_EWIRE        \
	}
#define BODY(off) (HS_MSG_HEAD_BYTES + (off))
/* Where the second and third records of build_delta() and build_full() are. */
#define SECOND(off) BODY(HS_REC_BEGIN_BYTES + (off))
#define THIRD(off) SECOND(HS_REC_PAGE_BYTES + (off))
#define FULL_END(off) THIRD(HS_REC_ZERO_BYTES + (off))

const struct hs_golden hs_golden_cases[] = {
	GOOD(delta),
	GOOD(full),
	GOOD(first),
	GOOD(second),
	GOOD(ack),
	GOOD(state),
	GOOD(term),
	GOOD(need),
	GOOD(image),
	GOOD(progress),
	GOOD(leave),
	GOOD(hello),
	GOOD(go),
	GOOD(running),
	GOOD(failed),
	GOOD(policy),
	GOOD(ping),
	GOOD(stats),
	GOOD(note),

	BAD("cut-head", "M1", cut_head, 0, 0, 0),
	BAD("len", "M1", ack, 8, 1, 65),
	BAD("magic", "M2", ack, 0, 4, 'H', 'S', 'M', 'F'),
	{ .name = "bad-version",
	    .rule = "M3",
	    .build = build_ack,
	    .patch = { 4, 2, { 2, 0 } },
	    .rc = HS_EVERSION },
	BAD("type-zero", "M4", ack, 6, 1, 0),
	BAD("type-gap", "M4", ack, 6, 1, 9),
	BAD("type-high", "M4", ack, 6, 1, 255),
	BAD("flag-of-other-type", "M5", ack, 7, 1, HS_MSG_LAST),
	BAD("flag-unknown", "M5", delta, 7, 1, HS_MSG_LAST | 2),
	BAD("body-long", "M6", long_ack, 0, 0, 0),
	BAD("body-short", "M6", short_ack, 0, 0, 0),
	BAD("body-empty", "M6", empty_data, 0, 0, 0),
	{ .name = "bad-crc",
	    .rule = "M7",
	    .build = build_ack,
	    .patch = { BODY(3), 1, { 0 } },
	    .torn = true,
	    .rc = HS_EWIRE },
	{ .name = "bad-crc-head",
	    .rule = "M7",
	    .build = build_ack,
	    .patch = { 16, 1, { 8 } },
	    .torn = true,
	    .rc = HS_EWIRE },
	BAD("state-kind", "M8", state, BODY(0), 1, HS_STATE_FAILED + 1),
	BAD("state-quorate", "M8", state, BODY(1), 1, 2),
	BAD("term-fresh", "M8", term, BODY(8), 1, 2),
	BAD("go-restored", "M8", go, BODY(0), 1, 2),
	BAD("go-transport", "M8", go, BODY(1), 1, HS_TRANSPORT_CPG + 1),
	BAD("policy-protection", "M8", policy, BODY(0), 1, HS_FENCED + 1),
	BAD("policy-full", "M8", policy, BODY(2), 1, 2),
	BAD("text-control", "M9", failed, BODY(10), 1, '\n'),
	BAD("text-unended", "M9", hello, BODY(36), 16, 'a', 'b', 'c', 'd', 'e',
	    'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p'),
	BAD("text-tail", "M9", go, BODY(45), 1, 'x'),
	BAD("keep-character", "M10", go, BODY(169), 1, '/'),
	BAD("keep-long", "M10", go, BODY(167 + 9), 20, 'a', 'a', 'a', 'a', 'a',
	    'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a',
	    'a', 'a'),
	BAD("keep-none", "M10", go, BODY(167), 9, 0),

	BAD("begin-missing", "R1", second, 32, 1, 0),
	BAD("begin-late", "R1", first, 32, 1, 1),
	BAD("begin-twice", "R1", begin_twice, 0, 0, 0),
	BAD("end-early", "R1", delta, 7, 1, 0),
	BAD("end-missing", "R1", first, 7, 1, HS_MSG_LAST),
	BAD("begin-flags", "R2", delta, BODY(1), 1, 2),
	BAD("begin-reserved", "R2", delta, BODY(77), 1, 1),
	BAD("begin-full-base", "R2", full, BODY(2), 1, 1),
	BAD("end-reserved", "R2", full, FULL_END(16), 1, 1),
	BAD("arena-base", "R3", delta, BODY(10), 1, 1),
	BAD("arena-bytes", "R3", delta, BODY(18), 2, 0, 1),
	BAD("arena-large", "R3", delta, BODY(18), 8, 0, 0x10, 0, 0, 0, 0x10, 0),
	BAD("arena-wrap", "R3", delta, BODY(10), 8, 0, 0xf0, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff),
	BAD("used-bytes", "R3", delta, BODY(26), 3, 0x01, 0, 0x20),
	BAD("page-bytes", "R3", delta, BODY(34), 2, 0, 0x20),
	BAD("page-again", "R4", full, THIRD(1), 1, 2),
	BAD("page-descends", "R4", full, THIRD(1), 1, 1),
	BAD("page-beyond", "R4", delta, SECOND(1), 1, PAGES),
	BAD("zero-beyond", "R4", full, THIRD(5), 1, PAGES - 3 + 1),
	BAD("zero-count", "R4", full, THIRD(5), 1, 0),
	BAD("run-beyond", "R5", delta, SECOND(19), 2, 0xfc, 0x0f),
	BAD("run-descends", "R5", delta, SECOND(19), 2, 0x80, 0),
	BAD("run-touches", "R5", delta, SECOND(19), 2, 0x08, 0x01),
	BAD("run-empty", "R5", delta, SECOND(9), 1, 0),
	BAD("run-none", "R5", delta, SECOND(5), 1, 0),
	BAD("run-many", "R5", many_runs, 0, 0, 0),
	BAD("delta-in-full", "R6", delta_in_full, 0, 0, 0),
	BAD("delta-in-image", "R6", image_delta, 0, 0, 0),
	BAD("nchunk", "R7", full, FULL_END(1), 1, 2),
	BAD("npage", "R7", full, FULL_END(5), 1, 4),
	BAD("kind-zero", "R8", delta, SECOND(0), 1, 0),
	BAD("kind-high", "R8", delta, SECOND(0), 1, HS_REC_END + 1),
	BAD("page-short", "R8", short_page, 0, 0, 0),
	BAD("after-end", "R8", after_end, 0, 0, 0),
	{ .name = NULL },
};

/* Give buf a good crc for its len bytes as they are. */
static void
mend_crc(uint8_t *buf, size_t len)
{
	struct hs_wr w;

	memset(buf + HS_MSG_CRC_OFF, 0, 4);
	hs_wr_init(&w, buf + HS_MSG_CRC_OFF, 4);
	hs_wr_u32(&w, hs_crc32c(0, buf, len));
}

size_t
hs_golden_build(const struct hs_golden *g, uint8_t *buf)
{
	size_t len = g->build(buf);

	memcpy(buf + g->patch.off, g->patch.bytes, g->patch.len);
	if (g->patch.len > 0 && !g->torn)
		mend_crc(buf, len);
	return len;
}
