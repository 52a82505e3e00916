/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot is the memory at one instant: tap_snaps [MILLISECONDS [SEED
 * [PART]]].
 *
 * A copy of the arena is kept by snapshots alone, of all kinds and read in all
 * ways, while writers run.  After each the copy is judged: see crew.h.  It goes
 * on for so long, and until all that was to take part has.  That the judge
 * notices a page that is left out, and one that is read late, is tested, too.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "tests/vm/crew.h"
#include "tests/vm/tap.h"

#define NPAGES	128UL
#define BATCH	16UL
#define MODES	6
#define COPIES	16		/* at least */
#define PATIENCE_MS	60000

enum reading {
	READ_DRAIN,
	READ_PREAD,
	READ_MMAP,
	READINGS
};

struct keeper {
	struct arena *arena;
	struct crew *crew;
	struct judge judge;
	uint64_t *image;
	uint64_t *batch;
	uint64_t *set;
	uint64_t seed;
	uint32_t modes;			/* of those in draw_mode() */
	enum fault {
		SOUND,
		LEAVES_OUT,		/* one page of each snapshot */
		READS_LATE,		/* the arena, not the snapshot */
	} fault;
	uint64_t taken[MODES];
	uint64_t read[READINGS];
	uint64_t commits;
	uint64_t aborts;
	uint64_t bad;
};

static int
read_drain(struct keeper *k, const struct snap *s)
{
	uint64_t offsets[BATCH], off = 0, total = 0;
	int64_t n;

	while (off < NPAGES * PAGE) {
		n = snap_drain(s, &off, 1 + draw(&k->seed) % BATCH, k->batch,
		    offsets);
		if (n < 0)
			return (int)n;
		for (int64_t i = 0; i < n; i++)
			memcpy((char *)k->image + offsets[i],
			    (char *)k->batch + (uint64_t)i * PAGE, PAGE);
		total += (uint64_t)n;
	}
	must(total == s->got.npages, "DRAIN hands out all pages");
	return 0;
}

static int
read_pread(struct keeper *k, const struct snap *s)
{
	for (uint64_t p = 0; p < NPAGES; p++)
		if (set_has(k->set, p) &&
		    pread(s->fd, k->image + p * WORDS, PAGE,
			(off_t)(p * PAGE)) != (ssize_t)PAGE)
			return -errno;
	return 0;
}

static int
read_mmap(struct keeper *k, const struct snap *s)
{
	uint64_t *at =
	    mmap(NULL, NPAGES * PAGE, PROT_READ, MAP_SHARED, s->fd, 0);

	must(at != MAP_FAILED, "mmap() of a snapshot");
	for (uint64_t p = 0; p < NPAGES; p++)
		if (set_has(k->set, p))
			memcpy(k->image + p * WORDS, at + p * WORDS, PAGE);
	munmap(at, NPAGES * PAGE);
	return 0;
}

/* What a keeper that is not sound makes of its first page. */
static void
spoil(struct keeper *k, const uint64_t *before)
{
	uint64_t p = 0;

	while (p < NPAGES && !set_has(k->set, p))
		p++;
	if (p < NPAGES)
		memcpy(k->image + p * WORDS,
		    k->fault == READS_LATE ? k->arena->at + p * WORDS
					   : before + p * WORDS,
		    PAGE);
}

/* Takes over what the snapshot has, and judges the whole. */
static void
apply(struct keeper *k, struct snap *s)
{
	static uint64_t before[NPAGES * WORDS];
	enum reading how = draw(&k->seed) % READINGS;
	int rc;

	must(snap_bitmap(s, NPAGES, k->set) == 0, "HSCPT_SNAP_BITMAP");
	/* What writers do meanwhile is what copies are for. */
	if (draw(&k->seed) % 2 == 0)
		usleep((useconds_t)(draw(&k->seed) % 3000));
	memcpy(before, k->image, sizeof(before));
	rc = how == READ_DRAIN	? read_drain(k, s)
	    : how == READ_PREAD ? read_pread(k, s)
				: read_mmap(k, s);
	must(rc == 0, "reading a snapshot, way %d, says %d", how, rc);
	k->read[how]++;
	if (k->fault != SOUND)
		spoil(k, before);
	must(snap_commit(s, ++k->commits) == 0, "HSCPT_SNAP_COMMIT");
	snap_close(s);
	k->bad += judge_image(&k->judge, k->image);
}

static uint32_t
draw_mode(struct keeper *k)
{
	static const uint32_t modes[] = {
		0,
		HSCPT_SNAPSHOT_EAGER,
		HSCPT_SNAPSHOT_FULL,
		HSCPT_SNAPSHOT_QUIESCED,
		HSCPT_SNAPSHOT_QUIESCED | HSCPT_SNAPSHOT_EAGER,
		HSCPT_SNAPSHOT_QUIESCED | HSCPT_SNAPSHOT_FULL,
	};
	unsigned i;

	do
		i = (unsigned)(draw(&k->seed) % MODES);
	while ((k->modes >> i & 1) == 0);
	k->taken[i]++;
	return modes[i];
}

static void
take(struct keeper *k, struct snap *s)
{
	uint32_t mode = draw_mode(k);
	bool halt = (mode & HSCPT_SNAPSHOT_QUIESCED) != 0;

	if (halt)
		crew_park(k->crew);
	must(snap_take(k->arena, s, mode) == 0, "HSCPT_SNAPSHOT %#x", mode);
	if (halt)
		crew_go(k->crew);
}

