// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An arena: its life, its descriptor, its mappings.
 */
#include <linux/bitmap.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "args.h"
#include "compat/mm.h"
#include "internal.h"

static atomic_t narenas = ATOMIC_INIT(0);

/**
 * hscpt_arena_count() - for hscpt_info
 *
 * Return: how many arenas there are.
 */
unsigned int hscpt_arena_count(void)
{
	return atomic_read(&narenas);
}

static void free_arena(struct hscpt_arena *a)
{
	kvfree(a->found);
	kvfree(a->granted);
	kvfree(a->soft);
	kvfree(a->present);
	hscpt_page_uncharge(a, a->bits_pages);
	if (a->user)
		free_uid(a->user);
	kfree(a);
}

/* Address space costs nothing, but these do: so they are charged first. */
static int alloc_arrays(struct hscpt_arena *a)
{
	unsigned long pages = hscpt_bits_pages(a->npages, 4);

	if (hscpt_page_charge(a, pages))
		return -ENOMEM;
	a->bits_pages = pages;
	a->present = hscpt_bits_alloc(a->npages);
	a->soft = hscpt_bits_alloc(a->npages);
	a->granted = hscpt_bits_alloc(a->npages);
	a->found = hscpt_bits_alloc(a->npages);
	if (!a->present || !a->soft || !a->granted || !a->found)
		return -ENOMEM;
	return 0;
}

static struct hscpt_arena *alloc_arena(unsigned long npages)
{
	struct hscpt_arena *a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);

	if (!a)
		return NULL;
	a->npages = npages;
	a->owner = current_euid();
	a->limit_pages = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	if (!capable(CAP_IPC_LOCK))
		a->user = get_uid(current_user());
	if (alloc_arrays(a)) {
		free_arena(a);
		return NULL;
	}
	kref_init(&a->ref);
	xa_init_flags(&a->pages, XA_FLAGS_ACCOUNT);
	mutex_init(&a->collect);
	init_rwsem(&a->cut);
	INIT_LIST_HEAD(&a->snaps);
	INIT_LIST_HEAD(&a->names);
	spin_lock_init(&a->lock);
	return a;
}

/**
 * hscpt_arena_create() - make an arena without name and file
 * @bytes: whole pages, at most HSCPT_MAX_BYTES
 *
 * Return: the arena, which the caller puts, or an ERR_PTR().
 */
struct hscpt_arena *hscpt_arena_create(u64 bytes)
{
	struct hscpt_arena *a;
	int err;

	a = alloc_arena(bytes >> PAGE_SHIFT);
	if (!a)
		return ERR_PTR(-ENOMEM);
	err = hscpt_pseudofs_pin();
	if (err)
		goto free;
	a->inode = hscpt_pseudofs_inode(bytes);
	if (IS_ERR(a->inode)) {
		err = PTR_ERR(a->inode);
		goto unpin;
	}
	a->inode->i_private = a;
	a->inode->i_mapping->a_ops = &hscpt_page_aops;
	atomic_inc(&narenas);
	return a;
unpin:
	hscpt_pseudofs_unpin();
free:
	free_arena(a);
	return ERR_PTR(err);
}

/*
 * Who could still reach it?  No file, so no mapping; no snapshot; no name.  Who
 * has a page pinned finds it without a mapping, under its lock.
 */
static void destroy_arena(struct kref *ref)
{
	struct hscpt_arena *a = container_of(ref, struct hscpt_arena, ref);

	WARN_ON(!list_empty(&a->snaps) || a->nopen);
	hscpt_page_free_all(a);
	iput(a->inode);
	hscpt_pseudofs_unpin();
	free_arena(a);
	atomic_dec(&narenas);
}

/**
 * hscpt_arena_put() - drop a reference
 * @a: may be gone after it
 */
void hscpt_arena_put(struct hscpt_arena *a)
{
	kref_put(&a->ref, destroy_arena);
}

/**
 * hscpt_arena_range() - from bytes to pages
 * @a: the arena
 * @off: begin
 * @len: length; 0 is everything from off on
 * @first: out: first page
 * @n: out: number of pages; may be 0
 *
 * Return: 0, -EINVAL (alignment) or -ERANGE.
 */
int hscpt_arena_range(const struct hscpt_arena *a, u64 off, u64 len,
		      unsigned long *first, unsigned long *n)
{
	u64 bytes = (u64)a->npages << PAGE_SHIFT;

	if (!PAGE_ALIGNED(off) || !PAGE_ALIGNED(len))
		return -EINVAL;
	if (off > bytes || len > bytes - off)
		return -ERANGE;
	*first = off >> PAGE_SHIFT;
	*n = (len ? len : bytes - off) >> PAGE_SHIFT;
	return 0;
}

