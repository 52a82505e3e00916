/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_races [ROUNDS]: the four races of docs/KERNEL.md, provoked.  A module
 * that was built with FAULT=1 holds their windows open, so that three threads
 * can be brought to where each hurts.  With the cures in place nothing does; a
 * module without cure n fails in part n.  It needs four processors: two are
 * busy waiting, one writes, one looks.
 *
 * A round of 1 and 2 ends with a snapshot that has the page, and a writer that
 * goes on: the snapshot's page must stay as it is.  A round of 3 and 4 ends
 * with a harvest after the last write: it must have the page.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/vm/arena.h"
#include "tests/vm/tap.h"

#define REGION (2UL << 20)	/* what one page table maps */
#define DELAY_MS 10
#define PARAMETER "/sys/module/hscpt/parameters/"
#define FINAL 0xf17a1UL

struct stage {
	struct arena a;
	volatile uint64_t *page;	/* the page in question */
	volatile uint64_t *again;	/* the same, by another page table */
	atomic_bool go, stop;
};

static int
set_parameter(const char *name, unsigned value)
{
	char path[128], text[16];
	int fd, n;

	snprintf(path, sizeof(path), PARAMETER "%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	n = snprintf(text, sizeof(text), "%u", value);
	n = write(fd, text, (size_t)n) == n ? 0 : -1;
	close(fd);
	return n;
}

/* Only the window of this one; 0: none. */
static void
hold_open(unsigned race)
{
	must(set_parameter("delay_race", race) == 0, "delay_race");
	must(set_parameter("delay_us", race > 0 ? DELAY_MS * 1000 : 0) == 0,
	    "delay_us");
}

static void
sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* The arena's first page, twice, far from one another. */
static void
stage_set(struct stage *s)
{
	uint8_t *room = mmap(NULL, 4 * REGION, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *first;

	must(room != MAP_FAILED, "mmap()");
	first = (uint8_t *)(((uintptr_t)room + REGION - 1) & -REGION);
	must(arena_create(&s->a, 1, 0, NULL) == 0, "an arena");
	s->page = mmap(first, PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED, s->a.fd, 0);
	s->again = mmap(first + REGION, PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED, s->a.fd, 0);
	must(s->page != MAP_FAILED && s->again != MAP_FAILED, "mmap()");
	atomic_store(&s->go, false);
	atomic_store(&s->stop, false);
}

static void
stage_strike(struct stage *s)
{
	munmap((void *)s->page, PAGE);
	munmap((void *)s->again, PAGE);
	arena_close(&s->a);
}

static void
start(pthread_t *thread, void *(*run)(void *), struct stage *s)
{
	must(pthread_create(thread, NULL, run, s) == 0, "a thread");
}

static void
wait_for(atomic_bool *flag)
{
	while (!atomic_load(flag))
		;
}

/* Is the snapshot's page what it was, while s->stop is not yet told? */
static bool
changes(struct stage *s, const struct snap *snap)
{
	static uint64_t before[WORDS], after[WORDS];

	must(pread(snap->fd, before, PAGE, 0) == (ssize_t)PAGE, "pread()");
	sleep_ms(2 * DELAY_MS);
	s->page[2]++;
	s->again[3]++;
	must(pread(snap->fd, after, PAGE, 0) == (ssize_t)PAGE, "pread()");
	return memcmp(before, after, PAGE) != 0;
}

/* ---- 1: the write of `again' is let through while a snapshot protects ---- */

static void *
write_again(void *arg)
{
	struct stage *s = arg;

	atomic_store(&s->go, true);
	while (!atomic_load(&s->stop))
		s->again[1]++;
	return NULL;
}

static bool
round_mkwrite(struct stage *s)
{
	pthread_t writer;
	struct snap snap;
	bool bad;

	s->page[0]++;
	hold_open(1);
	start(&writer, write_again, s);
	wait_for(&s->go);
	sleep_ms(DELAY_MS / 3);
	must(snap_take(&s->a, &snap, 0) == 0, "a snapshot");
	bad = changes(s, &snap);
	atomic_store(&s->stop, true);
	pthread_join(writer, NULL);
	snap_close(&snap);
	return bad;
}

/* ---- 2: written between the two walks, then mprotect() ---- */

static void *
write_for_a_while(void *arg)
{
	struct stage *s = arg;
	uint64_t end;

	wait_for(&s->go);
	sleep_ms(DELAY_MS / 3);
	for (end = now_ms() + DELAY_MS / 3; now_ms() < end;)
		s->page[1]++;
	return NULL;
}

static bool
round_mprotect(struct stage *s)
{
	pthread_t writer;
	struct snap snap;
	bool bad;

	s->page[0]++;
	hold_open(2);
	start(&writer, write_for_a_while, s);
	atomic_store(&s->go, true);
	must(snap_take(&s->a, &snap, 0) == 0, "a snapshot");
	pthread_join(writer, NULL);
	must(mprotect((void *)s->page, PAGE, PROT_READ) == 0 &&
		mprotect((void *)s->page, PAGE, PROT_READ | PROT_WRITE) == 0,
	    "mprotect()");
	bad = changes(s, &snap);
	snap_close(&snap);
	return bad;
}

/* ---- 3: the page is dropped while its bit is taken ---- */

static void *
drop_page(void *arg)
{
	struct stage *s = arg;

	wait_for(&s->go);
	sleep_ms(DELAY_MS / 2);
	must(madvise((void *)s->page, PAGE, MADV_DONTNEED) == 0, "madvise()");
	return NULL;
}

/* Its last write is made at once when the page was looked at. */
static void *
write_until_told(void *arg)
{
	struct stage *s = arg;

	while (!atomic_load(&s->stop))
		s->page[1]++;
	s->page[1] = FINAL;
	return NULL;
}

static bool
round_zap(struct stage *s)
{
	pthread_t writer, dropper;
	volatile uint64_t sink;
	uint64_t seen;

	sink = s->again[1];	/* it is to be read without a fault */
	(void)sink;
	start(&writer, write_until_told, s);
	start(&dropper, drop_page, s);
	sleep_ms(2);
	hold_open(3);
	atomic_store(&s->go, true);
	must(arena_harvest(&s->a, 0) >= 0, "a harvest");
	seen = s->again[1];
	atomic_store(&s->stop, true);
	pthread_join(writer, NULL);
	pthread_join(dropper, NULL);
	hold_open(0);
	return arena_harvest(&s->a, 0) == 0 && s->again[1] != seen;
}

/* ---- 4: the page is dropped twice ---- */

static bool
round_marked(struct stage *s)
{
	bool bad = false;

	for (unsigned turn = 0; turn < 2; turn++) {
		s->page[0]++;
		must(madvise((void *)s->page, PAGE, MADV_DONTNEED) == 0,
		    "madvise()");
		if (arena_harvest(&s->a, 0) != 1)
			bad = true;
	}
	return bad;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *what;
		bool (*round)(struct stage *s);
	} races[] = {
		{ "race 1: a write that is let through meanwhile is waited for",
		    round_mkwrite },
		{ "race 2: mprotect() makes no page of a snapshot writable",
		    round_mprotect },
		{ "race 3: a write behind the back of a dropped page is seen",
		    round_zap },
		{ "race 4: a page is marked as often as it is written",
		    round_marked },
	};
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 20;

	for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
		unsigned bad = 0;

		if (set_parameter("delay_us", 0) != 0 && i < 3) {
			skip("race %zu: the module is built without FAULT=1",
			    i + 1);
			continue;
		}
		for (unsigned n = 0; n < rounds; n++) {
			struct stage s;

			stage_set(&s);
			bad += races[i].round(&s);
			if (i < 3)
				hold_open(0);
			stage_strike(&s);
		}
		ok(bad == 0, "%s: %u of %u rounds bad", races[i].what, bad,
		    rounds);
	}
	return tap_end();
}
