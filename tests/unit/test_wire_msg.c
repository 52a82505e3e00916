/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is special about messages.  Each rule of the format is broken once by a
 * file of tests/golden; see test_wire_golden.c.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"
#include "wire/msg.h"

static const struct hs_msg_head head = { .type = HS_MSG_LEAVE,
	.flags = 0xff,
	.term = 1,
	.epoch = 2,
	.seq = 3,
	.to = 4,
	.off = 5 };

static void
headers_come_back(void)
{
	struct hs_msg_head in, out;
	struct hs_random r;
	const uint8_t *body;
	uint8_t buf[60];
	size_t len;

	hs_random_init(&r);
	for (int i = 0; i < 2000; i++) {
		hs_random_fill(&r, &in, sizeof(in));
		hs_random_fill(&r, buf, sizeof(buf));
		in.type = i % 2 == 0 ? HS_MSG_DATA : HS_MSG_IMAGE;
		in.flags &= HS_MSG_LAST;
		len = hs_random_below(&r, 12) + 1;
		CU_ASSERT_EQUAL(hs_msg_seal(buf, &in, len), 48 + len);
		CU_ASSERT_EQUAL_FATAL(hs_msg_open(buf, 48 + len, &out, &body,
					  &len),
		    0);
		CU_ASSERT_PTR_EQUAL(body, buf + 48);
		CU_ASSERT_EQUAL(out.type, in.type);
		CU_ASSERT_EQUAL(out.flags, in.flags);
		CU_ASSERT_EQUAL(out.len, 48 + len);
		CU_ASSERT_EQUAL(out.term, in.term);
		CU_ASSERT_EQUAL(out.epoch, in.epoch);
		CU_ASSERT_EQUAL(out.seq, in.seq);
		CU_ASSERT_EQUAL(out.to, in.to);
		CU_ASSERT_EQUAL(out.off, in.off);
	}
}

static void
encoders_know_their_type_and_set_no_flags(void)
{
	const struct hs_msg_ack ack = { .digest = { 1, 2, 3 } };
	struct hs_msg_ack got;
	struct hs_msg_head h;
	const uint8_t *body;
	uint8_t buf[64];
	size_t len;

	CU_ASSERT_EQUAL(hs_msg_encode_ack(buf, sizeof(buf), &head, &ack), 64);
	CU_ASSERT_EQUAL_FATAL(hs_msg_open(buf, 64, &h, &body, &len), 0);
	CU_ASSERT_EQUAL(h.type, HS_MSG_ACK);
	CU_ASSERT_EQUAL(h.flags, 0);
	CU_ASSERT_EQUAL(len, 16);
	CU_ASSERT_EQUAL(hs_msg_decode_ack(body, len, &got), 0);
	CU_ASSERT_EQUAL(memcmp(&got, &ack, sizeof(got)), 0);
}

static void
bare_messages_are_those_without_a_body(void)
{
	struct hs_msg_head h = head;
	uint8_t buf[64];
	int bare = 0;

	for (unsigned type = 0; type < 256; type++) {
		int rc;

		h.type = (uint8_t)type;
		rc = hs_msg_encode_bare(buf, sizeof(buf), &h);
		CU_ASSERT_TRUE(rc == 48 || rc == HS_EMISUSE);
		bare += rc == 48;
	}
	CU_ASSERT_EQUAL(bare, 5);
}

/* Each encoder needs its whole length, and writes nothing beyond size. */
#define CHECK_SIZE(name, body_len)                                             \
	do {                                                                   \
		const struct hs_msg_##name m = { 0 };                          \
		const int whole = 48 + (body_len);                             \
		uint8_t buf[512];                                              \
                                                                               \
		memset(buf, 0xee, sizeof(buf));                                \
		for (int size = 0; size < whole; size++)                       \
			CU_ASSERT_EQUAL(hs_msg_encode_##name(buf,        \
					    (size_t)size, &head, &m),    \
			    -EMSGSIZE);                                        \
		CU_ASSERT_EQUAL(buf[whole - 1], 0xee);                         \
		CU_ASSERT_EQUAL(hs_msg_encode_##name(buf, (size_t)whole, \
				    &head, &m),                          \
		    whole);                                                    \
		CU_ASSERT_EQUAL(buf[whole], 0xee);                             \
	} while (0)