static int do_populate(struct hscpt_arena *a, void __user *arg)
{
	struct hscpt_populate args;
	unsigned long first, n;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	err = hscpt_arena_range(a, args.off, args.len, &first, &n);
	return err ? err : hscpt_page_populate(a, first, n);
}

static int do_harvest(struct hscpt_arena *a, void __user *arg)
{
	struct hscpt_harvest __user *to = arg;
	struct hscpt_harvest args;
	unsigned long first, n;
	bool peek;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	peek = args.flags & HSCPT_HARVEST_PEEK;
	if ((args.flags & ~HSCPT_HARVEST_PEEK) || (!args.bitmap && !peek))
		return -EINVAL;
	err = hscpt_arena_range(a, args.off, args.len, &first, &n);
	if (err)
		return err;
	return hscpt_track_harvest(a, first, n, peek,
				   u64_to_user_ptr(args.bitmap), &to->ndirty);
}

static int do_snapshot(struct hscpt_arena *a, void __user *arg)
{
	struct hscpt_snapshot args;
	struct file *file;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags & ~(HSCPT_SNAPSHOT_QUIESCED | HSCPT_SNAPSHOT_FULL |
			   HSCPT_SNAPSHOT_EAGER))
		return -EINVAL;
	if (args.eager_pages && !(args.flags & HSCPT_SNAPSHOT_EAGER))
		return -EINVAL;
	args.fd = get_unused_fd_flags(O_CLOEXEC);
	if (args.fd < 0)
		return args.fd;
	err = hscpt_snapshot_take(a, &args, &file);
	if (err)
		goto put_fd;
	err = hscpt_args_put(arg, &args, sizeof(args),
			     offsetof(struct hscpt_snapshot, fd), size);
	if (err)
		goto put_file;	/* which puts the bits back */
	fd_install(args.fd, file);
	return 0;
put_file:
	fput(file);
put_fd:
	put_unused_fd(args.fd);
	return err;
}

static int do_stat(struct hscpt_arena *a, void __user *arg)
{
	struct hscpt_stat args;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	args.bytes = (u64)a->npages << PAGE_SHIFT;
	args.populated = (u64)atomic_long_read(&a->populated) << PAGE_SHIFT;
	args.copied = (u64)atomic_long_read(&a->copied) << PAGE_SHIFT;
	spin_lock(&a->lock);
	args.gen = a->gen;
	args.committed = a->committed;
	args.cookie = a->cookie;
	spin_unlock(&a->lock);
	args.snapshots = READ_ONCE(a->nsnaps);
	args.state = a->name[0] != '\0';
	args.nharvest = atomic_long_read(&a->nharvest);
	args.npasses = atomic_long_read(&a->npasses);
	args.nmkwrite = atomic_long_read(&a->nmkwrite);
	args.ncopies = atomic_long_read(&a->ncopies);
	args.nstale = atomic_long_read(&a->nstale);
	args.nputback = atomic_long_read(&a->nputback);
	args.cut_ns = READ_ONCE(a->cut_ns);
	return hscpt_args_put(arg, &args, sizeof(args),
			      offsetof(struct hscpt_stat, bytes), size);
}

static long ioctl_arena(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hscpt_arena *a = file->private_data;
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case HSCPT_POPULATE:
		return do_populate(a, p);
	case HSCPT_HARVEST:
		return do_harvest(a, p);
	case HSCPT_SNAPSHOT:
		return do_snapshot(a, p);
	case HSCPT_STAT:
		return do_stat(a, p);
	}
	return -ENOTTY;
}

/*
 * VM_MIXEDMAP keeps the mapping from being merged, and NUMA balancing off it: a
 * page that is not to move needs no hinting faults.  A child of fork() has
 * no business in the arena.
 */
static int mmap_arena(struct file *file, struct vm_area_struct *vma)
{
	struct hscpt_arena *a = file->private_data;

	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	if (vma->vm_pgoff > a->npages ||
	    vma_pages(vma) > a->npages - vma->vm_pgoff)
		return -ERANGE;
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_MIXEDMAP);
	vma->vm_ops = &hscpt_page_vm_ops;
	return 0;
}

static int release_arena(struct inode *inode, struct file *file)
{
	struct hscpt_arena *a = file->private_data;

	hscpt_registry_closed(a);
	hscpt_arena_put(a);
	return 0;
}

static const struct file_operations arena_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = ioctl_arena,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = mmap_arena,
	.release = release_arena,
};

/**
 * hscpt_arena_open() - make a file of an arena
 * @a: the file takes over the caller's reference and its entry as opener, when
 *	the call succeeds
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *hscpt_arena_open(struct hscpt_arena *a)
{
	return hscpt_pseudofs_open(a->inode, "[hscpt]", O_RDWR, &arena_fops, a);
}
