/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every armed page, every time.  Works wherever there is memory; the oracle
 * that the others are tested against.
 */
#include "mem/dirty.h"

#include <stdlib.h>

#include "mem/arena.h"

struct full {
	size_t npages;		/* armed */
};

static int
open_full(void **priv, const struct hs_dirty_range *r, char *why,
    size_t why_size)
{
	struct full *f = calloc(1, sizeof(*f));

	(void)r;
	(void)why;
	(void)why_size;
	if (f == NULL)
		return -ENOMEM;
	*priv = f;
	return 0;
}

static void
close_full(void *priv)
{
	free(priv);
}

static int
arm_full(void *priv, size_t len)
{
	struct full *f = priv;

	f->npages = len / HS_ARENA_PAGE_BYTES;
	return 0;
}

static int
collect_full(void *priv, struct hs_pageset *out)
{
	struct full *f = priv;

	hs_pageset_add(out, 0, f->npages);
	return 0;
}

const struct hs_dirty_ops hs_dirty_full = {
	.abi = HS_DIRTY_ABI,
	.name = "full",
	.open = open_full,
	.close = close_full,
	.arm = arm_full,
	.collect = collect_full,
};
