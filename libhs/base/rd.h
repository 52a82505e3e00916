/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reading cursor over bytes from outside.
 *
 * R1  No read goes beyond the bytes that the cursor was given.
 * R2  The first error sticks: from then on integers read as 0, pointers as
 *     NULL, copies as zeros, and nothing is consumed.
 *
 * So a decoder reads all its fields first and asks once, with hs_rd_end().
 * Integers are little-endian and need no alignment.
 */
#ifndef HS_BASE_RD_H
#define HS_BASE_RD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_rd {
	const uint8_t *p;
	size_t left;
	int err;		/* 0 or HS_EWIRE */
};

void hs_rd_init(struct hs_rd *r, const void *p, size_t len);

uint8_t hs_rd_u8(struct hs_rd *r);
uint16_t hs_rd_u16(struct hs_rd *r);
uint32_t hs_rd_u32(struct hs_rd *r);
uint64_t hs_rd_u64(struct hs_rd *r);

/* len bytes, borrowed from the buffer, or NULL.  len 0 is an error. */
const uint8_t *hs_rd_bytes(struct hs_rd *r, size_t len);

/* n elements of len bytes, borrowed, or NULL; the product may not overflow. */
const uint8_t *hs_rd_array(struct hs_rd *r, size_t n, size_t len);

/* len bytes into dst, which is filled in either case (R2). */
void hs_rd_copy(struct hs_rd *r, void *dst, size_t len);

/* len reserved bytes: an error unless all of them are zero. */
void hs_rd_zeros(struct hs_rd *r, size_t len);

/*
 * A text of a fixed len bytes: at least one NUL, zeros after the first one, no
 * control characters before it.  dst has len bytes and is always terminated.
 */
void hs_rd_text(struct hs_rd *r, char *dst, size_t len);

/* Make the cursor fail unless ok: for rules about values. */
void hs_rd_require(struct hs_rd *r, int ok);

/* 0 if all reads were good and nothing is left, else HS_EWIRE. */
HS_MUST_CHECK int hs_rd_end(const struct hs_rd *r);

#endif
