/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vm/census.h"

#include <unistd.h>

#include "tests/vm/tap.h"

#define CACHES	400
#define BATCHES	3
#define KMEMLEAK "/sys/kernel/debug/kmemleak"

struct census {
	unsigned ncaches;
	struct {
		char name[40];
		long objects;
	} cache[CACHES];		/* slab caches */
	long free_pages;
};

/* What has grown in each batch until now. */
struct growth {
	bool of_pages;
	bool of_cache[CACHES];		/* as before.cache */
};

static struct census before, after;

static void
count_objects(struct census *c)
{
	FILE *in = fopen("/proc/slabinfo", "r");
	char line[256];

	c->ncaches = 0;
	must(in != NULL, "/proc/slabinfo");
	while (fgets(line, sizeof(line), in) != NULL && c->ncaches < CACHES)
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

static void
take(struct census *c)
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

/* Less than one of each round may be missed, not more. */
static bool
has_grown(struct growth *g, long most)
{
	bool any;

	g->of_pages =
	    g->of_pages && before.free_pages - after.free_pages >= most;
	any = g->of_pages;
	for (unsigned i = 0; i < before.ncaches; i++) {
		const char *name = before.cache[i].name;

		/* The areas of dead processes' stacks are freed in bulk. */
		g->of_cache[i] = g->of_cache[i] &&
		    strcmp(name, "vmap_area") != 0 &&
		    objects_of(&after, name) - before.cache[i].objects >= most;
		any = any || g->of_cache[i];
	}
	return any;
}

void
census_judge(void (*run)(long rounds), long rounds, const char *what)
{
	static struct growth g;
	unsigned bad = 0;

	run(rounds / 4 + 1);
	/* KASAN keeps what was freed.  kmemleak, beside it, knows. */
	if (access(KMEMLEAK, F_OK) == 0) {
		skip("%s: this kernel keeps what was freed", what);
		return;
	}
	g.of_pages = true;
	memset(g.of_cache, true, sizeof(g.of_cache));
	take(&before);
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		run(rounds);
		take(&after);
		if (!has_grown(&g, rounds * 3 / 4))
			break;
		if (batch + 1 < BATCHES)
			before = after;
	}
	for (unsigned i = 0; i < before.ncaches; i++)
		if (g.of_cache[i]) {
			note("%ld more objects in %s",
			    objects_of(&after, before.cache[i].name) -
				before.cache[i].objects,
			    before.cache[i].name);
			bad++;
		}
	ok(bad == 0, "%s, %ld times: no object is left", what, rounds);
	ok(!g.of_pages, "%s, %ld times: no page is left (%ld fewer are free)",
	    what, rounds, before.free_pages - after.free_pages);
}
