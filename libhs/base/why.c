/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/why.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char line[HS_WHY_BYTES];

int
hs_why(int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return rc;
}

char *
hs_why_line(void)
{
	return line;
}
