/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/kmod_keep.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/arena.h"
#include "mem/copy.h"
#include "mem/kmod_dev.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23	/* Linux 5.14 */
#endif

#define PAGE ((size_t)HS_ARENA_PAGE_BYTES)
#define WORD_PAGES 64u

#define WHY(why, ...) hs_kmod_dev_fail(why, HS_KMOD_KEEP_WHY, __VA_ARGS__)

/* ---- names ---- */

static void
name_memory(char out[HSCPT_NAME_BYTES], const char *name, const char *suffix)
{
	_Static_assert(HSCPT_NAME_BYTES == HS_KEEP_BYTES, "names fit");
	_Static_assert(HS_KEEP_MAX + sizeof(HS_KEEP_TABLE) <= HS_KEEP_BYTES,
	    "and the table's");
	memset(out, 0, HSCPT_NAME_BYTES);
	(void)snprintf(out, HSCPT_NAME_BYTES, "%.*s%s", HS_KEEP_MAX, name,
	    suffix);
}

/* There may be none. */
static void
destroy(int dev, const char *name)
{
	static const char *const suffix[] = { "", HS_KEEP_TABLE };
	struct hscpt_destroy d = { .size = sizeof(d) };

	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		name_memory(d.name, name, suffix[i]);
		if (hs_kmod_dev_call(dev, HSCPT_DESTROY, &d) < 0)
			continue;
	}
}

static int
attach(int dev, const char *name, const char *suffix, size_t bytes, char *why)
{
	struct hscpt_attach a = { .size = sizeof(a) };
	int rc;

	name_memory(a.name, name, suffix);
	rc = hs_kmod_dev_call(dev, HSCPT_ATTACH, &a);
	if (rc == -ENOENT)
		return WHY(why, "no memory %s was kept", a.name);
	if (rc == -EBUSY)
		return WHY(why,
		    "a process that the dead one left has memory %s open",
		    a.name);
	if (rc < 0)
		return WHY(why, "memory %s: %s", a.name, strerrordesc_np(-rc));
	if (a.bytes == bytes)
		return a.fd;
	(void)close(a.fd);
	return WHY(why, "memory %s has another size", a.name);
}

static int
create(int dev, const char *name, const char *suffix, size_t bytes, char *why)
{
	struct hscpt_create c = { .size = sizeof(c),
		.flags = HSCPT_CREATE_PERSIST,
		.bytes = bytes };
	int rc;

	name_memory(c.name, name, suffix);
	rc = hs_kmod_dev_call(dev, HSCPT_CREATE, &c);
	if (rc == 0)
		return c.fd;
	return WHY(why, "memory %s: %s", c.name, strerrordesc_np(-rc));
}

/* ---- the table ---- */

size_t
hs_kmod_keep_bytes(size_t arena_bytes)
{
	const size_t entries = arena_bytes / PAGE * sizeof(uint32_t);

	return PAGE + (entries + PAGE - 1) / PAGE * PAGE;
}

/* The mapping keeps the table open, in this process alone. */
static int
map_table(struct hs_kmod_keep *k, int fd, size_t len, char *why)
{
	int rc = hs_kmod_dev_populate(fd, 0, PAGE);
	void *p = rc < 0 ? (errno = -rc, MAP_FAILED)
			 : mmap(NULL, len, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_NORESERVE, fd, 0);

	rc = errno;
	(void)close(fd);
	if (p == MAP_FAILED)
		return WHY(why, "no table of kept memory: %s",
		    strerrordesc_np(rc));
	k->head = p;
	k->entry = (uint32_t *)(void *)((uint8_t *)p + PAGE);
	k->len = len;
	return 0;
}

static void
set_state(struct hs_kmod_keep *k, enum hs_kmod_keep_state state)
{
	/* In the order of the program, for who comes after its death. */
	__atomic_store_n(&k->head->state, (uint32_t)state, __ATOMIC_SEQ_CST);
}

