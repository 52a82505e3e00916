/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Linux 6.7 added to userfaultfd(2) and to /proc/PID/pagemap, for builds
 * with the headers of older kernels (Debian 12 has 6.1's).  These are the
 * kernel's numbers: they never change.
 */
#ifndef HS_MEM_UFFD_ABI_H
#define HS_MEM_UFFD_ABI_H

#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

/* PAGEMAP_SCAN, under names of our own: fs.h may or may not have it. */
enum hs_uffd_category {
	HS_UFFD_WRITTEN = 1 << 1,
	HS_UFFD_FILE = 1 << 2,
	HS_UFFD_PRESENT = 1 << 3,
	HS_UFFD_SWAPPED = 1 << 4,
};

enum hs_uffd_scan_flag {
	HS_UFFD_WP_MATCHING = 1 << 0,
	HS_UFFD_CHECK_WPASYNC = 1 << 1,
};

struct hs_uffd_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct hs_uffd_scan {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define HS_UFFD_PAGEMAP_SCAN _IOWR('f', 16, struct hs_uffd_scan)

#endif
