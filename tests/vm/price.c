/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it costs to know which pages were written, each way that Linux has.
 * For a guest whose clock counts instructions (boot.sh -i), one a nanosecond.
 *
 * The same work for all: a word is written to each of NPAGES pages, then the
 * pages are reported and looked out for again.  Prints, for each way,
 *
 *	price NAME INSTRUCTIONS-TO-WRITE INSTRUCTIONS-TO-REPORT
 *
 * a page, the least of ROUNDS; or "price NAME - -" where the kernel has not got
 * it.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mem/uffd_abi.h"
#include "tests/vm/arena.h"
#include "tests/vm/tap.h"

#define NPAGES	1024UL
#define BYTES	(NPAGES * PAGE)
#define ROUNDS	7

struct way {
	const char *name;
	/* Memory that is looked out for already; NULL: there is no such way. */
	uint64_t *(*begin)(void);
	/* How many pages were written since; looks out for them again. */
	uint64_t (*report)(uint64_t *at);
	void (*end)(uint64_t *at);
};

static struct arena arena;
static struct snap snap;
static int uffd, pagemap, clear_refs;
static uint64_t entries[NPAGES];
static struct hs_uffd_region regions[NPAGES];
static unsigned char *caught, is_written[NPAGES];
static pid_t child;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t *
anonymous(void)
{
	void *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(at != MAP_FAILED, "mmap()");
	madvise(at, BYTES, MADV_NOHUGEPAGE);
	memset(at, 1, BYTES);
	return at;
}

static void
free_anonymous(uint64_t *at)
{
	munmap(at, BYTES);
}

/* ---- nothing: the floor ---- */

static uint64_t
report_nothing(uint64_t *at)
{
	(void)at;
	return NPAGES;
}

/* ---- the module ---- */

static uint64_t *
begin_kmod(void)
{
	must(arena_create(&arena, NPAGES, HSCPT_CREATE_RESERVE, NULL) == 0,
	    "HSCPT_CREATE");
	memset(arena.at, 1, BYTES);
	arena_harvest(&arena, 0);
	return arena.at;
}

static uint64_t
report_kmod(uint64_t *at)
{
	(void)at;
	return (uint64_t)arena_harvest(&arena, 0);
}

static void
end_kmod(uint64_t *at)
{
	(void)at;
	arena_close(&arena);
}

/* Each write copies a page for the snapshot before; its commit is reporting. */
static uint64_t *
begin_snap(void)
{
	uint64_t *at = begin_kmod();

	memset(at, 2, BYTES);
	must(snap_take(&arena, &snap, HSCPT_SNAPSHOT_QUIESCED) == 0,
	    "HSCPT_SNAPSHOT");
	return at;
}

static uint64_t
report_snap(uint64_t *at)
{
	(void)at;
	must(snap_commit(&snap, 1) == 0, "HSCPT_SNAP_COMMIT");
	snap_close(&snap);
	must(snap_take(&arena, &snap, HSCPT_SNAPSHOT_QUIESCED) == 0,
	    "HSCPT_SNAPSHOT");
	return snap.got.npages;
}

static void
end_snap(uint64_t *at)
{
	snap_close(&snap);
	end_kmod(at);
}

/* ---- userfaultfd in asynchronous mode, and PAGEMAP_SCAN ---- */

static uint64_t
scan(uint64_t *at)
{
	struct hs_uffd_scan arg = { .size = sizeof(arg),
		.flags = HS_UFFD_WP_MATCHING | HS_UFFD_CHECK_WPASYNC,
		.start = (uintptr_t)at,
		.end = (uintptr_t)at + BYTES,
		.vec = (uintptr_t)regions,
		.vec_len = NPAGES,
		.category_mask = HS_UFFD_WRITTEN,
		.return_mask = HS_UFFD_WRITTEN };
	int n = ioctl(pagemap, HS_UFFD_PAGEMAP_SCAN, &arg);
	uint64_t found = 0;

	must(n >= 0, "PAGEMAP_SCAN");
	for (int i = 0; i < n; i++)
		found += (regions[i].end - regions[i].start) / PAGE;
	return found;
}

static uint64_t *
begin_wpa(void)
{
	struct uffdio_api api = { .api = UFFD_API,
		.features =
		    UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_WP };
	uint64_t *at;

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) != 0)
		return NULL;
	at = anonymous();
	range.range.start = (uintptr_t)at;
	range.range.len = BYTES;
	must(ioctl(uffd, UFFDIO_REGISTER, &range) == 0, "UFFDIO_REGISTER");
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	must(pagemap >= 0, "pagemap");
	scan(at);
	return at;
}

