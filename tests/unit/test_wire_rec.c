/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Epochs of records: written, cut into chunks, read and applied.  Each rule
 * about one chunk is broken once by a file of tests/golden; those about several
 * chunks are broken here.
 */
#include <string.h>

#include "tests/unit/suite.h"
#include "wire/rec.h"

#define PAGE HS_MSG_PAGE_BYTES
#define PAGES 32

static uint8_t twin[PAGES][PAGE], now[PAGES][PAGE], made[PAGES][PAGE];

/* Bodies of the chunks of one epoch, one after the other. */
static struct {
	uint8_t bytes[PAGES * HS_REC_PAGE_BYTES + 4096];
	size_t off[PAGES + 2];	/* chunk i is off[i] to off[i + 1] */
	uint32_t n;
} sent;

static const struct hs_rec_begin begin = { .base_epoch = 1,
	.arena_base = 0x200000000000,
	.arena_bytes = 1 << 21,
	.used_bytes = PAGES * PAGE };

/* Change bytes here and there, clear some pages and leave some as they are. */
static void
change_pages(struct hs_random *r)
{
	memcpy(now, twin, sizeof(now));
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t n = hs_random_below(r, 40);

		if (hs_random_below(r, 8) == 0)
			memset(now[i], 0, PAGE);
		else if (hs_random_below(r, 8) == 0)
			hs_random_fill(r, now[i], PAGE);
		else if (hs_random_below(r, 4) > 0)
			while (n-- > 0)
				now[i][hs_random_below(r, PAGE)]++;
	}
}

/* Write the difference in chunks of at most size bytes, as a sender does. */
static void
send_epoch(size_t size, int full)
{
	struct hs_rec_begin b = begin;
	struct hs_rec_end end = { .nchunk = 1 };
	struct hs_rec_wr w = { sent.bytes, size };
	int wrote;

	b.flags = full ? HS_REC_FULL : 0;
	b.base_epoch = full ? 0 : 1;
	sent.n = 0;
	CU_ASSERT_EQUAL_FATAL(hs_rec_put_begin(&w, &b), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		const uint8_t *base = full ? NULL : twin[i];

		if (hs_rec_put_diff(&w, i, base, now[i], &wrote) < 0) {
			sent.off[++sent.n] = (size_t)(w.p - sent.bytes);
			w.left = size;
			CU_ASSERT_EQUAL_FATAL(hs_rec_put_diff(&w, i, base,
						  now[i], &wrote),
			    0);
		}
		end.npage += (uint32_t)wrote;
	}
	end.nchunk = sent.n + 1;
	if (hs_rec_put_end(&w, &end) < 0) {
		sent.off[++sent.n] = (size_t)(w.p - sent.bytes);
		w.left = size;
		end.nchunk++;
		CU_ASSERT_EQUAL_FATAL(hs_rec_put_end(&w, &end), 0);
	}
	sent.off[++sent.n] = (size_t)(w.p - sent.bytes);
}

static void
start_reading(struct hs_rec_rd *r, uint32_t seq, const struct hs_rec_rd *before)
{
	const struct hs_msg_head h = { .type = HS_MSG_DATA,
		.flags = seq + 1 == sent.n ? HS_MSG_LAST : 0,
		.seq = seq };

	hs_rec_read(r, &h, sent.bytes + sent.off[seq],
	    sent.off[seq + 1] - sent.off[seq]);
	if (seq > 0)
		hs_rec_carry(r, before);
}

static void
apply_record(const struct hs_rec *rec)
{
	if (rec->kind == HS_REC_ZERO)
		memset(made[rec->page], 0, (size_t)rec->count * PAGE);
	else if (rec->kind == HS_REC_PAGE || rec->kind == HS_REC_DELTA)
		hs_rec_apply(rec, made[rec->page]);
}

