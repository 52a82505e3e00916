// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An arena's pages: who pays for them, how they come into page tables, and how
 * the kernel tells that one was modified.
 */
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "compat/mm.h"
#include "fault.h"
#include "internal.h"

/*
 * Want of memory is an error for the caller to have (ENOMEM, SIGBUS), and no
 * reason to kill anything.  VM_FAULT_OOM would retry for ever.
 */
#define GFP_PAGE (GFP_USER | __GFP_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define GFP_TREE (GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/**
 * hscpt_page_charge() - count pages against RLIMIT_MEMLOCK
 * @a: whose user pays
 * @n: how many
 *
 * The limit is per user, as for all memory that is locked on behalf of a user
 * and not of a process: an arena may outlive its process.
 *
 * Return: 0 or -ENOMEM.
 */
int hscpt_page_charge(struct hscpt_arena *a, unsigned long n)
{
	long limit = min_t(unsigned long, READ_ONCE(a->limit_pages), LONG_MAX);

	if (!a->user || !n)
		return 0;
	if (atomic_long_add_return(n, &a->user->locked_vm) <= limit)
		return 0;
	atomic_long_sub(n, &a->user->locked_vm);
	return -ENOMEM;
}

/**
 * hscpt_page_uncharge() - undo hscpt_page_charge()
 * @a: whose user paid
 * @n: how many
 */
void hscpt_page_uncharge(struct hscpt_arena *a, unsigned long n)
{
	if (a->user)
		atomic_long_sub(n, &a->user->locked_vm);
}

static void raise_top(struct hscpt_arena *a, unsigned long top)
{
	unsigned long old = READ_ONCE(a->top);
	unsigned long seen;

	while (old < top) {
		seen = cmpxchg(&a->top, old, top);
		if (seen == old)
			break;
		old = seen;
	}
}

static struct page *alloc_arena_page(struct hscpt_arena *a, pgoff_t index)
{
	struct page *page;
	struct folio *folio;

	if (hscpt_page_charge(a, 1))
		return NULL;
	page = alloc_page(GFP_PAGE | __GFP_ZERO);
	if (!page) {
		hscpt_page_uncharge(a, 1);
		return NULL;
	}
	folio = page_folio(page);
	folio->mapping = a->inode->i_mapping;
	folio->index = index;
	return page;
}

static void free_arena_page(struct hscpt_arena *a, struct page *page)
{
	/* set_page_dirty_lock() by who has it pinned still: under its lock. */
	lock_page(page);
	page_folio(page)->mapping = NULL;
	unlock_page(page);
	put_page(page);
	hscpt_page_uncharge(a, 1);
}

/*
 * Put a page at its place, unless there is one.  Returns that one, or NULL, or
 * an ERR_PTR(-ENOMEM).  A place that is reserved, xa_cmpxchg() takes for one
 * that it has filled.
 */
static struct page *place_page(struct hscpt_arena *a, struct page *page)
{
	XA_STATE(xas, &a->pages, page_folio(page)->index);
	void *old;

	do {
		xas_lock(&xas);
		old = xas_load(&xas);
		if (!old || xa_is_zero(old)) {
			xas_store(&xas, page);
			old = NULL;
		}
		xas_unlock(&xas);
	} while (xas_nomem(&xas, GFP_TREE));
	return xas_error(&xas) ? ERR_PTR(-ENOMEM) : old;
}

/*
 * Make a page the arena's.  Takes it; returns it, or the one that someone else
 * made meanwhile, or an ERR_PTR(-ENOMEM).
 */
static struct page *insert_page(struct hscpt_arena *a, struct page *page)
{
	pgoff_t index = page_folio(page)->index;
	struct page *old;

	/*
	 * Before anyone can write to it.  If it does not come to that, a page
	 * seems to exist that reads as zeroes.
	 */
	set_bit(index, a->present);
	raise_top(a, index + 1);
	old = place_page(a, page);
	if (!old) {
		atomic_long_inc(&a->populated);
		return page;
	}
	free_arena_page(a, page);
	return old;
}

/**
 * hscpt_page_get() - find or make an arena's page
 * @a: the arena, which holds the only reference for as long as it lives
 * @index: below its npages
 *
 * Return: the page, or an ERR_PTR(-ENOMEM).
 */
