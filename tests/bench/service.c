/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service that is measured: see usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/modes.h"

/* Larger than the fill of one checkpoint while a state is built. */
#define STEP_BYTES (32 * BENCH_MIB)

static _Noreturn void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: service SEED pause MIB\n"
	    "       service SEED memreg\n"
	    "       service SEED bytes\n"
	    "       service SEED restore MIB FILE\n"
	    "       service SEED cost\n"
	    "       service SEED safepoint\n"
	    "       service SEED stops\n"
	    "       service SEED answer PORT\n");
	exit(2);
}

int
modes_init(size_t bytes)
{
	struct hs_options opt = HS_OPTIONS;
	int rc;

	opt.arena_bytes = bytes + bytes / 8 + 16 * BENCH_MIB;
	opt.tracker = getenv("HS_BENCH_TRACKER");
	rc = hsinit(&opt);
	if (rc < 0)
		bench_die("%s", hsmessage());
	return rc;
}

uint64_t
modes_hold(void)
{
	uint64_t epoch = 0;

	(void)bench_must(hscpt(HS_HELD | HS_NEEDSPARE, &epoch), "checkpoint");
	return epoch;
}

void
modes_status(struct hs_status *st)
{
	st->size = sizeof(*st);
	(void)bench_must(hsstatus(st), "status");
}

uint8_t *
modes_state(const char *root, size_t bytes, uint64_t *random)
{
	uint8_t *p = hsmemalign(BENCH_PAGE, bytes);

	if (p == NULL)
		bench_die("no checkpoint memory for %zu bytes", bytes);
	(void)bench_must(hsroot(root, p), "root");
	/* In steps, so that no single checkpoint holds a copy of it all. */
	for (size_t off = 0; off < bytes; off += STEP_BYTES) {
		size_t n = bytes - off < STEP_BYTES ? bytes - off : STEP_BYTES;

		bench_fill(p + off, n, random);
		(void)modes_hold();
	}
	return p;
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "";
	uint64_t seed;

	if (argc < 3)
		usage();
	seed = strtoull(argv[1], NULL, 0);
	if (strcmp(mode, "pause") == 0 && argc == 4)
		mode_pause(strtoul(argv[3], NULL, 0), seed);
	if (strcmp(mode, "memreg") == 0 && argc == 3)
		mode_memreg(seed);
	if (strcmp(mode, "bytes") == 0 && argc == 3)
		mode_bytes(seed);
	if (strcmp(mode, "restore") == 0 && argc == 5)
		mode_restore(strtoul(argv[3], NULL, 0), seed, argv[4]);
	if (strcmp(mode, "cost") == 0 && argc == 3)
		mode_cost(seed);
	if (strcmp(mode, "safepoint") == 0 && argc == 3)
		mode_safepoint();
	if (strcmp(mode, "stops") == 0 && argc == 3)
		mode_stops(seed);
	if (strcmp(mode, "answer") == 0 && argc == 4)
		mode_answer((uint16_t)strtoul(argv[3], NULL, 0), seed);
	usage();
}