/* Read all chunks into made; 0 or what the reader says. */
static int
receive_epoch(void)
{
	struct hs_rec_rd r = { .seq = 0 }, before;
	struct hs_rec rec;
	int rc = 0;

	for (uint32_t seq = 0; rc == 0 && seq < sent.n; seq++) {
		before = r;
		start_reading(&r, seq, &before);
		while ((rc = hs_rec_next(&r, &rec)) == 1)
			apply_record(&rec);
	}
	return rc;
}

static void
epochs_come_back(void)
{
	struct hs_random r;

	hs_random_init(&r);
	memset(twin, 0, sizeof(twin));
	memset(made, 0, sizeof(made));
	for (int epoch = 0; epoch < 300; epoch++) {
		size_t size = HS_REC_PAGE_BYTES + hs_random_below(&r, 8 * PAGE);

		change_pages(&r);
		send_epoch(size, 0);
		CU_ASSERT_EQUAL(receive_epoch(), 0);
		CU_ASSERT_EQUAL(memcmp(made, now, sizeof(now)), 0);
		memcpy(twin, now, sizeof(now));
	}
}

static void
full_epochs_need_no_past(void)
{
	struct hs_random r;

	hs_random_init(&r);
	for (int round = 0; round < 20; round++) {
		change_pages(&r);
		hs_random_fill(&r, made, sizeof(made));
		send_epoch(3 * PAGE, 1);
		CU_ASSERT_EQUAL(receive_epoch(), 0);
		CU_ASSERT_EQUAL(memcmp(made, now, sizeof(now)), 0);
	}
}

static struct hs_rec
only_record(const uint8_t *base, const uint8_t *page, size_t *len)
{
	const struct hs_msg_head h = { .type = HS_MSG_DATA, .seq = 1 };
	struct hs_rec_wr w = { sent.bytes, sizeof(sent.bytes) };
	struct hs_rec rec = { .page = 0 };
	struct hs_rec_rd r;
	int wrote;

	CU_ASSERT_EQUAL(hs_rec_put_diff(&w, 9, base, page, &wrote), 0);
	CU_ASSERT_EQUAL(wrote, 1);
	*len = (size_t)(w.p - sent.bytes);
	hs_rec_read(&r, &h, sent.bytes, *len);
	CU_ASSERT_EQUAL_FATAL(hs_rec_next(&r, &rec), 1);
	CU_ASSERT_EQUAL(rec.page, 9);
	return rec;
}

static void
differences_take_the_shortest_form(void)
{
	struct hs_rec_wr w = { sent.bytes, 0 };
	int wrote = 9;
	size_t len;

	memset(twin[0], 1, PAGE);
	memset(now[0], 1, PAGE);
	/* Equal: nothing, even where there is no room. */
	CU_ASSERT_EQUAL(hs_rec_put_diff(&w, 9, twin[0], now[0], &wrote), 0);
	CU_ASSERT_EQUAL(wrote, 0);
	now[0][77] = 2;
	CU_ASSERT_EQUAL(only_record(twin[0], now[0], &len).kind, HS_REC_DELTA);
	CU_ASSERT_EQUAL(len, 12);
	CU_ASSERT_EQUAL(only_record(NULL, now[0], &len).kind, HS_REC_PAGE);
	memset(now[0], 0, PAGE);
	CU_ASSERT_EQUAL(only_record(twin[0], now[0], &len).kind, HS_REC_ZERO);
	CU_ASSERT_EQUAL(only_record(NULL, now[0], &len).kind, HS_REC_ZERO);
	CU_ASSERT_EQUAL(len, HS_REC_ZERO_BYTES);

	/* 4090 bytes in one run: a DELTA of 4101 bytes, no shorter. */
	memset(now[0], 2, 4090);
	memset(now[0] + 4090, 1, 6);
	CU_ASSERT_EQUAL(only_record(twin[0], now[0], &len).kind, HS_REC_PAGE);
	now[0][4089] = 1;
	CU_ASSERT_EQUAL(only_record(twin[0], now[0], &len).kind, HS_REC_DELTA);
	CU_ASSERT_EQUAL(len, HS_REC_PAGE_BYTES - 1);
}

