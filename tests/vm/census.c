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
	long pages;			/* free, or someone's: see below */
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

/* Sum of the numbers behind name in lines that are "name number". */
static long
sum_lines(const char *path, const char *name)
{
	FILE *in = fopen(path, "r");
	long sum = 0, n;
	char line[256], word[64];

	must(in != NULL, "%s", path);
	while (fgets(line, sizeof(line), in) != NULL)
		if (sscanf(line, " %63s %ld", word, &n) == 2 &&
		    strcmp(word, name) == 0)
			sum += n;
	fclose(in);
	return sum;
}

/*
 * How many pages are free alone says nothing: each processor keeps some hundred
 * in a list of its own, more when it has many to do with, and they are not
 * counted.  So they are added, and all pages of which the kernel knows what
 * they are: for processes, files, page tables, slabs, stacks.  The module's are
 * none of these.  What the sum has lost, nobody knows of.
 */
static long
count_pages(void)
{
	static const char *const known[] = { "nr_free_pages", "nr_anon_pages",
		"nr_file_pages", "nr_page_table_pages", "nr_slab_reclaimable",
		"nr_slab_unreclaimable" };
	long sum = sum_lines("/proc/zoneinfo", "count:") +
	    sum_lines("/proc/meminfo", "VmallocUsed:") / 4;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		sum += sum_lines("/proc/vmstat", known[i]);
	return sum;
}

static void
write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	must(out != NULL && fputs(text, out) >= 0 && fclose(out) == 0, "%s",
	    path);
}

static void
take(struct census *c)
{
	/* What RCU and workqueues free is freed by then. */
	sleep(1);
	write_file("/proc/sys/vm/drop_caches", "3");
	count_objects(c);
	/* Processors have changes of these numbers, too, to themselves. */
	write_file("/proc/sys/vm/stat_refresh", "1");
	c->pages = count_pages();
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

	g->of_pages = g->of_pages && before.pages - after.pages >= most;
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
	/* KASAN keeps objects that were freed.  kmemleak, beside it, knows. */
	bool kept = access(KMEMLEAK, F_OK) == 0;

	run(rounds / 4 + 1);
	g.of_pages = true;
	memset(g.of_cache, !kept, sizeof(g.of_cache));
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
	if (kept)
		skip("%s: this kernel keeps objects that were freed", what);
	else
		ok(bad == 0, "%s, %ld times: no object is left", what, rounds);
	ok(!g.of_pages, "%s, %ld times: no page is left (%ld are nobody's)",
	    what, rounds, before.pages - after.pages);
}
