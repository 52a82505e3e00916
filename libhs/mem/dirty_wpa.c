/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dirty tracking by userfaultfd(2) in asynchronous write-protect mode and
 * PAGEMAP_SCAN: Linux 6.7 and later, no privilege.  A page is armed while its
 * page-table entry has the uffd-wp bit; the kernel clears the bit at the first
 * write, on the spot, without a message; a scan finds the entries without
 * it and sets it again, entry by entry under the page-table lock.
 *
 *	0               image            armed              len
 *	|--lazy--armed--|------armed-----|----not tracked---|
 *
 * Anonymous memory is armed by UFFDIO_WRITEPROTECT as it comes into use.
 *
 * A restored image is not: that takes time in proportion to its size, before
 * the program may run, and its page tables would be scanned for ever.  It is
 * lazy: a page that was never written is still the file's, and one that was is
 * an anonymous copy, so a scan asks for entries that are without the bit, of
 * anonymous memory, and present or swapped out, and arms just those.  Where
 * nothing was touched, there are no page tables and the scan costs nothing;
 * but an entry of the file's costs 100 times what others do.  So settle() arms
 * the bites that were touched, one at a time, while the program writes:
 *
 *	touch	one page per 2 MiB, so that page tables exist: the scan
 *		below does not arm where there are none
 *	S	= plain scan of the bite: finds, and arms, all that has no bit:
 *		what was written, and what was never touched
 *	C	= those of S that are seen to be the file's afterwards
 *	S - C	is reported by the next collect
 *
 * W1  No write is lost by it.  A write that was finished before S met its
 *     page left an anonymous copy without the bit, so the page is in S; a
 *     copy does not turn back into the file's page, so it is not in C.  A write
 *     after S met its page clears the bit that S set, and the next collect sees
 *     that, as the bite is not lazy any more by then.
 * W2  A page that was dropped (MADV_DONTNEED) is the image's again, which is
 *     what the spare has.
 */
#include "mem/dirty.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fdhigh.h"
#include "mem/arena.h"
#include "mem/uffd_abi.h"

#define VEC_REGIONS 1024
/* One bite is to stay below a millisecond: it may delay a collect. */
#define BITE_BYTES ((size_t)8 << 20)
#define LOOK_BITES 64		/* looked at in one settle, at most */

struct wpa {
	uint8_t *base;
	size_t len;
	size_t armed;
	size_t image;		/* 0 when fresh, or before the first arm */
	bool *lazy;		/* of each bite of the image */
	size_t look;		/* settle's next bite */
	bool fresh;
	int uffd;
	int pagemap;
	struct hs_pageset *pending;	/* found by settle, for collect */
	struct hs_pageset *suspects;	/* settle's S */
	struct hs_pageset *seen;	/* settle's C, or its complement */
	struct hs_uffd_region vec[VEC_REGIONS];
};

/* What a scan looks for, in the words of PAGEMAP_SCAN. */
struct query {
	uint64_t flags;
	uint64_t mask;
	uint64_t inverted;
	uint64_t anyof;
};

/* With exactly these the kernel takes its fast way. */
static const struct query query_written = {
	.flags = HS_UFFD_WP_MATCHING | HS_UFFD_CHECK_WPASYNC,
	.mask = HS_UFFD_WRITTEN,
};

static const struct query query_written_copies = {
	.flags = HS_UFFD_WP_MATCHING | HS_UFFD_CHECK_WPASYNC,
	.mask = HS_UFFD_WRITTEN | HS_UFFD_FILE,
	.inverted = HS_UFFD_FILE,
	.anyof = HS_UFFD_PRESENT | HS_UFFD_SWAPPED,
};

static const struct query query_present_copies = {
	.mask = HS_UFFD_PRESENT | HS_UFFD_FILE,
	.inverted = HS_UFFD_FILE,
};

static const struct query query_present_file = {
	.mask = HS_UFFD_PRESENT | HS_UFFD_FILE,
};

