// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A snapshot's descriptor: ioctl(), pread(), mmap().
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "args.h"
#include "compat/mm.h"
#include "internal.h"

static int do_bitmap(struct hscpt_snap *s, void __user *arg)
{
	struct hscpt_snap_bitmap args;
	unsigned long first, n, within;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags || !args.bitmap)
		return -EINVAL;
	err = hscpt_arena_range(s->arena, args.off, args.len, &first, &n);
	if (err)
		return err;
	if (test_bit(SNAP_CLOSED, &s->state))
		return -ESTALE;
	err = hscpt_bits_to_user(u64_to_user_ptr(args.bitmap), s->set, s->nbits,
				 first, n);
	if (err)
		return err;
	within = first < s->nbits ? min(n, s->nbits - first) : 0;
	args.npages = hscpt_bits_count(s->set, first, within);
	return hscpt_args_put(arg, &args, sizeof(args),
			      offsetof(struct hscpt_snap_bitmap, npages), size);
}

/* Copy one page and its offset out, as the i-th.  0, or hscpt_copy_read()'s. */
static int hand_out(struct hscpt_snap *s, const struct hscpt_snap_drain *args,
		    unsigned long index, u64 i)
{
	u64 __user *offsets = u64_to_user_ptr(args->offsets);
	struct iov_iter to;
	ssize_t got;

	iov_iter_ubuf(&to, READ,
		      u64_to_user_ptr(args->pages + (i << PAGE_SHIFT)),
		      PAGE_SIZE);
	got = hscpt_copy_read(s, index, 0, PAGE_SIZE, &to);
	if (got < 0)
		return got;
	if (got < PAGE_SIZE || put_user((u64)index << PAGE_SHIFT, &offsets[i]))
		return -EFAULT;
	return 0;
}

static bool is_forgotten(struct hscpt_snap *s, unsigned long index)
{
	if (test_bit(index, s->pending))
		return false;
	smp_rmb();	/* C1 in copy.c */
	return !xa_load(&s->copies, index);
}

/*
 * Hand pages out, or just count them.  Returns the page behind the last one, in
 * *stop.  An error counts only if nothing was handed out before it.
 */
static int hand_out_range(struct hscpt_snap *s, struct hscpt_snap_drain *args,
			  unsigned long first, unsigned long n,
			  unsigned long *stop)
{
	bool discard = args->flags & HSCPT_DRAIN_DISCARD;
	unsigned long end = min(first + n, s->nbits);
	unsigned long index;
	int err = 0;

	args->npages = 0;
	*stop = first + n;
	for (index = first;; index++) {
		index = find_next_bit(s->set, end, index);
		if (index >= end)
			return 0;
		if (is_forgotten(s, index))
			continue;
		if (!discard && args->npages == args->max_pages)
			break;
		if (!discard)
			err = hand_out(s, args, index, args->npages);
		else if (hscpt_snap_is_dead(s))
			err = -ESTALE;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		args->npages++;
		cond_resched();
	}
	*stop = index;
	return args->npages ? 0 : err;
}

static void forget_range(struct hscpt_snap *s, unsigned long first,
			 unsigned long stop)
{
	unsigned long end = min(stop, s->nbits);
	unsigned long index;

	for (index = find_next_bit(s->set, end, first); index < end;
	     index = find_next_bit(s->set, end, index + 1)) {
		if (!is_forgotten(s, index))
			hscpt_copy_forget(s, index);
		cond_resched();
	}
}

/* Nothing is forgotten before the caller knows what it has. */
static int drain(struct hscpt_snap *s, struct hscpt_snap_drain *args,
		 unsigned long first, unsigned long n, void __user *arg,
		 u32 size)
{
	unsigned long stop;
	int err;

	lockdep_assert_held(&s->lock);
	if (hscpt_snap_is_dead(s))
		return -ESTALE;
	err = hand_out_range(s, args, first, n, &stop);
	if (err)
		return err;
	args->next = (u64)stop << PAGE_SHIFT;
	err = hscpt_args_put(arg, args, sizeof(*args),
			     offsetof(struct hscpt_snap_drain, npages), size);
	if (!err)
		forget_range(s, first, stop);
	return err;
}

