/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/copy.h"

#include <string.h>

#define PAGE_BYTES 4096

void
hs_copy_page_portable(void *dst, const void *src)
{
	memcpy(dst, src, PAGE_BYTES);
}

#ifdef __x86_64__

#include <immintrin.h>

__attribute__((target("avx512f"))) static void
copy_avx512(void *dst, const void *src)
{
	const __m512i *s = src;
	__m512i *d = dst;
	unsigned i;

	for (i = 0; i < PAGE_BYTES / sizeof(*s); i += 4) {
		__m512i a = _mm512_load_si512(s + i);
		__m512i b = _mm512_load_si512(s + i + 1);
		__m512i c = _mm512_load_si512(s + i + 2);
		__m512i e = _mm512_load_si512(s + i + 3);

		_mm512_stream_si512(d + i, a);
		_mm512_stream_si512(d + i + 1, b);
		_mm512_stream_si512(d + i + 2, c);
		_mm512_stream_si512(d + i + 3, e);
	}
	_mm_sfence();
}

__attribute__((target("avx2"))) static void
copy_avx2(void *dst, const void *src)
{
	const __m256i *s = src;
	__m256i *d = dst;
	unsigned i;

	for (i = 0; i < PAGE_BYTES / sizeof(*s); i += 4) {
		__m256i a = _mm256_load_si256(s + i);
		__m256i b = _mm256_load_si256(s + i + 1);
		__m256i c = _mm256_load_si256(s + i + 2);
		__m256i e = _mm256_load_si256(s + i + 3);

		_mm256_stream_si256(d + i, a);
		_mm256_stream_si256(d + i + 1, b);
		_mm256_stream_si256(d + i + 2, c);
		_mm256_stream_si256(d + i + 3, e);
	}
	_mm_sfence();
}

void
hs_copy_page(void *dst, const void *src)
{
	if (__builtin_cpu_supports("avx512f"))
		copy_avx512(dst, src);
	else if (__builtin_cpu_supports("avx2"))
		copy_avx2(dst, src);
	else
		hs_copy_page_portable(dst, src);
}

#else

void
hs_copy_page(void *dst, const void *src)
{
	hs_copy_page_portable(dst, src);
}

#endif
