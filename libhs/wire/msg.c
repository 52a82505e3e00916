/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/msg.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/rd.h"
#include "base/wr.h"

static const uint8_t magic[4] = { 0x48, 0x53, 0x4d, 0x47 };	/* "HSMG" */

#define BODY_MAX (HS_MSG_MAX_BYTES - HS_MSG_HEAD_BYTES)

/* What a type's name is, how long its body may be, and which flags it takes. */
struct shape {
	const char *name;	/* NULL: no such type */
	uint32_t body_min;
	uint32_t body_max;
	uint8_t flags;
};

#define FIXED(text, len)                                             \
	{                                                                      \
		.name = (text), .body_min = (len), .body_max = (len) \
	}
#define RECORDS(text)                                                          \
	{                                                            \
		.name = (text), .body_min = 1, .body_max = BODY_MAX,           \
		.flags = HS_MSG_LAST                                           \
	}

static const struct shape shapes[] = {
	[HS_MSG_DATA] = RECORDS("DATA"),
	[HS_MSG_ACK] = FIXED("ACK", HS_MSG_ACK_BYTES),
	[HS_MSG_STATE] = FIXED("STATE", HS_MSG_STATE_BYTES),
	[HS_MSG_TERM] = FIXED("TERM", HS_MSG_TERM_BYTES),
	[HS_MSG_NEED] = FIXED("NEED", 0),
	[HS_MSG_IMAGE] = RECORDS("IMAGE"),
	[HS_MSG_PROGRESS] = FIXED("PROGRESS", 0),
	[HS_MSG_LEAVE] = FIXED("LEAVE", 0),
	[HS_MSG_HELLO] = FIXED("HELLO", HS_MSG_HELLO_BYTES),
	[HS_MSG_GO] = FIXED("GO", HS_MSG_GO_BYTES),
	[HS_MSG_RUNNING] = FIXED("RUNNING", 0),
	[HS_MSG_FAILED] = FIXED("FAILED", HS_MSG_TEXT_BYTES),
	[HS_MSG_POLICY] = FIXED("POLICY", HS_MSG_POLICY_BYTES),
	[HS_MSG_PING] = FIXED("PING", 0),
	[HS_MSG_STATS] = FIXED("STATS", HS_MSG_STATS_BYTES),
	[HS_MSG_NOTE] = FIXED("NOTE", HS_MSG_TEXT_BYTES),
};

/* NULL if type is none. */
static const struct shape *
find_shape(uint8_t type)
{
	if (type >= sizeof(shapes) / sizeof(shapes[0]) ||
	    shapes[type].name == NULL)
		return NULL;
	return &shapes[type];
}

const char *
hs_msg_name(uint8_t type)
{
	const struct shape *s = find_shape(type);

	return s != NULL ? s->name : "?";
}

/* Of the message in buf as if its crc field were zero. */
static uint32_t
message_crc(const uint8_t *buf, size_t len)
{
	static const uint8_t zero[4];
	uint32_t crc = hs_crc32c(0, buf, HS_MSG_CRC_OFF);

	crc = hs_crc32c(crc, zero, sizeof(zero));
	return hs_crc32c(crc, buf + HS_MSG_CRC_OFF + 4,
	    len - HS_MSG_CRC_OFF - 4);
}

static int
check_shape(const struct hs_msg_head *h, size_t body_len)
{
	const struct shape *s = find_shape(h->type);

	if (s == NULL || (h->flags & ~s->flags) != 0)
		return HS_EWIRE;
	if (body_len < s->body_min || body_len > s->body_max)
		return HS_EWIRE;
	return 0;
}

