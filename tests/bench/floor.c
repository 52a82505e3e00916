/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/uffd_abi.h"
#include "tests/bench/bench.h"
#include "tests/bench/picks.h"

/* What the process is asked for. */
struct request {
	uint64_t npages;
	uint64_t second;
};

/* By then a thread that has nothing to do sleeps. */
#define ASLEEP_US 200

struct second {
	pthread_t thread;
	sem_t begin;
	sem_t done;
};

struct ground {
	uint8_t *base;
	size_t len;
	uint8_t *copy;
	struct hs_uffd_region *vec;
	size_t nvec;
	int pagemap;
};

static void *
map_memory(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bench_die("floor: no memory: %s", strerrordesc_np(errno));
	/* As the arena is: so that both are tracked page by page. */
	(void)madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

static void
watch(struct ground *g)
{
	struct uffdio_api api = { .api = UFFD_API,
		.features =
		    UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)g->base, .len = g->len },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect wp = { .range = reg.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP };
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	g->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || g->pagemap < 0 || ioctl((int)fd, UFFDIO_API, &api) < 0 ||
	    ioctl((int)fd, UFFDIO_REGISTER, &reg) < 0 ||
	    ioctl((int)fd, UFFDIO_WRITEPROTECT, &wp) < 0)
		bench_die("floor: no write-protect tracking here: %s",
		    strerrordesc_np(errno));
}

static uint64_t
scan_and_copy(struct ground *g, size_t npages)
{
	struct hs_uffd_scan arg = {
		.size = sizeof(arg),
		.flags = HS_UFFD_WP_MATCHING | HS_UFFD_CHECK_WPASYNC,
		.start = (uintptr_t)g->base,
		.end = (uintptr_t)g->base + g->len,
		.vec = (uintptr_t)g->vec,
		.vec_len = g->nvec,
		.category_mask = HS_UFFD_WRITTEN,
		.return_mask = HS_UFFD_WRITTEN,
	};
	size_t copied = 0;
	uint64_t t0, ns;
	long n;

	t0 = bench_now_ns();
	n = ioctl(g->pagemap, HS_UFFD_PAGEMAP_SCAN, &arg);
	for (long i = 0; i < n; i++)
		for (uint64_t at = g->vec[i].start; at < g->vec[i].end;
		     at += BENCH_PAGE)
			memcpy(g->copy + copied++ * BENCH_PAGE,
			    (const void *)(uintptr_t)at, BENCH_PAGE);
	ns = bench_now_ns() - t0;
	if (n < 0)
		bench_die("floor: PAGEMAP_SCAN: %s", strerrordesc_np(errno));
	if (copied != npages)
		bench_die("floor: %zu pages written, %zu found", npages,
		    copied);
	return ns;
}

static void *
run_second(void *arg)
{
	struct second *s = arg;

	for (;;) {
		while (sem_wait(&s->begin) < 0)
			continue;
		(void)sem_post(&s->done);
	}
	return NULL;
}

/* It runs, on another processor if there is one, and sleeps again. */
static void
let_second_run(struct second *s)
{
	const int other = (sched_getcpu() + 1) % get_nprocs();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)other, &set);
	(void)pthread_setaffinity_np(s->thread, sizeof(set), &set);
	(void)sem_post(&s->begin);
	while (sem_wait(&s->done) < 0)
		continue;
	(void)usleep(ASLEEP_US);
}

static _Noreturn void
run_floor(int fd, size_t len, size_t most_pages, uint64_t seed)
{
	/* A region more than there can be: a scan that fills vec may be cut. */
	struct ground g = { .len = len, .nvec = most_pages + 1 };
	uint64_t fill = seed, ns;
	struct second second;
	struct request rq;
	struct picks p;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	g.base = map_memory(len);
	g.copy = map_memory(most_pages * BENCH_PAGE);
	g.vec = calloc(g.nvec, sizeof(*g.vec));
	if (g.vec == NULL)
		bench_die("floor: no memory");
	bench_fill(g.base, len, &fill);
	memset(g.copy, 1, most_pages * BENCH_PAGE);
	watch(&g);
	picks_init(&p, len / BENCH_PAGE, seed);
	(void)sem_init(&second.begin, 0, 0);
	(void)sem_init(&second.done, 0, 0);
	if (pthread_create(&second.thread, NULL, run_second, &second) != 0)
		bench_die("floor: no second thread");
	while (read(fd, &rq, sizeof(rq)) == sizeof(rq)) {
		picks_next(&p, rq.npages);
		picks_write(&p, rq.npages, g.base);
		if (rq.second != 0)
			let_second_run(&second);
		ns = scan_and_copy(&g, rq.npages);
		if (write(fd, &ns, sizeof(ns)) != sizeof(ns))
			break;
	}
	_exit(0);
}

void
floor_start(struct floor *f, size_t arena_bytes, size_t most_pages,
    uint64_t seed)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		bench_die("floor: %s", strerrordesc_np(errno));
	f->fd = pair[0];
	f->pid = fork();
	if (f->pid < 0)
		bench_die("floor: %s", strerrordesc_np(errno));
	if (f->pid == 0) {
		/* The service's link with its agent is the service's alone. */
		(void)dup2(pair[1], 3);
		(void)close_range(4, ~0u, 0);
		run_floor(3, arena_bytes, most_pages, seed);
	}
	(void)close(pair[1]);
}

uint64_t
floor_round(struct floor *f, size_t npages, bool second)
{
	const struct request rq = { .npages = npages, .second = second };
	uint64_t ns;

	if (write(f->fd, &rq, sizeof(rq)) != sizeof(rq) ||
	    read(f->fd, &ns, sizeof(ns)) != sizeof(ns))
		bench_die("the floor's process has ended");
	return ns;
}

void
floor_stop(struct floor *f)
{
	(void)close(f->fd);
	(void)waitpid(f->pid, NULL, 0);
}
