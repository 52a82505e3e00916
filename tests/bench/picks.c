/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/picks.h"

#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

void
picks_init(struct picks *p, size_t npages, uint64_t seed)
{
	p->state = seed;
	p->npages = npages;
	p->page = malloc(npages * sizeof(*p->page));
	if (p->page == NULL)
		bench_die("no memory for %zu page numbers", npages);
	for (size_t i = 0; i < npages; i++)
		p->page[i] = (uint32_t)i;
}

void
picks_fini(struct picks *p)
{
	free(p->page);
	p->page = NULL;
}

void
picks_next(struct picks *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = i + bench_random(&p->state) % (p->npages - i);
		uint32_t page = p->page[k];

		p->page[k] = p->page[i];
		p->page[i] = page;
	}
}

void
picks_write(struct picks *p, size_t n, uint8_t *base)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = bench_random(&p->state);
		size_t off = (v >> 32) % (BENCH_PAGE / sizeof(v)) * sizeof(v);

		memcpy(base + p->page[i] * BENCH_PAGE + off, &v, sizeof(v));
	}
}
