/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Roots: names for pointers from which a restored program finds its state.
 * Kept in the arena's header.  All calls: under the arena's lock.
 */
#ifndef HS_MEM_ROOT_H
#define HS_MEM_ROOT_H

#include "mem/layout.h"

/*
 * Name p, which must be in a data page; NULL removes the name, if there is one.
 * HS_EMISUSE: bad name or pointer; HS_EARENA: all places are taken.
 */
HS_MUST_CHECK int hs_root_set(struct hs_heap *h, const char *name,
    const void *p);
/* -ENOENT: no such name. */
HS_MUST_CHECK int hs_root_get(const struct hs_heap *h, const char *name,
    void **out);

#endif
