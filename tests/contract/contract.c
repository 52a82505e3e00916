/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/contract/contract.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mem/copy.h"

#define NWRITERS 2
#define CUT_BATCH 48u
#define BATCH 32u		/* writes between two looks at the gate */
#define RING 65536u
#define MIN_ROUNDS 18		/* however slow: a sanitizer's build is */
#define WORDS (PAGE / sizeof(uint64_t))
/* The first words of a page are for writes that are no thread's stores. */
#define KERNEL_WORDS 8u

struct run;

struct writer {
	struct run *run;
	pthread_t thread;
	uint64_t random;
	uint64_t value;
	/* Writes finished, and written into log; the main thread reads it. */
	size_t done;
	size_t read_upto;	/* the main thread's */
	uint32_t log[RING];
};

struct run {
	const struct contract *c;
	struct contract_result *r;
	uint64_t random;
	uint8_t *base;
	uint8_t *shadow;	/* the image, when restored */
	int fd;
	void *priv;
	size_t armed;		/* bytes; atomic */
	bool stop;		/* atomic */
	pthread_rwlock_t gate;	/* writers hold it for reading */
	struct hs_pageset *set;
	struct hs_pageset *must;	/* changed by the main thread */
	struct hs_pageset *exempt;	/* dropped: as the image is */
	struct hs_pageset *touched;
	struct writer writer[NWRITERS];
};

/* splitmix64 */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t v = *state += 0x9e3779b97f4a7c15;

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
	v = (v ^ v >> 27) * 0x94d049bb133111eb;
	return v ^ v >> 31;
}

static size_t
random_below(struct run *run, size_t n)
{
	return (size_t)(next_random(&run->random) % n);
}

__attribute__((format(printf, 2, 3))) static void
break_rule(struct run *run, const char *fmt, ...)
{
	va_list ap;

	if (run->r->broken[0] != '\0')
		return;
	va_start(ap, fmt);
	(void)vsnprintf(run->r->broken, sizeof(run->r->broken), fmt, ap);
	va_end(ap);
}

/* What the harness itself needs must work. */
static void
need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(99);
}

/* ---- the writers ---- */

/* A page below the armed length: anywhere, in a hot spot, or in a row. */
static size_t
pick_page(struct writer *w, unsigned mode, size_t npages, size_t i)
{
	size_t from = (size_t)next_random(&w->random);

	if (mode == 0)
		return (size_t)w->random % 16 * 37 % npages;
	if (mode == 1)
		return ((size_t)w->value / BATCH * 61 + i) % npages;
	if (mode == 2)		/* the newest extent */
		return npages - 1 - from % (EXTENT / PAGE);
	return from % npages;
}

static void
write_batch(struct writer *w)
{
	size_t npages =
		   __atomic_load_n(&w->run->armed, __ATOMIC_ACQUIRE) / PAGE,
	       page, word, i;
	unsigned mode = (unsigned)(next_random(&w->random) % 8);
	uint64_t *p;

	for (i = 0; i < BATCH; i++) {
		page = pick_page(w, mode, npages, i);
		word = KERNEL_WORDS +
		    (size_t)next_random(&w->random) % (WORDS - KERNEL_WORDS);
		p = (uint64_t *)(void *)(w->run->base + page * PAGE) + word;
		__atomic_store_n(p, ++w->value, __ATOMIC_RELAXED);
		w->log[w->done % RING] = (uint32_t)page;
		__atomic_store_n(&w->done, w->done + 1, __ATOMIC_RELEASE);
	}
}

static void *
run_writer(void *arg)
{
	struct writer *w = arg;

	while (!__atomic_load_n(&w->run->stop, __ATOMIC_RELAXED)) {
		size_t full = w->done + BATCH -
		    __atomic_load_n(&w->read_upto, __ATOMIC_ACQUIRE);

		if (full > RING) {
			(void)sched_yield();
			continue;
		}
		(void)pthread_rwlock_rdlock(&w->run->gate);
		write_batch(w);
		(void)pthread_rwlock_unlock(&w->run->gate);
	}
	return NULL;
}

/* ---- memory ---- */

