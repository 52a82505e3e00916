/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAP for the programs that run inside a guest: see boot.sh.  One header and no
 * library: they are linked statically, each from one file.
 */
#ifndef HS_VM_TAP_H
#define HS_VM_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_seen, tap_failed;

/* One result; returns good.  Says errno where it is not. */
__attribute__((format(printf, 2, 3), unused)) static bool
ok(bool good, const char *format, ...)
{
	int error = errno;
	va_list arg;

	printf("%sok %d - ", good ? "" : "not ", ++tap_seen);
	va_start(arg, format);
	vprintf(format, arg);
	va_end(arg);
	putchar('\n');
	if (!good) {
		tap_failed++;
		printf("# errno is %d, %s\n", error, strerror(error));
	}
	fflush(stdout);
	return good;
}

__attribute__((format(printf, 1, 2), unused)) static void
note(const char *format, ...)
{
	va_list arg;

	printf("# ");
	va_start(arg, format);
	vprintf(format, arg);
	va_end(arg);
	putchar('\n');
	fflush(stdout);
}

__attribute__((format(printf, 1, 2), unused)) static void
skip(const char *format, ...)
{
	va_list arg;

	printf("ok %d # SKIP ", ++tap_seen);
	va_start(arg, format);
	vprintf(format, arg);
	va_end(arg);
	putchar('\n');
	fflush(stdout);
}

/* What a test cannot do without. */
__attribute__((format(printf, 2, 3), unused)) static void
must(bool good, const char *format, ...)
{
	int error = errno;
	va_list arg;

	if (good)
		return;
	printf("Bail out! ");
	va_start(arg, format);
	vprintf(format, arg);
	va_end(arg);
	printf(": %s\n", strerror(error));
	fflush(stdout);
	exit(99);
}

/* The plan, and main()'s status. */
__attribute__((unused)) static int
tap_end(void)
{
	printf("1..%d\n", tap_seen);
	fflush(stdout);
	return tap_failed > 0;
}

#endif
