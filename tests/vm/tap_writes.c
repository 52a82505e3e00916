/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No write is lost: tap_writes [MILLISECONDS [SEED [PART]]].
 *
 * A copy of the arena is kept by harvesting alone while writers run.  At every
 * halt the copy is to be the arena, and the arena what was written.  It goes on
 * for so long, and until all that was to take part has.  That one page which
 * is left out of the copy is noticed is tested as well, for each manner.
 */
#include <sys/mman.h>

#include "tests/vm/crew.h"
#include "tests/vm/tap.h"

#define NPAGES	256UL
#define HARVESTS	24	/* at least */
#define HALTS		4
#define PATIENCE_MS	60000

struct replica {
	struct arena *arena;
	uint64_t *image;
	uint64_t seed;
	uint64_t harvests;
	bool forgetful;			/* of one page of each set */
};

static void
copy_set(struct replica *r, uint64_t first, uint64_t n)
{
	bool forget = r->forgetful;

	for (uint64_t p = 0; p < n; p++)
		if (set_has(r->arena->set, p) && forget)
			forget = false;
		else if (set_has(r->arena->set, p))
			memcpy(r->image + (first + p) * WORDS,
			    r->arena->at + (first + p) * WORDS, PAGE);
}

static void
harvest_range(struct replica *r)
{
	uint64_t first = draw(&r->seed) % NPAGES;
	uint64_t n = 1 + draw(&r->seed) % (NPAGES - first);
	struct hscpt_harvest harvest = { .size = sizeof(harvest),
		.off = first * PAGE,
		.len = n * PAGE,
		.bitmap = (uintptr_t)r->arena->set };

	must(arena_call(r->arena->fd, HSCPT_HARVEST, &harvest) == 0,
	    "HSCPT_HARVEST of a part");
	copy_set(r, first, n);
}

/* A bitmap that cannot be written: nothing is to be forgotten. */
static void
harvest_badly(struct replica *r)
{
	struct hscpt_harvest harvest = { .size = sizeof(harvest), .bitmap = 8 };

	must(arena_call(r->arena->fd, HSCPT_HARVEST, &harvest) == -EFAULT,
	    "EFAULT of a bad bitmap");
}

static void
harvest_all(struct replica *r)
{
	must(arena_harvest(r->arena, 0) >= 0, "HSCPT_HARVEST");
	copy_set(r, 0, NPAGES);
}

/* A snapshot that is given up, or only closed, forgets nothing either. */
static void
snap_in_vain(struct replica *r)
{
	static const uint32_t modes[] = { 0, HSCPT_SNAPSHOT_EAGER,
		HSCPT_SNAPSHOT_FULL };
	struct snap s;

	must(snap_take(r->arena, &s, modes[draw(&r->seed) % 3]) == 0,
	    "HSCPT_SNAPSHOT");
	if (draw(&r->seed) % 2 == 0)
		must(snap_abort(&s) >= 0, "HSCPT_SNAP_ABORT");
	snap_close(&s);
}

static void
harvest_somehow(struct replica *r)
{
	switch (draw(&r->seed) % 8) {
	case 0:
		must(arena_harvest(r->arena, HSCPT_HARVEST_PEEK) >= 0, "PEEK");
		break;
	case 1:
		harvest_badly(r);
		break;
	case 2:
		snap_in_vain(r);
		break;
	case 3:
	case 4:
		harvest_range(r);
		break;
	default:
		harvest_all(r);
	}
	r->harvests++;
}

static uint64_t
count_differences(const uint64_t *a, const uint64_t *b)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < NPAGES * WORDS; i++)
		n += a[i] != b[i];
	return n;
}

struct part {
	const char *what;
	unsigned manners;
	unsigned against;
};

struct verdict {
	uint64_t halts;
	uint64_t lost;			/* words of the copy that are old */
	uint64_t wrong;			/* words of the arena */
	bool tried;
};

