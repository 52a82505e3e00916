// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is done to page-table entries, in two ways.
 *
 * With CONFIG_MAPPING_DIRTY_HELPERS the kernel lends two walks over all
 * mappings of a range: one takes the hard bits, one protects.  Both hold the
 * page-table locks, and flush TLBs before they return.
 *
 * Without it, or with the parameter portable, what was granted since is
 * unmapped: the kernel turns hard bits into soft ones on the way.  Collecting
 * is protecting then, and each access after it is a fault.
 *
 *  U1  In the portable way each page that an entry lets be written, or has a
 *      hard bit, has its bit in a.granted.  mkwrite_page() sets it before there
 *      is such an entry, and here it is cleared only with a.cut held for
 *      writing and no page_mkwrite() in flight.
 */
#include <linux/bitmap.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>

#include "internal.h"

static bool portable = !IS_ENABLED(CONFIG_MAPPING_DIRTY_HELPERS);
#if IS_ENABLED(CONFIG_MAPPING_DIRTY_HELPERS)
module_param(portable, bool, 0444);
MODULE_PARM_DESC(portable, "do without the MMU's modified bits (for tests)");
#endif

/**
 * hscpt_mmu_is_portable() - are pages unmapped in order to collect bits?
 *
 * Return: true if so; then a harvest needs a.cut, and soft bits come of it.
 */
bool hscpt_mmu_is_portable(void)
{
	return portable;
}

static unsigned long unmap_granted(struct hscpt_arena *a, unsigned long first,
				   unsigned long n)
{
	struct address_space *mapping = a->inode->i_mapping;
	unsigned long end = first + n;
	unsigned long sum = 0;
	unsigned long from, to;

	lockdep_assert_held_write(&a->cut);
	for (from = find_next_bit(a->granted, end, first); from < end;
	     from = find_next_bit(a->granted, end, to)) {
		to = find_next_zero_bit(a->granted, end, from);
		unmap_mapping_pages(mapping, from, to - from, false);
		bitmap_clear(a->granted, from, to - from);	/* U1 */
		sum += to - from;
	}
	return sum;
}

/**
 * hscpt_mmu_collect() - take the hard bits of a range
 * @a: a.found gets them or, in the portable way, a.soft
 * @first: of the range
 * @n: its length
 *
 * On return each write whose bit was taken is in the page's contents, and a
 * later one sets the bit again.  The lock of each page table of the range was
 * taken (K1).
 *
 * Context: a.collect is held; in the portable way a.cut, for writing.
 * Return: how many entries, or pages, had bits; 0 if none.
 */
unsigned long hscpt_mmu_collect(struct hscpt_arena *a, unsigned long first,
				unsigned long n)
{
	lockdep_assert_held(&a->collect);
	atomic_long_inc(&a->npasses);
	if (portable)
		return unmap_granted(a, first, n);
#if IS_ENABLED(CONFIG_MAPPING_DIRTY_HELPERS)
	pgoff_t start = 0;
	pgoff_t end = 0;

	return clean_record_shared_mapping_range(a->inode->i_mapping, first, n,
						 0, a->found, &start, &end);
#else
	return 0;
#endif
}

/**
 * hscpt_mmu_protect() - make the next write to a page of a range a fault
 * @a: the arena
 * @first: of the range
 * @n: its length
 *
 * Hard bits stay (K2).
 *
 * Context: a.cut is held for writing.
 * Return: how many entries, or pages, were writable.
 */
unsigned long hscpt_mmu_protect(struct hscpt_arena *a, unsigned long first,
				unsigned long n)
{
	lockdep_assert_held_write(&a->cut);
	atomic_long_inc(&a->npasses);
	if (portable)
		return unmap_granted(a, first, n);
#if IS_ENABLED(CONFIG_MAPPING_DIRTY_HELPERS)
	return wp_shared_mapping_range(a->inode->i_mapping, first, n);
#else
	return 0;
#endif
}
