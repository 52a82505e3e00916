/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/digest.h"
#include "tests/unit/suite.h"

/* XXH3-128 of nothing, seed 0, as the xxHash specification has it. */
static void
digest_of_nothing_is_known(void)
{
	static const uint8_t expected[HS_DIGEST_BYTES] = { 0x99, 0xaa, 0x06,
		0xd3, 0x01, 0x47, 0x98, 0xd8, 0x60, 0x01, 0xc3, 0x24, 0x46,
		0x8d, 0x49, 0x7f };
	uint8_t got[HS_DIGEST_BYTES];
	struct hs_digest *d;

	CU_ASSERT_EQUAL_FATAL(hs_digest_create(&d), 0);
	hs_digest_get(d, got);
	CU_ASSERT_EQUAL(memcmp(got, expected, sizeof(got)), 0);
	hs_digest_destroy(d);
}

static void
digest_is_of_the_bytes_not_of_the_calls(void)
{
	static uint8_t buf[5000];
	uint8_t whole[HS_DIGEST_BYTES], parts[HS_DIGEST_BYTES];
	struct hs_digest *d;
	struct hs_random r;

	hs_random_init(&r);
	hs_random_fill(&r, buf, sizeof(buf));
	CU_ASSERT_EQUAL_FATAL(hs_digest_create(&d), 0);
	hs_digest_add(d, buf, sizeof(buf));
	hs_digest_get(d, whole);
	for (int i = 0; i < 50; i++) {
		size_t at = 0;

		hs_digest_reset(d);
		while (at < sizeof(buf)) {
			size_t len = hs_random_below(&r, sizeof(buf) - at + 1);

			hs_digest_add(d, buf + at, len);
			at += len;
			/* Looking in between changes nothing. */
			hs_digest_get(d, parts);
		}
		CU_ASSERT_EQUAL(memcmp(whole, parts, sizeof(whole)), 0);
	}
	buf[4321] ^= 1;
	hs_digest_reset(d);
	hs_digest_add(d, buf, sizeof(buf));
	hs_digest_get(d, parts);
	CU_ASSERT_NOT_EQUAL(memcmp(whole, parts, sizeof(whole)), 0);
	hs_digest_destroy(d);
	hs_digest_destroy(NULL);
}

HS_SUITE(base_digest, HS_TEST(digest_of_nothing_is_known),
    HS_TEST(digest_is_of_the_bytes_not_of_the_calls))