/* As in crew.h, in the same order. */
static const struct part manners[MANNERS] = {
	{ "stores", BY_STORE, 0 },
	{ "a second mapping", BY_SECOND, 0 },
	{ "process_vm_writev", BY_VM_WRITEV, 0 },
	{ "pipe reads", BY_PIPE, 0 },
	{ "O_DIRECT", BY_DIRECT, 0 },
};

static struct verdict
run_part(const struct part *part, unsigned n, uint64_t ms, struct replica *r)
{
	uint64_t begin = now_ms(), now;
	struct verdict v = { 0 };
	struct arena a;
	struct crew *c;

	must(arena_create(&a, NPAGES, 0, NULL) == 0, "HSCPT_CREATE");
	r->arena = &a;
	r->image = calloc(NPAGES, PAGE);
	must(r->image != NULL, "memory");
	c = crew_start(&a, n, part->manners, part->against, r->seed);
	do {
		crew_go(c);
		for (uint64_t i = draw(&r->seed) % 12; i > 0; i--)
			harvest_somehow(r);
		crew_park(c);
		harvest_all(r);
		v.lost += count_differences(r->image, a.at);
		v.wrong += count_differences(a.at, c->model);
		v.halts++;
		v.tried = r->harvests >= HARVESTS && v.halts >= HALTS &&
		    crew_is_tried(c);
		now = now_ms() - begin;
	} while (v.lost + v.wrong == 0 && now < PATIENCE_MS &&
	    (now < ms || !v.tried));
	crew_note(c);
	crew_end(c);
	arena_close(&a);
	free(r->image);
	return v;
}

static void
test_part(const struct part *part, unsigned n, uint64_t ms, uint64_t seed)
{
	struct replica r = { .seed = seed };
	struct verdict v = run_part(part, n, ms, &r);

	note("%lu harvests, %lu halts; %lu words missed, %lu wrong", r.harvests,
	    v.halts, v.lost, v.wrong);
	ok(v.lost == 0, "%u writers, %s: no write is missed", n, part->what);
	ok(v.wrong == 0, "%u writers, %s: memory keeps what is written", n,
	    part->what);
	ok(v.tried || v.lost + v.wrong > 0,
	    "%u writers, %s: all of it took part", n, part->what);
}

static void
test_forgetful(const struct part *part, uint64_t seed)
{
	struct replica r = { .seed = seed, .forgetful = true };
	struct verdict v = run_part(part, 2, PATIENCE_MS, &r);

	ok(v.lost > 0 && v.wrong == 0, "%s: a page that is left out is noticed",
	    part->what);
}

int
main(int argc, char **argv)
{
	uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 0) : 1500;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ms() | 1;
	const char *only = argc > 3 ? argv[3] : "";
	static const struct part parts[] = {
		{ "stores alone", BY_STORE, 0 },
		{ "two mappings", BY_STORE | BY_SECOND, 0 },
		{ "MADV_DONTNEED", BY_STORE | BY_SECOND, AGAINST_DONTNEED },
		{ "mprotect", BY_STORE | BY_SECOND, AGAINST_MPROTECT },
		{ "process_vm_writev", BY_VM_WRITEV, 0 },
		{ "pipe reads", BY_PIPE, 0 },
		{ "O_DIRECT", BY_DIRECT, 0 },
		{ "all at once",
		    BY_STORE | BY_SECOND | BY_VM_WRITEV | BY_PIPE | BY_DIRECT,
		    AGAINST_DONTNEED | AGAINST_MPROTECT },
	};

	note("tap_writes %lu %lu", ms, seed);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (unsigned n = 2; n <= 4; n += 2)
			if (strstr(parts[i].what, only) != NULL)
				test_part(&parts[i], n, ms, seed + i);
	for (size_t i = 0; i < MANNERS; i++)
		if (only[0] == '\0')
			test_forgetful(&manners[i], seed + i);
	return tap_end();
}
