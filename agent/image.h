/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image: an arena's content as of one committed epoch, in a memfd of sealed
 * size, which a restored service maps.
 *
 * M1  The content is exactly one committed epoch, at every return from this
 *     file.
 * M2  A page that the running service has not written since it mapped the image
 *     is never changed to another content: an epoch only names pages that it
 *     wrote, and a full one repeats the others as they are.
 * M3  hs_image_apply() cannot fail: hs_image_prepare() took all the memory.
 */
#ifndef HS_AGENT_IMAGE_H
#define HS_AGENT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/rec.h"

struct hs_image;

/* Which epoch of which lineage. */
struct hs_image_id {
	uint64_t term;
	uint64_t epoch;
	uint8_t digest[HS_MSG_DIGEST_BYTES];
};

/* Told of a page's content just before it changes; see sync.h. */
typedef void hs_image_cow_fn(void *arg, uint32_t page, const uint8_t *old);

/* An image of zeros.  -ENOMEM, -ENOSPC, -EINVAL for an unusable geometry. */
HS_MUST_CHECK int hs_image_create(struct hs_image **out, uint64_t arena_base,
    uint64_t arena_bytes);
void hs_image_destroy(struct hs_image *im);

uint64_t hs_image_base(const struct hs_image *im);
uint64_t hs_image_bytes(const struct hs_image *im);
uint64_t hs_image_used(const struct hs_image *im);
uint64_t hs_image_resident(const struct hs_image *im);
const struct hs_image_id *hs_image_id(const struct hs_image *im);
void hs_image_set_id(struct hs_image *im, const struct hs_image_id *id);
/* Borrowed; a dup of it goes to the service. */
int hs_image_fd(const struct hs_image *im);
void hs_image_on_change(struct hs_image *im, hs_image_cow_fn *fn, void *arg);

/*
 * Take the memory for the record's pages; only it may fail (-ENOSPC, -ENOMEM).
 */
HS_MUST_CHECK int hs_image_prepare(struct hs_image *im, const struct hs_rec *r);
void hs_image_apply(struct hs_image *im, const struct hs_rec *r);
/* The arena's high-water mark as of this epoch; it only grows. */
void hs_image_set_used(struct hs_image *im, uint64_t used_bytes);
/* Make [first, last) zero, without touching what is zero already (M2). */
void hs_image_clear(struct hs_image *im, uint32_t first, uint32_t last);

/* First page >= from that may be other than zero; false when there is none. */
bool hs_image_next(const struct hs_image *im, uint32_t from, uint32_t *page);
/* Borrowed until the image is destroyed. */
const uint8_t *hs_image_page(const struct hs_image *im, uint32_t page);

#endif