static void
short_buffers_are_refused(void)
{
	CHECK_SIZE(ack, HS_MSG_ACK_BYTES);
	CHECK_SIZE(state, HS_MSG_STATE_BYTES);
	CHECK_SIZE(term, HS_MSG_TERM_BYTES);
	CHECK_SIZE(hello, HS_MSG_HELLO_BYTES);
	CHECK_SIZE(go, HS_MSG_GO_BYTES);
	CHECK_SIZE(text, HS_MSG_TEXT_BYTES);
	CHECK_SIZE(policy, HS_MSG_POLICY_BYTES);
	CHECK_SIZE(stats, HS_MSG_STATS_BYTES);
}

/* A decoder may be given a body of any length: it must not trust open(). */
#define CHECK_BODY(name, body_len)                                             \
	do {                                                                   \
		static const uint8_t body[(body_len) + 1];                     \
		struct hs_msg_##name m;                                        \
                                                                               \
		for (size_t len = 0; len <= (body_len) + 1; len++)             \
			CU_ASSERT_EQUAL(hs_msg_decode_##name(body, len, &m),   \
			    len == (body_len) ? 0 : HS_EWIRE);                 \
	} while (0)

static void
bodies_of_another_length_are_refused(void)
{
	CHECK_BODY(ack, HS_MSG_ACK_BYTES);
	CHECK_BODY(state, HS_MSG_STATE_BYTES);
	CHECK_BODY(term, HS_MSG_TERM_BYTES);
	CHECK_BODY(hello, HS_MSG_HELLO_BYTES);
	CHECK_BODY(go, HS_MSG_GO_BYTES);
	CHECK_BODY(text, HS_MSG_TEXT_BYTES);
	CHECK_BODY(policy, HS_MSG_POLICY_BYTES);
	CHECK_BODY(stats, HS_MSG_STATS_BYTES);
}

static void
hello_comes_back(void)
{
	struct hs_msg_hello in = { .pid = 1234567,
		.arena_base = 0x200000000000,
		.arena_bytes = 0x123456789000,
		.tracker = "wpa",
		.version = "12.34.56" };
	struct hs_msg_hello out;
	uint8_t buf[256];

	memset(in.build, 0x5a, sizeof(in.build));
	CU_ASSERT_EQUAL(hs_msg_encode_hello(buf, sizeof(buf), &head, &in), 116);
	CU_ASSERT_EQUAL_FATAL(hs_msg_decode_hello(buf + 48, 68, &out), 0);
	CU_ASSERT_EQUAL(out.pid, in.pid);
	CU_ASSERT_EQUAL(out.arena_base, in.arena_base);
	CU_ASSERT_EQUAL(out.arena_bytes, in.arena_bytes);
	CU_ASSERT_EQUAL(memcmp(out.build, in.build, sizeof(in.build)), 0);
	CU_ASSERT_STRING_EQUAL(out.tracker, "wpa");
	CU_ASSERT_STRING_EQUAL(out.version, "12.34.56");
}

