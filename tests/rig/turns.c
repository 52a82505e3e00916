/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rig/turns.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hs.h"

static int report = -1;

_Noreturn void
hs_turns_wrong(const char *fmt, ...)
{
	va_list ap;

	(void)fputs("wrong: ", stdout);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
	(void)fflush(stdout);
	_exit(3);
}

void
hs_turns_begin(const char *path, int rc, uint64_t turn)
{
	uint64_t held = 0;

	if (rc < 0)
		hs_turns_wrong("hsinit: %s", hsmessage());
	report = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (report < 0)
		hs_turns_wrong("cannot open %s", path);
	if (pread(report, &held, sizeof(held), 0) < 0)
		hs_turns_wrong("cannot read %s", path);
	if (turn < held || turn > held + 1)
		hs_turns_wrong("turn %llu, but %llu was held",
		    (unsigned long long)turn, (unsigned long long)held);
	(void)printf("serves %d %llu\n", (int)getpid(),
	    (unsigned long long)turn);
	(void)fflush(stdout);
}

void
hs_turns_end(uint64_t turn)
{
	const int rc = hscpt(HS_HELD | HS_NEEDSPARE, NULL);

	if (rc < 0)
		hs_turns_wrong("hscpt: %s: %s", hsstrerror(rc), hsmessage());
	if (pwrite(report, &turn, sizeof(turn), 0) != sizeof(turn))
		hs_turns_wrong("cannot write the report");
}
