/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dirty tracking by the MMU's own modified bits: the arena is memory of
 * /dev/hscpt, whose module reads and clears them.  A write costs nothing then,
 * and a set of pages can be kept as it was at an instant (a cut), to be read
 * while the program writes on.
 *
 * The device's memory takes the place of the range when it is opened, with the
 * content that was there:
 *
 *	map the device elsewhere, make the pages of the used part, copy, and
 *	move the mapping onto the range in one step
 *
 * or, where memory of a dead process is there that nearly has it, copy what is
 * different (kmod_keep.h).
 *
 * K1  Pages below the armed length exist: an access to them cannot fail, and
 *     want of memory is told by arm(), never by SIGBUS.
 * K2  Where open() fails, the range is as it was.
 * K3  A child of fork() has a copy of its own (kmod_fork.h), as of any memory.
 *
 * Copying is what restoring by mapping avoids, so "auto" takes a large image
 * to the next backend, unless it is there already.
 */
#include "mem/dirty.h"

#include <assert.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fdhigh.h"
#include "mem/arena.h"
#include "mem/copy.h"
#include "mem/kmod_dev.h"
#include "mem/kmod_fork.h"
#include "mem/kmod_keep.h"

#define PAGE ((size_t)HS_ARENA_PAGE_BYTES)
#define WORD_PAGES 64u
/* An image above it is not copied by "auto": some 20 ms of a takeover. */
#define COPY_BYTES ((size_t)64 << 20)
/* Handed out by one call, at most. */
#define DRAIN_PAGES 64u

struct kmod {
	struct hs_kmod_fork child;	/* base, fds and length are here */
	size_t len;
	size_t armed;
	size_t made;		/* pages below it exist, armed or not */
	size_t cut_len;		/* armed when the open cut was taken */
	uint64_t cut_epoch;
	uint64_t *bitmap;
	struct hs_kmod_keep keep;
	int64_t warm;		/* pages rolled back, or -1 */
	char told[HS_KMOD_KEEP_WHY + 32];	/* what became of it */
};

/* ---- sets ---- */

/* Add the bits of the first npages of the range to out. */
static void
add_bits(struct hs_pageset *out, const uint64_t *bitmap, size_t npages)
{
	const size_t nwords = (npages + WORD_PAGES - 1) / WORD_PAGES;
	size_t i;

	for (i = 0; i < nwords; i++) {
		uint64_t w = bitmap[i];

		while (w != 0) {
			unsigned first = (unsigned)__builtin_ctzll(w);
			uint64_t rest = ~(w >> first);
			unsigned n = WORD_PAGES;

			if (rest != 0)
				n = (unsigned)__builtin_ctzll(rest);
			hs_pageset_add(out, i * WORD_PAGES + first, n);
			w &= ~(((UINT64_C(2) << (n - 1)) - 1) << first);
		}
	}
}

/* ---- tracking ---- */

static int
collect_kmod(void *priv, struct hs_pageset *out)
{
	struct kmod *k = priv;
	const bool kept = k->keep.head != NULL;
	int rc;

	if (kept)
		hs_kmod_keep_unsure(&k->keep);
	rc = hs_kmod_dev_harvest(k->child.fd, 0, k->armed, k->bitmap, 0);
	if (rc == 0 && kept)
		hs_kmod_keep_note(&k->keep, k->bitmap, k->armed / PAGE);
	/* A harvest that failed has forgotten nothing. */
	if (kept)
		hs_kmod_keep_sure(&k->keep);
	if (rc == 0)
		add_bits(out, k->bitmap, k->armed / PAGE);
	return rc;
}

static int
arm_kmod(void *priv, size_t len)
{
	struct kmod *k = priv;
	int rc;

	if (len > k->len || len < k->armed || len % PAGE != 0)
		return HS_EMISUSE;
	if (len > k->made) {					/* K1 */
		rc = hs_kmod_dev_populate(k->child.fd, k->made, len);
		if (rc == 0 && k->keep.head != NULL)
			rc = hs_kmod_keep_arm(&k->keep, len);
		if (rc < 0)
			return rc;
		k->made = len;
	}
	/* What is there is clean from now on: the set is of no interest. */
	rc = hs_kmod_dev_harvest(k->child.fd, k->armed, len, k->bitmap, 0);
	if (rc < 0)
		return rc;
	k->armed = len;
	hs_kmod_fork_resize(&k->child, len);
	return 0;
}

/* ---- cuts ---- */

static void
close_cut(struct kmod *k)
{
	(void)close(k->child.cut_fd);
	hs_kmod_fork_cut(&k->child, -1);
}