static void
go_comes_back(void)
{
	struct hs_msg_go in = { .restored = 1,
		.transport = HS_TRANSPORT_CPG,
		.min_spares = 200,
		.nodeid = 0xdeadbeef,
		.used_bytes = 0x123456789abc,
		.group = "hs:db",
		.warm_term = 0x1122334455667788,
		.keep = "abcdefghijklmnopqrstuvwxyz01" };
	struct hs_msg_go out;
	uint8_t buf[256];

	memset(in.digest, 0xa5, sizeof(in.digest));
	CU_ASSERT_EQUAL(hs_msg_encode_go(buf, sizeof(buf), &head, &in), 247);
	CU_ASSERT_EQUAL_FATAL(hs_msg_decode_go(buf + 48, 199, &out), 0);
	CU_ASSERT_EQUAL(out.restored, 1);
	CU_ASSERT_EQUAL(out.transport, HS_TRANSPORT_CPG);
	CU_ASSERT_EQUAL(out.min_spares, 200);
	CU_ASSERT_EQUAL(out.nodeid, 0xdeadbeef);
	CU_ASSERT_EQUAL(out.used_bytes, 0x123456789abc);
	CU_ASSERT_EQUAL(memcmp(out.digest, in.digest, sizeof(in.digest)), 0);
	CU_ASSERT_STRING_EQUAL(out.group, "hs:db");
	CU_ASSERT_EQUAL(out.warm_term, in.warm_term);
	CU_ASSERT_STRING_EQUAL(out.keep, in.keep);
}

/* Each enumeration's last value, which a stricter rule would refuse. */
static void
last_values_come_back(void)
{
	struct hs_msg_state state = { .kind = HS_STATE_FAILED, .quorate = 1 };
	struct hs_msg_term term = { .fresh = 1 };
	struct hs_msg_policy policy = { .protection = HS_FENCED, .full = 1 };
	uint8_t buf[128];
	int len;

	len = hs_msg_encode_state(buf, sizeof(buf), &head, &state);
	CU_ASSERT_EQUAL_FATAL(len, 48 + HS_MSG_STATE_BYTES);
	CU_ASSERT_EQUAL(hs_msg_decode_state(buf + 48, HS_MSG_STATE_BYTES,
			    &state),
	    0);
	CU_ASSERT_EQUAL(state.kind, HS_STATE_FAILED);
	len = hs_msg_encode_term(buf, sizeof(buf), &head, &term);
	CU_ASSERT_EQUAL_FATAL(len, 48 + HS_MSG_TERM_BYTES);
	CU_ASSERT_EQUAL(hs_msg_decode_term(buf + 48, HS_MSG_TERM_BYTES, &term),
	    0);
	CU_ASSERT_EQUAL(term.fresh, 1);
	len = hs_msg_encode_policy(buf, sizeof(buf), &head, &policy);
	CU_ASSERT_EQUAL_FATAL(len, 48 + HS_MSG_POLICY_BYTES);
	CU_ASSERT_EQUAL(hs_msg_decode_policy(buf + 48, HS_MSG_POLICY_BYTES,
			    &policy),
	    0);
	CU_ASSERT_EQUAL(policy.protection, HS_FENCED);
	CU_ASSERT_EQUAL(policy.full, 1);
}

/* Also before a decoder sees it, and for types that have no decoder. */
static void
open_refuses_bodies_of_another_length(void)
{
	uint8_t buf[48 + HS_MSG_TEXT_BYTES + 1];
	struct hs_msg_head h = head, got;
	const uint8_t *body;
	size_t len;

	h.flags = 0;
	for (unsigned type = 1; type < 64; type++) {
		int taken = 0;

		h.type = (uint8_t)type;
		if (strcmp(hs_msg_name(h.type), "?") == 0 ||
		    type == HS_MSG_DATA || type == HS_MSG_IMAGE)
			continue;
		memset(buf, 0, sizeof(buf));
		for (size_t n = 0; n <= HS_MSG_TEXT_BYTES + 1; n++)
			taken += hs_msg_open(buf, hs_msg_seal(buf, &h, n), &got,
				     &body, &len) == 0;
		CU_ASSERT_EQUAL(taken, 1);
	}
}