struct page *hscpt_page_get(struct hscpt_arena *a, pgoff_t index)
{
	struct page *page = xa_load(&a->pages, index);

	if (page)
		return page;
	page = alloc_arena_page(a, index);
	return page ? insert_page(a, page) : ERR_PTR(-ENOMEM);
}

/* Pages for all places of a range that have none, and those places. */
static int alloc_range(struct hscpt_arena *a, unsigned long first,
		       unsigned long n, struct list_head *pages)
{
	struct page *page;
	unsigned long i;

	for (i = first; i < first + n; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		if (xa_load(&a->pages, i))
			continue;
		page = alloc_arena_page(a, i);
		if (!page)
			return -ENOMEM;
		list_add_tail(&page->lru, pages);
		if (xa_reserve(&a->pages, i, GFP_TREE))
			return -ENOMEM;
	}
	return 0;
}

/**
 * hscpt_page_populate() - make all pages of a range, or none
 * @a: the arena
 * @first: of the range
 * @n: its length
 *
 * Who had all memory and then an error would be killed at its next step, for
 * want of a page table or a page of stack.
 *
 * Return: 0, -ENOMEM or -EINTR.
 */
int hscpt_page_populate(struct hscpt_arena *a, unsigned long first,
			unsigned long n)
{
	struct page *page, *next;
	LIST_HEAD(pages);
	int err;

	err = alloc_range(a, first, n, &pages);
	list_for_each_entry_safe(page, next, &pages, lru) {
		list_del(&page->lru);
		if (err) {
			xa_release(&a->pages, page_folio(page)->index);
			free_arena_page(a, page);
		} else if (IS_ERR(insert_page(a, page))) {
			/* Its place was given up by another call's failure. */
			err = -ENOMEM;
		}
		cond_resched();
	}
	return err;
}

/**
 * hscpt_page_free_all() - free an arena's pages
 * @a: has no mapping, no snapshot and no caller any more
 */
void hscpt_page_free_all(struct hscpt_arena *a)
{
	struct page *page;
	unsigned long index;

	xa_for_each(&a->pages, index, page) {
		free_arena_page(a, page);
		cond_resched();
	}
	xa_destroy(&a->pages);
}

/*
 * The kernel has found that a page was modified: a soft bit, and nothing else
 * (K4).  In any context that may hold a page-table lock.
 */
static bool dirty_folio(struct address_space *mapping, struct folio *folio)
{
	struct hscpt_arena *a = mapping->host->i_private;

	if (hscpt_broken(4) && folio_test_set_dirty(folio))
		return false;
	set_bit(folio->index, a->soft);
	hscpt_fault_delay(3);	/* before TLBs are flushed */
	return true;
}

const struct address_space_operations hscpt_page_aops = {
	.dirty_folio = dirty_folio,
};

static vm_fault_t fault_page(struct vm_fault *vmf)
{
	struct hscpt_arena *a = vmf->vma->vm_file->private_data;
	struct page *page = hscpt_page_get(a, vmf->pgoff);

	if (IS_ERR(page))
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

/*
 * Let a write through.  The entry becomes writable after the return: until
 * then the page stays locked, and granted says so (K3).
 */
static vm_fault_t mkwrite_page(struct vm_fault *vmf)
{
	struct hscpt_arena *a = vmf->vma->vm_file->private_data;
	struct page *page = vmf->page;

	down_read(&a->cut);
	lock_page(page);
	hscpt_copy_before_write(a, page, vmf->pgoff);
	set_bit(vmf->pgoff, a->granted);
	up_read(&a->cut);
	atomic_long_inc(&a->nmkwrite);
	hscpt_fault_delay(1);	/* before there is an entry */
	return VM_FAULT_LOCKED;
}

/*
 * Maps nothing.  Kernels that handle faults under the lock of one mapping alone
 * do so where there is a map_pages, and take the process's lock elsewhere.
 */
static vm_fault_t map_no_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return 0;
}

const struct vm_operations_struct hscpt_page_vm_ops = {
	.fault = fault_page,
	.map_pages = map_no_pages,
	.page_mkwrite = mkwrite_page,
};
