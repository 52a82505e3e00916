/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hotspare/hs.h>

uint64_t
bench_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void
bench_sleep_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) < 0)
		continue;
}

uint64_t
bench_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void
bench_fill(void *p, size_t len, uint64_t *state)
{
	uint8_t *to = p;

	for (size_t off = 0; off < len; off += sizeof(uint64_t)) {
		uint64_t v = bench_random(state) | 1;
		size_t n = len - off;

		memcpy(to + off, &v, n < sizeof(v) ? n : sizeof(v));
	}
}

void
bench_size(char name[BENCH_SIZE_BYTES], size_t mib)
{
	if (mib >= 1024)
		(void)snprintf(name, BENCH_SIZE_BYTES, "%zuGiB", mib / 1024);
	else
		(void)snprintf(name, BENCH_SIZE_BYTES, "%zuMiB", mib);
}

void
bench_add(struct bench_samples *s, double v)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 256 : 2 * s->cap;
		s->v = realloc(s->v, s->cap * sizeof(*s->v));
		if (s->v == NULL)
			bench_die("no memory for samples");
	}
	s->v[s->n++] = v;
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double
bench_quantile(struct bench_samples *s, double q)
{
	if (s->n == 0)
		return BENCH_NONE;
	qsort(s->v, s->n, sizeof(*s->v), compare);
	return s->v[(size_t)(q * (double)(s->n - 1) + 0.5)];
}

void
bench_clear(struct bench_samples *s)
{
	free(s->v);
	*s = (struct bench_samples){ .v = NULL };
}

static FILE *
open_rows(void)
{
	const char *path = getenv("HS_BENCH_ROWS");
	FILE *f;

	if (path == NULL)
		return stdout;
	f = fopen(path, "a");
	if (f == NULL)
		bench_die("cannot append to %s", path);
	return f;
}

static void
close_rows(FILE *f)
{
	if (f == stdout ? fflush(f) != 0 : fclose(f) != 0)
		bench_die("cannot write a row");
}

void
bench_row(double value, const char *unit, double reference, const char *name,
    ...)
{
	FILE *f = open_rows();
	va_list ap;

	va_start(ap, name);
	(void)vfprintf(f, name, ap);
	va_end(ap);
	if (isnan(reference))
		(void)fprintf(f, "\t%.6g\t%s\t-\n", value, unit);
	else
		(void)fprintf(f, "\t%.6g\t%s\t%.6g\n", value, unit, reference);
	close_rows(f);
}

void
bench_dump(const struct bench_samples *s, const char *name, ...)
{
	const char *dir = getenv("HS_BENCH_RAW");
	char path[512];
	va_list ap;
	FILE *f;
	int len;

	if (dir == NULL)
		return;
	len = snprintf(path, sizeof(path), "%s/", dir);
	va_start(ap, name);
	if (len > 0 && (size_t)len < sizeof(path))
		(void)vsnprintf(path + len, sizeof(path) - (size_t)len, name,
		    ap);
	va_end(ap);
	f = fopen(path, "w");
	if (f == NULL)
		bench_die("cannot write %s", path);
	for (size_t i = 0; i < s->n; i++)
		(void)fprintf(f, "%.6g\n", s->v[i]);
	close_rows(f);
}

void
bench_die(const char *fmt, ...)
{
	va_list ap;

	(void)fputs("bench: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

int
bench_must(int rc, const char *what)
{
	if (rc < 0)
		bench_die("%s: %s", what, hsstrerror(rc));
	return rc;
}