static void
what_does_not_fit_takes_nothing(void)
{
	const struct hs_rec_end end = { .nchunk = 1 };
	struct hs_rec_wr w;
	int wrote;

	memset(twin[0], 1, PAGE);
	memset(now[0], 2, PAGE);
	w = (struct hs_rec_wr){ sent.bytes, HS_REC_BEGIN_BYTES - 1 };
	CU_ASSERT_EQUAL(hs_rec_put_begin(&w, &begin), -EMSGSIZE);
	CU_ASSERT_EQUAL(w.left, HS_REC_BEGIN_BYTES - 1);
	w.left = HS_REC_END_BYTES - 1;
	CU_ASSERT_EQUAL(hs_rec_put_end(&w, &end), -EMSGSIZE);
	w.left = HS_REC_ZERO_BYTES - 1;
	CU_ASSERT_EQUAL(hs_rec_put_zero(&w, 1, 1), -EMSGSIZE);
	w.left = HS_REC_PAGE_BYTES - 1;
	CU_ASSERT_EQUAL(hs_rec_put_page(&w, 1, now[0]), -EMSGSIZE);
	CU_ASSERT_EQUAL(hs_rec_put_diff(&w, 1, twin[0], now[0], &wrote),
	    -EMSGSIZE);
	CU_ASSERT_EQUAL(wrote, 0);
	CU_ASSERT_PTR_EQUAL(w.p, sent.bytes);
}

/* The reader of a chunk that comes before the one made by a test. */
static struct hs_rec_rd
carried(uint64_t next_page, uint64_t end_page, uint64_t npage, int full)
{
	return (struct hs_rec_rd){ .next_page = next_page,
		.end_page = end_page,
		.npage = npage,
		.full = full,
		.whole = 1 };
}

/* Read the one chunk that w has written behind before; the last result. */
static int
read_behind(const struct hs_rec_rd *before, const struct hs_rec_wr *w)
{
	const struct hs_msg_head h = { .type = HS_MSG_DATA,
		.flags = HS_MSG_LAST,
		.seq = 1 };
	struct hs_rec_rd r;
	struct hs_rec rec;
	int rc;

	hs_rec_read(&r, &h, sent.bytes, (size_t)(w->p - sent.bytes));
	hs_rec_carry(&r, before);
	while ((rc = hs_rec_next(&r, &rec)) == 1)
		;
	CU_ASSERT_EQUAL(hs_rec_next(&r, &rec), rc);
	return rc;
}

static int
read_delta_behind(uint32_t page, uint32_t npage, struct hs_rec_rd before)
{
	const struct hs_rec_end end = { .nchunk = 2, .npage = npage };
	struct hs_rec_wr w = { sent.bytes, sizeof(sent.bytes) };
	int wrote;

	memset(twin[0], 1, PAGE);
	memset(now[0], 1, PAGE);
	now[0][5] = 7;
	CU_ASSERT_EQUAL(hs_rec_put_diff(&w, page, twin[0], now[0], &wrote), 0);
	CU_ASSERT_EQUAL(hs_rec_put_end(&w, &end), 0);
	return read_behind(&before, &w);
}

static void
rules_hold_across_chunks(void)
{
	CU_ASSERT_EQUAL(read_delta_behind(5, 4, carried(5, 6, 3, 0)), 0);
	/* R4: again, and beyond. */
	CU_ASSERT_EQUAL(read_delta_behind(4, 4, carried(5, 6, 3, 0)), HS_EWIRE);
	CU_ASSERT_EQUAL(read_delta_behind(6, 4, carried(5, 6, 3, 0)), HS_EWIRE);
	/* R6. */
	CU_ASSERT_EQUAL(read_delta_behind(5, 4, carried(5, 6, 3, 1)), HS_EWIRE);
	/* R7. */
	CU_ASSERT_EQUAL(read_delta_behind(5, 3, carried(5, 6, 3, 0)), HS_EWIRE);
}

