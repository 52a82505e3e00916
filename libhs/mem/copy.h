/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copying pages out of the arena: the second half of a checkpoint's pause.
 *
 * 4096 bytes; dst and src are multiples of 64 and apart.  The program's threads
 * may write to src meanwhile: each word is the old one or the new one.
 */
#ifndef HS_MEM_COPY_H
#define HS_MEM_COPY_H

#include <stddef.h>

typedef void hs_copy_fn(void *dst, const void *src);

/* The fastest for a checkpoint of npages, here. */
hs_copy_fn *hs_copy_choose(size_t npages);

/* Through the cache: for a few pages, which were written just now. */
hs_copy_fn hs_copy_page;

/*
 * Around the cache, where the processor can (AVX-512, AVX2): for many.  What
 * was written is there for whoever is handed dst afterwards, in any usual way.
 */
hs_copy_fn hs_copy_page_around;

#endif