int
hs_msg_open(const uint8_t *buf, size_t len, struct hs_msg_head *h,
    const uint8_t **body, size_t *body_len)
{
	struct hs_rd r;
	struct hs_msg_head got;
	uint16_t version;
	uint32_t crc;

	if (len < HS_MSG_HEAD_BYTES || len > HS_MSG_MAX_BYTES)
		return HS_EWIRE;
	if (memcmp(buf, magic, sizeof(magic)) != 0)
		return HS_EWIRE;
	hs_rd_init(&r, buf + sizeof(magic), HS_MSG_HEAD_BYTES - sizeof(magic));
	version = hs_rd_u16(&r);
	got.type = hs_rd_u8(&r);
	got.flags = hs_rd_u8(&r);
	got.len = hs_rd_u32(&r);
	crc = hs_rd_u32(&r);
	got.term = hs_rd_u64(&r);
	got.epoch = hs_rd_u64(&r);
	got.seq = hs_rd_u32(&r);
	got.to = hs_rd_u32(&r);
	got.off = hs_rd_u64(&r);
	if (hs_rd_end(&r) < 0)
		return HS_EWIRE;
	/* Another version may differ in all that follows, the crc included. */
	if (version != HS_MSG_VERSION)
		return HS_EVERSION;
	if (got.len != len || check_shape(&got, len - HS_MSG_HEAD_BYTES) < 0)
		return HS_EWIRE;
	if (message_crc(buf, len) != crc)
		return HS_EWIRE;
	*h = got;
	*body = buf + HS_MSG_HEAD_BYTES;
	*body_len = len - HS_MSG_HEAD_BYTES;
	return 0;
}

size_t
hs_msg_seal(uint8_t *buf, const struct hs_msg_head *h, size_t body_len)
{
	size_t len = HS_MSG_HEAD_BYTES + body_len;
	struct hs_wr w;

	hs_wr_init(&w, buf, HS_MSG_HEAD_BYTES);
	hs_wr_bytes(&w, magic, sizeof(magic));
	hs_wr_u16(&w, HS_MSG_VERSION);
	hs_wr_u8(&w, h->type);
	hs_wr_u8(&w, h->flags);
	hs_wr_u32(&w, (uint32_t)len);
	hs_wr_u32(&w, 0);
	hs_wr_u64(&w, h->term);
	hs_wr_u64(&w, h->epoch);
	hs_wr_u32(&w, h->seq);
	hs_wr_u32(&w, h->to);
	hs_wr_u64(&w, h->off);

	hs_wr_init(&w, buf + HS_MSG_CRC_OFF, 4);
	hs_wr_u32(&w, hs_crc32c(0, buf, len));
	return len;
}

/* Point w at the body of the message that is to be in buf. */
static void
start_body(struct hs_wr *w, uint8_t *buf, size_t size)
{
	hs_wr_init(w, buf, size < HS_MSG_MAX_BYTES ? size : HS_MSG_MAX_BYTES);
	hs_wr_zeros(w, HS_MSG_HEAD_BYTES);
}

/* The header of *h but for the type, which the encoder knows, and flags. */
static int
finish_message(const struct hs_wr *w, const struct hs_msg_head *h, uint8_t type)
{
	struct hs_msg_head head = *h;
	int len = hs_wr_end(w);

	if (len < 0)
		return len;
	head.type = type;
	head.flags = 0;
	return (int)hs_msg_seal(w->buf, &head, (size_t)len - HS_MSG_HEAD_BYTES);
}

int
hs_msg_encode_bare(uint8_t *buf, size_t size, const struct hs_msg_head *h)
{
	const struct shape *s = find_shape(h->type);
	struct hs_wr w;

	if (s == NULL || s->body_max != 0)
		return HS_EMISUSE;
	start_body(&w, buf, size);
	return finish_message(&w, h, h->type);
}

int
hs_msg_encode_ack(uint8_t *buf, size_t size, const struct hs_msg_head *h,
    const struct hs_msg_ack *m)
{
	struct hs_wr w;

	start_body(&w, buf, size);
	hs_wr_bytes(&w, m->digest, sizeof(m->digest));
	return finish_message(&w, h, HS_MSG_ACK);
}

int
hs_msg_decode_ack(const uint8_t *body, size_t len, struct hs_msg_ack *m)
{
	struct hs_rd r;

	hs_rd_init(&r, body, len);
	hs_rd_copy(&r, m->digest, sizeof(m->digest));
	return hs_rd_end(&r);
}

int
hs_msg_encode_state(uint8_t *buf, size_t size, const struct hs_msg_head *h,
    const struct hs_msg_state *m)
{
	struct hs_wr w;

	start_body(&w, buf, size);
	hs_wr_u8(&w, m->kind);
	hs_wr_u8(&w, m->quorate);
	hs_wr_u16(&w, m->abi);
	hs_wr_u64(&w, m->arena_base);
	hs_wr_u64(&w, m->arena_bytes);
	hs_wr_bytes(&w, m->digest, sizeof(m->digest));
	hs_wr_bytes(&w, m->build, sizeof(m->build));
	hs_wr_u64(&w, m->tenure);
	hs_wr_u32(&w, m->pid);
	return finish_message(&w, h, HS_MSG_STATE);
}

