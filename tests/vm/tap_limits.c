/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Want of memory, by each limit there is: what is refused is refused whole, a
 * snapshot goes stale and the program that writes goes on.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/vm/arena.h"
#include "tests/vm/census.h"
#include "tests/vm/tap.h"

#define NPAGES	64UL
#define USER	1000
#define CGROUP	"/tmp/cgroup"

/* run() in a child; its exit status, or 1000 + the signal. */
static int
in_child(int (*run)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork()");
	if (pid == 0)
		_exit(run());
	must(waitpid(pid, &status, 0) == pid, "waitpid()");
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static void
limit_lock(uint64_t npages)
{
	struct rlimit limit = { .rlim_cur = npages * PAGE,
		.rlim_max = npages * PAGE };

	must(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "setrlimit()");
	must(setgid(USER) == 0 && setuid(USER) == 0, "setuid()");
}

static uint64_t
populated(const struct arena *a)
{
	struct hscpt_stat stat;

	arena_stat(a, &stat);
	return stat.populated / PAGE;
}

static int
populate_too_much(void)
{
	struct arena a, b;

	limit_lock(NPAGES);
	if (arena_create(&a, 4 * NPAGES, 0, NULL) != 0)
		return 1;
	if (arena_populate(&a, 0, NPAGES / 2) != 0)
		return 2;
	if (arena_populate(&a, NPAGES / 2, 2 * NPAGES) != -ENOMEM)
		return 3;
	if (populated(&a) > NPAGES)
		return 4;
	/* What there is keeps working. */
	a.at[0] = 1;
	if (arena_harvest(&a, 0) != 1)
		return 5;
	if (arena_create(&b, 2 * NPAGES, HSCPT_CREATE_RESERVE, NULL) != -ENOMEM)
		return 6;
	arena_close(&a);
	/* All of it is to be had again. */
	if (arena_create(&b, NPAGES, HSCPT_CREATE_RESERVE, NULL) != 0)
		return 7;
	return populated(&b) == NPAGES ? 0 : 8;
}

static int
touch_too_much(void)
{
	volatile uint64_t *at;
	struct arena a;

	limit_lock(NPAGES);
	if (arena_create(&a, 4 * NPAGES, 0, NULL) != 0)
		return 1;
	at = a.at;
	for (uint64_t p = 0; p < 4 * NPAGES; p++)
		at[p * WORDS] = p;
	return 2;
}

static int
call_too_much(void)
{
	struct arena a;
	int zero = open("/dev/zero", O_RDONLY);
	ssize_t n;

	limit_lock(NPAGES);
	if (arena_create(&a, 4 * NPAGES, 0, NULL) != 0)
		return 1;
	if (arena_populate(&a, 0, NPAGES) != 0)
		return 2;
	n = read(zero, a.at + NPAGES * WORDS, PAGE);
	return n < 0 && errno == EFAULT ? 0 : 3;
}

static int
lock_as_root(void)
{
	struct rlimit limit = { .rlim_cur = PAGE, .rlim_max = PAGE };
	struct arena a;

	must(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "setrlimit()");
	return arena_create(&a, NPAGES, HSCPT_CREATE_RESERVE, NULL) != 0;
}

/* A GiB of addresses: four sets of 8 pages; and two for a snapshot of it. */
static int
charge_sets(void)
{
	const uint64_t n = 262144, sets = 4 * 8, cut = 2 * 8;
	struct arena a, b;
	struct snap s, t;

	limit_lock(sets + 1 + cut);
	if (arena_create(&b, 2 * n, 0, NULL) != -ENOMEM)
		return 1;
	for (int i = 0; i < 3; i++) {
		if (arena_create(&a, n, 0, NULL) != 0)
			return 2;
		if (arena_create(&b, n, 0, NULL) != -ENOMEM)
			return 3;
		/* The sets of a snapshot reach to the last page in use. */
		a.at[(n - 1) * WORDS] = 1;
		if (snap_take(&a, &s, HSCPT_SNAPSHOT_QUIESCED) != 0)
			return 4;
		if (snap_take(&a, &t, HSCPT_SNAPSHOT_QUIESCED) != -ENOMEM)
			return 5;
		snap_close(&s);
		if (snap_take(&a, &t, HSCPT_SNAPSHOT_FULL) != -ENOMEM)
			return 6;
		if (snap_take(&a, &s, HSCPT_SNAPSHOT_QUIESCED) != 0)
			return 7;
		snap_close(&s);
		arena_close(&a);
	}
	return 0;
}

/* The snapshot is stale, its pages are modified, memory is what was written. */
static int
check_stale(struct arena *a, struct snap *s, uint64_t ndirty)
{
	static uint64_t page[WORDS];
	uint64_t off = 0, offsets[1];
	struct hscpt_snap_status status;

	snap_status(s, &status);
	if ((status.state & HSCPT_SNAP_IS_STALE) == 0)
		return 20;
	if (pread(s->fd, page, PAGE, 0) >= 0 || errno != ESTALE)
		return 21;
	if (snap_drain(s, &off, 1, page, offsets) != -ESTALE)
		return 22;
	if (snap_commit(s, 1) != -ESTALE)
		return 23;
	if (snap_abort(s) != (int64_t)ndirty)
		return 24;
	snap_close(s);
	if (arena_harvest(a, 0) != (int64_t)ndirty)
		return 25;
	for (uint64_t p = 0; p < ndirty; p++)
		if (a->at[p * WORDS] != p + 100)
			return 26;
	return 0;
}

static void
fill(struct arena *a, uint64_t npages, uint64_t value)
{
	for (uint64_t p = 0; p < npages; p++)
		a->at[p * WORDS] = p + value;
}

static int
copy_too_much(void)
{
	const uint64_t n = NPAGES * 3 / 4;
	struct arena a;
	struct snap s;

	limit_lock(NPAGES);
	if (arena_create(&a, NPAGES, 0, NULL) != 0)
		return 1;
	fill(&a, n, 1);
	if (snap_take(&a, &s, 0) != 0)
		return 2;
	fill(&a, n, 100);
	return check_stale(&a, &s, n);
}

static int
exceed_budget(uint32_t flags)
{
	struct arena a;
	struct snap s = { .got = { .size = sizeof(s.got),
			      .flags = flags,
			      .copy_budget = 2 * PAGE } };
	struct hscpt_snap_status status;

	if (arena_create(&a, NPAGES, 0, NULL) != 0)
		return 1;
	fill(&a, 8, 1);
	if (arena_call(a.fd, HSCPT_SNAPSHOT, &s.got) != 0)
		return 2;
	s.fd = s.got.fd;
	fill(&a, 2, 100);
	snap_status(&s, &status);
	if (status.state != 0 || status.ncopied != 2 || status.nleft != 6)
		return 3;
	fill(&a, 8, 100);
	return check_stale(&a, &s, 8);
}

static int
exceed_budget_running(void)
{
	return exceed_budget(0);
}

static int
exceed_budget_quiesced(void)
{
	return exceed_budget(HSCPT_SNAPSHOT_QUIESCED);
}

static int
exceed_budget_eagerly(void)
{
	struct arena a;
	struct hscpt_snapshot s = { .size = sizeof(s),
		.flags = HSCPT_SNAPSHOT_EAGER,
		.copy_budget = 2 * PAGE };

	if (arena_create(&a, NPAGES, 0, NULL) != 0)
		return 1;
	fill(&a, 8, 1);
	if (arena_call(a.fd, HSCPT_SNAPSHOT, &s) != -ENOSPC)
		return 2;
	return arena_harvest(&a, 0) == 8 ? 0 : 3;
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	must(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s > %s", text,
	    path);
	close(fd);
}

static long
read_counter(const char *path, const char *name)
{
	FILE *in = fopen(path, "r");
	char word[64];
	long n = -1, value;

	must(in != NULL, "%s", path);
	while (fscanf(in, "%63s %ld", word, &value) == 2)
		if (strcmp(word, name) == 0)
			n = value;
	fclose(in);
	return n;
}

static int
populate_in_cgroup(void)
{
	struct arena a;
	int rc;

	write_file(CGROUP "/small/cgroup.procs", "0");
	if (arena_create(&a, 16 * 256, 0, NULL) != 0)
		return 1;
	rc = arena_populate(&a, 0, 16 * 256);
	if (rc != -ENOMEM)
		return 2;
	a.at[0] = 1;
	return arena_harvest(&a, 0) == 1 ? 0 : 3;
}

static int
copy_in_cgroup(void)
{
	const uint64_t n = 6 * 256;
	struct arena a;
	struct snap s;

	write_file(CGROUP "/small/cgroup.procs", "0");
	if (arena_create(&a, n, 0, NULL) != 0)
		return 1;
	fill(&a, n, 1);
	if (snap_take(&a, &s, 0) != 0)
		return 2;
	fill(&a, n, 100);
	return check_stale(&a, &s, n);
}

static void
test_cgroup(void)
{
	int rc;

	mkdir(CGROUP, 0755);
	if (mount("cgroup2", CGROUP, "cgroup2", 0, NULL) != 0) {
		skip("no cgroups in this kernel");
		return;
	}
	write_file(CGROUP "/cgroup.subtree_control", "+memory");
	mkdir(CGROUP "/small", 0755);
	write_file(CGROUP "/small/memory.max", "10M");
	rc = in_child(populate_in_cgroup);
	ok(rc == 0, "a full memory cgroup: POPULATE is ENOMEM (%d)", rc);
	rc = in_child(copy_in_cgroup);
	ok(rc == 0, "a full memory cgroup: the snapshot goes stale (%d)", rc);
	ok(read_counter(CGROUP "/small/memory.events", "oom_kill") == 0,
	    "and nobody is killed for it");
	must(umount(CGROUP) == 0 || errno == EBUSY, "umount()");
}

/* More than the machine has. */
static int
exhaust(void)
{
	struct arena a;
	int rc;

	write_file("/proc/self/oom_score_adj", "1000");
	if (arena_create(&a, 4UL << 18, 0, NULL) != 0)
		return 1;
	rc = arena_populate(&a, 0, 4UL << 18);
	return rc == -ENOMEM ? 0 : 2;
}

static void
exhaust_all(long rounds)
{
	/* Many pages each: once is enough for what is judged as many rounds. */
	if (rounds > 0) {
		int rc = in_child(exhaust);

		must(rc == 0 || rc == 1000 + SIGKILL,
		    "4 GiB are refused, or their process is killed (%d)", rc);
	}
}

static void
test_exhaustion(void)
{
	struct hscpt_info info;

	census_judge(exhaust_all, 1000, "memory is exhausted, as by pages");
	arena_info(&info);
	ok(info.narenas == 0, "and no arena is left");
}

int
main(void)
{
	static const struct {
		const char *what;
		int (*run)(void);
		int want;
	} cases[] = {
		{ "RLIMIT_MEMLOCK: POPULATE and RESERVE are ENOMEM, and what "
		  "was had is given back",
		    populate_too_much, 0 },
		{ "RLIMIT_MEMLOCK: an access is SIGBUS", touch_too_much,
		    1000 + SIGBUS },
		{ "RLIMIT_MEMLOCK: a system call's is EFAULT", call_too_much,
		    0 },
		{ "RLIMIT_MEMLOCK: a snapshot goes stale, its writer goes on",
		    copy_too_much, 0 },
		{ "RLIMIT_MEMLOCK: sets of pages count, until they are given "
		  "back",
		    charge_sets, 0 },
		{ "CAP_IPC_LOCK: no limit", lock_as_root, 0 },
		{ "the copies' budget: a snapshot goes stale",
		    exceed_budget_running, 0 },
		{ "the copies' budget, taken at rest", exceed_budget_quiesced,
		    0 },
		{ "the copies' budget: EAGER is ENOSPC and forgets nothing",
		    exceed_budget_eagerly, 0 },
	};

	must(chmod(HSCPT_DEVICE, 0666) == 0, "chmod()");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = in_child(cases[i].run);

		ok(rc == cases[i].want, "%s (%d)", cases[i].what, rc);
	}
	test_cgroup();
	test_exhaustion();
	return tap_end();
}
