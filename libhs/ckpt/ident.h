/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What program this is: an image is restored by the same build only.
 */
#ifndef HS_CKPT_IDENT_H
#define HS_CKPT_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

/*
 * Digest of the main program's build-id note, or of the program's file if it
 * was linked without one.  placed: images are restored only where all modules
 * are at the same addresses, too, and the second half of out is a digest of
 * these; so the first half alone tells programs apart.
 */
HS_MUST_CHECK int hs_ident_build(uint8_t out[HS_DIGEST_BYTES], bool placed);

#endif
