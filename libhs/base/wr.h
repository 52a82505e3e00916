/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A writing cursor, the mirror of rd.h: little-endian, unaligned, and never
 * beyond the buffer.  The first write that does not fit makes it fail for good;
 * hs_wr_end() tells, once, at the end.
 */
#ifndef HS_BASE_WR_H
#define HS_BASE_WR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_wr {
	uint8_t *buf;
	size_t size;
	size_t len;		/* written so far, <= size */
	int err;		/* 0 or -EMSGSIZE */
};

/* size must fit an int: the length is what hs_wr_end() returns. */
void hs_wr_init(struct hs_wr *w, void *buf, size_t size);

void hs_wr_u8(struct hs_wr *w, uint8_t v);
void hs_wr_u16(struct hs_wr *w, uint16_t v);
void hs_wr_u32(struct hs_wr *w, uint32_t v);
void hs_wr_u64(struct hs_wr *w, uint64_t v);
void hs_wr_bytes(struct hs_wr *w, const void *p, size_t len);
void hs_wr_zeros(struct hs_wr *w, size_t len);

/*
 * s in a field of len bytes as hs_rd_text() wants it: cut short so that a NUL
 * fits, padded with zeros, control characters replaced by blanks.  s need not
 * be terminated if it has len bytes.
 */
void hs_wr_text(struct hs_wr *w, const char *s, size_t len);

/* Bytes written, or -EMSGSIZE. */
HS_MUST_CHECK int hs_wr_end(const struct hs_wr *w);

#endif
