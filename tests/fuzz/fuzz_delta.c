/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The difference of any two pages, written, read and applied to the first,
 * gives the second, by every way of comparing that this processor has.
 *
 * Input: a list of (2 bytes offset, 1 byte length, 1 byte value) that makes the
 * second page out of the first; the first byte says what the first one is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "wire/delta.h"
#include "wire/rec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int ok)
{
	if (!ok)
		abort();
}

static void
make_pages(const uint8_t *data, size_t size, uint8_t *twin, uint8_t *now)
{
	struct hs_rd in;
	uint8_t how;

	hs_rd_init(&in, data, size);
	how = hs_rd_u8(&in);
	for (unsigned i = 0; i < HS_MSG_PAGE_BYTES; i++)
		twin[i] = (uint8_t)((how & 1) * i * 13 + how / 2U);
	memcpy(now, twin, HS_MSG_PAGE_BYTES);
	while (in.left >= 4) {
		unsigned off = hs_rd_u16(&in) % HS_MSG_PAGE_BYTES;
		unsigned len = hs_rd_u8(&in);
		uint8_t value = hs_rd_u8(&in);

		if (len == 255)		/* else no page is ever zeroed */
			len = HS_MSG_PAGE_BYTES;
		if (len > HS_MSG_PAGE_BYTES - off)
			len = HS_MSG_PAGE_BYTES - off;
		memset(now + off, value, len);
	}
}

static void
compare_ways(const uint8_t *twin, const uint8_t *now)
{
	struct hs_delta_map first, other;

	hs_delta_way(0)->compare(&first, twin, now);
	for (unsigned i = 1; hs_delta_way(i) != NULL; i++) {
		hs_delta_way(i)->compare(&other, twin, now);
		require(
		    memcmp(first.bits, other.bits, sizeof(first.bits)) == 0);
		require(first.words == other.words);
		require(first.zero == other.zero);
	}
	require(first.zero == hs_delta_is_zero(now));
}

static void
check_record(const struct hs_rec *rec, const uint8_t *twin, const uint8_t *now)
{
	static uint8_t page[HS_MSG_PAGE_BYTES];

	memcpy(page, twin, sizeof(page));
	if (rec->kind == HS_REC_ZERO)
		memset(page, 0, sizeof(page));
	else
		hs_rec_apply(rec, page);
	require(memcmp(page, now, sizeof(page)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t twin[HS_MSG_PAGE_BYTES], now[HS_MSG_PAGE_BYTES];
	static uint8_t out[HS_REC_PAGE_BYTES];
	const struct hs_msg_head h = { .type = HS_MSG_DATA, .seq = 1 };
	struct hs_rec_wr w = { out, sizeof(out) };
	struct hs_rec_rd r;
	struct hs_rec rec;
	size_t len;
	int wrote;

	make_pages(data, size, twin, now);
	compare_ways(twin, now);
	require(hs_rec_put_diff(&w, 7, twin, now, &wrote) == 0);
	require(wrote == (memcmp(twin, now, sizeof(now)) != 0));
	if (!wrote)
		return 0;
	len = sizeof(out) - w.left;
	hs_rec_read(&r, &h, out, len);
	require(hs_rec_next(&r, &rec) == 1);
	check_record(&rec, twin, now);
	require(hs_rec_next(&r, &rec) == 0);

	/* It fits a buffer of its length, and one less takes nothing. */
	w = (struct hs_rec_wr){ out, len };
	require(hs_rec_put_diff(&w, 7, twin, now, &wrote) == 0 && w.left == 0);
	w = (struct hs_rec_wr){ out, len - 1 };
	require(hs_rec_put_diff(&w, 7, twin, now, &wrote) == -EMSGSIZE);
	require(w.left == len - 1 && w.p == out && !wrote);
	return 0;
}
