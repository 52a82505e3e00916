/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checkpoint memory.  What it promises to programs is in include/uapi (H1 to
 * H5); this is how.
 *
 * An arena is a sparse array of pages that the module owns.  They have the
 * arena's address_space as their mapping, so that the kernel's reverse maps,
 * dirty accounting and get_user_pages() work on them as on a file's, but
 * are on no LRU list: neither reclaimed nor migrated nor compacted.  So
 * nobody but the module has a use for their modified bits.
 *
 * Where a page's modification is recorded
 *
 *	hard	the dirty bits of its page-table entries, set by the MMU
 *	soft	a.soft, where ->dirty_folio() puts what the kernel learns: an
 *		entry that was dirty is gone, a write fault was let through, a
 *		device has written
 *
 * Invariants
 *
 *  K1  Each write that is in no set yet is in a hard or a soft bit, or in a
 *      TLB entry whose page-table entry was dirty and is being zapped by
 *      someone who holds its page-table lock.  Hence bits are collected soft
 *      first, then hard: the walk waits for that lock (track.c).
 *  K2  A page-table entry becomes writable only by page_mkwrite() or, if it is
 *      dirty, by mprotect().  Hence a protected page is also a clean one
 *      (track.c: repeat until nothing is found).
 *  K3  Between page_mkwrite() and the page-table entry, the page is locked and
 *      its bit in a.granted is set.  Hence a cut waits for those (track.c).
 *  K4  PG_dirty is never set: it would hide later modifications (page.c).
 *  K5  While s.pending has a page's bit and s is not stale, its contents are
 *      those at the cut of s, and no entry that maps it is writable.
 *  K6  pending bits are cleared, and copies stored and erased, with the arena's
 *      page locked.
 *
 * Locks, from the outside to the inside
 *
 *	hscpt_registry lock	names; who has an arena open
 *	s.lock			one of drain, commit, abort at a time
 *	a.collect		one collection of bits at a time: a.found
 *	mmap_lock		by copying to user space, and from page faults
 *	a.cut			read: a write is being let through;
 *				write: cuts, changes of a.snaps
 *	page lock		of the arena's pages, then of a copy
 *	i_mmap_rwsem, page-table locks, xa_lock, a.lock
 *
 * In the arrays of bits, pages are numbered from the arena's begin.
 */
#ifndef HSCPT_INTERNAL_H
#define HSCPT_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include <uapi/hscpt.h>

/* A set of its pages is 32 MiB then. */
#define HSCPT_MAX_BYTES		BIT_ULL(40)
#define HSCPT_MAX_SNAPSHOTS	16

struct user_struct;

/**
 * struct hscpt_arena - one range of checkpoint memory
 * @ref: held by each open file of it and of its snapshots, and by its name
 * @inode: whose mapping the pages have
 * @npages: its length
 * @pages: struct page, as they come into use; entries are never taken out
 * @top: no page at or above it exists, or ever did; it grows
 * @present: bits of the pages that exist
 * @soft: soft bits; atomic
 * @granted: writes let through and, where bits are collected by unmapping, not
 *	unmapped since; atomic
 * @found: what is being collected; guarded by @collect, 0 outside of it
 * @collect: see above
 * @cut: see above
 * @snaps: open snapshots with pending pages
 * @user: who is charged; NULL: unlimited
 * @limit_pages: RLIMIT_MEMLOCK of who opened it last
 * @bits_pages: charged for its arrays of bits
 * @owner: who may attach
 * @name: "" if it is not persistent
 * @names: list of the named ones
 * @nopen: open files of it and of its snapshots; guarded by the registry
 * @nsnaps: open snapshots; changes with @cut held for writing
 * @lock: guards the next three
 * @gen: number of the newest snapshot
 * @committed: number of the newest committed one
 * @cookie: what that one's committer said
 * @populated: pages that exist
 * @copied: copies that the snapshots hold
 * @nharvest: counter for hscpt_stat, as those below
 */
struct hscpt_arena {
	struct kref ref;
	struct inode *inode;
	unsigned long npages;
	struct xarray pages;
	unsigned long top;
	unsigned long *present;
	unsigned long *soft;
	unsigned long *granted;
	unsigned long *found;
	struct mutex collect;		/* guards found */
	struct rw_semaphore cut;
	struct list_head snaps;

	struct user_struct *user;
	unsigned long limit_pages;
	unsigned long bits_pages;
	kuid_t owner;
	char name[HSCPT_NAME_BYTES];
	struct list_head names;
	unsigned int nopen;
	unsigned int nsnaps;

	spinlock_t lock;		/* guards gen, committed, cookie */
	u64 gen;
	u64 committed;
	u64 cookie;

	atomic_long_t populated;
	atomic_long_t copied;
	atomic_long_t nharvest;
	atomic_long_t npasses;
	atomic_long_t nmkwrite;
	atomic_long_t ncopies;
	atomic_long_t nstale;
	atomic_long_t nputback;
	u64 cut_ns;
};

/* Bits of hscpt_snap.state: those of HSCPT_SNAP_IS_*. */
enum {
	SNAP_EAGER,
	SNAP_STALE,
	SNAP_CLOSED,
};

/**
 * struct hscpt_snap - an arena's pages as they were at its cut
 * @arena: holds a reference
 * @node: in the arena's snaps
 * @mapping: of its own file
 * @lock: see above
 * @state: bits SNAP_*
 * @nbits: pages of the arena below this may be in it
 * @set: bits of its pages; do not change after the cut
 * @dirty: those that were modified; equal to @set unless it is full
 * @pending: those whose contents are still the arena's own page's
 * @copies: struct page: contents of those that were written since, with a
 *	reference each
 * @bits_pages: charged for @set, @dirty and @pending
 * @budget: most copies it may hold
 * @ncopies: copies it holds
 * @npages: bits in @set
 * @ndirty: bits in @dirty
 * @gen: its number
 */
