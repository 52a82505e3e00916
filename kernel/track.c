// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From page-table entries to sets of pages.
 *
 *	soft --take--.
 *	              >-- a.found --> the caller's bitmap, or a snapshot
 *	hard --walk--'
 *
 * Soft first, then hard (K1): who zaps a dirty entry sets the soft bit, then
 * flushes TLBs, then drops the page-table lock.  If the soft bit were taken
 * last, a processor with the entry in its TLB could write after that, and
 * nobody would know.  The walk waits for the lock, so it ends after the flush.
 *
 * But a bit may go from hard to soft between the two.  So what is soft after
 * the walk is taken as well, and if there was any, the walk is repeated:
 *
 *  T1  A write that was finished before the first take is taken.  Its bit was
 *      soft then, or hard when the first walk met it, or became soft in between
 *      and is found by the second take.
 *  T2  Each soft bit that is taken is followed by a walk.
 *
 * A cut goes on until a round finds nothing.
 */
#include <linux/bitmap.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "fault.h"
#include "internal.h"

/*
 * Runs that are closer than this are protected by one walk: a walk and its
 * TLB flush cost about as much as a write fault, and few pages of a gap will
 * have one.
 */
#define GAP_PAGES 16

static unsigned long take_soft(struct hscpt_arena *a, unsigned long first,
			       unsigned long n)
{
	return hscpt_bits_take(a->soft, first, n, a->found);
}

/*
 * Wait for the writes that were let through and have no entry yet (K3).  Later
 * ones wait for a.cut.
 */
static void drain_granted(struct hscpt_arena *a, unsigned long top)
{
	struct page *page;
	unsigned long i;

	lockdep_assert_held_write(&a->cut);
	if (hscpt_broken(1))
		return;
	for_each_set_bit(i, a->granted, top) {
		page = xa_load(&a->pages, i);
		if (page)
			wait_on_page_locked(page);
	}
	if (!hscpt_mmu_is_portable())
		bitmap_zero(a->granted, top);
}

/* Two rounds, for T1 and T2. */
static void collect(struct hscpt_arena *a, unsigned long first, unsigned long n)
{
	int round;

	if (hscpt_broken(3)) {
		hscpt_mmu_collect(a, first, n);
		hscpt_fault_delay(3);
		take_soft(a, first, n);
		return;
	}
	for (round = 0; round < 2; round++) {
		if (!take_soft(a, first, n) && round > 0)
			break;
		hscpt_fault_delay(3);
		hscpt_mmu_collect(a, first, n);
	}
	if (hscpt_mmu_is_portable())
		take_soft(a, first, n);	/* what was hard just now */
}

static int lock_collect(struct hscpt_arena *a, unsigned long top)
{
	int err;

	err = mutex_lock_killable(&a->collect);
	if (err || !hscpt_mmu_is_portable())
		return err;
	err = down_write_killable(&a->cut);
	if (err) {
		mutex_unlock(&a->collect);
		return err;
	}
	drain_granted(a, top);
	return 0;
}

/**
 * hscpt_track_harvest() - collect the bits of a range and hand them out
 * @a: the arena
 * @first: of the range
 * @n: its length
 * @peek: keep them all the same
 * @to: bitmap of the range; may be NULL when peeking
 * @ndirty: how many
 *
 * What cannot be handed out is kept (H4).
 *
 * Return: 0, -EFAULT, -EINTR or -ENOMEM.
 */
int hscpt_track_harvest(struct hscpt_arena *a, unsigned long first,
			unsigned long n, bool peek, u64 __user *to,
			u64 __user *ndirty)
{
	unsigned long top = min(READ_ONCE(a->top), a->npages);
	unsigned long within = first < top ? min(n, top - first) : 0;
	unsigned long sum;
	int err;

	err = lock_collect(a, top);
	if (err)
		return err;
	if (within)
		collect(a, first, within);
	if (hscpt_mmu_is_portable())
		up_write(&a->cut);
	sum = hscpt_bits_count(a->found, first, within);
	if (to)
		err = hscpt_bits_to_user(to, a->found, top, first, n);
	if (!err && put_user(sum, ndirty))
		err = -EFAULT;
	if (err || peek)
		hscpt_bits_give(a->found, first, within, a->soft);
	if (err)
		atomic_long_add(sum, &a->nputback);
	bitmap_clear(a->found, first, within);
	atomic_long_inc(&a->nharvest);
	mutex_unlock(&a->collect);
	return err;
}

/* The same until nothing is found; all writers are blocked at the end. */
static void cut_running(struct hscpt_arena *a, unsigned long top)
{
	unsigned long more;

	if (hscpt_broken(2)) {
		collect(a, 0, top);
		hscpt_fault_delay(2);
		hscpt_mmu_protect(a, 0, top);
		return;
	}
	do {
		more = take_soft(a, 0, top);
		more += hscpt_mmu_protect(a, 0, top);
		hscpt_fault_delay(2);
		more += hscpt_mmu_collect(a, 0, top);
		cond_resched();
	} while (more);
}

/**
 * hscpt_track_cut() - find all pages that were modified before one instant
 * @a: its a.found is filled
 * @top: the arena's
 * @quiesced: nobody writes; then no page is protected by this call
 *
 * If writers run, then on return no entry is writable (K2: nor dirty) until
 * a.cut is released: the instant is that of the return.
 *
 * Context: a.collect is held, and a.cut for writing.
 * Return: how many pages.
 */
unsigned long hscpt_track_cut(struct hscpt_arena *a, unsigned long top,
			      bool quiesced)
{
	lockdep_assert_held(&a->collect);
	if (top) {
		drain_granted(a, top);
		if (quiesced)
			collect(a, 0, top);
		else
			cut_running(a, top);
	}
	atomic_long_inc(&a->nharvest);
	return hscpt_bits_count(a->found, 0, top);
}

/**
 * hscpt_track_protect() - protect the pages of a set
 * @a: the arena
 * @set: bits of the pages; their entries are clean
 * @nbits: its length
 *
 * Clean pages in small gaps between them become protected as well.
 *
 * Context: a.cut is held for writing.
 */
void hscpt_track_protect(struct hscpt_arena *a, const unsigned long *set,
			 unsigned long nbits)
{
	unsigned long from, to, next;

	for (from = find_next_bit(set, nbits, 0); from < nbits; from = next) {
		to = find_next_zero_bit(set, nbits, from);
		next = find_next_bit(set, nbits, to);
		while (next < nbits && next - to <= GAP_PAGES) {
			to = find_next_zero_bit(set, nbits, next);
			next = find_next_bit(set, nbits, to);
		}
		hscpt_mmu_protect(a, from, to - from);
	}
}
