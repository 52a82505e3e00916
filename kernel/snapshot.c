// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Begin and end of a snapshot.
 *
 *	take --> open --commit--> closed
 *	          |  \---abort---> closed, bits put back
 *	          '-a copy failed-> stale --abort--> closed, bits put back
 *
 * Closing the descriptor aborts what is not closed.
 */
#include <linux/bitmap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "internal.h"

#define SLACK_PAGES 4096	/* by which an arena may grow before the cut */

static void free_sets(struct hscpt_snap *s)
{
	if (s->dirty != s->set)
		kvfree(s->dirty);
	kvfree(s->set);
	kvfree(s->pending);
	s->dirty = NULL;
	s->set = NULL;
	s->pending = NULL;
	hscpt_page_uncharge(s->arena, s->bits_pages);
	s->bits_pages = 0;
}

static int alloc_sets(struct hscpt_snap *s, unsigned long nbits, bool full)
{
	unsigned long pages = hscpt_bits_pages(nbits, full ? 3 : 2);

	if (hscpt_page_charge(s->arena, pages))
		return -ENOMEM;
	s->bits_pages = pages;
	s->set = hscpt_bits_alloc(nbits);
	s->pending = hscpt_bits_alloc(nbits);
	s->dirty = full ? hscpt_bits_alloc(nbits) : s->set;
	if (s->set && s->pending && s->dirty)
		return 0;
	free_sets(s);
	return -ENOMEM;
}

static void free_snap(struct hscpt_snap *s)
{
	free_sets(s);
	xa_destroy(&s->copies);
	hscpt_registry_closed(s->arena);
	hscpt_arena_put(s->arena);
	kfree(s);
}

/* Closed, until it is taken. */
static struct hscpt_snap *alloc_snap(struct hscpt_arena *a, u64 budget_bytes)
{
	struct hscpt_snap *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	kref_get(&a->ref);
	hscpt_registry_opened(a);
	s->arena = a;
	INIT_LIST_HEAD(&s->node);
	mutex_init(&s->lock);
	s->state = BIT(SNAP_CLOSED);
	xa_init_flags(&s->copies, XA_FLAGS_ACCOUNT);
	s->budget = budget_bytes ? budget_bytes >> PAGE_SHIFT : LONG_MAX;
	return s;
}

static struct file *open_snap(struct hscpt_snap *s)
{
	struct hscpt_arena *a = s->arena;
	struct inode *inode;
	struct file *file;

	inode = hscpt_pseudofs_inode((u64)a->npages << PAGE_SHIFT);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	file = hscpt_pseudofs_open(inode, "[hscpt-snapshot]", O_RDONLY,
				   &hscpt_snapfile_fops, s);
	iput(inode);
	if (IS_ERR(file))
		return file;
	file->f_mode |= FMODE_LSEEK | FMODE_PREAD;
	s->mapping = file->f_mapping;
	return file;
}

/*
 * Lock the arena for a cut, with sets for all its pages.  The arena may grow
 * while memory is allocated, which is no thing to do with writers blocked.
 */
static int lock_cut(struct hscpt_arena *a, struct hscpt_snap *s, bool full)
{
	unsigned long nbits;
	int err;

	for (;;) {
		nbits = min(READ_ONCE(a->top) + SLACK_PAGES, a->npages);
		err = alloc_sets(s, nbits, full);
		if (err)
			return err;
		err = mutex_lock_killable(&a->collect);
		if (err)
			return err;
		err = down_write_killable(&a->cut);
		if (err) {
			mutex_unlock(&a->collect);
			return err;
		}
		s->nbits = READ_ONCE(a->top);
		if (s->nbits <= nbits)
			return 0;
		up_write(&a->cut);
		mutex_unlock(&a->collect);
		free_sets(s);
	}
}

static void unlock_cut(struct hscpt_arena *a)
{
	up_write(&a->cut);
	mutex_unlock(&a->collect);
}

/* The set, as a.found says; a.found is empty after it. */
static void fill_sets(struct hscpt_arena *a, struct hscpt_snap *s, bool full)
{
	unsigned long n = s->nbits;

	if (n) {
		bitmap_copy(s->dirty, a->found, n);
		bitmap_clear(a->found, 0, n);
		if (full)
			bitmap_or(s->set, s->dirty, a->present, n);
	}
	s->npages = full ? hscpt_bits_count(s->set, 0, n) : s->ndirty;
}

static unsigned long put_back(struct hscpt_snap *s)
{
	struct hscpt_arena *a = s->arena;
	unsigned long n;

	n = hscpt_bits_give(s->dirty, 0, s->nbits, a->soft);
	atomic_long_add(n, &a->nputback);
	return n;
}

/* From here on it can be read, and must be closed. */
static void publish(struct hscpt_arena *a, struct hscpt_snap *s)
{
	a->nsnaps++;
	spin_lock(&a->lock);
	s->gen = ++a->gen;
	spin_unlock(&a->lock);
	clear_bit(SNAP_CLOSED, &s->state);
}

