/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/maps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A line that is longer has its path cut. */
#define LINE_BYTES 512

/* The rest of a line that did not fit is no line. */
static void
skip_rest(FILE *f, const char *line)
{
	int ch;

	if (strchr(line, '\n') == NULL)
		while ((ch = getc(f)) != EOF && ch != '\n')
			;
}

int
hs_maps_each(int (*fn)(void *arg, const struct hs_maps_entry *e), void *arg)
{
	char line[LINE_BYTES], perms[5];
	int rc = 0, name;
	FILE *f;

	f = fopen("/proc/self/maps", "re");
	if (f == NULL)
		return -errno;
	while (rc == 0 && fgets(line, sizeof(line), f) != NULL) {
		struct hs_maps_entry e;

		skip_rest(f, line);
		name = 0;
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %n",
			&e.from, &e.to, perms, &name) < 3)
			continue;
		line[strcspn(line, "\n")] = '\0';
		e.readable = perms[0] == 'r';
		e.writable = perms[1] == 'w';
		e.name = name != 0 ? line + name : "";
		rc = fn(arg, &e);
	}
	(void)fclose(f);
	return rc;
}
