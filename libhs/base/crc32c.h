/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRC-32C (Castagnoli) as in iSCSI, RFC 3720: reflected, preset to ones and
 * inverted at the end.
 */
#ifndef HS_BASE_CRC32C_H
#define HS_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * The CRC of what crc is of (0: nothing), followed by len bytes at buf.  By
 * the processor's instructions where it has them.
 */
uint32_t hs_crc32c(uint32_t crc, const void *buf, size_t len);

/* Its twin without them: the fallback, and the oracle in tests. */
uint32_t hs_crc32c_portable(uint32_t crc, const void *buf, size_t len);

#endif
