/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program pays that is linked with libhs and has no agent.
 *
 *	cost/hscpt		one call
 *	cost/hsmalloc/BYTES	an allocation and its free, beside malloc's
 */
#include <malloc.h>
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/bench/modes.h"

#define ROUNDS 31
#define CALLS 100000
#define LIVE 256

static const size_t sizes[] = { 16, 64, 256, 1024, 4096, 65536 };

static double
time_hscpt(void)
{
	uint64_t t0 = bench_now_ns();

	for (int i = 0; i < CALLS; i++)
		if (hscpt(HS_HELD, NULL) != HS_ENOSPARE)
			bench_die("this is to run without an agent");
	return (double)(bench_now_ns() - t0) / CALLS;
}

/* LIVE allocations, freed in another order. */
static double
time_ours(size_t size, const uint16_t order[LIVE])
{
	void *p[LIVE];
	uint64_t t0 = bench_now_ns();

	for (size_t i = 0; i < LIVE; i++) {
		p[i] = hsmalloc(size);
		*(volatile char *)p[i] = 1;
	}
	for (size_t i = 0; i < LIVE; i++)
		(void)bench_must(hsfree(p[order[i]]), "hsfree");
	return (double)(bench_now_ns() - t0) / LIVE;
}

static double
time_libc(size_t size, const uint16_t order[LIVE])
{
	void *p[LIVE];
	uint64_t t0 = bench_now_ns();

	for (size_t i = 0; i < LIVE; i++) {
		p[i] = malloc(size);
		*(volatile char *)p[i] = 1;
	}
	for (size_t i = 0; i < LIVE; i++)
		free(p[order[i]]);
	return (double)(bench_now_ns() - t0) / LIVE;
}

static void
shuffle(uint16_t order[LIVE], uint64_t *random)
{
	for (uint16_t i = 0; i < LIVE; i++) {
		size_t k = bench_random(random) % (i + 1u);

		order[i] = order[k];
		order[k] = i;
	}
}

void
mode_cost(uint64_t seed)
{
	struct bench_samples ours = { 0 }, libc = { 0 };
	uint16_t order[LIVE];
	uint64_t random = seed;

	(void)modes_init(256 * BENCH_MIB);
	/* malloc at its best: what was freed stays with the process. */
	(void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
	for (int i = 0; i < ROUNDS; i++)
		bench_add(&ours, time_hscpt());
	bench_row(bench_quantile(&ours, 0.5), "ns", BENCH_NONE, "cost/hscpt");
	bench_clear(&ours);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		for (int i = 0; i < ROUNDS; i++) {
			shuffle(order, &random);
			bench_add(&libc, time_libc(sizes[k], order));
			bench_add(&ours, time_ours(sizes[k], order));
		}
		bench_row(bench_quantile(&ours, 0.5), "ns",
		    bench_quantile(&libc, 0.5), "cost/hsmalloc/%zu", sizes[k]);
		bench_clear(&ours);
		bench_clear(&libc);
	}
	exit(EXIT_SUCCESS);
}
