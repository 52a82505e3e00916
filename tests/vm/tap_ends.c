/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that are killed leave nothing behind: tap_ends [ROUNDS [SEED]].
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/vm/arena.h"
#include "tests/vm/census.h"
#include "tests/vm/tap.h"

#define NPAGES	48UL

static uint64_t seed;

/* Snapshots of all kinds, read in all ways, until it is killed. */
static void
own_arena(uint64_t random, const char *name)
{
	static uint64_t pages[8 * WORDS], offsets[8];
	struct arena a;
	struct snap s[2];
	uint64_t off;
	void *at;

	if (name != NULL)
		arena_destroy(name);
	must(arena_create(&a, NPAGES, name != NULL ? HSCPT_CREATE_PERSIST : 0,
		 name) == 0,
	    "HSCPT_CREATE");
	for (unsigned turn = 0;; turn ^= 1) {
		off = 0;
		for (unsigned n = 20; n > 0; n--)
			a.at[draw(&random) % (NPAGES * WORDS)] = n;
		if (snap_take(&a, &s[turn], draw(&random) % 8) < 0)
			continue;
		at = mmap(NULL, NPAGES * PAGE, PROT_READ, MAP_SHARED,
		    s[turn].fd, 0);
		for (unsigned n = 20; n > 0; n--)
			a.at[draw(&random) % (NPAGES * WORDS)] = n;
		if (draw(&random) % 2 == 0)
			snap_drain(&s[turn], &off, 8, pages, offsets);
		pread(s[turn].fd, pages, PAGE, 0);
		if (draw(&random) % 2 == 0)
			snap_commit(&s[turn], 1);
		munmap(at, NPAGES * PAGE);
		/* Sometimes the other one stays open meanwhile. */
		if (turn == 1) {
			snap_close(&s[0]);
			snap_close(&s[1]);
		}
	}
}

static pid_t
start(void (*run)(uint64_t, const char *), const char *name)
{
	uint64_t random = draw(&seed) | 1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork()");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(random, name);
		_exit(0);
	}
	return pid;
}

static bool
kill_soon(pid_t pid)
{
	int status;

	usleep((useconds_t)(draw(&seed) % 8000));
	kill(pid, SIGKILL);
	must(waitpid(pid, &status, 0) == pid, "waitpid()");
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static uint32_t
arenas(void)
{
	struct hscpt_info info;

	arena_info(&info);
	return info.narenas;
}

static const char *kept;		/* the arena's name, if it has one */

static void
kill_owners(long rounds)
{
	long killed = 0;

	for (long i = 0; i < rounds; i++)
		killed += kill_soon(start(own_arena, kept));
	must(killed == rounds, "all of them were at work");
}

static void
test_owner(long rounds, const char *name, const char *what)
{
	kept = name;
	census_judge(kill_owners, rounds, what);
	if (name != NULL)
		arena_destroy(name);
	ok(arenas() == 0, "%s: no arena is left", what);
}

static struct snap common;

static void
read_snap(uint64_t random, const char *name)
{
	static uint64_t page[WORDS];
	uint64_t *at =
	    mmap(NULL, NPAGES * PAGE, PROT_READ, MAP_SHARED, common.fd, 0);
	volatile uint64_t word;
	uint64_t off;

	(void)name;
	must(at != MAP_FAILED, "mmap() of a snapshot");
	for (;;) {
		off = draw(&random) % NPAGES * PAGE;
		if (pread(common.fd, page, PAGE, (off_t)off) != (ssize_t)PAGE)
			_exit(1);
		word = at[off / sizeof(*at)];
		(void)word;
	}
}

/* The reader is another process than the owner, and only it is killed. */
static void
kill_readers(long rounds)
{
	static uint64_t page[WORDS];
	unsigned long wrong = 0, killed = 0;
	struct arena a;

	must(arena_create(&a, NPAGES, 0, NULL) == 0, "HSCPT_CREATE");
	for (long i = 0; i < rounds; i++) {
		pid_t pid;

		for (uint64_t p = 0; p < NPAGES; p++)
			a.at[p * WORDS] = (uint64_t)i + 1000;
		must(snap_take(&a, &common, 0) == 0, "HSCPT_SNAPSHOT");
		pid = start(read_snap, NULL);
		for (uint64_t p = 0; p < NPAGES; p += 2)
			a.at[p * WORDS] = 7;
		killed += kill_soon(pid);
		for (uint64_t p = 0; p < NPAGES; p++)
			wrong += pread(common.fd, page, PAGE,
				     (off_t)(p * PAGE)) != (ssize_t)PAGE ||
			    page[0] != (uint64_t)i + 1000;
		if (i % 2 == 0)
			must(snap_commit(&common, 1) == 0, "COMMIT");
		snap_close(&common);
	}
	arena_close(&a);
	must(killed == (unsigned long)rounds && wrong == 0,
	    "a snapshot is whole after its reader was killed");
}

static void
test_reader(long rounds)
{
	const char *what = "the snapshot's reader is killed";

	census_judge(kill_readers, rounds, what);
	ok(arenas() == 0, "%s: no arena is left", what);
}

/* The last to hold anything is the reader of a snapshot. */
static void
test_orphan(void)
{
	struct arena a;
	pid_t pid;

	must(arena_create(&a, NPAGES, 0, NULL) == 0, "HSCPT_CREATE");
	for (uint64_t p = 0; p < NPAGES; p++)
		a.at[p * WORDS] = p;
	must(snap_take(&a, &common, 0) == 0, "HSCPT_SNAPSHOT");
	pid = start(read_snap, NULL);
	usleep(5000);
	snap_close(&common);
	arena_close(&a);
	usleep(5000);
	ok(arenas() == 1, "the arena lives as long as its snapshot");
	ok(kill_soon(pid) && arenas() == 0, "and not longer");
}

int
main(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 0) : 200;

	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ms() | 1;
	note("tap_ends %ld %lu", rounds, seed);
	test_owner(rounds, NULL, "the owner is killed");
	test_owner(rounds, "kept", "the owner of a kept arena is killed");
	test_reader(rounds);
	test_orphan();
	return tap_end();
}
