/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of /dev/hscpt, as the tracker needs them: 0 or -errno.
 */
#ifndef HS_MEM_KMOD_DEV_H
#define HS_MEM_KMOD_DEV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/include/uapi/hscpt.h"

/* One line in why, as fmt says; returns HS_ETRACK. */
int hs_kmod_dev_fail(char *why, size_t why_size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The device, and what its module is: a descriptor, or HS_ETRACK and a line
 * that says what to do.
 */
HS_MUST_CHECK int hs_kmod_dev_open(struct hscpt_info *info, char *why,
    size_t why_size);

/* ioctl(), again where a signal came between. */
HS_MUST_CHECK int hs_kmod_dev_call(int fd, unsigned long request, void *arg);

/* Of an arena, bytes from..to, which may be none.  flags: HSCPT_HARVEST_*. */
HS_MUST_CHECK int hs_kmod_dev_harvest(int fd, size_t from, size_t to,
    uint64_t *bitmap, unsigned flags);
HS_MUST_CHECK int hs_kmod_dev_populate(int fd, size_t from, size_t to);

#endif
