/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that the program has already: static data, other allocators' memory.
 * Each area has a name and a shadow in checkpoint memory (shadow.h), which a
 * checkpoint brings up to date; a restored program finds its content by name.
 *
 * Record of kind HS_STORE_MEMORY; the key is a number of the area's own:
 *
 * off len field
 *   0   2 version = 1
 *   2   6 reserved, 0
 *   8  32 name, 1 to 31 bytes, padded with zeros
 *  40   8 len, of the area in bytes
 *  48   8 address of the shadow's len bytes
 *
 * B1  No two areas of a process have a name, or a byte, in common.
 * B2  An area that was registered before hsinit() is bound to a shadow, and
 *     filled from it if it was restored, before hsinit() returns.
 * B3  A record that no area of the process has claimed stays as it was restored
 *     and goes on to the next spare.
 *
 * Areas are of the process, not of the store: they are there before hsinit().
 */
#ifndef HS_STATE_MEMREG_H
#define HS_STATE_MEMREG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "state/section.h"

#define HS_MEMREG_NAME_BYTES 32
#define HS_MEMREG_MAX 256

extern const struct hs_section_ops hs_memreg_section;

/*
 * s NULL: before hsinit().  HS_FRESH; HS_RESTORED: the area's content is as of
 * the checkpoint.  Negative, with hs_why(), and nothing has changed: HS_EMISUSE
 * (name, address, overlap), HS_EINCOMPATIBLE (of another length), HS_EARENA,
 * -ENOMEM.
 */
HS_MUST_CHECK int hs_memreg_add(struct hs_store *s, const char *name, void *p,
    size_t len);
/* Also a record that was not claimed.  -ENOENT. */
HS_MUST_CHECK int hs_memreg_del(struct hs_store *s, const char *name);
/*
 * The i-th area, those first that the process has; 0 or -ENOENT.  out->size is
 * not touched.
 */
HS_MUST_CHECK int hs_memreg_show(struct hs_store *s, size_t i,
    struct hs_mem_area *out);

/* Do areas wait for hs_memreg_bind()? */
bool hs_memreg_waits(void);
/*
 * The end of hsinit(): give each area that waits a shadow (B2).  Checkpoint
 * memory is tracked from here on.
 */
HS_MUST_CHECK int hs_memreg_bind(struct hs_store *s);

#endif
