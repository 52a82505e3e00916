/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The structs of the ioctls, to and from the caller: any size from the first
 * version's up, and what the module does not know must be 0.
 */
#ifndef HSCPT_ARGS_H
#define HSCPT_ARGS_H

#include <linux/minmax.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

/*
 * All structs are at their first version, so that the caller's size is at least
 * the module's.  One that grows needs its first size here.
 */
static inline int hscpt_args_get(void *args, size_t bytes,
				 const void __user *from, u32 *size)
{
	if (get_user(*size, (const u32 __user *)from))
		return -EFAULT;
	if (*size < bytes)
		return -EINVAL;
	if (*size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(args, bytes, from, *size);
}

/* Only what is out, from out_off on, and only what the caller has. */
static inline int hscpt_args_put(void __user *to, const void *args,
				 size_t bytes, size_t out_off, u32 size)
{
	bytes = min_t(size_t, bytes, size);
	if (copy_to_user(to + out_off, args + out_off, bytes - out_off))
		return -EFAULT;
	return 0;
}

#endif