/* An index is 32 bits, a count too: their sum must not be. */
static void
the_last_page_of_all_is_no_trap(void)
{
	struct hs_rec_rd before = carried(0, UINT64_C(1) << 32, 0, 0);
	struct hs_rec_wr w = { sent.bytes, sizeof(sent.bytes) };
	struct hs_rec_end end = { .nchunk = 2, .npage = 1 };

	CU_ASSERT_EQUAL(hs_rec_put_zero(&w, UINT32_MAX, 1), 0);
	CU_ASSERT_EQUAL(hs_rec_put_end(&w, &end), 0);
	CU_ASSERT_EQUAL(read_behind(&before, &w), 0);
	w = (struct hs_rec_wr){ sent.bytes, sizeof(sent.bytes) };
	end.npage = 2;
	CU_ASSERT_EQUAL(hs_rec_put_zero(&w, UINT32_MAX, 2), 0);
	CU_ASSERT_EQUAL(hs_rec_put_end(&w, &end), 0);
	CU_ASSERT_EQUAL(read_behind(&before, &w), HS_EWIRE);
	w = (struct hs_rec_wr){ sent.bytes, sizeof(sent.bytes) };
	CU_ASSERT_EQUAL(hs_rec_put_zero(&w, 1, UINT32_MAX), 0);
	end.npage = UINT32_MAX;
	CU_ASSERT_EQUAL(hs_rec_put_end(&w, &end), 0);
	CU_ASSERT_EQUAL(read_behind(&before, &w), 0);
}

/* Read sent.bytes as a chunk that is not the last one; the last result. */
static int
read_bytes(uint32_t seq, size_t len)
{
	const struct hs_msg_head h = { .type = HS_MSG_DATA, .seq = seq };
	struct hs_rec_rd r;
	struct hs_rec rec;
	int rc;

	hs_rec_read(&r, &h, sent.bytes, len);
	while ((rc = hs_rec_next(&r, &rec)) == 1)
		;
	return rc;
}

/*
 * A golden file that breaks a rule may break another one with it; these break
 * one alone.
 */
static void
each_rule_stands_alone(void)
{
	static const uint8_t no_runs[] = { HS_REC_DELTA, 5, 0, 0, 0, 0, 0 };
	struct hs_rec_wr w = { sent.bytes, sizeof(sent.bytes) };

	/* R1: nothing but the place of the record is wrong. */
	CU_ASSERT_EQUAL(hs_rec_put_zero(&w, 1, 1), 0);
	CU_ASSERT_EQUAL(read_bytes(1, HS_REC_ZERO_BYTES), 0);
	CU_ASSERT_EQUAL(read_bytes(0, HS_REC_ZERO_BYTES), HS_EWIRE);
	/* R4: no count of pages at the end tells. */
	w = (struct hs_rec_wr){ sent.bytes, sizeof(sent.bytes) };
	CU_ASSERT_EQUAL(hs_rec_put_zero(&w, 1, 0), 0);
	CU_ASSERT_EQUAL(read_bytes(1, HS_REC_ZERO_BYTES), HS_EWIRE);
	/* R5: no byte is left over to be misread. */
	memcpy(sent.bytes, no_runs, sizeof(no_runs));
	CU_ASSERT_EQUAL(read_bytes(1, sizeof(no_runs)), HS_EWIRE);
}

