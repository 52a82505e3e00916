/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/image.h"
#include "base/fault.h"

#define PAGE HS_MSG_PAGE_BYTES
#define WORD_BITS 64

struct hs_image {
	int fd;
	uint8_t *map; /* all of the memfd, shared */
	uint64_t base, bytes, used;
	uint64_t npopulated;
	uint64_t *populated; /* bit a page: its memory is taken */
	size_t nword;
	struct hs_image_id id;
	hs_image_cow_fn *cow;
	void *cow_arg;
};

static int
open_memfd(uint64_t bytes, int *out)
{
	int fd;

	if (hs_fault(HS_FAULT_MEMFD_CREATE))
		return -ENOMEM;
	fd = memfd_create("hotspare-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* Sealed size: no mapping of it can ever meet SIGBUS. */
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
		0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

int
hs_image_create(struct hs_image **out, uint64_t arena_base,
    uint64_t arena_bytes)
{
	struct hs_image *im;
	int rc;

	if (arena_bytes == 0 || arena_bytes % PAGE != 0 ||
	    arena_bytes / PAGE > UINT32_MAX || arena_bytes > INT64_MAX)
		return -EINVAL;
	im = calloc(1, sizeof(*im));
	if (im == NULL)
		return -ENOMEM;
	im->base = arena_base;
	im->bytes = arena_bytes;
	im->nword = (size_t)(arena_bytes / PAGE + WORD_BITS - 1) / WORD_BITS;
	im->populated = calloc(im->nword, sizeof(*im->populated));
	rc = im->populated == NULL ? -ENOMEM : open_memfd(arena_bytes, &im->fd);
	if (rc < 0) {
		free(im->populated);
		free(im);
		return rc;
	}
	im->map = mmap(NULL, (size_t)arena_bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, im->fd, 0);
	if (im->map == MAP_FAILED) {
		rc = -errno;
		close(im->fd);
		free(im->populated);
		free(im);
		return rc;
	}
	/* The service's memory holds secrets: not into the agent's cores. */
	(void)madvise(im->map, (size_t)arena_bytes, MADV_DONTDUMP);
	*out = im;
	return 0;
}

void
hs_image_destroy(struct hs_image *im)
{
	if (im == NULL)
		return;
	munmap(im->map, (size_t)im->bytes);
	close(im->fd);
	free(im->populated);
	free(im);
}

uint64_t
hs_image_base(const struct hs_image *im)
{
	return im->base;
}

uint64_t
hs_image_bytes(const struct hs_image *im)
{
	return im->bytes;
}

uint64_t
hs_image_used(const struct hs_image *im)
{
	return im->used;
}

uint64_t
hs_image_resident(const struct hs_image *im)
{
	return im->npopulated * PAGE;
}

const struct hs_image_id *
hs_image_id(const struct hs_image *im)
{
	return &im->id;
}

void
hs_image_set_id(struct hs_image *im, const struct hs_image_id *id)
{
	im->id = *id;
}

int
hs_image_fd(const struct hs_image *im)
{
	return im->fd;
}

void
hs_image_on_change(struct hs_image *im, hs_image_cow_fn *fn, void *arg)
{
	im->cow = fn;
	im->cow_arg = arg;
}

static bool
is_populated(const struct hs_image *im, uint32_t page)
{
	return (im->populated[page / WORD_BITS] >> (page % WORD_BITS)) & 1;
}

int
hs_image_prepare(struct hs_image *im, const struct hs_rec *r)
{
	if (r->kind != HS_REC_PAGE && r->kind != HS_REC_DELTA)
		return 0;
	assert(r->page < im->bytes / PAGE);
	if (is_populated(im, r->page))
		return 0;
	if (hs_fault(HS_FAULT_IMAGE_FALLOCATE))
		return -ENOSPC;
	if (fallocate(im->fd, 0, (off_t)r->page * PAGE, PAGE) < 0)
		return -errno;
	im->populated[r->page / WORD_BITS] |= 1ull << (r->page % WORD_BITS);
	im->npopulated++;
	return 0;
}

static void
before_change(struct hs_image *im, uint32_t page)
{
	if (im->cow != NULL)
		im->cow(im->cow_arg, page, im->map + (size_t)page * PAGE);
}

static bool
is_zero(const uint8_t *p)
{
	return p[0] == 0 && memcmp(p, p + 1, PAGE - 1) == 0;
}

void
hs_image_clear(struct hs_image *im, uint32_t first, uint32_t last)
{
	uint32_t page = first;

	while (hs_image_next(im, page, &page) && page < last) {
		uint8_t *p = im->map + (size_t)page * PAGE;

		if (!is_zero(p)) {
			before_change(im, page);
			memset(p, 0, PAGE);
		}
		page++;
	}
}

void
hs_image_apply(struct hs_image *im, const struct hs_rec *r)
{
	switch (r->kind) {
	case HS_REC_PAGE:
	case HS_REC_DELTA:
		assert(is_populated(im, r->page)); /* M3 */
		before_change(im, r->page);
		hs_rec_apply(r, im->map + (size_t)r->page * PAGE);
		break;
	case HS_REC_ZERO:
		hs_image_clear(im, r->page, r->page + r->count);
		break;
	case HS_REC_BEGIN:
	case HS_REC_END:
		break;
	}
}

void
hs_image_set_used(struct hs_image *im, uint64_t used_bytes)
{
	assert(used_bytes <= im->bytes);
	if (used_bytes > im->used)
		im->used = used_bytes;
}

bool
hs_image_next(const struct hs_image *im, uint32_t from, uint32_t *page)
{
	size_t w = from / WORD_BITS;
	uint64_t bits;

	if (w >= im->nword)
		return false;
	bits = im->populated[w] & (~0ull << (from % WORD_BITS));
	while (bits == 0) {
		if (++w >= im->nword)
			return false;
		bits = im->populated[w];
	}
	*page = (uint32_t)(w * WORD_BITS + (size_t)__builtin_ctzll(bits));
	return true;
}

const uint8_t *
hs_image_page(const struct hs_image *im, uint32_t page)
{
	return im->map + (size_t)page * PAGE;
}
