/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What older kernels lack.  Nothing but version shims.
 */
#ifndef HSCPT_COMPAT_MM_H
#define HSCPT_COMPAT_MM_H

#include <linux/mm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#endif
