/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/shadow.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The other threads are not stopped (hs.h, Threads). */
#define NO_TSAN __attribute__((no_sanitize("thread")))
#define INLINE static inline __attribute__((always_inline)) NO_TSAN

#define PIECE HS_SHADOW_PIECE
/* Compared at once: the more, the fewer branches for what is equal. */
#define BLOCK 512

/* Of any alignment, and of any type. */
typedef uint64_t lanes __attribute__((vector_size(32), aligned(1), may_alias));

INLINE bool
differs(const uint8_t *a, const uint8_t *b, size_t len)
{
	lanes any = { 0 };

	for (size_t i = 0; i < len; i += sizeof(any))
		any |= *(const lanes *)(const void *)(a + i) ^
		    *(const lanes *)(const void *)(b + i);
	return (any[0] | any[1] | any[2] | any[3]) != 0;
}

INLINE size_t
copy_block(uint8_t *to, const uint8_t *from)
{
	size_t written = 0;

	for (size_t i = 0; i < BLOCK; i += PIECE) {
		if (!differs(to + i, from + i, PIECE))
			continue;
		for (size_t k = i; k < i + PIECE; k += sizeof(lanes))
			*(lanes *)(void *)(to + k) =
			    *(const lanes *)(const void *)(from + k);
		written += PIECE;
	}
	return written;
}

/* The last bytes, which fill no block. */
INLINE size_t
copy_tail(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t written = 0;

	for (size_t i = 0; i < len; i += PIECE) {
		const size_t n = len - i < PIECE ? len - i : PIECE;
		bool differ = false;

		for (size_t k = i; k < i + n && !differ; k++)
			differ = to[k] != from[k];
		if (!differ)
			continue;
		for (size_t k = i; k < i + n; k++)
			*(volatile uint8_t *)&to[k] = from[k];
		written += n;
	}
	return written;
}

INLINE size_t
sync_bytes(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t written = 0, i;

	for (i = 0; i + BLOCK <= len; i += BLOCK)
		if (differs(to + i, from + i, BLOCK))
			written += copy_block(to + i, from + i);
	return written + copy_tail(to + i, from + i, len - i);
}

NO_TSAN static size_t
sync_plain(uint8_t *to, const uint8_t *from, size_t len)
{
	return sync_bytes(to, from, len);
}

#ifdef __x86_64__

__attribute__((target("avx2"))) NO_TSAN static size_t
sync_avx2(uint8_t *to, const uint8_t *from, size_t len)
{
	return sync_bytes(to, from, len);
}

size_t
hs_shadow_sync(void *shadow, const void *live, size_t len)
{
	if (__builtin_cpu_supports("avx2"))
		return sync_avx2(shadow, live, len);
	return sync_plain(shadow, live, len);
}

#else

size_t
hs_shadow_sync(void *shadow, const void *live, size_t len)
{
	return sync_plain(shadow, live, len);
}

#endif

NO_TSAN size_t
hs_shadow_differ(const void *shadow, const void *live, size_t len)
{
	const uint8_t *a = shadow, *b = live;
	size_t n = 0, i;

	for (i = 0; i + BLOCK <= len; i += BLOCK)
		if (differs(a + i, b + i, BLOCK))
			for (size_t k = i; k < i + BLOCK; k++)
				n += a[k] != b[k];
	for (; i < len; i++)
		n += a[i] != b[i];
	return n;
}