/* ---- scanning ---- */

/*
 * Add what q finds in [from, to) of the arena to out.  A scan that fills vec
 * has stopped at walk_end, or may have; one that does not has reached the end,
 * whatever walk_end says.
 */
static int
scan_range(struct wpa *w, const struct query *q, size_t from, size_t to,
    struct hs_pageset *out)
{
	uintptr_t base = (uintptr_t)w->base;
	struct hs_uffd_scan arg = {
		.size = sizeof(arg),
		.flags = q->flags,
		.start = base + from,
		.end = base + to,
		.vec = (uintptr_t)w->vec,
		.vec_len = VEC_REGIONS,
		.category_inverted = q->inverted,
		.category_mask = q->mask,
		.category_anyof_mask = q->anyof,
		.return_mask = HS_UFFD_WRITTEN,
	};
	long n, i;

	while (arg.start < arg.end) {
		n = ioctl(w->pagemap, HS_UFFD_PAGEMAP_SCAN, &arg);
		if (n < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			/* Not the mapping that was registered (mremap). */
			return errno == EPERM ? HS_ETRACK : -errno;
		}
		for (i = 0; i < n; i++)
			hs_pageset_add(out,
			    (w->vec[i].start - base) / HS_ARENA_PAGE_BYTES,
			    (w->vec[i].end - w->vec[i].start) /
				HS_ARENA_PAGE_BYTES);
		if (n < VEC_REGIONS)
			break;
		arg.start = arg.walk_end;
	}
	return 0;
}

static size_t
count_bites(const struct wpa *w)
{
	return (w->image + BITE_BYTES - 1) / BITE_BYTES;
}

/* The end of the stretch that starts at bite: all lazy, or none. */
static size_t
end_stretch(const struct wpa *w, size_t bite)
{
	bool lazy = w->lazy[bite];

	while (bite < count_bites(w) && w->lazy[bite] == lazy)
		bite++;
	return bite;
}

static int
collect_image(struct wpa *w, struct hs_pageset *out)
{
	size_t bite, end, to;
	int rc = 0;

	for (bite = 0; rc == 0 && bite < count_bites(w); bite = end) {
		end = end_stretch(w, bite);
		to = end * BITE_BYTES < w->image ? end * BITE_BYTES : w->image;
		rc = scan_range(w,
		    w->lazy[bite] ? &query_written_copies : &query_written,
		    bite * BITE_BYTES, to, out);
	}
	return rc;
}

static int
collect_wpa(void *priv, struct hs_pageset *out)
{
	struct wpa *w = priv;
	int rc;

	rc = collect_image(w, out);
	if (rc == 0)
		rc = scan_range(w, &query_written, w->image, w->armed, out);
	if (rc == 0 && w->pending != NULL) {
		hs_pageset_merge(out, w->pending);
		hs_pageset_clear(w->pending);
	}
	return rc;
}

/* ---- settling ---- */

/*
 * For the fault alone: what is read is of no use.  So the program's threads,
 * which write meanwhile, are no race.
 */
__attribute__((no_sanitize("thread"))) static void
touch_page(const uint8_t *p)
{
	(void)*(const volatile uint8_t *)p;
}

static bool
is_swap_possible(void)
{
	struct sysinfo si;

	return sysinfo(&si) < 0 || si.totalswap != 0;
}

/*
 * Which of w->suspects are copies?  Without swap they are present now, as
 * copies.  With it one may have been swapped out since, and its entry looks
 * as that of an armed page that was never touched: so touch all, and believe
 * only in what is then seen to be the file's.
 */
static int
judge_suspects(struct wpa *w, size_t from, size_t to)
{
	bool swap = is_swap_possible();
	size_t page;
	int rc;

	if (swap) {
		for (page = 0; hs_pageset_next(w->suspects, page, &page);
		     page++)
			touch_page(w->base + page * HS_ARENA_PAGE_BYTES);
	}
	rc = scan_range(w, swap ? &query_present_file : &query_present_copies,
	    from, to, w->seen);
	for (page = 0; rc == 0 && hs_pageset_next(w->suspects, page, &page);
	     page++)
		if (hs_pageset_has(w->seen, page) != swap)
			hs_pageset_add(w->pending, page, 1);
	return rc;
}

