/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/copy.h"

#include <stdint.h>
#include <string.h>

#include "base/tsan.h"
#include "mem/arena.h"

/*
 * Measured, ns a page, through the cache and around it: 256 pages that were
 * just written 108 and 191; 1024 that were not, in a row, 257 and 203; 4096 of
 * them 344 and 233.  Strewn over 1 GiB, both are 600 to 800.
 */
#define AROUND_PAGES 1024

#define NO_TSAN __attribute__((no_sanitize("thread")))

#if HS_TSAN
/* memcpy() is watched even when it is called from here. */
NO_TSAN void
hs_copy_page(void *dst, const void *src)
{
	const volatile uint64_t *s = src;
	uint64_t *d = dst;
	size_t i;

	for (i = 0; i < HS_ARENA_PAGE_BYTES / sizeof(*s); i++)
		d[i] = s[i];
}
#else
void
hs_copy_page(void *dst, const void *src)
{
	memcpy(dst, src, HS_ARENA_PAGE_BYTES);
}
#endif

#ifdef __x86_64__

#include <immintrin.h>

/* The fences: plain stores that publish dst must not overtake these. */
NO_TSAN __attribute__((target("avx512f"))) static void
copy_avx512(void *dst, const void *src)
{
	const __m512i *s = src;
	__m512i *d = dst;
	unsigned i;

	for (i = 0; i < HS_ARENA_PAGE_BYTES / sizeof(*s); i += 2) {
		__m512i a = _mm512_load_si512(s + i);
		__m512i b = _mm512_load_si512(s + i + 1);

		_mm512_stream_si512(d + i, a);
		_mm512_stream_si512(d + i + 1, b);
	}
	_mm_sfence();
}

NO_TSAN __attribute__((target("avx2"))) static void
copy_avx2(void *dst, const void *src)
{
	const __m256i *s = src;
	__m256i *d = dst;
	unsigned i;

	for (i = 0; i < HS_ARENA_PAGE_BYTES / sizeof(*s); i += 2) {
		__m256i a = _mm256_load_si256(s + i);
		__m256i b = _mm256_load_si256(s + i + 1);

		_mm256_stream_si256(d + i, a);
		_mm256_stream_si256(d + i + 1, b);
	}
	_mm_sfence();
}

static hs_copy_fn *
choose_around(void)
{
	if (__builtin_cpu_supports("avx512f"))
		return copy_avx512;
	if (__builtin_cpu_supports("avx2"))
		return copy_avx2;
	return hs_copy_page;
}

#else

static hs_copy_fn *
choose_around(void)
{
	return hs_copy_page;
}

#endif

void
hs_copy_page_around(void *dst, const void *src)
{
	choose_around()(dst, src);
}

hs_copy_fn *
hs_copy_choose(size_t npages)
{
	return npages < AROUND_PAGES ? hs_copy_page : choose_around();
}
