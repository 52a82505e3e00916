// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arrays of bits, one a page of an arena.  An array has whole words, and the
 * bits past its pages are 0.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

/**
 * hscpt_bits_alloc() - make an array
 * @n: its length
 *
 * Return: the array, all 0, for kvfree(); or NULL.
 */
unsigned long *hscpt_bits_alloc(unsigned long n)
{
	return kvcalloc(BITS_TO_LONGS(n), sizeof(unsigned long),
			GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
				__GFP_NOWARN);
}

/**
 * hscpt_bits_pages() - what arrays count for against RLIMIT_MEMLOCK
 * @n: length of each
 * @arrays: how many
 *
 * Return: whole pages.  What is less is as the other objects of a file: of the
 * memory cgroup alone.
 */
unsigned long hscpt_bits_pages(unsigned long n, unsigned int arrays)
{
	return (BITS_TO_LONGS(n) * sizeof(unsigned long) * arrays) >>
	       PAGE_SHIFT;
}

/* Those bits of word that are in [first, end). */
static unsigned long mask_word(unsigned long word, unsigned long first,
			       unsigned long end)
{
	unsigned long begin = word * BITS_PER_LONG;
	unsigned long mask = ~0UL;

	if (first > begin)
		mask &= BITMAP_FIRST_WORD_MASK(first);
	if (end < begin + BITS_PER_LONG)
		mask &= BITMAP_LAST_WORD_MASK(end);
	return mask;
}

/**
 * hscpt_bits_take() - move bits of an atomic array to a private one
 * @from: may be changed by others meanwhile
 * @first: of the range
 * @n: its length
 * @to: the bits are added
 *
 * Return: how many there were, also if @to had some of them.
 */
unsigned long hscpt_bits_take(unsigned long *from, unsigned long first,
			      unsigned long n, unsigned long *to)
{
	unsigned long end = first + n;
	unsigned long sum = 0;
	unsigned long w, mask, got;
	atomic_long_t *word;

	if (!n)
		return 0;
	for (w = BIT_WORD(first); w <= BIT_WORD(end - 1); w++) {
		mask = mask_word(w, first, end);
		if (!(READ_ONCE(from[w]) & mask))
			continue;
		word = (atomic_long_t *)&from[w];
		got = mask & atomic_long_fetch_andnot(mask, word);
		to[w] |= got;
		sum += hweight_long(got);
	}
	return sum;
}

/**
 * hscpt_bits_give() - add bits of a private array to an atomic one
 * @from: stays as it is
 * @first: of the range
 * @n: its length
 * @to: may be changed by others meanwhile
 *
 * Return: how many bits @from has in the range.
 */
unsigned long hscpt_bits_give(const unsigned long *from, unsigned long first,
			      unsigned long n, unsigned long *to)
{
	unsigned long end = first + n;
	unsigned long sum = 0;
	unsigned long w, bits;

	if (!n)
		return 0;
	for (w = BIT_WORD(first); w <= BIT_WORD(end - 1); w++) {
		bits = from[w] & mask_word(w, first, end);
		if (!bits)
			continue;
		atomic_long_or(bits, (atomic_long_t *)&to[w]);
		sum += hweight_long(bits);
	}
	return sum;
}

/**
 * hscpt_bits_count() - count bits of a private array
 * @bits: the array
 * @first: of the range
 * @n: its length
 *
 * Return: how many are set.
 */
unsigned long hscpt_bits_count(const unsigned long *bits, unsigned long first,
			       unsigned long n)
{
	unsigned long end = first + n;
	unsigned long sum = 0;
	unsigned long w;

	if (!n)
		return 0;
	for (w = BIT_WORD(first); w <= BIT_WORD(end - 1); w++)
		sum += hweight_long(bits[w] & mask_word(w, first, end));
	return sum;
}

/* Word i of the array that begins at bit first, and has bits below nbits. */
static u64 shifted_word(const unsigned long *bits, unsigned long nbits,
			unsigned long first, unsigned long i)
{
	unsigned long at = first + i * 64;
	unsigned int shift = at % 64;
	u64 word;

	if (at >= nbits)
		return 0;
	word = bits[at / 64] >> shift;
	if (shift && (at / 64 + 1) * 64 < nbits)
		word |= (u64)bits[at / 64 + 1] << (64 - shift);
	if (nbits - at < 64)
		word &= (1ULL << (nbits - at)) - 1;
	return word;
}

/**
 * hscpt_bits_to_user() - hand a range out, shifted so that it begins at bit 0
 * @to: (@n + 63) / 64 words
 * @bits: the array
 * @nbits: its length; what lies above is 0
 * @first: of the range
 * @n: its length
 *
 * Return: 0, -EFAULT, or -ENOMEM.
 */
int hscpt_bits_to_user(u64 __user *to, const unsigned long *bits,
		       unsigned long nbits, unsigned long first,
		       unsigned long n)
{
	unsigned long nwords = DIV_ROUND_UP(n, 64);
	unsigned long per = PAGE_SIZE / sizeof(u64);
	unsigned long i, j, chunk;
	int err = 0;
	u64 *buf;

	BUILD_BUG_ON(BITS_PER_LONG != 64);
	nbits = min(nbits, first + n);
	buf = (u64 *)__get_free_page(GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	for (i = 0; i < nwords && !err; i += chunk) {
		chunk = min(nwords - i, per);
		for (j = 0; j < chunk; j++)
			buf[j] = shifted_word(bits, nbits, first, i + j);
		if (copy_to_user(to + i, buf, chunk * sizeof(u64)))
			err = -EFAULT;
	}
	free_page((unsigned long)buf);
	return err;
}