/* Are there entries of any kind?  1: yes. */
static int
is_touched(struct wpa *w, size_t from, size_t to)
{
	struct hs_uffd_scan arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)w->base + from,
		.end = (uintptr_t)w->base + to,
		.vec = (uintptr_t)w->vec,
		.vec_len = 1,
		.max_pages = 1,
		.category_anyof_mask = HS_UFFD_PRESENT | HS_UFFD_SWAPPED,
		.return_mask = HS_UFFD_PRESENT,
	};
	long n;

	do
		n = ioctl(w->pagemap, HS_UFFD_PAGEMAP_SCAN, &arg);
	while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n < 0 ? -errno : n > 0;
}

static int
settle_bite(struct wpa *w, size_t from, size_t to)
{
	size_t off;
	int rc;

	for (off = from; off < to; off += HS_ARENA_EXTENT_BYTES)
		touch_page(w->base + off);
	rc = scan_range(w, &query_written, from, to, w->suspects);
	if (rc == 0)
		rc = judge_suspects(w, from, to);
	if (rc < 0)	/* they are armed now: none must be forgotten */
		hs_pageset_merge(w->pending, w->suspects);
	hs_pageset_clear(w->suspects);
	hs_pageset_clear(w->seen);
	return rc;
}

static int
settle_wpa(void *priv)
{
	struct wpa *w = priv;
	size_t n, from, to;
	int rc;

	for (n = 0; w->look < count_bites(w); w->look++) {
		if (!w->lazy[w->look])
			continue;
		if (n++ == LOOK_BITES)
			return 1;
		from = w->look * BITE_BYTES;
		to =
		    w->image - from < BITE_BYTES ? w->image : from + BITE_BYTES;
		rc = is_touched(w, from, to);
		if (rc == 0)
			continue;
		if (rc > 0)
			rc = settle_bite(w, from, to);
		if (rc < 0)
			return rc;
		w->lazy[w->look++] = false;
		return 1;
	}
	w->look = 0;
	return 0;
}

/* ---- arming ---- */

static int
protect_range(struct wpa *w, size_t from, size_t to)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)w->base + from,
		    .len = to - from },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	while (ioctl(w->uffd, UFFDIO_WRITEPROTECT, &wp) < 0)
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	return 0;
}

static int
arm_wpa(void *priv, size_t len)
{
	struct wpa *w = priv;
	int rc = 0;

	if (len > w->len || len < w->armed || len % HS_ARENA_PAGE_BYTES != 0)
		return HS_EMISUSE;
	if (!w->fresh && w->image == 0) {
		w->image = len;
		memset(w->lazy, true, count_bites(w) * sizeof(*w->lazy));
	} else if (len > w->armed)
		rc = protect_range(w, w->armed, len);
	if (rc == 0)
		w->armed = len;
	return rc;
}

/* ---- opening ---- */

__attribute__((format(printf, 4, 5))) static int
fail_open(int err, char *why, size_t why_size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, why_size, fmt, ap);
	va_end(ap);
	return err == ENOMEM ? -ENOMEM : HS_ETRACK;
}

