/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "tests/unit/suite.h"

static void
bytes_are_little_endian(void)
{
	static const uint8_t expected[15] = { 0x01, 0x03, 0x02, 0x07, 0x06,
		0x05, 0x04, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08 };
	uint8_t buf[15];
	struct hs_wr w;
	struct hs_rd r;

	hs_wr_init(&w, buf, sizeof(buf));
	hs_wr_u8(&w, 0x01);
	hs_wr_u16(&w, 0x0203);
	hs_wr_u32(&w, 0x04050607);
	hs_wr_u64(&w, 0x08090a0b0c0d0e0f);
	CU_ASSERT_EQUAL(hs_wr_end(&w), 15);
	CU_ASSERT_EQUAL(memcmp(buf, expected, sizeof(buf)), 0);

	hs_rd_init(&r, expected, sizeof(expected));
	CU_ASSERT_EQUAL(hs_rd_u8(&r), 0x01);
	CU_ASSERT_EQUAL(hs_rd_u16(&r), 0x0203);
	CU_ASSERT_EQUAL(hs_rd_u32(&r), 0x04050607);
	CU_ASSERT_EQUAL(hs_rd_u64(&r), 0x08090a0b0c0d0e0f);
	CU_ASSERT_EQUAL(hs_rd_end(&r), 0);
}

static void
reading_stops_at_the_end(void)
{
	static const uint8_t buf[4] = { 1, 2, 3, 4 };
	uint8_t copy[5] = { 9, 9, 9, 9, 9 };
	struct hs_rd r;

	hs_rd_init(&r, buf, sizeof(buf));
	CU_ASSERT_EQUAL(hs_rd_u8(&r), 1);
	CU_ASSERT_EQUAL(hs_rd_u32(&r), 0);
	CU_ASSERT_EQUAL(r.left, 3);
	/* The first error sticks, although a byte would fit. */
	CU_ASSERT_EQUAL(hs_rd_u8(&r), 0);
	CU_ASSERT_PTR_NULL(hs_rd_bytes(&r, 1));
	hs_rd_copy(&r, copy, sizeof(copy));
	CU_ASSERT_EQUAL(copy[0] | copy[4], 0);
	CU_ASSERT_EQUAL(hs_rd_end(&r), HS_EWIRE);
}

static void
reading_must_use_up_the_bytes(void)
{
	static const uint8_t buf[2];
	struct hs_rd r;

	hs_rd_init(&r, buf, sizeof(buf));
	(void)hs_rd_u8(&r);
	CU_ASSERT_EQUAL(hs_rd_end(&r), HS_EWIRE);
	(void)hs_rd_u8(&r);
	CU_ASSERT_EQUAL(hs_rd_end(&r), 0);
}

static void
arrays_do_not_overflow(void)
{
	static const uint8_t buf[16];
	struct hs_rd r;

	hs_rd_init(&r, buf, sizeof(buf));
	CU_ASSERT_PTR_EQUAL(hs_rd_array(&r, 2, 8), buf);
	hs_rd_init(&r, buf, sizeof(buf));
	CU_ASSERT_PTR_NULL(hs_rd_array(&r, SIZE_MAX / 2 + 2, 2));
	CU_ASSERT_EQUAL(r.err, HS_EWIRE);
	hs_rd_init(&r, buf, sizeof(buf));
	CU_ASSERT_PTR_NULL(hs_rd_array(&r, 3, 8));
	hs_rd_init(&r, buf, sizeof(buf));
	CU_ASSERT_PTR_NULL(hs_rd_bytes(&r, 0));
	CU_ASSERT_EQUAL(r.err, HS_EWIRE);
}

static void
reserved_bytes_are_zero(void)
{
	uint8_t buf[3] = { 0, 0, 0 };
	struct hs_rd r;

	hs_rd_init(&r, buf, sizeof(buf));
	hs_rd_zeros(&r, sizeof(buf));
	CU_ASSERT_EQUAL(hs_rd_end(&r), 0);
	buf[2] = 1;
	hs_rd_init(&r, buf, sizeof(buf));
	hs_rd_zeros(&r, sizeof(buf));
	CU_ASSERT_EQUAL(hs_rd_end(&r), HS_EWIRE);
}

static int
read_text(const char bytes[6], char out[6])
{
	struct hs_rd r;

	hs_rd_init(&r, bytes, 6);
	hs_rd_text(&r, out, 6);
	return hs_rd_end(&r);
}

static void
texts_are_checked(void)
{
	char out[6];

	CU_ASSERT_EQUAL(read_text("abcde\0", out), 0);
	CU_ASSERT_STRING_EQUAL(out, "abcde");
	CU_ASSERT_EQUAL(read_text("\0\0\0\0\0\0", out), 0);
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_EQUAL(read_text("\xc3\xa4\0\0\0\0", out), 0);
	CU_ASSERT_EQUAL(read_text("abcdef", out), HS_EWIRE);
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_EQUAL(read_text("ab\0d\0\0", out), HS_EWIRE);
	CU_ASSERT_EQUAL(read_text("a\nb\0\0\0", out), HS_EWIRE);
	CU_ASSERT_EQUAL(read_text("a\x7f\0\0\0\0", out), HS_EWIRE);
}

static void
texts_are_cut_and_cleaned(void)
{
	char in[6] = { 'a', '\n', 'c', 'd', 'e', 'f' };	/* no NUL */
	char out[6];
	struct hs_wr w;

	hs_wr_init(&w, out, sizeof(out));
	hs_wr_text(&w, in, sizeof(in));
	CU_ASSERT_EQUAL(hs_wr_end(&w), 6);
	CU_ASSERT_EQUAL(memcmp(out, "a cde\0", 6), 0);
	CU_ASSERT_EQUAL(read_text(out, in), 0);
}

static void
writing_stops_at_the_end(void)
{
	uint8_t buf[8];
	struct hs_wr w;

	memset(buf, 0xee, sizeof(buf));
	hs_wr_init(&w, buf, 5);
	hs_wr_u32(&w, 1);
	hs_wr_u16(&w, 2);
	CU_ASSERT_EQUAL(w.len, 4);
	/* Too late, although a byte would fit. */
	hs_wr_u8(&w, 3);
	hs_wr_zeros(&w, 1);
	hs_wr_bytes(&w, "x", 1);
	hs_wr_text(&w, "x", 1);
	CU_ASSERT_EQUAL(hs_wr_end(&w), -EMSGSIZE);
	CU_ASSERT_EQUAL(memcmp(buf + 4, "\xee\xee\xee\xee", 4), 0);
}

HS_SUITE(base_cursor, HS_TEST(bytes_are_little_endian),
    HS_TEST(reading_stops_at_the_end), HS_TEST(reading_must_use_up_the_bytes),
    HS_TEST(arrays_do_not_overflow), HS_TEST(reserved_bytes_are_zero),
    HS_TEST(texts_are_checked), HS_TEST(texts_are_cut_and_cleaned),
    HS_TEST(writing_stops_at_the_end))