int
hs_msg_decode_state(const uint8_t *body, size_t len, struct hs_msg_state *m)
{
	struct hs_rd r;

	hs_rd_init(&r, body, len);
	m->kind = hs_rd_u8(&r);
	m->quorate = hs_rd_u8(&r);
	m->abi = hs_rd_u16(&r);
	m->arena_base = hs_rd_u64(&r);
	m->arena_bytes = hs_rd_u64(&r);
	hs_rd_copy(&r, m->digest, sizeof(m->digest));
	hs_rd_copy(&r, m->build, sizeof(m->build));
	m->tenure = hs_rd_u64(&r);
	m->pid = hs_rd_u32(&r);
	hs_rd_require(&r, m->kind <= HS_STATE_FAILED);
	hs_rd_require(&r, m->quorate <= 1);
	return hs_rd_end(&r);
}

int
hs_msg_encode_term(uint8_t *buf, size_t size, const struct hs_msg_head *h,
    const struct hs_msg_term *m)
{
	struct hs_wr w;

	start_body(&w, buf, size);
	hs_wr_u32(&w, m->nodeid);
	hs_wr_u32(&w, m->pid);
	hs_wr_u8(&w, m->fresh);
	hs_wr_bytes(&w, m->digest, sizeof(m->digest));
	return finish_message(&w, h, HS_MSG_TERM);
}

int
hs_msg_decode_term(const uint8_t *body, size_t len, struct hs_msg_term *m)
{
	struct hs_rd r;

	hs_rd_init(&r, body, len);
	m->nodeid = hs_rd_u32(&r);
	m->pid = hs_rd_u32(&r);
	m->fresh = hs_rd_u8(&r);
	hs_rd_copy(&r, m->digest, sizeof(m->digest));
	hs_rd_require(&r, m->fresh <= 1);
	return hs_rd_end(&r);
}

int
hs_msg_encode_hello(uint8_t *buf, size_t size, const struct hs_msg_head *h,
    const struct hs_msg_hello *m)
{
	struct hs_wr w;

	start_body(&w, buf, size);
	hs_wr_u32(&w, m->pid);
	hs_wr_u64(&w, m->arena_base);
	hs_wr_u64(&w, m->arena_bytes);
	hs_wr_bytes(&w, m->build, sizeof(m->build));
	hs_wr_text(&w, m->tracker, sizeof(m->tracker));
	hs_wr_text(&w, m->version, sizeof(m->version));
	return finish_message(&w, h, HS_MSG_HELLO);
}

int
hs_msg_decode_hello(const uint8_t *body, size_t len, struct hs_msg_hello *m)
{
	struct hs_rd r;

	hs_rd_init(&r, body, len);
	m->pid = hs_rd_u32(&r);
	m->arena_base = hs_rd_u64(&r);
	m->arena_bytes = hs_rd_u64(&r);
	hs_rd_copy(&r, m->build, sizeof(m->build));
	hs_rd_text(&r, m->tracker, sizeof(m->tracker));
	hs_rd_text(&r, m->version, sizeof(m->version));
	return hs_rd_end(&r);
}

int
hs_msg_encode_go(uint8_t *buf, size_t size, const struct hs_msg_head *h,
    const struct hs_msg_go *m)
{
	struct hs_wr w;

	start_body(&w, buf, size);
	hs_wr_u8(&w, m->restored);
	hs_wr_u8(&w, m->transport);
	hs_wr_u8(&w, m->min_spares);
	hs_wr_u32(&w, m->nodeid);
	hs_wr_u64(&w, m->used_bytes);
	hs_wr_bytes(&w, m->digest, sizeof(m->digest));
	hs_wr_text(&w, m->group, sizeof(m->group));
	hs_wr_u64(&w, m->warm_term);
	hs_wr_text(&w, m->keep, sizeof(m->keep));
	return finish_message(&w, h, HS_MSG_GO);
}

