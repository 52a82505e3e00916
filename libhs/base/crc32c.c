/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/crc32c.h"

#include "base/le64.h"

/*
 * Row s, column b: the remainder of byte 1 << b followed by s zero bytes.
 * A CRC is linear, so the entry for any byte is the exclusive or of the
 * columns of its bits, and 64 constants make all eight tables.
 */
#define BASIS0                                                                 \
	0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f,            \
	    0x20bd8ede, 0x417b1dbc, 0x82f63b78
#define BASIS1                                                                 \
	0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181,            \
	    0x7f8be302, 0xff17c604, 0xfbc3faf9
#define BASIS2                                                                 \
	0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a,            \
	    0xe144fb14, 0xc76580d9, 0x8b277743
#define BASIS3                                                                 \
	0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d,            \
	    0xd725148b, 0xaba65fe7, 0x52a0c93f
#define BASIS4                                                                 \
	0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3,            \
	    0x1ba8b557, 0x37516aae, 0x6ea2d55c
#define BASIS5                                                                 \
	0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e,            \
	    0x85f4168d, 0x0e045beb, 0x1c08b7d6
#define BASIS6                                                                 \
	0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6,            \
	    0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4
#define BASIS7                                                                 \
	0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4,            \
	    0x0d006599, 0x1a00cb32, 0x34019664

#define BIT(n, k, c) (((n)&1U << (k)) != 0 ? (c) : 0U)
#define ENTRY(n, b0, b1, b2, b3, b4, b5, b6, b7)                               \
	(BIT(n, 0, b0) ^ BIT(n, 1, b1) ^ BIT(n, 2, b2) ^ BIT(n, 3, b3) ^       \
	    BIT(n, 4, b4) ^ BIT(n, 5, b5) ^ BIT(n, 6, b6) ^ BIT(n, 7, b7))
#define ENTRIES4(n, ...)                                                       \
	ENTRY(n, __VA_ARGS__), ENTRY(n + 1, __VA_ARGS__),                      \
	    ENTRY(n + 2, __VA_ARGS__), ENTRY(n + 3, __VA_ARGS__)
#define ENTRIES16(n, ...)                                                      \
	ENTRIES4(n, __VA_ARGS__), ENTRIES4(n + 4, __VA_ARGS__),                \
	    ENTRIES4(n + 8, __VA_ARGS__), ENTRIES4(n + 12, __VA_ARGS__)
#define ENTRIES64(n, ...)                                                      \
	ENTRIES16(n, __VA_ARGS__), ENTRIES16(n + 16, __VA_ARGS__),             \
	    ENTRIES16(n + 32, __VA_ARGS__), ENTRIES16(n + 48, __VA_ARGS__)
#define TABLE(...)                                                             \
	{                                                                      \
		ENTRIES64(0, __VA_ARGS__), ENTRIES64(64, __VA_ARGS__),         \
		    ENTRIES64(128, __VA_ARGS__), ENTRIES64(192, __VA_ARGS__)   \
	}

static const uint32_t table[8][256] = { TABLE(BASIS0), TABLE(BASIS1),
	TABLE(BASIS2), TABLE(BASIS3), TABLE(BASIS4), TABLE(BASIS5),
	TABLE(BASIS6), TABLE(BASIS7) };

uint32_t
hs_crc32c_portable(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	crc = ~crc;
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v = hs_le64_load(p) ^ crc;

		crc = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^
		    table[5][v >> 16 & 0xff] ^ table[4][v >> 24 & 0xff] ^
		    table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
		    table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
	}
	for (; len > 0; p++, len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((__target__("sse4.2,pclmul")))

/*
 * The crc32 instruction yields a result each cycle but takes three for it, so
 * three lanes of a block run at once.  Their remainders a, b, c are then those
 * of three messages: a must be moved up by two lanes of zero bytes, b by one.
 * Moving up by n bytes multiplies by x^(8n) mod P.  The carry-less product of
 * two reflected 32-bit values, taken as 64 bits, is their product times x, and
 * crc32(0, v) is v times x^32; so the factor is x^(8n - 33) mod P, reflected.
 */
struct lane {
	size_t len;
	uint32_t by1;	/* x^(8 len - 33) mod P */
	uint32_t by2;	/* x^(16 len - 33) mod P */
};

/* Long enough to hide the moving; short enough for a page's worth to gain. */
static const struct lane lane_long = { 2048, 0xa51b6135, 0x82f89c77 };
static const struct lane lane_short = { 256, 0xb9e02b86, 0xdd7e3b0c };

TARGET static uint64_t
move_up(uint64_t crc, uint32_t factor)
{
	__m128i v = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
	    _mm_cvtsi32_si128((int)factor), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(v));
}

/* Three lanes at p; crc is not inverted here. */
TARGET static uint64_t
crc_block(uint64_t crc, const uint8_t *p, const struct lane *lane)
{
	const uint8_t *p1 = p + lane->len, *p2 = p1 + lane->len;
	uint64_t b = 0, c = 0;

	for (size_t i = 0; i < lane->len; i += 8) {
		crc = _mm_crc32_u64(crc, hs_le64_load(p + i));
		b = _mm_crc32_u64(b, hs_le64_load(p1 + i));
		c = _mm_crc32_u64(c, hs_le64_load(p2 + i));
	}
	return move_up(crc, lane->by2) ^ move_up(b, lane->by1) ^ c;
}

TARGET static uint32_t
crc_hard(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t c = ~crc;

	for (; len >= 3 * lane_long.len; len -= 3 * lane_long.len) {
		c = crc_block(c, p, &lane_long);
		p += 3 * lane_long.len;
	}
	for (; len >= 3 * lane_short.len; len -= 3 * lane_short.len) {
		c = crc_block(c, p, &lane_short);
		p += 3 * lane_short.len;
	}
	for (; len >= 8; p += 8, len -= 8)
		c = _mm_crc32_u64(c, hs_le64_load(p));
	for (; len > 0; p++, len--)
		c = _mm_crc32_u8((uint32_t)c, *p);
	return ~(uint32_t)c;
}

uint32_t
hs_crc32c(uint32_t crc, const void *buf, size_t len)
{
	if (__builtin_cpu_supports("sse4.2") &&
	    __builtin_cpu_supports("pclmul"))
		return crc_hard(crc, buf, len);
	return hs_crc32c_portable(crc, buf, len);
}

#else

uint32_t
hs_crc32c(uint32_t crc, const void *buf, size_t len)
{
	return hs_crc32c_portable(crc, buf, len);
}

#endif