static int cut(struct hscpt_arena *a, struct hscpt_snap *s,
	       const struct hscpt_snapshot *args)
{
	bool quiesced = args->flags & HSCPT_SNAPSHOT_QUIESCED;
	bool full = args->flags & HSCPT_SNAPSHOT_FULL;
	bool eager = args->flags & HSCPT_SNAPSHOT_EAGER;
	int err;

	if (a->nsnaps >= HSCPT_MAX_SNAPSHOTS)
		return -EBUSY;
	s->ndirty = hscpt_track_cut(a, s->nbits, quiesced);
	fill_sets(a, s, full);
	if (eager && (!args->eager_pages || s->npages <= args->eager_pages)) {
		err = hscpt_copy_eager(s);
		if (err) {
			put_back(s);	/* H4 */
			return err;
		}
		set_bit(SNAP_EAGER, &s->state);
	} else {
		bitmap_copy(s->pending, s->set, s->nbits);
		if (quiesced)
			hscpt_track_protect(a, s->set, s->nbits);	/* K5 */
		list_add_tail(&s->node, &a->snaps);
	}
	publish(a, s);
	return 0;
}

/**
 * hscpt_snapshot_take() - take a snapshot
 * @a: of this arena
 * @args: in: checked; out: state, npages, ndirty, gen
 * @out: its file; what its last fput() does not find committed is put back
 *
 * Return: 0, -EBUSY, -ENOSPC, -ENOMEM or -EINTR; no bits are lost.
 */
int hscpt_snapshot_take(struct hscpt_arena *a, struct hscpt_snapshot *args,
			struct file **out)
{
	struct hscpt_snap *s;
	struct file *file;
	u64 begin;
	int err;

	s = alloc_snap(a, args->copy_budget);
	if (!s)
		return -ENOMEM;
	file = open_snap(s);
	if (IS_ERR(file)) {
		free_snap(s);
		return PTR_ERR(file);
	}
	err = lock_cut(a, s, args->flags & HSCPT_SNAPSHOT_FULL);
	if (!err) {
		begin = ktime_get_ns();
		err = cut(a, s, args);
		WRITE_ONCE(a->cut_ns, ktime_get_ns() - begin);
		unlock_cut(a);
	}
	if (err) {
		fput(file);
		return err;
	}
	args->state = s->state;
	args->npages = s->npages;
	args->ndirty = s->ndirty;
	args->gen = s->gen;
	*out = file;
	return 0;
}

/* Writers keep nothing for it from now on.  -ESTALE if that cannot be. */
static int close_snap(struct hscpt_snap *s, bool commit)
{
	struct hscpt_arena *a = s->arena;
	int err = 0;

	lockdep_assert_held(&s->lock);
	if (test_bit(SNAP_CLOSED, &s->state))
		return -ESTALE;
	down_write(&a->cut);
	if (commit && test_bit(SNAP_STALE, &s->state)) {
		err = -ESTALE;
	} else {
		set_bit(SNAP_CLOSED, &s->state);
		list_del_init(&s->node);
		a->nsnaps--;
	}
	up_write(&a->cut);
	return err;
}

/**
 * hscpt_snapshot_commit() - the set has arrived
 * @s: the snapshot
 * @cookie: to remember
 *
 * Return: 0 or -ESTALE.
 */
int hscpt_snapshot_commit(struct hscpt_snap *s, u64 cookie)
{
	struct hscpt_arena *a = s->arena;
	int err;

	mutex_lock(&s->lock);
	err = close_snap(s, true);
	if (!err) {
		spin_lock(&a->lock);
		if (s->gen > a->committed) {
			a->committed = s->gen;
			a->cookie = cookie;
		}
		spin_unlock(&a->lock);
		hscpt_copy_free_all(s);
	}
	mutex_unlock(&s->lock);
	return err;
}

/**
 * hscpt_snapshot_abort() - the set has not arrived: put its bits back (H4)
 * @s: the snapshot
 * @nputback: out: how many
 *
 * Return: 0, or -ESTALE: it is closed.
 */
int hscpt_snapshot_abort(struct hscpt_snap *s, u64 *nputback)
{
	int err;

	mutex_lock(&s->lock);
	err = close_snap(s, false);
	if (!err) {
		*nputback = put_back(s);
		hscpt_copy_free_all(s);
	}
	mutex_unlock(&s->lock);
	return err;
}

/**
 * hscpt_snapshot_release() - abort it if it is open, and free it
 * @s: its file is gone
 */
void hscpt_snapshot_release(struct hscpt_snap *s)
{
	u64 nputback;

	hscpt_snapshot_abort(s, &nputback);
	/* What a failed cut has copied, or an access while it was closed. */
	mutex_lock(&s->lock);
	hscpt_copy_free_all(s);
	mutex_unlock(&s->lock);
	free_snap(s);
}