static int
begin_cut(void *priv, struct hs_pageset *out)
{
	struct kmod *k = priv;
	struct hscpt_snapshot s = {
		.size = sizeof(s),
		.flags = HSCPT_SNAPSHOT_QUIESCED,
	};
	struct hscpt_snap_bitmap b = {
		.size = sizeof(b),
		.len = k->armed,
		.bitmap = (uintptr_t)k->bitmap,
	};
	int rc;

	assert(k->child.cut_fd < 0 && k->armed > 0);
	rc = hs_kmod_dev_call(k->child.fd, HSCPT_SNAPSHOT, &s);
	if (rc < 0)
		return rc;
	hs_kmod_fork_cut(&k->child, hs_fdhigh_move(s.fd));
	k->cut_len = k->armed;
	k->cut_epoch = k->keep.epoch;
	rc = hs_kmod_dev_call(k->child.cut_fd, HSCPT_SNAP_BITMAP, &b);
	if (rc < 0) {
		close_cut(k);
		return rc;
	}
	add_bits(out, k->bitmap, k->armed / PAGE);
	return 0;
}

/* Buffers that follow one another in memory are filled in one call. */
static size_t
count_row(uint8_t *const *buf, size_t n)
{
	size_t i = 1;

	while (i < n && i < DRAIN_PAGES && buf[i] == buf[i - 1] + PAGE)
		i++;
	return i;
}

static int
read_cut(void *priv, const uint32_t *page, uint8_t *const *buf, size_t n)
{
	struct kmod *k = priv;
	uint64_t offset[DRAIN_PAGES];
	size_t done, i;
	int rc;

	for (done = 0; done < n; done += i) {
		const size_t off = page[done] * PAGE;
		struct hscpt_snap_drain d = {
			.size = sizeof(d),
			.off = off,
			.len = k->cut_len - off,
			.max_pages = count_row(buf + done, n - done),
			.pages = (uintptr_t)buf[done],
			.offsets = (uintptr_t)offset,
		};

		rc = hs_kmod_dev_call(k->child.cut_fd, HSCPT_SNAP_DRAIN, &d);
		if (rc < 0)
			return rc;
		/* The caller asks for all of the set, in its order. */
		for (i = 0; i < d.npages; i++)
			if (offset[i] != page[done + i] * PAGE)
				return HS_ETRACK;
		if (i == 0)
			return HS_ETRACK;
		if (k->keep.head != NULL)
			hs_kmod_keep_note_cut(&k->keep, k->cut_epoch,
			    page + done, i);
	}
	return 0;
}

static int
end_cut(void *priv, bool arrived)
{
	struct kmod *k = priv;
	struct hscpt_snap_commit c = { .size = sizeof(c) };
	int rc = 0;

	if (arrived)
		rc = hs_kmod_dev_call(k->child.cut_fd, HSCPT_SNAP_COMMIT, &c);
	/* Without a commit its pages are modified ones again. */
	close_cut(k);
	return rc;
}

/* ---- opening ---- */

static bool
is_zero(const uint8_t *p)
{
	return p[0] == 0 && memcmp(p, p + 1, PAGE - 1) == 0;
}

/* The device's memory, elsewhere; MAP_FAILED and errno. */
static uint8_t *
map_memory(const struct kmod *k)
{
	return mmap(NULL, k->len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, k->child.fd, 0);
}

/* Device memory with the range's content; MAP_FAILED and a line. */
static uint8_t *
map_filled(struct kmod *k, size_t used, char *why, size_t why_size)
{
	const uint8_t *from = k->child.base;
	uint8_t *p;
	size_t off;
	int rc;

	rc = hs_kmod_dev_populate(k->child.fd, 0, used);	/* K1 */
	p = rc < 0 ? (errno = -rc, MAP_FAILED) : map_memory(k);
	if (p == MAP_FAILED) {
		(void)hs_kmod_dev_fail(why, why_size,
		    "%s: %zu MiB of it cannot be had: %s; raise the limit of "
		    "locked memory (ulimit -l), or use tracker=wpa",
		    HSCPT_DEVICE, used >> 20, strerrordesc_np(errno));
		return MAP_FAILED;
	}
	/* It is zeros so far. */
	for (off = 0; off < used; off += PAGE)
		if (!is_zero(from + off))
			hs_copy_page_around(p + off, from + off);
	return p;
}

/* The mapping moves with its page tables, over whatever is in the range. */
static int
move_memory(struct kmod *k, uint8_t *p, char *why, size_t why_size)
{
	int err;

	if (mremap(p, k->len, k->len, MREMAP_MAYMOVE | MREMAP_FIXED,
		k->child.base) == k->child.base)
		return 0;
	err = errno;
	(void)munmap(p, k->len);				/* K2 */
	return hs_kmod_dev_fail(why, why_size,
	    "%s: its memory cannot be put at %p: %s", HSCPT_DEVICE,
	    (void *)k->child.base, strerrordesc_np(err));
}

