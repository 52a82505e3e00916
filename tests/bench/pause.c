/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pause of a checkpoint beside the floor: the same pages, in turn.
 *
 *	pause/SIZE/PAGES	what hsstatus() says: collect and copy
 *	floor2/SIZE/PAGES	the floor of a process that has a second thread
 *	call/SIZE/PAGES		how long hscpt(HS_SEALED) keeps its caller
 */
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/bench/floor.h"
#include "tests/bench/modes.h"
#include "tests/bench/picks.h"

#define ROUNDS 101
/* Rounds before: page tables, pools and the processor get warm. */
#define WARM 8

static const size_t dirty[] = { 1, 16, 256, 4096 };
#define NDIRTY (sizeof(dirty) / sizeof(dirty[0]))

struct series {
	struct bench_samples floor, floor2, pause, call;
};

static void
round_ours(struct picks *p, size_t n, uint8_t *state, struct series *s)
{
	struct hs_status before, after;
	uint64_t t0, ns, epoch = 0;

	modes_status(&before);
	picks_next(p, n);
	picks_write(p, n, state);
	t0 = bench_now_ns();
	(void)bench_must(hscpt(HS_SEALED, &epoch), "checkpoint");
	ns = bench_now_ns() - t0;
	modes_status(&after);
	if (after.pages_dirty - before.pages_dirty != n)
		bench_die("%zu pages written, %llu found", n,
		    (unsigned long long)(after.pages_dirty -
			before.pages_dirty));
	(void)bench_must(hswait(epoch, HS_HELD, 10000), "hold");
	if (s == NULL)
		return;
	bench_add(&s->pause, (double)after.pause_ns_last / 1000);
	bench_add(&s->call, (double)ns / 1000);
}

static void
report(const char *size, struct series *s)
{
	for (size_t i = 0; i < NDIRTY; i++)
		bench_row(bench_quantile(&s[i].pause, 0.5), "us",
		    bench_quantile(&s[i].floor, 0.5), "pause/%s/%zu", size,
		    dirty[i]);
	for (size_t i = 0; i < NDIRTY; i++)
		bench_row(bench_quantile(&s[i].floor2, 0.5), "us",
		    bench_quantile(&s[i].floor, 0.5), "floor2/%s/%zu", size,
		    dirty[i]);
	for (size_t i = 0; i < NDIRTY; i++) {
		bench_row(bench_quantile(&s[i].call, 0.5), "us",
		    bench_quantile(&s[i].floor, 0.5), "call/%s/%zu", size,
		    dirty[i]);
		bench_dump(&s[i].floor, "pause-%s-%zu-floor", size, dirty[i]);
		bench_dump(&s[i].floor2, "pause-%s-%zu-floor2", size, dirty[i]);
		bench_dump(&s[i].pause, "pause-%s-%zu", size, dirty[i]);
		bench_dump(&s[i].call, "call-%s-%zu", size, dirty[i]);
	}
}

void
mode_pause(size_t mib, uint64_t seed)
{
	const size_t bytes = mib * BENCH_MIB;
	struct series series[NDIRTY] = { 0 };
	struct floor floor;
	struct picks p;
	uint8_t *state;
	uint64_t random = seed;
	char size[BENCH_SIZE_BYTES];

	floor_start(&floor, bytes, dirty[NDIRTY - 1], seed);
	(void)modes_init(bytes);
	state = modes_state("state", bytes, &random);
	picks_init(&p, bytes / BENCH_PAGE, seed);
	for (int round = -WARM; round < ROUNDS; round++) {
		for (size_t i = 0; i < NDIRTY; i++) {
			const uint64_t one =
			    floor_round(&floor, dirty[i], false);
			const uint64_t two =
			    floor_round(&floor, dirty[i], true);

			round_ours(&p, dirty[i], state,
			    round < 0 ? NULL : &series[i]);
			if (round < 0)
				continue;
			bench_add(&series[i].floor, (double)one / 1000);
			bench_add(&series[i].floor2, (double)two / 1000);
		}
	}
	bench_size(size, mib);
	report(size, series);
	picks_fini(&p);
	floor_stop(&floor);
	exit(EXIT_SUCCESS);
}