static void
end_wpa(uint64_t *at)
{
	close(pagemap);
	free_anonymous(at);
	close(uffd);
}

/* ---- soft-dirty ---- */

static uint64_t
report_soft(uint64_t *at)
{
	ssize_t n = pread(pagemap, entries, sizeof(entries),
	    (off_t)((uintptr_t)at / PAGE * sizeof(entries[0])));
	uint64_t found = 0;

	must(n == (ssize_t)sizeof(entries), "pagemap");
	for (uint64_t p = 0; p < NPAGES; p++)
		found += entries[p] >> 55 & 1;
	must(pwrite(clear_refs, "4", 1, 0) == 1, "clear_refs");
	return found;
}

static uint64_t *
begin_soft(void)
{
	uint64_t *at = anonymous();

	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	must(pagemap >= 0 && clear_refs >= 0, "pagemap and clear_refs");
	report_soft(at);
	return at;
}

static void
end_soft(uint64_t *at)
{
	close(pagemap);
	close(clear_refs);
	free_anonymous(at);
}

/* ---- mprotect() and SIGSEGV ---- */

static void
on_segv(int number, siginfo_t *info, void *context)
{
	unsigned char *page = caught +
	    ((uintptr_t)info->si_addr - (uintptr_t)caught) / PAGE * PAGE;

	(void)number;
	(void)context;
	is_written[(page - caught) / (ptrdiff_t)PAGE] = 1;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static uint64_t
report_mprotect(uint64_t *at)
{
	uint64_t found = 0;

	for (uint64_t p = 0; p < NPAGES; p++)
		found += is_written[p];
	memset(is_written, 0, sizeof(is_written));
	must(mprotect(at, BYTES, PROT_READ) == 0, "mprotect()");
	return found;
}

static uint64_t *
begin_mprotect(void)
{
	struct sigaction action = { .sa_sigaction = on_segv,
		.sa_flags = SA_SIGINFO | SA_NODEFER };
	uint64_t *at = anonymous();

	caught = (unsigned char *)at;
	sigaction(SIGSEGV, &action, NULL);
	report_mprotect(at);
	return at;
}

static void
end_mprotect(uint64_t *at)
{
	signal(SIGSEGV, SIG_DFL);
	free_anonymous(at);
}

/* ---- fork(): a snapshot, which does not tell what was written ---- */

static void
fork_child(void)
{
	child = fork();
	must(child >= 0, "fork()");
	if (child == 0)
		for (;;)
			pause();
}

static void
end_child(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static uint64_t *
begin_fork(void)
{
	uint64_t *at = anonymous();

	fork_child();
	return at;
}

static uint64_t
report_fork(uint64_t *at)
{
	(void)at;
	end_child();
	fork_child();
	return NPAGES;
}

static void
end_fork(uint64_t *at)
{
	end_child();
	free_anonymous(at);
}

static const struct way ways[] = {
	{ "nothing", anonymous, report_nothing, free_anonymous },
	{ "kmod", begin_kmod, report_kmod, end_kmod },
	{ "wpa", begin_wpa, scan, end_wpa },
	{ "soft-dirty", begin_soft, report_soft, end_soft },
	{ "mprotect", begin_mprotect, report_mprotect, end_mprotect },
	{ "kmod-snapshot", begin_snap, report_snap, end_snap },
	{ "fork", begin_fork, report_fork, end_fork },
};

static void
price(const struct way *w)
{
	uint64_t least_write = ~0UL, least_report = ~0UL;
	uint64_t *at = w->begin();

	if (at == NULL) {
		printf("price %s - -\n", w->name);
		skip("%s: not in this kernel", w->name);
		return;
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), middle, end, found;

		for (uint64_t p = 0; p < NPAGES; p++)
			__atomic_store_n(&at[p * WORDS], round + 3,
			    __ATOMIC_RELAXED);
		middle = now_ns();
		found = w->report(at);
		end = now_ns();
		must(found == NPAGES, "%s finds %lu pages", w->name, found);
		if (middle - start < least_write)
			least_write = middle - start;
		if (end - middle < least_report)
			least_report = end - middle;
	}
	w->end(at);
	printf("price %s %lu %lu\n", w->name,
	    (least_write + NPAGES / 2) / NPAGES,
	    (least_report + NPAGES / 2) / NPAGES);
	ok(true, "%s finds each page that was written", w->name);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		price(&ways[i]);
	return tap_end();
}
