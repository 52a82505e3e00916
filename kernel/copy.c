// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A snapshot's pages while the arena is written.  A page of its set is in one
 * of three states:
 *
 *	pending		the arena's page has its contents (K5)
 *	copied		an entry in s.copies
 *	forgotten	neither
 *
 *	pending -> copied	store_copy(): a write, an access to a mapping
 *	pending -> forgotten	hscpt_copy_forget()
 *	copied -> forgotten	hscpt_copy_forget(), hscpt_copy_free_all()
 *
 *  C1  A copy is in s.copies before the pending bit is cleared; so who sees no
 *      pending bit, and then no copy, may say that the page is forgotten.
 *  C2  A pending page's contents were read soundly if the bit is still set,
 *      and the snapshot neither stale nor closed, after they were read: a write
 *      comes after the change of that.
 *  C3  A copy is mapped only by who holds its lock and sees it in s.copies; it
 *      is taken out under its lock and unmapped after that.
 */
#include <linux/atomic.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "fault.h"
#include "internal.h"

/* A copy that needs effort is not worth it: the snapshot fails instead (H5). */
#define GFP_COPY (GFP_USER | __GFP_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN)
#define GFP_TREE (GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN)

static struct page *copy_contents(struct page *from)
{
	struct page *copy;

	copy = hscpt_fault_copy() ? NULL : alloc_page(GFP_COPY);
	if (copy)
		copy_highpage(copy, from);
	return copy;
}

static void drop_copy(struct hscpt_snap *s, struct page *copy)
{
	put_page(copy);
	hscpt_page_uncharge(s->arena, 1);
	atomic_long_dec(&s->ncopies);
	atomic_long_dec(&s->arena->copied);
}

/* pending -> copied.  Takes a reference of its own.  -ENOSPC: the budget. */
static int store_copy(struct hscpt_snap *s, pgoff_t index, struct page *copy)
{
	int err;

	if (atomic_long_inc_return(&s->ncopies) > s->budget) {
		atomic_long_dec(&s->ncopies);
		return -ENOSPC;
	}
	err = hscpt_page_charge(s->arena, 1);
	if (err) {
		atomic_long_dec(&s->ncopies);
		return err;
	}
	get_page(copy);
	atomic_long_inc(&s->arena->copied);
	err = xa_err(xa_store(&s->copies, index, copy, GFP_TREE));
	if (err) {
		drop_copy(s, copy);
		return err;
	}
	atomic_long_inc(&s->arena->ncopies);
	smp_mb__before_atomic();	/* C1 */
	clear_bit(index, s->pending);
	return 0;
}

/**
 * hscpt_copy_before_write() - keep what snapshots have yet to read
 * @a: the arena
 * @page: about to become writable
 * @index: its place
 *
 * A snapshot for which that fails is stale.
 *
 * Context: a.cut is held for reading, and the page is locked.
 */
void hscpt_copy_before_write(struct hscpt_arena *a, struct page *page,
			     pgoff_t index)
{
	struct page *copy = NULL;
	struct hscpt_snap *s;

	lockdep_assert_held_read(&a->cut);
	list_for_each_entry(s, &a->snaps, node) {
		if (index >= s->nbits || !test_bit(index, s->pending) ||
		    hscpt_snap_is_dead(s))
			continue;
		if (!copy)
			copy = copy_contents(page);
		if (copy && !store_copy(s, index, copy))
			continue;
		if (!test_and_set_bit(SNAP_STALE, &s->state))
			atomic_long_inc(&a->nstale);
		smp_mb__after_atomic();	/* C2 */
	}
	if (copy)
		put_page(copy);
}

/**
 * hscpt_copy_eager() - copy the whole set
 * @s: nobody else knows it yet
 *
 * Context: a.cut is held for writing, and nobody writes.
 * Return: 0, -EINTR, -ENOMEM or -ENOSPC; the copies that were made are in @s.
 */
