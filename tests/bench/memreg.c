/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pause for memory that is registered, beside that for checkpoint memory of
 * the same size and a memcmp() of it.
 *
 *	memreg/SIZE/PAGES
 */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/modes.h"
#include "tests/bench/picks.h"

#define AREA_BYTES BENCH_MIB
#define ROUNDS 101
#define WARM 8

static const size_t dirty[] = { 1, 16, 256 };
#define NDIRTY (sizeof(dirty) / sizeof(dirty[0]))

static double
pause_us(struct picks *p, size_t n, uint8_t *base)
{
	struct hs_status before, after;
	uint64_t epoch = 0;

	modes_status(&before);
	picks_next(p, n);
	picks_write(p, n, base);
	(void)bench_must(hscpt(HS_SEALED, &epoch), "checkpoint");
	modes_status(&after);
	if (after.pages_dirty - before.pages_dirty < n)
		bench_die("%zu pages written, %llu found", n,
		    (unsigned long long)(after.pages_dirty -
			before.pages_dirty));
	(void)bench_must(hswait(epoch, HS_HELD, 10000), "hold");
	return (double)after.pause_ns_last / 1000;
}

/* Of two ranges that were just read, as those of a pause were. */
static double
compare_us(const uint8_t *a, const uint8_t *b)
{
	uint64_t t0;
	int rc;

	rc = memcmp(a, b, AREA_BYTES);
	t0 = bench_now_ns();
	rc |= memcmp(a, b, AREA_BYTES);
	if (rc != 0)
		bench_die("two copies differ");
	return (double)(bench_now_ns() - t0) / 1000;
}

void
mode_memreg(uint64_t seed)
{
	struct bench_samples ours[NDIRTY] = { 0 }, plain[NDIRTY] = { 0 };
	uint64_t random = seed;
	uint8_t *area = aligned_alloc(BENCH_PAGE, AREA_BYTES);
	uint8_t *copy = aligned_alloc(BENCH_PAGE, AREA_BYTES), *state;
	char size[BENCH_SIZE_BYTES];
	struct picks p;

	if (area == NULL || copy == NULL)
		bench_die("no memory");
	(void)modes_init(4 * AREA_BYTES);
	state = modes_state("state", AREA_BYTES, &random);
	bench_fill(area, AREA_BYTES, &random);
	picks_init(&p, AREA_BYTES / BENCH_PAGE, seed);
	for (int round = -WARM; round < ROUNDS; round++) {
		for (size_t i = 0; i < NDIRTY; i++) {
			double us = pause_us(&p, dirty[i], state);

			memcpy(copy, area, AREA_BYTES);
			us += compare_us(copy, area);
			if (round >= 0)
				bench_add(&plain[i], us);
		}
		(void)bench_must(hsmemreg("area", area, AREA_BYTES),
		    "hsmemreg");
		(void)modes_hold();
		for (size_t i = 0; i < NDIRTY; i++) {
			const double us = pause_us(&p, dirty[i], area);

			if (round >= 0)
				bench_add(&ours[i], us);
		}
		(void)bench_must(hsmemunreg("area"), "hsmemunreg");
		(void)modes_hold();
	}
	bench_size(size, AREA_BYTES / BENCH_MIB);
	for (size_t i = 0; i < NDIRTY; i++)
		bench_row(bench_quantile(&ours[i], 0.5), "us",
		    bench_quantile(&plain[i], 0.5), "memreg/%s/%zu", size,
		    dirty[i]);
	picks_fini(&p);
	exit(EXIT_SUCCESS);
}
