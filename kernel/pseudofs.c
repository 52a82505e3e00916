// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Inodes and files that no path leads to.  The file system is mounted while
 * there is an arena, and holds a reference to the module; so does each file,
 * which alloc_file_pseudo() does not see to.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "internal.h"

#define HSCPT_MAGIC 0x68736370	/* "hscp" */

static int init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, HSCPT_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type fs_type = {
	.owner = THIS_MODULE,
	.name = "hscpt",
	.init_fs_context = init_fs_context,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *mount;
static int nmounts;

/**
 * hscpt_pseudofs_pin() - keep the file system mounted
 *
 * Each arena does, for itself and for its snapshots.
 *
 * Return: 0 or -errno.
 */
int hscpt_pseudofs_pin(void)
{
	return simple_pin_fs(&fs_type, &mount, &nmounts);
}

/**
 * hscpt_pseudofs_unpin() - undo one hscpt_pseudofs_pin()
 */
void hscpt_pseudofs_unpin(void)
{
	simple_release_fs(&mount, &nmounts);
}

/**
 * hscpt_pseudofs_inode() - make an inode, while the file system is pinned
 * @bytes: its size
 *
 * It has no link, as an unlinked file: core dumps take its mappings for
 * anonymous shared memory, which they are.
 *
 * Return: an inode that the caller puts, or an ERR_PTR().
 */
struct inode *hscpt_pseudofs_inode(u64 bytes)
{
	struct inode *inode = alloc_anon_inode(mount->mnt_sb);

	if (IS_ERR(inode))
		return inode;
	i_size_write(inode, bytes);
	clear_nlink(inode);
	return inode;
}

/**
 * hscpt_pseudofs_open() - make a file of an inode
 * @inode: the caller keeps its own reference
 * @name: what /proc/PID/fd and maps show
 * @flags: as of open(2)
 * @fops: the file's
 * @priv: the file's private_data, when the call succeeds
 *
 * Return: the file, or an ERR_PTR(): release() is not called then.
 */
struct file *hscpt_pseudofs_open(struct inode *inode, const char *name,
				 int flags, const struct file_operations *fops,
				 void *priv)
{
	struct file *file;

	__module_get(THIS_MODULE);
	ihold(inode);
	file = alloc_file_pseudo(inode, mount, name, flags, fops);
	if (IS_ERR(file)) {
		iput(inode);
		module_put(THIS_MODULE);
		return file;
	}
	file->private_data = priv;
	return file;
}
