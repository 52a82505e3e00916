/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the benchmarks share: a clock, a seeded generator, samples and rows.
 *
 * A row is one line "NAME VALUE UNIT REFERENCE", tab-separated, appended to the
 * file HS_BENCH_ROWS; REFERENCE is "-" where there is none.  Samples go, one a
 * line, to files in the directory HS_BENCH_RAW.  Without the variables both are
 * printed.
 */
#ifndef HS_BENCH_BENCH_H
#define HS_BENCH_BENCH_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PAGE ((size_t)4096)
#define BENCH_MIB ((size_t)1 << 20)

/* A reference that does not exist. */
#define BENCH_NONE ((double)NAN)

struct bench_samples {
	double *v;
	size_t n, cap;
};

/* CLOCK_MONOTONIC: the same in all processes of the machine. */
uint64_t bench_now_ns(void);
void bench_sleep_ms(unsigned ms);

/* splitmix64: every seed is a good one. */
uint64_t bench_random(uint64_t *state);
/* No 8 bytes of what it writes are all zero. */
void bench_fill(void *p, size_t len, uint64_t *state);

/* "16MiB", "4GiB": as sizes are called in the names of rows. */
#define BENCH_SIZE_BYTES 32
void bench_size(char name[BENCH_SIZE_BYTES], size_t mib);

void bench_add(struct bench_samples *s, double v);
/* Sorts s; 0 <= q <= 1; NAN where there are no samples. */
double bench_quantile(struct bench_samples *s, double q);
void bench_clear(struct bench_samples *s);

__attribute__((format(printf, 4, 5))) void bench_row(double value,
    const char *unit, double reference, const char *name, ...);
__attribute__((format(printf, 2, 3))) void
bench_dump(const struct bench_samples *s, const char *name, ...);

/* One line on stderr, and the end. */
__attribute__((format(printf, 1, 2))) _Noreturn void bench_die(const char *fmt,
    ...);
/* rc is one of libhs's: 0 or positive, or the end. */
int bench_must(int rc, const char *what);

#endif
