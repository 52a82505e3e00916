// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An arena's pages: who pays for them, how they come into page tables, and how
 * the kernel tells that one was modified.
 */
#include <linux/atomic.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched/user.h>

#include "broken.h"
#include "compat/mm.h"
#include "internal.h"

/*
 * Want of memory is an error for the caller to have (ENOMEM, SIGBUS), and no
 * reason to kill anything.  VM_FAULT_OOM would retry for ever.
 */
#define GFP_PAGE (GFP_USER | __GFP_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define GFP_TREE (GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/**
 * hscpt_page_charge() - count one page against RLIMIT_MEMLOCK
 * @a: whose user pays
 *
 * The limit is per user, as for all memory that is locked on behalf of a user
 * and not of a process: an arena may outlive its process.
 *
 * Return: 0 or -ENOMEM.
 */
int hscpt_page_charge(struct hscpt_arena *a)
{
	long limit = min_t(unsigned long, READ_ONCE(a->limit_pages), LONG_MAX);

	if (!a->user)
		return 0;
	if (atomic_long_inc_return(&a->user->locked_vm) <= limit)
		return 0;
	atomic_long_dec(&a->user->locked_vm);
	return -ENOMEM;
}

/**
 * hscpt_page_uncharge() - undo one hscpt_page_charge()
 * @a: whose user paid
 */
void hscpt_page_uncharge(struct hscpt_arena *a)
{
	if (a->user)
		atomic_long_dec(&a->user->locked_vm);
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

	if (hscpt_page_charge(a))
		return NULL;
	page = alloc_page(GFP_PAGE | __GFP_ZERO);
	if (!page) {
		hscpt_page_uncharge(a);
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
	hscpt_page_uncharge(a);
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
	struct page *old;

	if (page)
		return page;
	page = alloc_arena_page(a, index);
	if (!page)
		return ERR_PTR(-ENOMEM);
	/*
	 * Before anyone can write to it.  If it does not come to that, a page
	 * seems to exist that reads as zeroes.
	 */
	set_bit(index, a->present);
	raise_top(a, index + 1);
	old = xa_cmpxchg(&a->pages, index, NULL, page, GFP_TREE);
	if (!old) {
		atomic_long_inc(&a->populated);
		return page;
	}
	free_arena_page(a, page);
	return xa_is_err(old) ? ERR_PTR(-ENOMEM) : old;
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
