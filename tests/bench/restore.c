/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the death of the service to the return of hsinit() in its spare, with
 * an image of a given size.  The service kills itself, and its spare goes on.
 *
 *	restore/SIZE		the agent's word: promotion to hsinit's return;
 *				beside a copy of the state into fresh memory
 *	restore/SIZE/kill	SIGKILL to hsinit's return
 *	restore/SIZE/touch	a first read of every page afterwards
 *
 * HS_BENCH_STATUS is a command that prints the agent's status as JSON.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/modes.h"

/*
 * The agent gives a service up that dies five times in a row within 2 s of its
 * start.
 */
#define DEATHS 4
/* Until the next spare has been started and waits. */
#define SPARE_MS 900
/* Copied at a time: a machine need not hold the state three times. */
#define COPY_BYTES (16 * BENCH_MIB)

struct record {
	uint32_t deaths;
	double running_ms[DEATHS];
	double copy_ms[DEATHS];
	double kill_ms[DEATHS];
	double touch_ms[DEATHS];
	uint64_t sum;		/* of the state's words */
	size_t bytes;
	uint8_t *state;
};

static uint64_t
sum_words(const uint8_t *p, size_t bytes)
{
	const uint64_t *w = (const uint64_t *)(const void *)p;
	uint64_t sum = 0;

	for (size_t i = 0; i < bytes / sizeof(*w); i++)
		sum = (sum << 1 | sum >> 63) ^ w[i];
	return sum;
}

static void
touch_pages(const uint8_t *p, size_t bytes)
{
	for (size_t off = 0; off < bytes; off += BENCH_PAGE)
		(void)*(const volatile uint8_t *)(p + off);
}

/* What a restore by copying would take, at least. */
static double
time_copy(const uint8_t *p, size_t bytes)
{
	uint64_t t0 = bench_now_ns();

	for (size_t off = 0; off < bytes; off += COPY_BYTES) {
		void *to = mmap(NULL, COPY_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (to == MAP_FAILED)
			bench_die("no memory for a copy");
		memcpy(to, p + off, COPY_BYTES);
		(void)munmap(to, COPY_BYTES);
	}
	return (double)(bench_now_ns() - t0) / 1e6;
}

/* The agent's last_promote.to_running_ms. */
static double
ask_agent(void)
{
	static const char key[] = "\"to_running_ms\":";
	const char *command = getenv("HS_BENCH_STATUS");
	double ms = BENCH_NONE;
	char line[256];
	FILE *f;

	if (command == NULL)
		return ms;
	f = popen(command, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		const char *at = strstr(line, key);

		if (at != NULL)
			ms = strtod(at + sizeof(key) - 1, NULL);
	}
	if (f == NULL || pclose(f) != 0 || isnan(ms))
		bench_die("the agent's status tells no promotion: %s", command);
	return ms;
}

static _Noreturn void
die_now(const char *kill_file)
{
	FILE *f = fopen(kill_file, "w");

	if (f == NULL)
		bench_die("cannot write %s", kill_file);
	(void)fprintf(f, "%llu\n", (unsigned long long)bench_now_ns());
	(void)fclose(f);
	(void)kill(getpid(), SIGKILL);
	abort();
}

static double
killed_ms_ago(const char *kill_file, uint64_t now_ns)
{
	FILE *f = fopen(kill_file, "r");
	unsigned long long then_ns = 0;

	if (f == NULL || fscanf(f, "%llu", &then_ns) != 1)
		bench_die("cannot read %s", kill_file);
	(void)fclose(f);
	return (double)(now_ns - then_ns) / 1e6;
}

static struct record *
build_state(size_t bytes, uint64_t seed)
{
	struct record *r = hscalloc(1, sizeof(*r));
	uint64_t random = seed;

	if (r == NULL || hsroot("record", r) < 0)
		bench_die("no checkpoint memory");
	r->state = modes_state("state", bytes, &random);
	r->bytes = bytes;
	r->sum = sum_words(r->state, bytes);
	return r;
}

static void
check_state(struct record *r)
{
	uint64_t t0 = bench_now_ns();

	touch_pages(r->state, r->bytes);
	r->touch_ms[r->deaths] = (double)(bench_now_ns() - t0) / 1e6;
	r->copy_ms[r->deaths] = time_copy(r->state, r->bytes);
	if (sum_words(r->state, r->bytes) != r->sum)
		bench_die("the state that was restored is not the one that "
			  "was held");
}

static _Noreturn void
report(const struct record *r, size_t mib)
{
	struct bench_samples kill = { 0 }, touch = { 0 };
	struct bench_samples running = { 0 }, copy = { 0 };
	char size[BENCH_SIZE_BYTES];

	bench_size(size, mib);
	for (size_t i = 0; i < r->deaths; i++) {
		bench_add(&running, r->running_ms[i]);
		bench_add(&copy, r->copy_ms[i]);
		bench_add(&kill, r->kill_ms[i]);
		bench_add(&touch, r->touch_ms[i]);
	}
	bench_row(bench_quantile(&running, 0.5), "ms",
	    bench_quantile(&copy, 0.5), "restore/%s", size);
	bench_row(bench_quantile(&kill, 0.5), "ms", BENCH_NONE,
	    "restore/%s/kill", size);
	bench_row(bench_quantile(&touch, 0.5), "ms", BENCH_NONE,
	    "restore/%s/touch", size);
	exit(EXIT_SUCCESS);
}

void
mode_restore(size_t mib, uint64_t seed, const char *kill_file)
{
	int how = modes_init(mib * BENCH_MIB);
	uint64_t now = bench_now_ns();
	struct record *r;

	if (how == HS_FRESH) {
		r = build_state(mib * BENCH_MIB, seed);
	} else {
		r = hsfind("record");
		if (r == NULL)
			bench_die("no record in the image");
		r->kill_ms[r->deaths] = killed_ms_ago(kill_file, now);
		r->running_ms[r->deaths] = ask_agent();
		check_state(r);
		if (++r->deaths == DEATHS)
			report(r, mib);
	}
	(void)modes_hold();
	bench_sleep_ms(SPARE_MS);
	die_now(kill_file);
}