/* As many runs as there can be, a byte apart; our writer would join them. */
static void
the_most_runs_are_read(void)
{
	static const uint8_t head[] = { HS_REC_DELTA, 5, 0, 0, 0, 0x00, 0x08 };
	const struct hs_msg_head h = { .type = HS_MSG_DATA, .seq = 1 };
	uint8_t *p = sent.bytes + sizeof(head);
	struct hs_rec_rd r;
	struct hs_rec rec;

	memcpy(sent.bytes, head, sizeof(head));
	for (unsigned i = 0; i < HS_REC_MAX_RUNS; i++) {
		*p++ = (uint8_t)(2 * i);
		*p++ = (uint8_t)(2 * i >> 8);
		*p++ = 1;
		*p++ = 0;
		*p++ = 0xaa;
	}
	memset(made[0], 0x55, PAGE);
	hs_rec_read(&r, &h, sent.bytes, (size_t)(p - sent.bytes));
	CU_ASSERT_EQUAL_FATAL(hs_rec_next(&r, &rec), 1);
	hs_rec_apply(&rec, made[0]);
	for (unsigned i = 0; i < PAGE; i++)
		CU_ASSERT_EQUAL(made[0][i], i % 2 == 0 ? 0xaa : 0x55);
	CU_ASSERT_EQUAL(hs_rec_next(&r, &rec), 0);
}

static void
the_largest_arena_is_read(void)
{
	struct hs_rec_begin b = { .arena_bytes = UINT64_C(1) << 44 };
	struct hs_rec_wr w = { sent.bytes, sizeof(sent.bytes) };

	b.arena_base = UINT64_MAX - b.arena_bytes - PAGE + 1;
	b.used_bytes = b.arena_bytes;
	CU_ASSERT_EQUAL(hs_rec_put_begin(&w, &b), 0);
	CU_ASSERT_EQUAL(read_bytes(0, HS_REC_BEGIN_BYTES), 0);
}

static void
begin_comes_back(void)
{
	const struct hs_msg_head h = { .type = HS_MSG_DATA };
	struct hs_rec_begin in = begin;
	struct hs_rec_wr w = { sent.bytes, sizeof(sent.bytes) };
	struct hs_rec_rd r;
	struct hs_rec rec;

	in.base_epoch = 0x1122334455667788;
	in.used_bytes = 1;
	memset(in.base_digest, 0x5a, sizeof(in.base_digest));
	CU_ASSERT_EQUAL(hs_rec_put_begin(&w, &in), 0);
	CU_ASSERT_EQUAL(w.p - sent.bytes, HS_REC_BEGIN_BYTES);
	hs_rec_read(&r, &h, sent.bytes, HS_REC_BEGIN_BYTES);
	CU_ASSERT_EQUAL_FATAL(hs_rec_next(&r, &rec), 1);
	CU_ASSERT_EQUAL(rec.kind, HS_REC_BEGIN);
	CU_ASSERT_EQUAL(rec.begin.flags, in.flags);
	CU_ASSERT_EQUAL(rec.begin.base_epoch, in.base_epoch);
	CU_ASSERT_EQUAL(rec.begin.arena_base, in.arena_base);
	CU_ASSERT_EQUAL(rec.begin.arena_bytes, in.arena_bytes);
	CU_ASSERT_EQUAL(rec.begin.used_bytes, in.used_bytes);
	CU_ASSERT_EQUAL(rec.begin.base_digest[15], 0x5a);
	CU_ASSERT_EQUAL(r.end_page, 1);
	CU_ASSERT_EQUAL(hs_rec_next(&r, &rec), 0);
	CU_ASSERT_EQUAL(hs_rec_next(&r, &rec), 0);
}

HS_SUITE(wire_rec, HS_TEST(epochs_come_back), HS_TEST(full_epochs_need_no_past),
    HS_TEST(differences_take_the_shortest_form),
    HS_TEST(what_does_not_fit_takes_nothing), HS_TEST(rules_hold_across_chunks),
    HS_TEST(the_last_page_of_all_is_no_trap), HS_TEST(begin_comes_back),
    HS_TEST(each_rule_stands_alone), HS_TEST(the_most_runs_are_read),
    HS_TEST(the_largest_arena_is_read))