/* New memory, kept if it may be; its descriptor, or HS_ETRACK and a line. */
static int
create_memory(struct kmod *k, int dev, const struct hs_dirty_range *r,
    char *why, size_t why_size)
{
	struct hscpt_create c = { .size = sizeof(c), .bytes = k->len };
	char line[HS_KMOD_KEEP_WHY];
	int fd, rc;

	if (r->keep != NULL) {
		if (hs_kmod_keep_create(&k->keep, dev, r, &fd, line) == 0)
			return fd;
		(void)snprintf(k->told, sizeof(k->told),
		    "cold, and not kept: %s", line);
	}
	rc = hs_kmod_dev_call(dev, HSCPT_CREATE, &c);
	if (rc == 0)
		return c.fd;
	return hs_kmod_dev_fail(why, why_size,
	    "%s: no checkpoint memory of %zu MiB: %s; raise the limit of "
	    "locked memory (ulimit -l), or use tracker=wpa",
	    HSCPT_DEVICE, k->len >> 20, strerrordesc_np(-rc));
}

static int
open_cold(struct kmod *k, int dev, const struct hs_dirty_range *r, char *why,
    size_t why_size)
{
	int fd = create_memory(k, dev, r, why, why_size);
	uint8_t *p;

	if (fd < 0)
		return fd;
	k->child.fd = hs_fdhigh_move(fd);
	p = map_filled(k, r->used, why, why_size);
	return p == MAP_FAILED ? HS_ETRACK : move_memory(k, p, why, why_size);
}

/* In what is attached; a reason if that cannot be. */
static int
roll_back(struct kmod *k, const struct hs_dirty_range *r,
    char line[HS_KMOD_KEEP_WHY])
{
	uint8_t *p = map_memory(k);
	int64_t n;

	n = p == MAP_FAILED
	    ? -errno
	    : hs_kmod_keep_roll_back(&k->keep, k->child.fd, r, p, k->bitmap);
	if (n < 0) {
		if (p != MAP_FAILED)
			(void)munmap(p, k->len);
		return hs_kmod_dev_fail(line, HS_KMOD_KEEP_WHY, "%s",
		    strerrordesc_np((int)-n));
	}
	k->warm = n;
	k->made = k->keep.head->made_bytes;
	return move_memory(k, p, line, HS_KMOD_KEEP_WHY);
}

/* From what a dead process left; the range is as it was where that fails. */
static int
open_warm(struct kmod *k, int dev, const struct hs_dirty_range *r)
{
	char line[HS_KMOD_KEEP_WHY];
	int fd = -1, rc;

	rc = hs_kmod_keep_attach(&k->keep, dev, r, &fd, line);
	if (rc == 0) {
		k->child.fd = hs_fdhigh_move(fd);
		rc = roll_back(k, r, line);
	}
	if (rc == 0) {
		(void)snprintf(k->told, sizeof(k->told),
		    "warm: %lld of %zu pages rolled back", (long long)k->warm,
		    r->used / PAGE);
		return 0;
	}
	(void)snprintf(k->told, sizeof(k->told), "cold: %s", line);
	if (k->child.fd >= 0)
		(void)close(k->child.fd);
	k->child.fd = -1;
	k->warm = -1;
	k->made = 0;
	hs_kmod_keep_close(&k->keep, true);
	return rc;
}

static bool
asks_warm(const struct hs_dirty_range *r)
{
	return r->keep != NULL && !r->fresh && r->keep->warm_term != 0;
}

static int
open_memory(struct kmod *k, const struct hs_dirty_range *r, char *why,
    size_t why_size)
{
	struct hscpt_info info;
	int dev, rc;

	dev = hs_kmod_dev_open(&info, why, why_size);
	if (dev < 0)
		return dev;
	rc = asks_warm(r) ? open_warm(k, dev, r) : HS_ETRACK;
	if (rc < 0)
		rc = open_cold(k, dev, r, why, why_size);
	(void)close(dev);
	return rc;
}

static void
close_kmod(void *priv)
{
	struct kmod *k = priv;

	if (k->child.cut_fd >= 0)
		close_cut(k);
	hs_kmod_fork_del(&k->child);
	/* Who ends on purpose leaves nothing; a child has nothing (K3). */
	if (k->child.fd >= 0) {
		hs_kmod_keep_close(&k->keep, true);
		/* The mapping keeps the memory. */
		(void)close(k->child.fd);
	}
	free(k->bitmap);
	free(k);
}