static int
judge_head(const struct hs_kmod_keep_head *h, const struct hs_dirty_range *r,
    char *why)
{
	if (h->magic != HS_KMOD_KEEP_MAGIC ||
	    h->version != HS_KMOD_KEEP_VERSION ||
	    h->arena_base != (uintptr_t)r->base || h->arena_bytes != r->len ||
	    h->made_bytes > r->len || h->made_bytes % PAGE != 0)
		return WHY(why, "what was kept is of another arena or version");
	if (h->term != r->keep->warm_term)
		return WHY(why,
		    "what was kept is of term %" PRIu64 ", and the image of "
		    "term %" PRIu64,
		    h->term, r->keep->warm_term);
	if (h->epoch > r->keep->epoch)
		return WHY(why, "what was kept began after the image");
	if (h->state != HS_KMOD_KEEP_SOUND && h->state != HS_KMOD_KEEP_UNSURE)
		return WHY(why,
		    "the process before died while it took up what was kept");
	return 0;
}

int
hs_kmod_keep_attach(struct hs_kmod_keep *k, int dev,
    const struct hs_dirty_range *r, int *fd, char why[HS_KMOD_KEEP_WHY])
{
	const size_t len = hs_kmod_keep_bytes(r->len);
	int rc;

	(void)snprintf(k->name, sizeof(k->name), "%s", r->keep->name);
	rc = attach(dev, k->name, HS_KEEP_TABLE, len, why);
	if (rc >= 0)
		rc = map_table(k, rc, len, why);
	if (rc == 0)
		rc = judge_head(k->head, r, why);
	if (rc == 0)
		rc = attach(dev, k->name, "", r->len, why);
	if (rc < 0) {
		hs_kmod_keep_close(k, false);
		return rc;
	}
	*fd = rc;
	return 0;
}

int
hs_kmod_keep_create(struct hs_kmod_keep *k, int dev,
    const struct hs_dirty_range *r, int *fd, char why[HS_KMOD_KEEP_WHY])
{
	const size_t len = hs_kmod_keep_bytes(r->len);
	int rc;

	(void)snprintf(k->name, sizeof(k->name), "%s", r->keep->name);
	destroy(dev, k->name);
	rc = create(dev, k->name, HS_KEEP_TABLE, len, why);
	if (rc >= 0)
		rc = map_table(k, rc, len, why);
	if (rc == 0)
		rc = create(dev, k->name, "", r->len, why);
	if (rc < 0) {
		hs_kmod_keep_close(k, true);
		return rc;
	}
	*k->head = (struct hs_kmod_keep_head){ .magic = HS_KMOD_KEEP_MAGIC,
		.version = HS_KMOD_KEEP_VERSION,
		.state = HS_KMOD_KEEP_NONE,
		.arena_base = (uintptr_t)r->base,
		.arena_bytes = r->len };
	*fd = rc;
	return 0;
}

void
hs_kmod_keep_close(struct hs_kmod_keep *k, bool drop)
{
	char why[HS_KMOD_KEEP_WHY];
	struct hscpt_info info;
	int dev;

	if (k->head != NULL)
		(void)munmap(k->head, k->len);
	k->head = NULL;
	if (!drop || k->name[0] == '\0')
		return;
	dev = hs_kmod_dev_open(&info, why, sizeof(why));
	if (dev < 0)
		return;		/* hs-agent sweeps up */
	destroy(dev, k->name);
	(void)close(dev);
}

/* ---- noting ---- */

int
hs_kmod_keep_arm(struct hs_kmod_keep *k, size_t len)
{
	const size_t made = k->head->made_bytes;
	const size_t from = made == 0 ? 0 : hs_kmod_keep_bytes(made) - PAGE;
	const size_t to = hs_kmod_keep_bytes(len);

	if (len <= made)
		return 0;
	/* Here, so that no collect meets a page that cannot be had. */
	if (madvise((uint8_t *)k->head + from, to - from, MADV_POPULATE_WRITE) <
	    0)
		return -ENOMEM;
	k->head->made_bytes = len;
	return 0;
}

void
hs_kmod_keep_begin(struct hs_kmod_keep *k, const struct hs_dirty_keep *what)
{
	k->head->term = what->term;
	k->head->epoch = k->epoch = what->epoch;
	set_state(k, HS_KMOD_KEEP_SOUND);
}

void
hs_kmod_keep_unsure(struct hs_kmod_keep *k)
{
	set_state(k, HS_KMOD_KEEP_UNSURE);
}

void
hs_kmod_keep_sure(struct hs_kmod_keep *k)
{
	set_state(k, HS_KMOD_KEEP_SOUND);
}

/* As entries have it; never 0. */
static uint32_t
count_epoch(const struct hs_kmod_keep *k, uint64_t epoch)
{
	const uint32_t n = (uint32_t)(epoch - k->head->epoch);

	/* One later is copied without need, at worst. */
	return n != 0 ? n : 1;
}

