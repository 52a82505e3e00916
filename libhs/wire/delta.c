/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/delta.h"

#include <stddef.h>
#include <string.h>

#include "base/le64.h"

/* Bit i set iff byte i of x, counted from the lowest, is not 0. */
static uint64_t
nonzero_bytes(uint64_t x)
{
	const uint64_t low7 = 0x7f7f7f7f7f7f7f7f;
	uint64_t high = ((x & low7) + low7) | x;

	/* Gather the eight top bits: no two products meet in one bit. */
	return ((high & ~low7) >> 7) * 0x0102040810204080 >> 56;
}

static void
compare_portable(struct hs_delta_map *map, const uint8_t *twin,
    const uint8_t *now)
{
	uint64_t some = 0;

	map->words = 0;
	for (unsigned j = 0; j < HS_DELTA_WORDS; j++, twin += 64, now += 64) {
		uint64_t m = 0;

		for (unsigned k = 0; k < 64; k += 8) {
			uint64_t v = hs_le64_load(now + k);
			uint64_t x = v ^ hs_le64_load(twin + k);

			some |= v;
			if (x != 0)
				m |= nonzero_bytes(x) << k;
		}
		map->bits[j] = m;
		map->words |= (uint64_t)(m != 0) << j;
	}
	map->zero = some == 0;
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((__target__("avx2"))) static void
compare_avx2(struct hs_delta_map *map, const uint8_t *twin, const uint8_t *now)
{
	__m256i some = _mm256_setzero_si256();

	map->words = 0;
	for (unsigned j = 0; j < HS_DELTA_WORDS; j++, twin += 64, now += 64) {
		__m256i a = _mm256_loadu_si256((const void *)now);
		__m256i b = _mm256_loadu_si256((const void *)(now + 32));
		__m256i x = _mm256_loadu_si256((const void *)twin);
		__m256i y = _mm256_loadu_si256((const void *)(twin + 32));
		uint32_t lo, hi;
		uint64_t m;

		some = _mm256_or_si256(some, _mm256_or_si256(a, b));
		lo = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, x));
		hi = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, y));
		m = ~((uint64_t)hi << 32 | lo);
		map->bits[j] = m;
		map->words |= (uint64_t)(m != 0) << j;
	}
	map->zero = _mm256_testz_si256(some, some) != 0;
}

__attribute__((__target__("avx512f,avx512bw"))) static void
compare_avx512(struct hs_delta_map *map, const uint8_t *twin,
    const uint8_t *now)
{
	__m512i some = _mm512_setzero_si512();
	uint64_t words = 0;

	for (unsigned j = 0; j < HS_DELTA_WORDS; j++, twin += 64, now += 64) {
		__m512i a = _mm512_loadu_si512(now);
		__m512i x = _mm512_loadu_si512(twin);
		uint64_t m = _mm512_cmpneq_epi8_mask(a, x);

		some = _mm512_or_si512(some, a);
		map->bits[j] = m;
		words |= (uint64_t)(m != 0) << j;
	}
	map->words = words;
	map->zero = _mm512_test_epi64_mask(some, some) == 0;
}

static bool
has_avx512(void)
{
	return __builtin_cpu_supports("avx512bw");
}

static bool
has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static const struct hs_delta_way way_avx512 = { "avx512", compare_avx512 };
static const struct hs_delta_way way_avx2 = { "avx2", compare_avx2 };
#endif

static const struct hs_delta_way way_portable = { "portable",
	compare_portable };

const struct hs_delta_way *
hs_delta_way(unsigned i)
{
#ifdef __x86_64__
	if (has_avx512() && i-- == 0)
		return &way_avx512;
	if (has_avx2() && i-- == 0)
		return &way_avx2;
#endif
	return i == 0 ? &way_portable : NULL;
}

void
hs_delta_compare(struct hs_delta_map *map, const uint8_t *twin,
    const uint8_t *now)
{
	hs_delta_way(0)->compare(map, twin, now);
}

bool
hs_delta_is_zero(const uint8_t *page)
{
	/* The page equals itself moved by a word, and its first word is 0. */
	return hs_le64_load(page) == 0 &&
	    memcmp(page, page + 8, HS_MSG_PAGE_BYTES - 8) == 0;
}

/* m with its gaps of fewer than HS_DELTA_JOIN_BYTES clear bits filled. */
static uint64_t
fill_gaps(uint64_t m)
{
	uint64_t wide = m | m << 1 | m << 2 | m << 3;

	_Static_assert(HS_DELTA_JOIN_BYTES == 4, "three shifts each way");
	return m | (wide & wide >> 1 & wide >> 2 & wide >> 3);
}

/* The next run of set bits in *m from bit 0 up, taken out of *m. */
static struct hs_delta_run
take_run(uint64_t *m)
{
	unsigned off = (unsigned)__builtin_ctzll(*m);
	uint64_t rest = ~(*m >> off);
	unsigned len = rest != 0 ? (unsigned)__builtin_ctzll(rest) : 64;

	if (len > 64 - off)
		len = 64 - off;
	if (off + len == 64)
		*m = 0;
	else
		*m &= ~UINT64_C(0) << (off + len);
	return (struct hs_delta_run){ (uint16_t)off, (uint16_t)len };
}

int
hs_delta_runs(const struct hs_delta_map *map,
    struct hs_delta_run runs[HS_DELTA_MAX_RUNS], uint32_t limit,
    uint32_t *bytes)
{
	uint64_t words = map->words;
	uint32_t sum = 0;
	unsigned end = 0;	/* of the newest run */
	int n = 0;

	for (; words != 0; words &= words - 1) {
		unsigned j = (unsigned)__builtin_ctzll(words);
		uint64_t m = fill_gaps(map->bits[j]);

		while (m != 0) {
			struct hs_delta_run run = take_run(&m);

			run.off = (uint16_t)(run.off + 64 * j);
			if (n > 0 && run.off - end < HS_DELTA_JOIN_BYTES) {
				unsigned more = run.off - end + run.len;

				runs[n - 1].len =
				    (uint16_t)(runs[n - 1].len + more);
				sum += more;
			} else {
				runs[n++] = run;
				sum += HS_DELTA_JOIN_BYTES + run.len;
			}
			if (sum > limit)
				return -EMSGSIZE;
			end = run.off + run.len;
		}
	}
	*bytes = sum;
	return n;
}
