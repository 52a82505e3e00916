/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/kmod_dev.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fault.h"
#include "mem/arena.h"

int
hs_kmod_dev_fail(char *why, size_t why_size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, why_size, fmt, ap);
	va_end(ap);
	return HS_ETRACK;
}

int
hs_kmod_dev_call(int fd, unsigned long request, void *arg)
{
	int rc;

	do
		rc = ioctl(fd, request, arg);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int
hs_kmod_dev_open(struct hscpt_info *info, char *why, size_t why_size)
{
	int fd, rc;

	*info = (struct hscpt_info){ .size = sizeof(*info) };
	fd = hs_fault(HS_FAULT_HSCPT_OPEN)
	    ? (errno = EACCES, -1)
	    : open(HSCPT_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		return hs_kmod_dev_fail(why, why_size,
		    "%s: permission denied; let the program's user be in the "
		    "device's group, or use tracker=wpa",
		    HSCPT_DEVICE);
	if (fd < 0)
		return hs_kmod_dev_fail(why, why_size,
		    "%s: %s; load the module hscpt, or use tracker=wpa",
		    HSCPT_DEVICE, strerrordesc_np(errno));
	rc = hs_kmod_dev_call(fd, HSCPT_INFO, info);
	if (rc == 0 && info->abi == HSCPT_ABI &&
	    info->page_bytes == HS_ARENA_PAGE_BYTES)
		return fd;
	(void)close(fd);
	return hs_kmod_dev_fail(why, why_size,
	    "%s: the module's interface is %u, with pages of %u bytes, and "
	    "this library's %u with %u: install both of one release",
	    HSCPT_DEVICE, info->abi, info->page_bytes, HSCPT_ABI,
	    HS_ARENA_PAGE_BYTES);
}

int
hs_kmod_dev_harvest(int fd, size_t from, size_t to, uint64_t *bitmap,
    unsigned flags)
{
	struct hscpt_harvest h = {
		.size = sizeof(h),
		.flags = flags,
		.off = from,
		.len = to - from,
		.bitmap = (uintptr_t)bitmap,
	};

	/* len 0 would be all of it. */
	return from == to ? 0 : hs_kmod_dev_call(fd, HSCPT_HARVEST, &h);
}

int
hs_kmod_dev_populate(int fd, size_t from, size_t to)
{
	struct hscpt_populate p = {
		.size = sizeof(p),
		.off = from,
		.len = to - from,
	};

	return from == to ? 0 : hs_kmod_dev_call(fd, HSCPT_POPULATE, &p);
}
