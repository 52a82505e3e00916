/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 128-bit digests (XXH3-128, canonical big-endian form as libxxhash writes it).
 * Against accidents and bugs, not against forgers.
 */
#ifndef HS_BASE_DIGEST_H
#define HS_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HS_DIGEST_BYTES 16

struct hs_digest;	/* a running digest */

HS_MUST_CHECK int hs_digest_create(struct hs_digest **out);
void hs_digest_destroy(struct hs_digest *d);
void hs_digest_reset(struct hs_digest *d);
void hs_digest_add(struct hs_digest *d, const void *p, size_t len);
/* The digest so far; more may be added after. */
void hs_digest_get(const struct hs_digest *d, uint8_t out[HS_DIGEST_BYTES]);

#endif
