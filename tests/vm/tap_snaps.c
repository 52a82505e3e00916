/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot is the memory at one instant: tap_snaps [MILLISECONDS [SEED]].
 *
 * A copy of the arena is kept by snapshots alone, of all kinds and read in all
 * ways, while writers run.  After each the copy is judged: see crew.h.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "tests/vm/crew.h"
#include "tests/vm/tap.h"

#define NPAGES	128UL
#define BATCH	16UL

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
	uint32_t modes;			/* of those in snap_once() */
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

/* Takes over what the snapshot has, and judges the whole. */
static void
apply(struct keeper *k, struct snap *s)
{
	enum reading how = draw(&k->seed) % READINGS;
	int rc;

	must(snap_bitmap(s, NPAGES, k->set) == 0, "HSCPT_SNAP_BITMAP");
	/* What writers do meanwhile is what copies are for. */
	if (draw(&k->seed) % 2 == 0)
		usleep((useconds_t)(draw(&k->seed) % 3000));
	rc = how == READ_DRAIN	? read_drain(k, s)
	    : how == READ_PREAD ? read_pread(k, s)
				: read_mmap(k, s);
	must(rc == 0, "reading a snapshot, way %d, says %d", how, rc);
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
		i = (unsigned)(draw(&k->seed) % 6);
	while ((k->modes >> i & 1) == 0);
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

static void
report(struct keeper *k, const char *what, unsigned n)
{
	struct hscpt_stat stat;

	arena_stat(k->arena, &stat);
	note("%lu snapshots, %lu given up; %lu pages copied, %lu put back",
	    k->commits, k->aborts, (unsigned long)stat.ncopies,
	    (unsigned long)stat.nputback);
	ok(k->bad == 0, "%u writers, %s: each snapshot is exact", n, what);
	ok(stat.nstale == 0 && stat.copied == 0 && stat.snapshots == 0,
	    "%u writers, %s: none went stale, none is left", n, what);
}

static void
test_snaps(const char *what, unsigned n, unsigned manners, unsigned against,
    uint32_t modes, uint64_t ms, uint64_t seed)
{
	struct keeper k = { .modes = modes, .seed = seed };
	uint64_t end = now_ms() + ms;
	struct arena a;
	struct snap last;

	must(arena_create(&a, NPAGES, 0, NULL) == 0, "HSCPT_CREATE");
	k.arena = &a;
	k.image = calloc(NPAGES, PAGE);
	k.batch = calloc(BATCH, PAGE);
	k.set = calloc(BITMAP_WORDS(NPAGES), sizeof(*k.set));
	must(k.image != NULL && k.batch != NULL && k.set != NULL, "memory");
	k.crew = crew_start(&a, n, manners, against, seed);
	judge_init(&k.judge, k.crew);
	crew_go(k.crew);
	do
		snap_once(&k);
	while (now_ms() < end && k.bad == 0);
	crew_park(k.crew);
	must(snap_take(&a, &last, HSCPT_SNAPSHOT_QUIESCED) == 0,
	    "HSCPT_SNAPSHOT");
	apply(&k, &last);
	ok(count_differences(k.image, a.at) == 0 &&
		count_differences(a.at, k.crew->model) == 0,
	    "%u writers, %s: the snapshots together are the memory", n, what);
	report(&k, what, n);
	judge_fini(&k.judge);
	crew_end(k.crew);
	arena_close(&a);
	free(k.image);
	free(k.batch);
	free(k.set);
}

int
main(int argc, char **argv)
{
	uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 0) : 1500;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ms() | 1;
	/* No O_DIRECT: a device writes to what is pinned when it likes. */
	const unsigned calls = BY_VM_WRITEV | BY_PIPE;
	const unsigned stores = BY_STORE | BY_SECOND;
	const struct {
		const char *what;
		unsigned manners, against;
		uint32_t modes;
	} with[] = {
		{ "running", stores, 0, 1 << 0 },
		{ "running, eager and full", stores, 0, 1 << 1 | 1 << 2 },
		{ "at rest", stores, 0, 1 << 3 | 1 << 4 | 1 << 5 },
		{ "MADV_DONTNEED", stores, AGAINST_DONTNEED, 0x3f },
		{ "mprotect", stores, AGAINST_MPROTECT, 0x3f },
		{ "system calls", calls, 0, 0x3f },
		{ "all at once", stores | calls,
		    AGAINST_DONTNEED | AGAINST_MPROTECT, 0x3f },
	};

	note("tap_snaps %lu %lu", ms, seed);
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		for (unsigned n = 2; n <= 4; n += 2)
			test_snaps(with[i].what, n, with[i].manners,
			    with[i].against, with[i].modes, ms, seed + i);
	return tap_end();
}