static void
snap_once(struct keeper *k)
{
	struct snap first, second;

	take(k, &first);
	switch (draw(&k->seed) % 8) {
	case 0:
		k->aborts++;
		must(snap_abort(&first) >= 0, "HSCPT_SNAP_ABORT");
		snap_close(&first);
		break;
	case 1:					/* closed: an abort */
		k->aborts++;
		snap_close(&first);
		break;
	case 2:					/* two at a time, in order */
	case 3:
		take(k, &second);
		apply(k, &first);
		apply(k, &second);
		break;
	default:
		apply(k, &first);
	}
}

static uint64_t
count_differences(const uint64_t *a, const uint64_t *b)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < NPAGES * WORDS; i++)
		n += a[i] != b[i];
	return n;
}

/* Each mode was taken, each way of reading used, and copies were needed. */
static bool
is_tried(const struct keeper *k)
{
	struct hscpt_stat stat;
	bool tried = crew_is_tried(k->crew);

	arena_stat(k->arena, &stat);
	for (unsigned i = 0; i < MODES; i++)
		tried = tried && ((k->modes >> i & 1) == 0 || k->taken[i] > 0);
	for (unsigned i = 0; i < READINGS; i++)
		tried = tried && k->read[i] > 0;
	return tried && stat.ncopies >= COPIES && k->commits >= 4;
}

struct part {
	const char *what;
	unsigned manners, against;
	uint32_t modes;
};

struct verdict {
	bool exact;
	bool whole;			/* all together are the memory */
	bool tidy;			/* none stale, none left */
	bool tried;
};

/* The writers rest: what no snapshot has had until now is lost. */
static void
take_last(struct keeper *k, struct verdict *v)
{
	struct hscpt_stat stat;
	struct snap last;

	crew_park(k->crew);
	must(snap_take(k->arena, &last, HSCPT_SNAPSHOT_QUIESCED) == 0,
	    "HSCPT_SNAPSHOT");
	apply(k, &last);
	v->whole = count_differences(k->image, k->arena->at) == 0 &&
	    count_differences(k->arena->at, k->crew->model) == 0;
	v->exact = k->bad == 0;
	arena_stat(k->arena, &stat);
	v->tidy = stat.nstale == 0 && stat.copied == 0 && stat.snapshots == 0;
	note("%lu snapshots, %lu given up; %lu pages copied, %lu put back",
	    k->commits, k->aborts, (unsigned long)stat.ncopies,
	    (unsigned long)stat.nputback);
}

static struct verdict
run_part(const struct part *part, unsigned n, uint64_t ms, enum fault fault,
    uint64_t seed)
{
	struct keeper k = { .modes = part->modes,
		.fault = fault,
		.seed = seed };
	uint64_t begin = now_ms(), now;
	struct verdict v = { 0 };
	struct arena a;

	must(arena_create(&a, NPAGES, 0, NULL) == 0, "HSCPT_CREATE");
	k.arena = &a;
	k.image = calloc(NPAGES, PAGE);
	k.batch = calloc(BATCH, PAGE);
	k.set = calloc(BITMAP_WORDS(NPAGES), sizeof(*k.set));
	must(k.image != NULL && k.batch != NULL && k.set != NULL, "memory");
	k.crew = crew_start(&a, n, part->manners, part->against, seed);
	judge_init(&k.judge, k.crew);
	crew_go(k.crew);
	do {
		snap_once(&k);
		v.tried = is_tried(&k);
		now = now_ms() - begin;
	} while (k.bad == 0 && now < PATIENCE_MS && (now < ms || !v.tried));
	take_last(&k, &v);
	crew_note(k.crew);
	judge_fini(&k.judge);
	crew_end(k.crew);
	arena_close(&a);
	free(k.image);
	free(k.batch);
	free(k.set);
	return v;
}

static void
test_part(const struct part *part, unsigned n, uint64_t ms, uint64_t seed)
{
	struct verdict v = run_part(part, n, ms, SOUND, seed);

	ok(v.exact, "%u writers, %s: each snapshot is exact", n, part->what);
	ok(v.whole, "%u writers, %s: the snapshots together are the memory", n,
	    part->what);
	ok(v.tidy, "%u writers, %s: none went stale, none is left", n,
	    part->what);
	ok(v.tried || !v.exact, "%u writers, %s: all of it took part", n,
	    part->what);
}

int
main(int argc, char **argv)
{
	uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 0) : 1500;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ms() | 1;
	const char *only = argc > 3 ? argv[3] : "";
	const unsigned calls = BY_VM_WRITEV | BY_PIPE | BY_DIRECT;
	const unsigned stores = BY_STORE | BY_SECOND;
	const struct part parts[] = {
		{ "running", stores, 0, 1 << 0 },
		{ "running, eager and full", stores, 0, 1 << 1 | 1 << 2 },
		{ "at rest", stores, 0, 1 << 3 | 1 << 4 | 1 << 5 },
		{ "MADV_DONTNEED", stores, AGAINST_DONTNEED, 0x3f },
		{ "mprotect", stores, AGAINST_MPROTECT, 0x3f },
		{ "system calls and a device", calls, 0, 0x3f },
		{ "all at once", stores | calls,
		    AGAINST_DONTNEED | AGAINST_MPROTECT, 0x3f },
	};

	note("tap_snaps %lu %lu", ms, seed);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (unsigned n = 2; n <= 4; n += 2)
			if (strstr(parts[i].what, only) != NULL)
				test_part(&parts[i], n, ms, seed + i);
	if (only[0] == '\0') {
		ok(!run_part(&parts[0], 2, PATIENCE_MS, LEAVES_OUT, seed).exact,
		    "a page that is left out of a snapshot is noticed");
		ok(!run_part(&parts[0], 2, PATIENCE_MS, READS_LATE, seed).exact,
		    "a page that is read too late is noticed");
	}
	return tap_end();
}