/* In a block of its own, so that a sanitizer sees a read beyond it. */
static void
cut_messages_are_not_read_beyond(void)
{
	uint8_t whole[64];
	const struct hs_msg_ack ack = { .digest = { 1 } };
	int len = hs_msg_encode_ack(whole, sizeof(whole), &head, &ack);

	CU_ASSERT_EQUAL_FATAL(len, 64);
	for (size_t cut = 1; cut < sizeof(whole); cut++) {
		uint8_t *buf = malloc(cut);
		struct hs_msg_head h;
		const uint8_t *body;
		size_t body_len;

		CU_ASSERT_PTR_NOT_NULL_FATAL(buf);
		memcpy(buf, whole, cut);
		CU_ASSERT_EQUAL(hs_msg_open(buf, cut, &h, &body, &body_len),
		    HS_EWIRE);
		free(buf);
	}
}

/* An operator's line is cut and cleaned, not refused: it is about a failure. */
static void
long_texts_are_cut(void)
{
	struct hs_msg_text in, out;
	uint8_t buf[512];

	memset(in.text, 'x', sizeof(in.text));
	in.text[3] = '\n';
	CU_ASSERT_EQUAL(hs_msg_encode_text(buf, sizeof(buf), &head, &in), 288);
	CU_ASSERT_EQUAL_FATAL(hs_msg_decode_text(buf + 48, 240, &out), 0);
	CU_ASSERT_EQUAL(strlen(out.text), 239);
	CU_ASSERT_EQUAL(out.text[3], ' ');
}

static void
failure_leaves_the_results_alone(void)
{
	struct hs_msg_head h = { .term = 99 };
	const uint8_t *body = NULL;
	uint8_t buf[48];
	size_t len = 77;

	CU_ASSERT_EQUAL(hs_msg_encode_bare(buf, sizeof(buf), &head), 48);
	buf[47] ^= 1;
	CU_ASSERT_EQUAL(hs_msg_open(buf, 48, &h, &body, &len), HS_EWIRE);
	CU_ASSERT_EQUAL(h.term, 99);
	CU_ASSERT_PTR_NULL(body);
	CU_ASSERT_EQUAL(len, 77);
}

static void
a_message_is_never_too_long(void)
{
	struct hs_msg_head h = head;
	uint8_t *buf = calloc(1, HS_MSG_MAX_BYTES + 1);
	const uint8_t *body;
	size_t len;

	CU_ASSERT_PTR_NOT_NULL_FATAL(buf);
	h.type = HS_MSG_DATA;
	h.flags = 0;
	len = hs_msg_seal(buf, &h, HS_MSG_MAX_BYTES - 48);
	CU_ASSERT_EQUAL(len, HS_MSG_MAX_BYTES);
	CU_ASSERT_EQUAL(hs_msg_open(buf, len, &h, &body, &len), 0);
	len = hs_msg_seal(buf, &h, HS_MSG_MAX_BYTES - 47);
	CU_ASSERT_EQUAL(hs_msg_open(buf, len, &h, &body, &len), HS_EWIRE);
	free(buf);
}

static void
each_type_has_a_name(void)
{
	int named = 0;

	for (unsigned type = 0; type < 256; type++)
		named += strcmp(hs_msg_name((uint8_t)type), "?") != 0;
	CU_ASSERT_EQUAL(named, 16);
	CU_ASSERT_STRING_EQUAL(hs_msg_name(HS_MSG_DATA), "DATA");
	CU_ASSERT_STRING_EQUAL(hs_msg_name(HS_MSG_STATS), "STATS");
}

HS_SUITE(wire_msg, HS_TEST(headers_come_back),
    HS_TEST(encoders_know_their_type_and_set_no_flags),
    HS_TEST(bare_messages_are_those_without_a_body),
    HS_TEST(short_buffers_are_refused),
    HS_TEST(bodies_of_another_length_are_refused), HS_TEST(hello_comes_back),
    HS_TEST(go_comes_back), HS_TEST(last_values_come_back),
    HS_TEST(open_refuses_bodies_of_another_length),
    HS_TEST(cut_messages_are_not_read_beyond), HS_TEST(long_texts_are_cut),
    HS_TEST(failure_leaves_the_results_alone),
    HS_TEST(a_message_is_never_too_long), HS_TEST(each_type_has_a_name))