static int do_drain(struct hscpt_snap *s, void __user *arg)
{
	struct hscpt_snap_drain args;
	unsigned long first, n;
	bool discard;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	discard = args.flags & HSCPT_DRAIN_DISCARD;
	if (args.flags & ~HSCPT_DRAIN_DISCARD)
		return -EINVAL;
	if (discard != !args.max_pages || discard != !args.pages ||
	    discard != !args.offsets)
		return -EINVAL;
	err = hscpt_arena_range(s->arena, args.off, args.len, &first, &n);
	if (err)
		return err;
	if (mutex_lock_killable(&s->lock))
		return -EINTR;
	err = drain(s, &args, first, n, arg, size);
	mutex_unlock(&s->lock);
	return err;
}

static int do_commit(struct hscpt_snap *s, void __user *arg)
{
	struct hscpt_snap_commit args;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	return args.flags ? -EINVAL : hscpt_snapshot_commit(s, args.cookie);
}

static int do_abort(struct hscpt_snap *s, void __user *arg)
{
	struct hscpt_snap_abort args;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	err = hscpt_snapshot_abort(s, &args.nputback);
	return err ? err :
		     hscpt_args_put(arg, &args, sizeof(args),
				    offsetof(struct hscpt_snap_abort, nputback),
				    size);
}

static int do_status(struct hscpt_snap *s, void __user *arg)
{
	struct hscpt_snap_status args;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	args.state = READ_ONCE(s->state);
	args.reserved = 0;
	args.gen = s->gen;
	args.npages = s->npages;
	args.ncopied = atomic_long_read(&s->ncopies);
	args.nleft = hscpt_bits_count(s->pending, 0, s->nbits);
	return hscpt_args_put(arg, &args, sizeof(args),
			      offsetof(struct hscpt_snap_status, state), size);
}

static long ioctl_snap(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hscpt_snap *s = file->private_data;
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case HSCPT_SNAP_BITMAP:
		return do_bitmap(s, p);
	case HSCPT_SNAP_DRAIN:
		return do_drain(s, p);
	case HSCPT_SNAP_COMMIT:
		return do_commit(s, p);
	case HSCPT_SNAP_ABORT:
		return do_abort(s, p);
	case HSCPT_SNAP_STATUS:
		return do_status(s, p);
	}
	return -ENOTTY;
}

static ssize_t read_snap(struct kiocb *iocb, struct iov_iter *to)
{
	struct hscpt_snap *s = iocb->ki_filp->private_data;
	u64 bytes = (u64)s->arena->npages << PAGE_SHIFT;
	ssize_t done = 0;
	ssize_t got = 0;
	size_t off, len;
	u64 pos;

	while (iov_iter_count(to)) {
		pos = iocb->ki_pos;
		if (pos >= bytes)
			break;
		off = offset_in_page(pos);
		len = min_t(size_t, iov_iter_count(to), PAGE_SIZE - off);
		got = hscpt_copy_read(s, pos >> PAGE_SHIFT, off, len, to);
		if (got < 0)
			break;
		iocb->ki_pos += got;
		done += got;
		if (got < len || fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done || got >= 0 ? done : got;
}

/* The copy is locked until it is mapped (C3 in copy.c). */
static vm_fault_t fault_snap(struct vm_fault *vmf)
{
	struct hscpt_snap *s = vmf->vma->vm_file->private_data;
	struct page *copy = hscpt_copy_make(s, vmf->pgoff);

	if (IS_ERR(copy))
		return VM_FAULT_SIGBUS;
	lock_page(copy);
	if (xa_load(&s->copies, vmf->pgoff) != copy) {
		unlock_page(copy);
		put_page(copy);
		return VM_FAULT_SIGBUS;
	}
	vmf->page = copy;
	return VM_FAULT_LOCKED;
}

static const struct vm_operations_struct snap_vm_ops = {
	.fault = fault_snap,
};

static int mmap_snap(struct file *file, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_MAYSHARE) ||
	    (vma->vm_flags & (VM_WRITE | VM_EXEC)))
		return -EINVAL;
	vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_MIXEDMAP);
	vma->vm_ops = &snap_vm_ops;
	return 0;
}

static int release_snap(struct inode *inode, struct file *file)
{
	hscpt_snapshot_release(file->private_data);
	return 0;
}

const struct file_operations hscpt_snapfile_fops = {
	.owner = THIS_MODULE,
	.llseek = generic_file_llseek,
	.read_iter = read_snap,
	.unlocked_ioctl = ioctl_snap,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = mmap_snap,
	.release = release_snap,
};