struct hscpt_snap {
	struct hscpt_arena *arena;
	struct list_head node;
	struct address_space *mapping;
	struct mutex lock;		/* drain, commit, abort */
	unsigned long state;
	unsigned long nbits;
	unsigned long *set;
	unsigned long *dirty;
	unsigned long *pending;
	struct xarray copies;
	unsigned long bits_pages;
	long budget;
	atomic_long_t ncopies;
	unsigned long npages;
	unsigned long ndirty;
	u64 gen;
};

/* Nothing is read from it any more, and nothing kept for it. */
static inline bool hscpt_snap_is_dead(const struct hscpt_snap *s)
{
	return READ_ONCE(s->state) & (BIT(SNAP_STALE) | BIT(SNAP_CLOSED));
}

/* registry.c: arenas by name */
int hscpt_registry_add(struct hscpt_arena *a);
void hscpt_registry_remove(struct hscpt_arena *a);
int hscpt_registry_attach(const char *name, struct hscpt_arena **out);
int hscpt_registry_destroy(const char *name);
void hscpt_registry_opened(struct hscpt_arena *a);
void hscpt_registry_closed(struct hscpt_arena *a);

/* pseudofs.c: inodes and files that no path leads to */
int hscpt_pseudofs_pin(void);
void hscpt_pseudofs_unpin(void);
struct inode *hscpt_pseudofs_inode(u64 bytes);
struct file *hscpt_pseudofs_open(struct inode *inode, const char *name,
				 int flags, const struct file_operations *fops,
				 void *priv);

/* arena.c: an arena and its descriptor */
struct hscpt_arena *hscpt_arena_create(u64 bytes);
void hscpt_arena_put(struct hscpt_arena *a);
struct file *hscpt_arena_open(struct hscpt_arena *a);
int hscpt_arena_range(const struct hscpt_arena *a, u64 off, u64 len,
		      unsigned long *first, unsigned long *n);
unsigned int hscpt_arena_count(void);

/* page.c: an arena's pages, their charge and their faults */
extern const struct address_space_operations hscpt_page_aops;
extern const struct vm_operations_struct hscpt_page_vm_ops;
int hscpt_page_charge(struct hscpt_arena *a, unsigned long n);
void hscpt_page_uncharge(struct hscpt_arena *a, unsigned long n);
struct page *hscpt_page_get(struct hscpt_arena *a, pgoff_t index);
int hscpt_page_populate(struct hscpt_arena *a, unsigned long first,
			unsigned long n);
void hscpt_page_free_all(struct hscpt_arena *a);

/* bits.c: arrays of bits, one a page */
unsigned long *hscpt_bits_alloc(unsigned long n);
unsigned long hscpt_bits_pages(unsigned long n, unsigned int arrays);
unsigned long hscpt_bits_take(unsigned long *from, unsigned long first,
			      unsigned long n, unsigned long *to);
unsigned long hscpt_bits_give(const unsigned long *from, unsigned long first,
			      unsigned long n, unsigned long *to);
unsigned long hscpt_bits_count(const unsigned long *bits, unsigned long first,
			       unsigned long n);
int hscpt_bits_to_user(u64 __user *to, const unsigned long *bits,
		       unsigned long nbits, unsigned long first,
		       unsigned long n);

/* mmu.c: what is done to page-table entries */
bool hscpt_mmu_is_portable(void);
unsigned long hscpt_mmu_collect(struct hscpt_arena *a, unsigned long first,
				unsigned long n);
unsigned long hscpt_mmu_protect(struct hscpt_arena *a, unsigned long first,
				unsigned long n);

/* track.c: from page-table entries to sets */
int hscpt_track_harvest(struct hscpt_arena *a, unsigned long first,
			unsigned long n, bool peek, u64 __user *to,
			u64 __user *ndirty);
unsigned long hscpt_track_cut(struct hscpt_arena *a, unsigned long top,
			      bool quiesced);
void hscpt_track_protect(struct hscpt_arena *a, const unsigned long *set,
			 unsigned long nbits);

/* snapshot.c: begin and end of a snapshot */
int hscpt_snapshot_take(struct hscpt_arena *a, struct hscpt_snapshot *args,
			struct file **out);
int hscpt_snapshot_commit(struct hscpt_snap *s, u64 cookie);
int hscpt_snapshot_abort(struct hscpt_snap *s, u64 *nputback);
void hscpt_snapshot_release(struct hscpt_snap *s);

/* copy.c: a snapshot's pages while the arena is written */
void hscpt_copy_before_write(struct hscpt_arena *a, struct page *page,
			     pgoff_t index);
int hscpt_copy_eager(struct hscpt_snap *s);
struct page *hscpt_copy_make(struct hscpt_snap *s, pgoff_t index);
struct page *hscpt_copy_find(struct hscpt_snap *s, pgoff_t index);
void hscpt_copy_forget(struct hscpt_snap *s, pgoff_t index);
void hscpt_copy_free_all(struct hscpt_snap *s);
ssize_t hscpt_copy_read(struct hscpt_snap *s, pgoff_t index, size_t off,
			size_t len, struct iov_iter *to);

/* snapfile.c: a snapshot's descriptor */
extern const struct file_operations hscpt_snapfile_fops;

#endif
