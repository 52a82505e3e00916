/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fuzz/roundtrip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wr.h"
#include "wire/rec.h"

static void
require(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "roundtrip: %s\n", what);
		abort();
	}
}

/* There is no call for writing a DELTA that is already made of runs. */
static int
put_delta(struct hs_rec_wr *w, const struct hs_rec *rec)
{
	struct hs_wr out;
	int len;

	hs_wr_init(&out, w->p, w->left);
	hs_wr_u8(&out, HS_REC_DELTA);
	hs_wr_u32(&out, rec->page);
	hs_wr_u16(&out, (uint16_t)rec->count);
	hs_wr_bytes(&out, rec->bytes, rec->len);
	len = hs_wr_end(&out);
	if (len < 0)
		return len;
	w->p += len;
	w->left -= (size_t)len;
	return 0;
}

static int
put_record(struct hs_rec_wr *w, const struct hs_rec *rec)
{
	switch (rec->kind) {
	case HS_REC_BEGIN:
		return hs_rec_put_begin(w, &rec->begin);
	case HS_REC_PAGE:
		return hs_rec_put_page(w, rec->page, rec->bytes);
	case HS_REC_ZERO:
		return hs_rec_put_zero(w, rec->page, rec->count);
	case HS_REC_DELTA:
		return put_delta(w, rec);
	case HS_REC_END:
		return hs_rec_put_end(w, &rec->end);
	}
	return -EINVAL;
}

static int
pass_records(uint8_t *out, const struct hs_msg_head *h, const uint8_t *body,
    size_t len)
{
	struct hs_rec_wr w = { out + HS_MSG_HEAD_BYTES, len };
	static uint8_t page[HS_MSG_PAGE_BYTES];
	struct hs_rec_rd r;
	struct hs_rec rec;
	int rc;

	memset(page, 0x5a, sizeof(page));
	hs_rec_read(&r, h, body, len);
	while ((rc = hs_rec_next(&r, &rec)) == 1) {
		if (rec.kind == HS_REC_PAGE || rec.kind == HS_REC_DELTA)
			hs_rec_apply(&rec, page);
		require(put_record(&w, &rec) == 0, "a record grew");
	}
	if (rc < 0) {
		require(hs_rec_next(&r, &rec) == rc, "an error did not stick");
		return rc;
	}
	return (int)hs_msg_seal(out, h, len - w.left);
}

#define PASS(name)                                                             \
	static int pass_##name(uint8_t *out, const struct hs_msg_head *h,      \
	    const uint8_t *body, size_t len)                                   \
	{                                                                      \
		struct hs_msg_##name m;                                        \
		int rc = hs_msg_decode_##name(body, len, &m);                  \
                                                                               \
		if (rc < 0)                                                    \
			return rc;                                             \
		return hs_msg_encode_##name(out, HS_MSG_MAX_BYTES, h, &m);     \
	}
PASS(ack)
PASS(state)
PASS(term)
PASS(hello)
PASS(go)
PASS(text)
PASS(policy)
PASS(stats)

static int
pass_body(uint8_t *out, const struct hs_msg_head *h, const uint8_t *body,
    size_t len)
{
	switch ((enum hs_msg_type)h->type) {
	case HS_MSG_DATA:
	case HS_MSG_IMAGE:
		return pass_records(out, h, body, len);
	case HS_MSG_ACK:
		return pass_ack(out, h, body, len);
	case HS_MSG_STATE:
		return pass_state(out, h, body, len);
	case HS_MSG_TERM:
		return pass_term(out, h, body, len);
	case HS_MSG_HELLO:
		return pass_hello(out, h, body, len);
	case HS_MSG_GO:
		return pass_go(out, h, body, len);
	case HS_MSG_FAILED:
	case HS_MSG_NOTE:
		return pass_text(out, h, body, len);
	case HS_MSG_POLICY:
		return pass_policy(out, h, body, len);
	case HS_MSG_STATS:
		return pass_stats(out, h, body, len);
	case HS_MSG_NEED:
	case HS_MSG_PROGRESS:
	case HS_MSG_LEAVE:
	case HS_MSG_RUNNING:
	case HS_MSG_PING:
		return hs_msg_encode_bare(out, HS_MSG_MAX_BYTES, h);
	}
	require(0, "hs_msg_open() passed an unknown type");
	return HS_EWIRE;
}

int
hs_roundtrip(const uint8_t *buf, size_t len)
{
	struct hs_msg_head h;
	const uint8_t *body;
	size_t body_len;
	uint8_t *out;
	int rc;

	rc = hs_msg_open(buf, len, &h, &body, &body_len);
	if (rc < 0)
		return rc;
	require(strcmp(hs_msg_name(h.type), "?") != 0, "a type has no name");
	out = malloc(HS_MSG_MAX_BYTES);
	if (out == NULL)
		return -ENOMEM;
	rc = pass_body(out, &h, body, body_len);
	if (rc >= 0) {
		require((size_t)rc == len, "the length changed");
		require(memcmp(out, buf, len) == 0, "the bytes changed");
		rc = 0;
	}
	free(out);
	return rc;
}