/* May be empty. */
static bool
is_keep(const char *name)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789._-";
	const size_t len = strlen(name);

	return len <= HS_KEEP_MAX && strspn(name, good) == len;
}

int
hs_msg_decode_go(const uint8_t *body, size_t len, struct hs_msg_go *m)
{
	struct hs_rd r;

	hs_rd_init(&r, body, len);
	m->restored = hs_rd_u8(&r);
	m->transport = hs_rd_u8(&r);
	m->min_spares = hs_rd_u8(&r);
	m->nodeid = hs_rd_u32(&r);
	m->used_bytes = hs_rd_u64(&r);
	hs_rd_copy(&r, m->digest, sizeof(m->digest));
	hs_rd_text(&r, m->group, sizeof(m->group));
	m->warm_term = hs_rd_u64(&r);
	hs_rd_text(&r, m->keep, sizeof(m->keep));
	hs_rd_require(&r, m->restored <= 1);
	hs_rd_require(&r, m->transport <= HS_TRANSPORT_CPG);
	hs_rd_require(&r, is_keep(m->keep));
	hs_rd_require(&r, m->warm_term == 0 || m->keep[0] != '\0');
	return hs_rd_end(&r);
}

int
hs_msg_encode_text(uint8_t *buf, size_t size, const struct hs_msg_head *h,
    const struct hs_msg_text *m)
{
	struct hs_wr w;

	start_body(&w, buf, size);
	hs_wr_text(&w, m->text, sizeof(m->text));
	return finish_message(&w, h,
	    h->type == HS_MSG_NOTE ? HS_MSG_NOTE : HS_MSG_FAILED);
}

int
hs_msg_decode_text(const uint8_t *body, size_t len, struct hs_msg_text *m)
{
	struct hs_rd r;

	hs_rd_init(&r, body, len);
	hs_rd_text(&r, m->text, sizeof(m->text));
	return hs_rd_end(&r);
}

int
hs_msg_encode_policy(uint8_t *buf, size_t size, const struct hs_msg_head *h,
    const struct hs_msg_policy *m)
{
	struct hs_wr w;

	start_body(&w, buf, size);
	hs_wr_u8(&w, m->protection);
	hs_wr_u8(&w, m->spares);
	hs_wr_u8(&w, m->full);
	hs_wr_u8(&w, m->min_spares);
	return finish_message(&w, h, HS_MSG_POLICY);
}

int
hs_msg_decode_policy(const uint8_t *body, size_t len, struct hs_msg_policy *m)
{
	struct hs_rd r;

	hs_rd_init(&r, body, len);
	m->protection = hs_rd_u8(&r);
	m->spares = hs_rd_u8(&r);
	m->full = hs_rd_u8(&r);
	m->min_spares = hs_rd_u8(&r);
	hs_rd_require(&r, m->protection <= HS_FENCED);
	hs_rd_require(&r, m->full <= 1);
	return hs_rd_end(&r);
}

int
hs_msg_encode_stats(uint8_t *buf, size_t size, const struct hs_msg_head *h,
    const struct hs_msg_stats *m)
{
	struct hs_wr w;

	start_body(&w, buf, size);
	hs_wr_u64(&w, m->epoch_sealed);
	hs_wr_u64(&w, m->epoch_sent);
	hs_wr_u64(&w, m->pages_dirty);
	hs_wr_u64(&w, m->bytes_sent);
	hs_wr_u64(&w, m->pause_ns_last);
	hs_wr_u64(&w, m->pause_ns_max);
	hs_wr_u64(&w, m->held_ns_last);
	return finish_message(&w, h, HS_MSG_STATS);
}

int
hs_msg_decode_stats(const uint8_t *body, size_t len, struct hs_msg_stats *m)
{
	struct hs_rd r;

	hs_rd_init(&r, body, len);
	m->epoch_sealed = hs_rd_u64(&r);
	m->epoch_sent = hs_rd_u64(&r);
	m->pages_dirty = hs_rd_u64(&r);
	m->bytes_sent = hs_rd_u64(&r);
	m->pause_ns_last = hs_rd_u64(&r);
	m->pause_ns_max = hs_rd_u64(&r);
	m->held_ns_last = hs_rd_u64(&r);
	return hs_rd_end(&r);
}
