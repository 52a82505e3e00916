/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdlib.h>

#include "mem/pageset.h"

#define WORD_BITS 64

/*
 * P1  Bit w of `sum` is set iff word w of `bits` is not zero.
 * P2  `count` is the number of bits set in `bits`.
 */
struct hs_pageset {
	size_t npages;
	size_t nsum;
	size_t count;
	uint64_t *bits;
	uint64_t *sum;
};

static inline uint64_t
bit(size_t n)
{
	return (uint64_t)1 << (n % WORD_BITS);
}

static inline unsigned
lowest(uint64_t word)
{
	return (unsigned)__builtin_ctzll(word);
}

/* Bits from..WORD_BITS - 1. */
static inline uint64_t
mask_from(size_t from)
{
	return ~(uint64_t)0 << (from % WORD_BITS);
}

int
hs_pageset_create(struct hs_pageset **out, size_t npages)
{
	struct hs_pageset *s;
	size_t nwords = npages / WORD_BITS + 1;

	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->npages = npages;
	s->nsum = nwords / WORD_BITS + 1;
	/* Whole summary words, so that a walk needs no end check inside. */
	s->bits = calloc(s->nsum * WORD_BITS, sizeof(*s->bits));
	s->sum = calloc(s->nsum, sizeof(*s->sum));
	if (s->bits == NULL || s->sum == NULL) {
		hs_pageset_destroy(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void
hs_pageset_destroy(struct hs_pageset *s)
{
	if (s == NULL)
		return;
	free(s->bits);
	free(s->sum);
	free(s);
}

static void
add_bits(struct hs_pageset *s, size_t word, uint64_t mask)
{
	uint64_t fresh = mask & ~s->bits[word];

	if (mask == 0)
		return;
	s->count += (size_t)__builtin_popcountll(fresh);
	s->bits[word] |= mask;
	s->sum[word / WORD_BITS] |= bit(word);		/* P1 */
}

void
hs_pageset_add(struct hs_pageset *s, size_t first, size_t n)
{
	size_t last, word;

	if (n == 0)
		return;
	assert(first < s->npages && n <= s->npages - first);
	last = first + n - 1;
	for (word = first / WORD_BITS; word <= last / WORD_BITS; word++) {
		uint64_t mask = ~(uint64_t)0;

		if (word == first / WORD_BITS)
			mask &= mask_from(first);
		if (word == last / WORD_BITS)
			mask &= ~(mask_from(last) << 1);
		add_bits(s, word, mask);
	}
}

void
hs_pageset_clear(struct hs_pageset *s)
{
	size_t i;

	for (i = 0; i < s->nsum && s->count != 0; i++) {
		while (s->sum[i] != 0) {
			size_t word = i * WORD_BITS + lowest(s->sum[i]);

			s->count -= (size_t)__builtin_popcountll(s->bits[word]);
			s->bits[word] = 0;
			s->sum[i] &= s->sum[i] - 1;
		}
	}
	assert(s->count == 0);		/* P2 */
}

bool
hs_pageset_has(const struct hs_pageset *s, size_t page)
{
	return page < s->npages && (s->bits[page / WORD_BITS] & bit(page)) != 0;
}

size_t
hs_pageset_count(const struct hs_pageset *s)
{
	return s->count;
}

bool
hs_pageset_next(const struct hs_pageset *s, size_t from, size_t *page)
{
	size_t word = from / WORD_BITS, i;
	uint64_t left;

	if (from >= s->npages)
		return false;
	left = s->bits[word] & mask_from(from);
	if (left == 0) {
		/* Words after `word` in its summary, then later summaries. */
		i = word / WORD_BITS;
		left = s->sum[i] & (mask_from(word) << 1);
		while (left == 0) {
			if (++i == s->nsum)
				return false;
			left = s->sum[i];
		}
		word = i * WORD_BITS + lowest(left);
		left = s->bits[word];
	}
	*page = word * WORD_BITS + lowest(left);
	return true;
}

void
hs_pageset_merge(struct hs_pageset *dst, const struct hs_pageset *src)
{
	size_t i;

	assert(dst->npages == src->npages);
	for (i = 0; i < src->nsum; i++) {
		uint64_t left;

		for (left = src->sum[i]; left != 0; left &= left - 1) {
			size_t word = i * WORD_BITS + lowest(left);

			add_bits(dst, word, src->bits[word]);
		}
	}
}