/* Address space at a multiple of 2 MiB, so that huge pages fit. */
static uint8_t *
map_aligned(size_t bytes)
{
	uint8_t *p = mmap(NULL, bytes + EXTENT, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t head = -(uintptr_t)p % EXTENT;

	need(p != MAP_FAILED, "mmap");
	if (head != 0)
		(void)munmap(p, head);
	(void)munmap(p + head + bytes, EXTENT - head);
	return p + head;
}

static void
fill_page(uint8_t *p, size_t page)
{
	size_t i;

	for (i = 0; i < PAGE; i += sizeof(page))
		memcpy(p + i, &page, sizeof(page));
}

/* Bytes of huge pages in the arena's mappings, by the kernel's word. */
static size_t
count_huge(const struct run *run)
{
	uintptr_t from = 0, a, b;
	size_t kib, sum = 0;
	char line[256];
	FILE *f = fopen("/proc/self/smaps", "re");

	need(f != NULL, "smaps");
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2)
			from = a;
		else if ((sscanf(line, "AnonHugePages: %zu", &kib) == 1 ||
			     sscanf(line, "ShmemPmdMapped: %zu", &kib) == 1) &&
		    from >= (uintptr_t)run->base &&
		    from < (uintptr_t)run->base + run->c->bytes)
			sum += kib * 1024;
	}
	(void)fclose(f);
	return sum;
}

static size_t
image_bytes(const struct contract *c)
{
	return c->restored ? c->bytes / 4 * 3 / EXTENT * EXTENT : 0;
}

static void
build_memory(struct run *run)
{
	const struct contract *c = run->c;
	size_t image = image_bytes(c), page;

	run->base = map_aligned(c->bytes);
	run->shadow = map_aligned(c->bytes);
	run->fd = memfd_create("contract", MFD_CLOEXEC);
	need(run->fd >= 0 && ftruncate(run->fd, (off_t)c->bytes) == 0, "memfd");
	need(mmap(run->shadow, c->bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, run->fd, 0) == run->shadow,
	    "mmap");
	if (c->huge)
		(void)madvise(run->shadow, c->bytes, MADV_HUGEPAGE);
	/* Some pages of an image were never written. */
	for (page = 0; page < image / PAGE; page++)
		if (page % 7 != 0)
			fill_page(run->shadow + page * PAGE, page);
	if (image != 0)
		need(mmap(run->base, image, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_FIXED, run->fd, 0) == run->base,
		    "mmap");
}

/* ---- arming ---- */

/* What is in new extents before they are armed is clean: the shadow has it. */
static void
grow_armed(struct run *run, size_t to)
{
	size_t from = run->armed, page;
	int rc;

	for (page = from / PAGE; page < to / PAGE; page++) {
		if (!run->c->huge && page % 4 != 0)
			continue;
		fill_page(run->base + page * PAGE, page);
		fill_page(run->shadow + page * PAGE, page);
	}
	if (run->c->huge)
		run->r->huge_bytes = count_huge(run);
	rc = run->c->ops->arm(run->priv, to);
	if (rc < 0)
		break_rule(run, "arm of %zu MiB: %d", to / MIB, rc);
	__atomic_store_n(&run->armed, to, __ATOMIC_RELEASE);
}