static int
open_uffd(struct wpa *w, char *why, size_t why_size)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC |
		    UFFD_FEATURE_WP_UNPOPULATED |
		    UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};
	long fd;

	fd = hs_fault(HS_FAULT_USERFAULTFD)
	    ? (errno = EPERM, -1)
	    : syscall(SYS_userfaultfd,
		  O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0 && errno == EPERM)
		return fail_open(errno, why, why_size,
		    "userfaultfd is not permitted (EPERM): a container's"
		    " seccomp profile; allow userfaultfd, or use tracker=full");
	if (fd < 0)
		return fail_open(errno, why, why_size,
		    "userfaultfd: %s; write-protect tracking needs Linux 6.7"
		    " with CONFIG_USERFAULTFD; use tracker=full",
		    strerrordesc_np(errno));
	w->uffd = hs_fdhigh_move((int)fd);
	if (ioctl(w->uffd, UFFDIO_API, &api) < 0)
		return fail_open(errno, why, why_size,
		    "userfaultfd here has no asynchronous write-protect mode:"
		    " it needs Linux 6.7; use a newer kernel or tracker=full");
	return 0;
}

static int
open_pagemap(struct wpa *w, char *why, size_t why_size)
{
	w->pagemap = hs_fault(HS_FAULT_PAGEMAP_OPEN)
	    ? (errno = EACCES, -1)
	    : hs_fdhigh_move(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	if (w->pagemap < 0)
		return fail_open(errno, why, why_size,
		    "/proc/self/pagemap cannot be opened: %s; mount /proc, and"
		    " call hsinit() before changing user (or stay dumpable:"
		    " PR_SET_DUMPABLE); or use tracker=full",
		    strerrordesc_np(errno));
	return 0;
}

static int
register_range(struct wpa *w, char *why, size_t why_size)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)w->base, .len = w->len },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	if (ioctl(w->uffd, UFFDIO_REGISTER, &reg) == 0)
		return 0;
	return fail_open(errno, why, why_size,
	    "checkpoint memory cannot be watched by userfaultfd: %s%s",
	    strerrordesc_np(errno),
	    errno == EBUSY ? "; another userfaultfd watches it already"
			   : "; use tracker=full");
}

static int
create_sets(struct wpa *w)
{
	size_t npages = w->len / HS_ARENA_PAGE_BYTES;
	int rc;

	rc = hs_pageset_create(&w->pending, npages);
	if (rc == 0)
		rc = hs_pageset_create(&w->suspects, npages);
	if (rc == 0)
		rc = hs_pageset_create(&w->seen, npages);
	w->lazy = calloc(w->len / BITE_BYTES + 1, sizeof(*w->lazy));
	return rc == 0 && w->lazy == NULL ? -ENOMEM : rc;
}

static void
close_wpa(void *priv)
{
	struct wpa *w = priv;

	if (w->uffd >= 0)
		(void)close(w->uffd);
	if (w->pagemap >= 0)
		(void)close(w->pagemap);
	hs_pageset_destroy(w->pending);
	hs_pageset_destroy(w->suspects);
	hs_pageset_destroy(w->seen);
	free(w->lazy);
	free(w);
}

static int
open_wpa(void **priv, const struct hs_dirty_range *r, char *why,
    size_t why_size)
{
	struct wpa *w;
	int rc;

	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	w->base = r->base;
	w->len = r->len;
	w->fresh = r->fresh;
	w->uffd = w->pagemap = -1;
	rc = open_uffd(w, why, why_size);
	if (rc == 0)
		rc = open_pagemap(w, why, why_size);
	if (rc == 0)
		rc = register_range(w, why, why_size);
	if (rc == 0 && !r->fresh)
		rc = create_sets(w);
	/*
	 * A huge page would be written as one: the first byte in a region makes
	 * 512 pages dirty.  Memory that is armed as it comes into use gets
	 * none; with this, what is lazy or was dropped gets none either.
	 */
	if (rc == 0)
		(void)madvise(r->base, r->len, MADV_NOHUGEPAGE);
	if (rc < 0) {
		close_wpa(w);
		return rc;
	}
	*priv = w;
	return 0;
}

const struct hs_dirty_ops hs_dirty_wpa = {
	.abi = HS_DIRTY_ABI,
	.name = "wpa",
	.open = open_wpa,
	.close = close_wpa,
	.arm = arm_wpa,
	.collect = collect_wpa,
	.settle = settle_wpa,
};
