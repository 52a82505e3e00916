// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /dev/hscpt: makes arenas, and finds those that were made.
 *
 * Read on in arena.c, page.c, track.c, mmu.c, snapshot.c, copy.c.
 */
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

#include "args.h"
#include "fault.h"
#include "internal.h"

static int do_info(void __user *arg)
{
	struct hscpt_info args;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	args.abi = HSCPT_ABI;
	args.page_bytes = PAGE_SIZE;
	args.features = hscpt_mmu_is_portable() ? 0 : HSCPT_FEAT_HW_DIRTY;
	if (HSCPT_HAS_FAULT_POINT)
		args.features |= HSCPT_FEAT_FAULT_POINT;
	if (HSCPT_BREAK)
		args.features |= HSCPT_FEAT_BROKEN;
	args.max_bytes = HSCPT_MAX_BYTES;
	args.max_snapshots = HSCPT_MAX_SNAPSHOTS;
	args.narenas = hscpt_arena_count();
	args.broken = HSCPT_BREAK;
	args.reserved = 0;
	return hscpt_args_put(arg, &args, sizeof(args),
			      offsetof(struct hscpt_info, abi), size);
}

/* 1 to 31 letters, digits, dots, underscores and dashes; NULs fill the rest. */
static bool is_name(const char *name)
{
	size_t len = strnlen(name, HSCPT_NAME_BYTES);
	size_t i;

	for (i = 0; i < len; i++) {
		if (!isascii(name[i]) ||
		    (!isalnum(name[i]) && !strchr("._-", name[i])))
			return false;
	}
	return len > 0 && len < HSCPT_NAME_BYTES &&
	       !memchr_inv(name + len, 0, HSCPT_NAME_BYTES - len);
}

static int check_create(const struct hscpt_create *args)
{
	if (args->flags & ~(HSCPT_CREATE_PERSIST | HSCPT_CREATE_RESERVE))
		return -EINVAL;
	if (!args->bytes || !PAGE_ALIGNED(args->bytes) ||
	    args->bytes > HSCPT_MAX_BYTES)
		return -EINVAL;
	if (args->flags & HSCPT_CREATE_PERSIST)
		return is_name(args->name) ? 0 : -EINVAL;
	return memchr_inv(args->name, 0, sizeof(args->name)) ? -EINVAL : 0;
}

/* Has no name yet: nobody else can find it. */
static struct file *create_arena(const struct hscpt_create *args)
{
	struct hscpt_arena *a;
	struct file *file;
	int err;

	a = hscpt_arena_create(args->bytes);
	if (IS_ERR(a))
		return ERR_CAST(a);
	memcpy(a->name, args->name, sizeof(a->name));
	if (args->flags & HSCPT_CREATE_RESERVE) {
		err = hscpt_page_populate(a, 0, a->npages);
		if (err) {
			hscpt_arena_put(a);
			return ERR_PTR(err);
		}
	}
	hscpt_registry_opened(a);
	file = hscpt_arena_open(a);
	if (IS_ERR(file)) {
		hscpt_registry_closed(a);
		hscpt_arena_put(a);
	}
	return file;
}

static int do_create(void __user *arg)
{
	struct hscpt_create args;
	struct hscpt_arena *a;
	struct file *file;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (!err)
		err = check_create(&args);
	if (err)
		return err;
	args.fd = get_unused_fd_flags(O_CLOEXEC);
	if (args.fd < 0)
		return args.fd;
	args.reserved = 0;
	file = create_arena(&args);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto put_fd;
	}
	a = file->private_data;
	if (args.flags & HSCPT_CREATE_PERSIST) {
		err = hscpt_registry_add(a);
		if (err)
			goto put_file;
	}
	err = hscpt_args_put(arg, &args, sizeof(args),
			     offsetof(struct hscpt_create, fd), size);
	if (err)
		goto remove;
	fd_install(args.fd, file);
	return 0;
remove:
	hscpt_registry_remove(a);
put_file:
	fput(file);
put_fd:
	put_unused_fd(args.fd);
	return err;
}

static int do_attach(void __user *arg)
{
	struct hscpt_attach args;
	struct hscpt_arena *a;
	struct file *file;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags || !is_name(args.name))
		return -EINVAL;
	args.fd = get_unused_fd_flags(O_CLOEXEC);
	if (args.fd < 0)
		return args.fd;
	err = hscpt_registry_attach(args.name, &a);
	if (err)
		goto put_fd;
	file = hscpt_arena_open(a);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		hscpt_registry_closed(a);
		hscpt_arena_put(a);
		goto put_fd;
	}
	args.reserved = 0;
	args.bytes = (u64)a->npages << PAGE_SHIFT;
	spin_lock(&a->lock);
	args.gen = a->gen;
	args.committed = a->committed;
	args.cookie = a->cookie;
	spin_unlock(&a->lock);
	err = hscpt_args_put(arg, &args, sizeof(args),
			     offsetof(struct hscpt_attach, fd), size);
	if (err)
		goto put_file;
	fd_install(args.fd, file);
	return 0;
put_file:
	fput(file);
put_fd:
	put_unused_fd(args.fd);
	return err;
}

static int do_destroy(void __user *arg)
{
	struct hscpt_destroy args;
	u32 size;
	int err;

	err = hscpt_args_get(&args, sizeof(args), arg, &size);
	if (err)
		return err;
	if (args.flags || !is_name(args.name))
		return -EINVAL;
	return hscpt_registry_destroy(args.name);
}

static long ioctl_device(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case HSCPT_INFO:
		return do_info(p);
	case HSCPT_CREATE:
		return do_create(p);
	case HSCPT_ATTACH:
		return do_attach(p);
	case HSCPT_DESTROY:
		return do_destroy(p);
	}
	return -ENOTTY;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = ioctl_device,
	.compat_ioctl = compat_ptr_ioctl,
};

/* The group comes from 60-hscpt.rules. */
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hscpt",
	.fops = &device_fops,
	.mode = 0660,
};

static int __init hscpt_init(void)
{
	int err = misc_register(&device);

	if (err)
		return err;
	if (HSCPT_BREAK)
		pr_alert("hscpt: A TEST BUILD THAT LOSES DATA (race %d)\n",
			 HSCPT_BREAK);
	pr_info("hscpt: checkpoint memory, %s\n",
		hscpt_mmu_is_portable() ? "by unmapping" :
					  "by the MMU's modified bits");
	return 0;
}

/* An arena holds a reference to the module: there is none any more. */
static void __exit hscpt_exit(void)
{
	misc_deregister(&device);
}

module_init(hscpt_init);
module_exit(hscpt_exit);

MODULE_AUTHOR("The hotspare developers");
MODULE_DESCRIPTION("Checkpoint memory whose modified pages the MMU records");
MODULE_LICENSE("GPL");
MODULE_VERSION("1");
