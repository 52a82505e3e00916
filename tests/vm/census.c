/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vm/census.h"

#include <unistd.h>

#include "tests/vm/tap.h"

static void
count_objects(struct census *c)
{
	FILE *in = fopen("/proc/slabinfo", "r");
	char line[256];

	c->ncaches = 0;
	must(in != NULL, "/proc/slabinfo");
	while (
	    fgets(line, sizeof(line), in) != NULL && c->ncaches < CENSUS_CACHES)
		if (line[0] != '#' &&
		    sscanf(line, "%39s %ld", c->cache[c->ncaches].name,
			&c->cache[c->ncaches].objects) == 2)
			c->ncaches++;
	fclose(in);
}

static void
count_pages(struct census *c)
{
	FILE *in = fopen("/proc/vmstat", "r");
	char line[128];

	must(in != NULL, "/proc/vmstat");
	while (fgets(line, sizeof(line), in) != NULL)
		if (sscanf(line, "nr_free_pages %ld", &c->free_pages) == 1)
			break;
	fclose(in);
}

void
census_take(struct census *c)
{
	FILE *drop = fopen("/proc/sys/vm/drop_caches", "w");

	/* What RCU and workqueues free is freed by then. */
	sleep(1);
	if (drop != NULL) {
		fputs("3", drop);
		fclose(drop);
	}
	count_objects(c);
	count_pages(c);
}

static long
objects_of(const struct census *c, const char *name)
{
	for (unsigned i = 0; i < c->ncaches; i++)
		if (strcmp(c->cache[i].name, name) == 0)
			return c->cache[i].objects;
	return 0;
}

void
census_judge(const struct census *before, long rounds, const char *what)
{
	static struct census now;
	long most = rounds * 3 / 4, gone;
	unsigned bad = 0;

	census_take(&now);
	for (unsigned i = 0; i < now.ncaches; i++) {
		long more = now.cache[i].objects -
		    objects_of(before, now.cache[i].name);

		/* The areas of dead processes' stacks are freed in bulk. */
		if (strcmp(now.cache[i].name, "vmap_area") != 0 &&
		    more >= most) {
			note("%ld more objects in %s", more, now.cache[i].name);
			bad++;
		}
	}
	gone = before->free_pages - now.free_pages;
	ok(bad == 0, "%s, %ld times: no object is left", what, rounds);
	ok(gone < most, "%s, %ld times: no page is left (%ld fewer are free)",
	    what, rounds, gone);
}