static void
open_tracker(struct run *run)
{
	const struct contract *c = run->c;
	size_t image = image_bytes(c);
	const struct hs_dirty_range all = {
		.base = run->base,
		.len = c->bytes,
		.used = image,
		.fresh = !c->restored,
	};
	char why[200] = "";
	int rc;

	rc = c->ops->open(&run->priv, &all, why, sizeof(why));
	if (rc < 0) {
		(void)fprintf(stderr, "%s: %s\n", c->ops->name, why);
		exit(98);
	}
	/* Both must be right, whatever the backend thinks is better. */
	(void)madvise(run->base, c->bytes,
	    c->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (image == 0) {
		grow_armed(run, EXTENT);
		return;
	}
	rc = c->ops->arm(run->priv, image);
	if (rc < 0)
		break_rule(run, "arm of the image: %d", rc);
	run->armed = image;
}

/* ---- writes by others than the threads ---- */

static void
write_by_pipe(uint8_t *at, const uint8_t *bytes, size_t len)
{
	int fd[2];

	need(pipe(fd) == 0, "pipe");
	need(write(fd[1], bytes, len) == (ssize_t)len, "write");
	need(read(fd[0], at, len) == (ssize_t)len, "read into the arena");
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void
write_by_socket(uint8_t *at, const uint8_t *bytes, size_t len)
{
	int fd[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0, "socketpair");
	need(send(fd[1], bytes, len, 0) == (ssize_t)len, "send");
	need(recv(fd[0], at, len, 0) == (ssize_t)len, "recv into the arena");
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void
write_by_process_vm(uint8_t *at, const uint8_t *bytes, size_t len)
{
	struct iovec from = { .iov_base = (void *)(uintptr_t)bytes,
		.iov_len = len };
	struct iovec to = { .iov_base = at, .iov_len = len };

	need(process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)len,
	    "process_vm_writev");
}

/* A child's writes are its own, and take nothing from the parent's tracking. */
static void
write_by_child(uint8_t *at, const uint8_t *bytes, size_t len)
{
	uint8_t before[KERNEL_WORDS * sizeof(uint64_t)];
	int status;
	pid_t pid;

	/* The threads leave these words alone. */
	memcpy(before, at, len);
	pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		bool same = memcmp(at, before, len) == 0;

		memset(at, 0xee, len);
		_exit(same ? 0 : 1);
	}
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	need(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "a child of fork() sees the memory");
	need(memcmp(at, before, len) == 0, "a child's writes are its own");
	memcpy(at, bytes, len);
}

static void
drop_pages(struct run *run, size_t page)
{
	size_t left = run->armed / PAGE - page, n;

	n = 1 + random_below(run, left < 20 ? left : 20);
	need(madvise(run->base + page * PAGE, n * PAGE, MADV_DONTNEED) == 0,
	    "MADV_DONTNEED");
	hs_pageset_add(run->touched, page, n);
	if (run->c->kept)
		return;
	/* Of an image they are what the shadow has; else they are zero now. */
	if (page < image_bytes(run->c) / PAGE)
		hs_pageset_add(run->exempt, page, n);
	else
		hs_pageset_add(run->must, page, n);
}

static void
write_otherwise(struct run *run)
{
	static void (*const how[])(uint8_t *, const uint8_t *, size_t) = {
		write_by_pipe,
		write_by_socket,
		write_by_process_vm,
		write_by_child,
	};
	size_t page = random_below(run, run->armed / PAGE);
	size_t which = random_below(run, 8);
	uint8_t bytes[KERNEL_WORDS * sizeof(uint64_t)];

	if (which >= 5) {
		drop_pages(run, page);
		return;
	}
	/* Forks are dear, and a fork copies the writers' locks, too. */
	if (which == 3 && random_below(run, 8) != 0)
		which = 2;
	memset(bytes, (int)random_below(run, 256), sizeof(bytes));
	how[which % 4](run->base + page * PAGE, bytes, sizeof(bytes));
	hs_pageset_add(run->must, page, 1);
	hs_pageset_add(run->touched, page, 1);
}

/* ---- collecting ---- */

static void
expect_member(struct run *run, size_t page, const char *who)
{
	hs_pageset_add(run->touched, page, 1);
	if (!hs_pageset_has(run->set, page) &&
	    !hs_pageset_has(run->exempt, page))
		break_rule(run, "D1: collect %zu lacks page %zu, written by %s",
		    run->r->collects, page, who);
}

/*
 * Each writer's log from the first write that was begun after the last collect
 * to the last that was finished before this one (upto).  rested: none was begun
 * before its end, so that those after upto are for the next one.
 */
static void
compare_logs(struct run *run, const size_t *upto, bool rested)
{
	size_t i, n, page;

	for (n = 0; n < NWRITERS; n++) {
		struct writer *w = &run->writer[n];
		size_t done = rested
		    ? upto[n]
		    : __atomic_load_n(&w->done, __ATOMIC_ACQUIRE);

		/* The first may have begun before: in the last set, or this. */
		for (i = w->read_upto + 1; i < upto[n]; i++)
			expect_member(run, w->log[i % RING], "a thread");
		/* The rest may overlap: in this set, or the next. */
		for (i = w->read_upto; i < done; i++)
			hs_pageset_add(run->touched, w->log[i % RING], 1);
		run->r->writes += done - w->read_upto;
		__atomic_store_n(&w->read_upto, done, __ATOMIC_RELEASE);
	}
	for (page = 0; hs_pageset_next(run->must, page, &page); page++)
		expect_member(run, page, "the kernel");
	hs_pageset_clear(run->must);
	hs_pageset_clear(run->exempt);
}

static void
copy_set(struct run *run)
{
	hs_copy_fn *copy = hs_copy_choose(hs_pageset_count(run->set));
	size_t page;

	for (page = 0; hs_pageset_next(run->set, page, &page); page++)
		copy(run->shadow + page * PAGE, run->base + page * PAGE);
}

static void
collect_set(struct run *run)
{
	size_t upto[NWRITERS], n, page;
	int rc;

	for (n = 0; n < NWRITERS; n++)
		upto[n] =
		    __atomic_load_n(&run->writer[n].done, __ATOMIC_ACQUIRE);
	hs_pageset_clear(run->set);
	rc = run->c->ops->collect(run->priv, run->set);
	if (rc < 0)
		break_rule(run, "collect: %d", rc);
	if (hs_pageset_next(run->set, run->armed / PAGE, &page))
		break_rule(run, "D3: page %zu is not armed", page);
	run->r->collects++;
	n = hs_pageset_count(run->set);
	run->r->pages += n;
	if (n > run->r->largest)
		run->r->largest = n;
	compare_logs(run, upto, false);
	copy_set(run);
}

/* Pages that the cut keeps, while the writers write on, to the shadow. */
static int
read_cut(struct run *run)
{
	uint32_t page[CUT_BATCH];
	uint8_t *buf[CUT_BATCH];
	size_t at = 0, n;
	int rc = 0;

	do {
		for (n = 0; n < CUT_BATCH && hs_pageset_next(run->set, at, &at);
		     at++, n++) {
			page[n] = (uint32_t)at;
			buf[n] = run->shadow + at * PAGE;
		}
		if (n > 0)
			rc = run->c->ops->cut_read(run->priv, page, buf, n);
	} while (rc == 0 && n == CUT_BATCH);
	return rc;
}

/* What the arena is now is to be the shadow when the cut was read. */
static uint8_t *
copy_armed(struct run *run)
{
	uint8_t *p = mmap(NULL, run->armed, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	need(p != MAP_FAILED, "mmap");
	memcpy(p, run->base, run->armed);
	return p;
}

/*
 * D4.  Now and then, and in any case once, the cut is read to its middle and
 * given up: the shadow is mended by the next set then.
 */
static void
cut_set(struct run *run)
{
	const struct contract *c = run->c;
	size_t upto[NWRITERS], n, page = 0;
	bool once = run->r->cuts == 1 && run->r->failed_cuts == 0;
	bool arrive = random_below(run, 4) != 0 && !once;
	uint8_t *want;
	int rc;

	(void)pthread_rwlock_wrlock(&run->gate);
	for (n = 0; n < NWRITERS; n++)
		upto[n] =
		    __atomic_load_n(&run->writer[n].done, __ATOMIC_ACQUIRE);
	hs_pageset_clear(run->set);
	rc = c->ops->cut_begin(run->priv, run->set);
	want = copy_armed(run);
	(void)pthread_rwlock_unlock(&run->gate);
	if (rc == 0 && arrive)
		rc = read_cut(run);
	else if (rc == 0 && hs_pageset_next(run->set, 0, &page))
		rc = c->ops->cut_read(run->priv, &(uint32_t){ (uint32_t)page },
		    &(uint8_t *){ run->shadow + page * PAGE }, 1);
	if (rc == 0)
		rc = c->ops->cut_end(run->priv, arrive);
	if (rc < 0)
		break_rule(run, "cut: %d", rc);
	run->r->cuts += arrive;
	run->r->failed_cuts += !arrive;
	/* Given up: its pages are expected of the next set. */
	if (arrive) {
		compare_logs(run, upto, true);
		if (memcmp(want, run->shadow, run->armed) != 0)
			break_rule(run, "D4: cut %zu is not what was there",
			    run->r->cuts);
	}
	(void)munmap(want, run->armed);
}

/* The writers rest: what is not collected now is lost. */
static void
compare_shadow(struct run *run, bool whole)
{
	size_t page;

	(void)pthread_rwlock_wrlock(&run->gate);
	collect_set(run);
	if (whole)
		hs_pageset_add(run->touched, 0, run->armed / PAGE);
	for (page = 0; hs_pageset_next(run->touched, page, &page); page++)
		if (memcmp(run->base + page * PAGE, run->shadow + page * PAGE,
			PAGE) != 0)
			break_rule(run,
			    "D2: page %zu differs after collect"
			    " %zu",
			    page, run->r->collects);
	hs_pageset_clear(run->touched);
	(void)pthread_rwlock_unlock(&run->gate);
}

/* ---- the run ---- */

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
step_run(struct run *run, size_t round)
{
	const struct contract *c = run->c;
	int rc;

	if (round % 8 == 7 && run->armed < c->bytes) {
		size_t step = c->bytes / 16 / EXTENT * EXTENT + EXTENT;

		grow_armed(run,
		    c->bytes - run->armed < step ? c->bytes
						 : run->armed + step);
	}
	if (c->adversary)
		write_otherwise(run);
	if (c->ops->settle != NULL && random_below(run, 4) != 0) {
		rc = c->ops->settle(run->priv);
		run->r->settles += rc == 1;
		if (rc < 0)
			break_rule(run, "settle: %d", rc);
	}
	if (random_below(run, 4) == 0)
		(void)sched_yield();
	if (round % 16 == 15)
		compare_shadow(run, false);
	else if (c->cuts && random_below(run, 2) == 0)
		cut_set(run);
	else
		collect_set(run);
}

static void
init_run(struct run *run, uint64_t seed)
{
	size_t npages = run->c->bytes / PAGE, n;
	pthread_rwlockattr_t attr;

	run->random = seed;
	(void)pthread_rwlockattr_init(&attr);
	(void)pthread_rwlockattr_setkind_np(&attr,
	    PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(&run->gate, &attr);
	need(hs_pageset_create(&run->set, npages) == 0 &&
		hs_pageset_create(&run->must, npages) == 0 &&
		hs_pageset_create(&run->exempt, npages) == 0 &&
		hs_pageset_create(&run->touched, npages) == 0,
	    "pageset");
	build_memory(run);
	open_tracker(run);
	for (n = 0; n < NWRITERS; n++) {
		run->writer[n].run = run;
		run->writer[n].random = seed * NWRITERS + n + 1;
		run->writer[n].value = (uint64_t)(n + 1) << 56;
		need(pthread_create(&run->writer[n].thread, NULL, run_writer,
			 &run->writer[n]) == 0,
		    "pthread_create");
	}
}

static void
fini_run(struct run *run)
{
	size_t n;

	__atomic_store_n(&run->stop, true, __ATOMIC_RELAXED);
	for (n = 0; n < NWRITERS; n++)
		(void)pthread_join(run->writer[n].thread, NULL);
	/* Small ones in whole; the others' untouched pages cost too much. */
	compare_shadow(run, run->c->bytes <= 128 * MIB);
	run->c->ops->close(run->priv);
	hs_pageset_destroy(run->set);
	hs_pageset_destroy(run->must);
	hs_pageset_destroy(run->exempt);
	hs_pageset_destroy(run->touched);
	(void)munmap(run->base, run->c->bytes);
	(void)munmap(run->shadow, run->c->bytes);
	(void)close(run->fd);
	(void)pthread_rwlock_destroy(&run->gate);
}

/* Some that arrived, and some that were given up. */
static bool
lacks_cuts(const struct run *run)
{
	return run->c->cuts && (run->r->cuts < 4 || run->r->failed_cuts < 2);
}

void
contract_run(const struct contract *c, uint64_t seed, double seconds,
    struct contract_result *r)
{
	struct run *run = calloc(1, sizeof(*run));
	size_t round = 0;
	double end;

	need(run != NULL, "calloc");
	memset(r, 0, sizeof(*r));
	run->c = c;
	run->r = r;
	init_run(run, seed);
	end = now() + seconds;
	while ((now() < end || round < MIN_ROUNDS || lacks_cuts(run)) &&
	    r->broken[0] == '\0')
		step_run(run, round++);
	fini_run(run);
	free(run);
}
