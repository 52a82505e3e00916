/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The whole truth about the arena's records: every rule of layout.h, by a walk
 * over all runs, slabs and lists.  For tests and for hsctl-like tools: its cost
 * grows with the number of runs.
 */
#ifndef HS_MEM_CHECK_H
#define HS_MEM_CHECK_H

#include "mem/layout.h"

/* 0, or HS_ECORRUPT and the first broken rule in why. */
HS_MUST_CHECK int hs_check_heap(const struct hs_heap *h, char *why,
    size_t why_size);

#endif