static int
open_kmod(void **priv, const struct hs_dirty_range *r, char *why,
    size_t why_size)
{
	const size_t nwords = r->len / PAGE / WORD_PAGES + 1;
	struct kmod *k;
	int rc;

	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return -ENOMEM;
	k->child = (struct hs_kmod_fork){ .base = r->base,
		.len = r->len,
		.fd = -1,
		.cut_fd = -1 };
	k->len = r->len;
	k->warm = -1;
	k->bitmap = calloc(nwords, sizeof(*k->bitmap));
	rc = k->bitmap == NULL ? -ENOMEM : hs_kmod_fork_watch();
	if (rc == 0)
		rc = open_memory(k, r, why, why_size);
	if (rc < 0) {
		close_kmod(k);
		return rc;
	}
	if (k->keep.head != NULL)
		hs_kmod_keep_begin(&k->keep, r->keep);
	if (k->told[0] != '\0')
		(void)snprintf(why, why_size, "%s", k->told);
	hs_kmod_fork_add(&k->child);
	*priv = k;
	return 0;
}

/* ---- what is kept ---- */

static void
set_epoch(void *priv, uint64_t epoch)
{
	struct kmod *k = priv;

	k->keep.epoch = epoch;
}

static int64_t
count_warm(void *priv)
{
	const struct kmod *k = priv;

	return k->warm;
}

/* Is there what makes copying unnecessary? */
static bool
is_kept(int dev, const struct hs_dirty_range *r)
{
	struct hs_kmod_keep k = { .head = NULL };
	char line[HS_KMOD_KEEP_WHY];
	int fd;

	if (!asks_warm(r) || hs_kmod_keep_attach(&k, dev, r, &fd, line) < 0)
		return false;
	(void)close(fd);
	hs_kmod_keep_close(&k, false);
	return true;
}

/* ---- what "auto" asks ---- */

static bool
may_lock(size_t len)
{
	struct __user_cap_header_struct h = { .pid = 0 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct rlimit lim;

	if (getrlimit(RLIMIT_MEMLOCK, &lim) == 0 &&
	    (lim.rlim_cur == RLIM_INFINITY || lim.rlim_cur >= len))
		return true;
	h.version = _LINUX_CAPABILITY_VERSION_3;
	return syscall(SYS_capget, &h, d) == 0 &&
	    (d[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &
		CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

static int
prefer_kmod(const struct hs_dirty_range *r, char *why, size_t why_size)
{
	size_t locked = r->len;
	struct hscpt_info info;
	bool kept;
	int fd;

	/* Most machines have none, which is nothing to speak of. */
	if (access(HSCPT_DEVICE, F_OK) < 0)
		return HS_ETRACK;
	fd = hs_kmod_dev_open(&info, why, why_size);
	if (fd < 0)
		return fd;
	kept = is_kept(fd, r);
	(void)close(fd);
	if (r->keep != NULL)
		locked += hs_kmod_keep_bytes(r->len);
	if ((info.features & HSCPT_FEAT_BROKEN) != 0)
		return hs_kmod_dev_fail(why, why_size,
		    "%s: the module is one for tests, which loses data",
		    HSCPT_DEVICE);
	if ((info.features & HSCPT_FEAT_HW_DIRTY) == 0)
		return hs_kmod_dev_fail(why, why_size,
		    "%s: this kernel does not lend the module the MMU's "
		    "modified bits; others track faster",
		    HSCPT_DEVICE);
	/* Its sets of pages: 4 bits a page, and 2 while there is a cut. */
	locked += locked / 4096;
	if (!may_lock(locked))
		return hs_kmod_dev_fail(why, why_size,
		    "%s: the limit of locked memory (ulimit -l) is below the "
		    "%zu MiB of checkpoint memory: raise it",
		    HSCPT_DEVICE, (locked >> 20) + 1);
	if (!r->fresh && !kept && r->used > COPY_BYTES)
		return hs_kmod_dev_fail(why, why_size,
		    "%s: an image of %zu MiB is mapped rather than copied into "
		    "the device; tracker=kmod copies it",
		    HSCPT_DEVICE, r->used >> 20);
	return 0;
}

const struct hs_dirty_ops hs_dirty_kmod = {
	.abi = HS_DIRTY_ABI,
	.name = "kmod",
	.prefer = prefer_kmod,
	.open = open_kmod,
	.close = close_kmod,
	.arm = arm_kmod,
	.collect = collect_kmod,
	.cut_begin = begin_cut,
	.cut_read = read_cut,
	.cut_end = end_cut,
	.epoch = set_epoch,
	.warm = count_warm,
};
