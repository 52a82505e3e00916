/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/crc32c.h"
#include "tests/unit/suite.h"

static void
check_both(const void *p, size_t len, uint32_t expected)
{
	CU_ASSERT_EQUAL(hs_crc32c(0, p, len), expected);
	CU_ASSERT_EQUAL(hs_crc32c_portable(0, p, len), expected);
}

/* RFC 3720, appendix B.4; its bytes are least significant first. */
static void
crc_of_rfc3720_vectors(void)
{
	/* clang-format off */
	static const uint8_t read_pdu[48] = {
		0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
		0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
		0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	};
	/* clang-format on */
	uint8_t buf[32];

	memset(buf, 0, sizeof(buf));
	check_both(buf, sizeof(buf), 0x8a9136aa);
	memset(buf, 0xff, sizeof(buf));
	check_both(buf, sizeof(buf), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	check_both(buf, sizeof(buf), 0x46dd794e);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(31 - i);
	check_both(buf, sizeof(buf), 0x113fdb5c);
	check_both(read_pdu, sizeof(read_pdu), 0xd9963a56);
	check_both("", 0, 0);
}

/* Lengths on both sides of where the lanes of the fast twin begin and end. */
static void
crc_twins_agree(void)
{
	static uint8_t buf[20000];
	struct hs_random r;
	int differ = 0;

	hs_random_init(&r);
	hs_random_fill(&r, buf, sizeof(buf));
	for (size_t len = 0; len < 1700; len++)
		differ += hs_crc32c(7, buf + 1, len) !=
		    hs_crc32c_portable(7, buf + 1, len);
	for (int i = 0; i < 2000; i++) {
		size_t off = hs_random_below(&r, 9);
		size_t len = hs_random_below(&r, sizeof(buf) - off);
		uint32_t crc = (uint32_t)hs_random_u64(&r);

		differ += hs_crc32c(crc, buf + off, len) !=
		    hs_crc32c_portable(crc, buf + off, len);
	}
	CU_ASSERT_EQUAL(differ, 0);
}

static void
crc_goes_on_from_a_part(void)
{
	static uint8_t buf[9000];
	struct hs_random r;
	uint32_t whole;

	hs_random_init(&r);
	hs_random_fill(&r, buf, sizeof(buf));
	whole = hs_crc32c(0, buf, sizeof(buf));
	for (int i = 0; i < 200; i++) {
		size_t cut = hs_random_below(&r, sizeof(buf) + 1);
		uint32_t crc = hs_crc32c(0, buf, cut);

		crc = hs_crc32c(crc, buf + cut, sizeof(buf) - cut);
		CU_ASSERT_EQUAL(crc, whole);
	}
}

static void
crc_sees_each_bit(void)
{
	static uint8_t buf[1024];
	uint32_t good = hs_crc32c(0, buf, sizeof(buf));
	int unseen = 0;

	for (unsigned bit = 0; bit < 8 * sizeof(buf); bit++) {
		buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
		unseen += hs_crc32c(0, buf, sizeof(buf)) == good;
		buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	CU_ASSERT_EQUAL(unseen, 0);
}

HS_SUITE(base_crc32c, HS_TEST(crc_of_rfc3720_vectors), HS_TEST(crc_twins_agree),
    HS_TEST(crc_goes_on_from_a_part), HS_TEST(crc_sees_each_bit))
