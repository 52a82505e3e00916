/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying pages out of the arena: the second half of a checkpoint's pause. */
#ifndef HS_MEM_COPY_H
#define HS_MEM_COPY_H

/*
 * 4096 bytes; both multiples of 64, and apart.  Around the cache where the
 * processor can: the copy is for a worker, later, and the program's own lines
 * stay.  The bytes are there for every thread to which the caller hands dst in
 * any of the usual ways.
 */
void hs_copy_page(void *dst, const void *src);

/* Its twin without special instructions: the fallback, and the oracle. */
void hs_copy_page_portable(void *dst, const void *src);

#endif
