/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each allocation that the module makes fails once, one after the other, by the
 * kernel's own fault injection, where it has that.  What is promised holds
 * whichever it was: the call fails or the snapshot goes stale, no write is
 * lost, and nothing is left.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/vm/arena.h"
#include "tests/vm/tap.h"

#define NPAGES	24UL
#define MOST	4000U
#define DEBUG	"/sys/kernel/debug/"

static int nth_fd;

/* The n-th allocation of this thread from now on fails; 0: none. */
static void
starve(unsigned n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	must(pwrite(nth_fd, text, (size_t)len, 0) == len, "fail-nth");
}

/* How many are to come; 0: it has failed. */
static unsigned
left(void)
{
	char text[16] = "";

	must(pread(nth_fd, text, sizeof(text) - 1, 0) > 0, "fail-nth");
	return (unsigned)atoi(text);
}

static bool
has_starved(void)
{
	return left() == 0;
}

static bool
set_debug(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, value, strlen(value)) > 0;
	close(fd);
	return done;
}

/* Writes by the kernel: EFAULT where a program would have SIGBUS. */
static bool
write_page(struct arena *a, uint64_t page, uint64_t value, int from)
{
	must(pwrite(from, &value, sizeof(value), 0) == sizeof(value), "a file");
	return pread(from, &a->at[page * WORDS], sizeof(value), 0) ==
	    sizeof(value);
}

struct outcome {
	bool good;		/* what is promised held */
	bool starved;		/* an allocation was made to fail */
};

/* The mapping is none of the module's allocations. */
static int
create(struct arena *a, int device)
{
	struct hscpt_create create = { .size = sizeof(create),
		.flags = HSCPT_CREATE_PERSIST,
		.bytes = NPAGES * PAGE,
		.name = "starve" };
	int rc = arena_call(device, HSCPT_CREATE, &create);
	unsigned n = left();

	if (rc < 0)
		return rc;
	starve(0);
	*a = (struct arena){ .fd = create.fd, .npages = NPAGES };
	a->at = arena_map(a);
	a->set = calloc(BITMAP_WORDS(NPAGES), sizeof(*a->set));
	must(a->set != NULL, "memory");
	starve(n);
	return 0;
}

/* Everything that allocates; the n-th allocation fails. */
static struct outcome
run(unsigned n, uint32_t mode, int file, int device)
{
	static uint64_t pages[NPAGES * WORDS], offsets[NPAGES];
	struct outcome o = { .good = true };
	uint64_t wrote = 0, off = 0;
	struct arena a;
	struct snap s = { .fd = -1 };
	int64_t drained = -1;
	bool committed = false;
	int rc;

	starve(n);
	rc = create(&a, device);
	if (rc < 0) {
		o.starved = has_starved();
		starve(0);
		o.good = rc == -ENOMEM || rc == -ENFILE;
		return o;
	}
	rc = arena_populate(&a, 0, NPAGES / 2);
	o.good = rc == 0 || rc == -ENOMEM;
	for (uint64_t p = 0; p < NPAGES; p++)
		if (write_page(&a, p, p + 1, file))
			wrote |= 1UL << p;
	rc = snap_take(&a, &s, mode);
	o.good = o.good && (rc == 0 || rc == -ENOMEM || rc == -ENFILE);
	for (uint64_t p = 0; p < NPAGES; p += 2)
		write_page(&a, p, p + 100, file);
	if (s.fd >= 0) {
		drained = snap_drain(&s, &off, NPAGES, pages, offsets);
		o.good = o.good &&
		    (drained >= 0 || drained == -ESTALE || drained == -ENOMEM);
		for (int64_t i = 0; i < drained; i++)
			o.good = o.good &&
			    pages[(uint64_t)i * WORDS] == offsets[i] / PAGE + 1;
		committed = drained >= 0 && snap_commit(&s, 1) == 0;
	}
	o.starved = has_starved();
	starve(0);
	snap_close(&s);
	/* What no commit has taken is still modified. */
	must(arena_harvest(&a, 0) >= 0, "HSCPT_HARVEST");
	for (uint64_t p = 0; p < NPAGES; p++)
		if ((wrote >> p & 1) != 0 && (p % 2 == 0 || !committed))
			o.good = o.good && set_has(a.set, p);
	must(arena_destroy("starve") == 0, "HSCPT_DESTROY");
	arena_close(&a);
	return o;
}

static void
test_mode(const char *what, uint32_t mode, int file, int device)
{
	struct outcome o = { .good = true, .starved = true };
	unsigned n = 0;

	must(run(0, mode, file, device).good, "a run that does not starve");
	while (o.good && o.starved && n < MOST)
		o = run(++n, mode, file, device);
	ok(o.good, "%s: whichever allocation fails, what is promised holds",
	    what);
	ok(n > 20 && !o.starved, "%s: %u of them were made to fail", what,
	    n - 1);
}

int
main(void)
{
	int file = memfd_create("file", MFD_CLOEXEC), device = arena_device();
	struct hscpt_info info;

	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0 || !set_debug(DEBUG "fail_page_alloc/min-order", "0")) {
		skip("this kernel injects no faults");
		return tap_end();
	}
	set_debug(DEBUG "fail_page_alloc/ignore-gfp-wait", "N");
	set_debug(DEBUG "failslab/ignore-gfp-wait", "N");
	set_debug(DEBUG "fail_page_alloc/verbose", "0");
	set_debug(DEBUG "failslab/verbose", "0");
	test_mode("lazy", 0, file, device);
	test_mode("eager", HSCPT_SNAPSHOT_EAGER, file, device);
	arena_info(&info);
	ok(info.narenas == 0, "no arena is left");
	return tap_end();
}
