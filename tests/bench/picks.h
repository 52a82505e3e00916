/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Distinct random pages.  Two that are made alike and asked alike answer alike,
 * whatever process they are in.
 */
#ifndef HS_BENCH_PICKS_H
#define HS_BENCH_PICKS_H

#include <stddef.h>
#include <stdint.h>

struct picks {
	uint64_t state;
	size_t npages;
	uint32_t *page;		/* a permutation of 0 .. npages - 1 */
};

void picks_init(struct picks *p, size_t npages, uint64_t seed);
void picks_fini(struct picks *p);
/* page[0] to page[n - 1] are n other pages now. */
void picks_next(struct picks *p, size_t n);
/* Change a word of each of them below base. */
void picks_write(struct picks *p, size_t n, uint8_t *base);

#endif
