/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

/* xxh is a block of its own, for libxxhash to align as it needs. */
struct hs_digest {
	XXH3_state_t *xxh;
};

_Static_assert(sizeof(XXH128_canonical_t) == HS_DIGEST_BYTES,
    "XXH3-128 is 16 bytes");

int
hs_digest_create(struct hs_digest **out)
{
	struct hs_digest *d = malloc(sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	d->xxh = XXH3_createState();
	if (d->xxh == NULL) {
		free(d);
		return -ENOMEM;
	}
	hs_digest_reset(d);
	*out = d;
	return 0;
}

void
hs_digest_destroy(struct hs_digest *d)
{
	if (d == NULL)
		return;
	(void)XXH3_freeState(d->xxh);
	free(d);
}

/* libxxhash's calls fail for NULL alone, so theirs cannot fail here. */

void
hs_digest_reset(struct hs_digest *d)
{
	(void)XXH3_128bits_reset(d->xxh);
}

void
hs_digest_add(struct hs_digest *d, const void *p, size_t len)
{
	if (len > 0)
		(void)XXH3_128bits_update(d->xxh, p, len);
}

void
hs_digest_get(const struct hs_digest *d, uint8_t out[HS_DIGEST_BYTES])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits_digest(d->xxh));
	memcpy(out, c.digest, HS_DIGEST_BYTES);
}
