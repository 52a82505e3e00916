/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of pages of one arena, as a bitmap with a summary level, so that an
 * almost empty set of a large arena is walked in the time of its members.
 * All memory is taken at create: adding cannot fail.  Not thread-safe.
 */
#ifndef HS_MEM_PAGESET_H
#define HS_MEM_PAGESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_pageset;

HS_MUST_CHECK int hs_pageset_create(struct hs_pageset **out, size_t npages);
void hs_pageset_destroy(struct hs_pageset *s);
/* [first, first + n) must lie within the set's npages. */
void hs_pageset_add(struct hs_pageset *s, size_t first, size_t n);
void hs_pageset_clear(struct hs_pageset *s);	/* cost: the members' */
bool hs_pageset_has(const struct hs_pageset *s, size_t page);
size_t hs_pageset_count(const struct hs_pageset *s);	/* kept, O(1) */
/* First member >= from; false when there is none. */
bool hs_pageset_next(const struct hs_pageset *s, size_t from, size_t *page);
/* dst = dst + src; both of the same npages. */
void hs_pageset_merge(struct hs_pageset *dst, const struct hs_pageset *src);

#endif
