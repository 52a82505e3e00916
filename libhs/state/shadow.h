/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A shadow in checkpoint memory of memory that is elsewhere: brought up to date
 * by comparing, so that only the pages of what changed become dirty.
 *
 * H1  hs_shadow_sync() writes to the shadow only in pieces of HS_SHADOW_PIECE
 *     bytes, from its start, that differ: what is equal costs no page.
 *
 * The program may write to its memory meanwhile: word by word, each write is in
 * this checkpoint or found by the next comparison.
 */
#ifndef HS_STATE_SHADOW_H
#define HS_STATE_SHADOW_H

#include <stddef.h>

#define HS_SHADOW_PIECE 64

/* Make the shadow like live; bytes written. */
size_t hs_shadow_sync(void *shadow, const void *live, size_t len);
/* Bytes that differ. */
size_t hs_shadow_differ(const void *shadow, const void *live, size_t len);

#endif