int hscpt_copy_eager(struct hscpt_snap *s)
{
	struct page *page, *copy;
	unsigned long index;
	int err;

	if (s->npages > s->budget)
		return -ENOSPC;
	for_each_set_bit(index, s->set, s->nbits) {
		if (fatal_signal_pending(current))
			return -EINTR;
		page = hscpt_page_get(s->arena, index);
		if (IS_ERR(page))
			return PTR_ERR(page);
		copy = copy_contents(page);
		if (!copy)
			return -ENOMEM;
		err = store_copy(s, index, copy);
		put_page(copy);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/**
 * hscpt_copy_find() - look for a copy
 * @s: the snapshot
 * @index: of the page
 *
 * Return: the copy, which the caller puts, or NULL.
 */
struct page *hscpt_copy_find(struct hscpt_snap *s, pgoff_t index)
{
	struct page *copy;

	xa_lock(&s->copies);
	copy = xa_load(&s->copies, index);
	if (copy)
		get_page(copy);
	xa_unlock(&s->copies);
	return copy;
}

/**
 * hscpt_copy_make() - find a copy, or copy a pending page
 * @s: the snapshot
 * @index: of the page
 *
 * When this fails, the page stays pending.
 *
 * Return: the copy, which the caller puts, or an ERR_PTR(): -ENODATA
 * (forgotten, or not in the set), -ESTALE, -ENOMEM or -ENOSPC.
 */
struct page *hscpt_copy_make(struct hscpt_snap *s, pgoff_t index)
{
	struct page *page, *copy;
	int err = -ENODATA;

	if (index >= s->nbits || !test_bit(index, s->set))
		return ERR_PTR(-ENODATA);
	page = hscpt_page_get(s->arena, index);
	if (IS_ERR(page))
		return page;
	lock_page(page);
	copy = hscpt_copy_find(s, index);
	if (hscpt_snap_is_dead(s)) {
		err = -ESTALE;
	} else if (!copy && test_bit(index, s->pending)) {
		copy = copy_contents(page);
		err = copy ? store_copy(s, index, copy) : -ENOMEM;
	} else if (copy) {
		err = 0;
	}
	unlock_page(page);
	if (!err)
		return copy;
	if (copy)
		put_page(copy);
	return ERR_PTR(err);
}

/* copied -> forgotten.  Returns the copy, unmapped, if there was one (C3). */
static struct page *take_out(struct hscpt_snap *s, pgoff_t index)
{
	struct page *copy = hscpt_copy_find(s, index);

	if (!copy)
		return NULL;
	lock_page(copy);
	xa_erase(&s->copies, index);
	unlock_page(copy);
	if (mapping_mapped(s->mapping))
		unmap_mapping_pages(s->mapping, index, 1, false);
	put_page(copy);
	return copy;
}

/**
 * hscpt_copy_forget() - a page of the snapshot is not needed any more
 * @s: the snapshot
 * @index: below its nbits
 *
 * Context: s.lock is held, so that one takes a copy out at a time.
 */
void hscpt_copy_forget(struct hscpt_snap *s, pgoff_t index)
{
	struct page *page = xa_load(&s->arena->pages, index);
	struct page *copy;

	lockdep_assert_held(&s->lock);
	if (page)
		lock_page(page);	/* K6 */
	clear_bit(index, s->pending);
	copy = take_out(s, index);
	if (page)
		unlock_page(page);
	if (copy)
		drop_copy(s, copy);
}

/**
 * hscpt_copy_free_all() - forget all copies of a snapshot
 * @s: closed; pending bits do not matter any more
 *
 * Context: s.lock is held.
 */
void hscpt_copy_free_all(struct hscpt_snap *s)
{
	unsigned long index;
	struct page *copy;

	lockdep_assert_held(&s->lock);
	xa_for_each(&s->copies, index, copy) {
		lock_page(copy);
		xa_erase(&s->copies, index);
		unlock_page(copy);
		/* A mapping of it keeps it until it is unmapped, below. */
		drop_copy(s, copy);
		cond_resched();
	}
	if (mapping_mapped(s->mapping))
		unmap_mapping_pages(s->mapping, 0, s->arena->npages, false);
}

/**
 * hscpt_copy_read() - read from a page of a snapshot
 * @s: the snapshot
 * @index: of the page
 * @off: in the page
 * @len: at most to its end
 * @to: where to
 *
 * Return: bytes read, -ENODATA (forgotten, or not in the set), -ESTALE, -EFAULT
 * or -ENOMEM.
 */
ssize_t hscpt_copy_read(struct hscpt_snap *s, pgoff_t index, size_t off,
			size_t len, struct iov_iter *to)
{
	struct page *page;
	bool pending;
	size_t got;

	if (index >= s->nbits || !test_bit(index, s->set))
		return hscpt_snap_is_dead(s) ? -ESTALE : -ENODATA;
	for (;;) {
		pending = test_bit(index, s->pending);
		smp_rmb();	/* C1 */
		page = hscpt_copy_find(s, index);
		if (hscpt_snap_is_dead(s)) {
			if (page)
				put_page(page);
			return -ESTALE;
		}
		if (page) {
			got = copy_page_to_iter(page, off, len, to);
			put_page(page);
			return got ? got : -EFAULT;
		}
		if (!pending)
			return -ENODATA;
		page = hscpt_page_get(s->arena, index);
		if (IS_ERR(page))
			return PTR_ERR(page);
		got = copy_page_to_iter(page, off, len, to);
		smp_rmb();	/* C2 */
		if (test_bit(index, s->pending) && !hscpt_snap_is_dead(s))
			return got ? got : -EFAULT;
		iov_iter_revert(to, got);
		cond_resched();
	}
}
