/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No write is lost: tap_writes [MILLISECONDS [SEED]].
 *
 * A copy of the arena is kept by harvesting alone while writers run.  At every
 * halt the copy is to be the arena, and the arena what was written.
 */
#include <sys/mman.h>

#include "tests/vm/crew.h"
#include "tests/vm/tap.h"

#define NPAGES	256UL

struct replica {
	struct arena *arena;
	uint64_t *image;
	uint64_t seed;
	uint64_t harvests;
};

static void
copy_set(struct replica *r, uint64_t first, uint64_t n)
{
	for (uint64_t p = 0; p < n; p++)
		if (set_has(r->arena->set, p))
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

static uint64_t
written(const struct crew *c)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < c->n; w++)
		n += atomic_load(&c->writer[w].done);
	return n;
}

static void
test_writes(const char *what, unsigned n, unsigned manners, unsigned against,
    uint64_t ms, uint64_t seed)
{
	uint64_t end = now_ms() + ms, halts = 0, lost = 0, wrong = 0;
	struct replica r = { .seed = seed };
	struct arena a;
	struct crew *c;

	must(arena_create(&a, NPAGES, 0, NULL) == 0, "HSCPT_CREATE");
	r.arena = &a;
	r.image = calloc(NPAGES, PAGE);
	must(r.image != NULL, "memory");
	c = crew_start(&a, n, manners, against, seed);
	do {
		crew_go(c);
		for (uint64_t i = draw(&r.seed) % 12; i > 0; i--)
			harvest_somehow(&r);
		crew_park(c);
		harvest_all(&r);
		lost += count_differences(r.image, a.at);
		wrong += count_differences(a.at, c->model);
		halts++;
	} while (now_ms() < end && lost + wrong == 0);
	ok(lost == 0, "%u writers, %s: no write is missed", n, what);
	ok(wrong == 0, "%u writers, %s: memory keeps what is written", n, what);
	note("%lu writes, %lu harvests, %lu halts; %lu words missed, %lu wrong",
	    written(c), r.harvests, halts, lost, wrong);
	crew_end(c);
	arena_close(&a);
	free(r.image);
}

int
main(int argc, char **argv)
{
	uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 0) : 1500;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ms() | 1;
	static const struct {
		const char *what;
		unsigned manners, against;
	} with[] = {
		{ "stores alone", BY_STORE, 0 },
		{ "two mappings", BY_STORE | BY_SECOND, 0 },
		{ "MADV_DONTNEED", BY_STORE | BY_SECOND, AGAINST_DONTNEED },
		{ "mprotect", BY_STORE | BY_SECOND, AGAINST_MPROTECT },
		{ "system calls", BY_VM_WRITEV | BY_PIPE | BY_DIRECT, 0 },
		{ "all at once",
		    BY_STORE | BY_SECOND | BY_VM_WRITEV | BY_PIPE | BY_DIRECT,
		    AGAINST_DONTNEED | AGAINST_MPROTECT },
	};

	note("tap_writes %lu %lu", ms, seed);
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		for (unsigned n = 2; n <= 4; n += 2)
			test_writes(with[i].what, n, with[i].manners,
			    with[i].against, ms, seed + i);
	return tap_end();
}