static bool
is_after(uint32_t entry, uint32_t n)
{
	return entry != 0 && (int32_t)(entry - n) > 0;
}

void
hs_kmod_keep_note(struct hs_kmod_keep *k, const uint64_t *bitmap, size_t npages)
{
	const uint32_t n = count_epoch(k, k->epoch);
	size_t i;

	for (i = 0; i < (npages + WORD_PAGES - 1) / WORD_PAGES; i++) {
		uint64_t w;

		for (w = bitmap[i]; w != 0; w &= w - 1) {
			uint32_t *e = &k->entry[i * WORD_PAGES +
			    (unsigned)__builtin_ctzll(w)];

			__atomic_store_n(e, n, __ATOMIC_RELAXED);
		}
	}
}

void
hs_kmod_keep_note_cut(struct hs_kmod_keep *k, uint64_t epoch,
    const uint32_t *page, size_t n)
{
	const uint32_t now = count_epoch(k, epoch);
	size_t i;

	for (i = 0; i < n; i++)
		__atomic_store_n(&k->entry[page[i]], now, __ATOMIC_RELAXED);
}

/* ---- rolling back ---- */

static void
set_bit(uint64_t *bitmap, size_t page)
{
	bitmap[page / WORD_PAGES] |= UINT64_C(1) << (page % WORD_PAGES);
}

static void
add_collected(const struct hs_kmod_keep *k, uint64_t epoch, uint64_t *bitmap)
{
	const uint32_t n = (uint32_t)(epoch - k->head->epoch);
	const size_t npages = k->head->made_bytes / PAGE;
	size_t page;

	for (page = 0; page < npages; page++)
		if (is_after(k->entry[page], n))
			set_bit(bitmap, page);
}

static void
add_different(const struct hs_kmod_keep *k, const struct hs_dirty_range *r,
    const uint8_t *mem, uint64_t *bitmap)
{
	const uint8_t *from = r->base;
	size_t off;

	for (off = 0; off < k->head->made_bytes; off += PAGE)
		if (memcmp(mem + off, from + off, PAGE) != 0)
			set_bit(bitmap, off / PAGE);
}

/* The range beyond its used part reads as zeros. */
static int64_t
copy_set(const struct hs_dirty_range *r, uint8_t *mem, const uint64_t *bitmap)
{
	const uint8_t *from = r->base;
	const size_t nwords = (r->len / PAGE + WORD_PAGES - 1) / WORD_PAGES;
	int64_t n = 0;
	size_t i;

	for (i = 0; i < nwords; i++) {
		uint64_t w;

		for (w = bitmap[i]; w != 0; w &= w - 1, n++) {
			const size_t page =
			    i * WORD_PAGES + (unsigned)__builtin_ctzll(w);

			if (page * PAGE < r->used)
				hs_copy_page(mem + page * PAGE,
				    from + page * PAGE);
			else
				memset(mem + page * PAGE, 0, PAGE);
		}
	}
	return n;
}

int64_t
hs_kmod_keep_roll_back(struct hs_kmod_keep *k, int fd,
    const struct hs_dirty_range *r, uint8_t *mem, uint64_t *bitmap)
{
	const bool unsure = k->head->state == HS_KMOD_KEEP_UNSURE;
	int64_t n;
	int rc;

	set_state(k, HS_KMOD_KEEP_NONE);			/* T4 */
	if (k->head->made_bytes < r->used) {
		rc = hs_kmod_dev_populate(fd, k->head->made_bytes, r->used);
		if (rc == 0)
			rc = hs_kmod_keep_arm(k, r->used);
		if (rc < 0)
			return rc;
	}
	rc = hs_kmod_dev_harvest(fd, 0, r->len, bitmap, HSCPT_HARVEST_PEEK);
	if (rc < 0)
		return rc;
	if (unsure)
		add_different(k, r, mem, bitmap);		/* T2 */
	else
		add_collected(k, r->keep->epoch, bitmap);	/* T1 */
	n = copy_set(r, mem, bitmap);
	rc = hs_kmod_dev_harvest(fd, 0, r->len, bitmap, 0);
	if (rc < 0)
		return rc;
	memset(k->entry, 0, k->head->made_bytes / PAGE * sizeof(*k->entry));
	return n;
}
