/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vm/tap.h"

#include <stdarg.h>

static int seen, failed;

bool
ok(bool good, const char *format, ...)
{
	int error = errno;
	va_list arg;

	printf("%sok %d - ", good ? "" : "not ", ++seen);
	va_start(arg, format);
	vprintf(format, arg);
	va_end(arg);
	putchar('\n');
	if (!good) {
		failed++;
		printf("# errno is %d, %s\n", error, strerror(error));
	}
	fflush(stdout);
	return good;
}

void
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

void
skip(const char *format, ...)
{
	va_list arg;

	printf("ok %d - test # SKIP ", ++seen);
	va_start(arg, format);
	vprintf(format, arg);
	va_end(arg);
	putchar('\n');
	fflush(stdout);
}

void
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

int
tap_end(void)
{
	printf("1..%d\n", seen);
	fflush(stdout);
	return failed > 0;
}
