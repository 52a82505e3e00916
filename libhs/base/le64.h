/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HS_BASE_LE64_H
#define HS_BASE_LE64_H

#include <stdint.h>
#include <string.h>

/* The eight bytes at p, the first one lowest, on any machine. */
static inline uint64_t
hs_le64_load(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

#endif
