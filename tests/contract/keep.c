/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that outlives its process (libhs/mem/kmod_keep.h): whenever that was
 * killed, the next one has every byte of the image, and did not copy it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/include/uapi/hscpt.h"
#include "mem/kmod_keep.h"
#include "tests/contract/contract.h"
#include "tests/contract/lives.h"

#define LIFE_MS 60

static int
attach(const char *name)
{
	struct hscpt_attach a = { .size = sizeof(a) };
	int dev = open(HSCPT_DEVICE, O_RDWR | O_CLOEXEC), rc;

	(void)snprintf(a.name, sizeof(a.name), "%s", name);
	rc = ioctl(dev, HSCPT_ATTACH, &a) < 0 ? -errno : a.fd;
	(void)close(dev);
	return rc;
}

/* The table of a dead life; NULL: there is none. */
static struct hs_kmod_keep_head *
map_head(void)
{
	int fd = attach(LIVES_NAME HS_KEEP_TABLE);
	void *p;

	if (fd < 0)
		return NULL;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	return p != MAP_FAILED ? p : NULL;
}

static void
unmap_head(struct hs_kmod_keep_head *h)
{
	if (h != NULL)
		(void)munmap(h, PAGE);
}

/* ---- killed at random ---- */

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct tally {
	unsigned lives;
	unsigned warm;
	unsigned unsure;	/* deaths between the device and the table */
	unsigned early;		/* before the memory was looked at */
	unsigned cold;		/* although nothing stood in the way */
	size_t rolled;
};

static void
run_one(struct lives *l, struct tally *t)
{
	const bool early = lives_random(l, 6) == 0;
	const bool whole = l->s->ready && l->epoch > 0;
	struct hs_kmod_keep_head *h = map_head();

	t->unsure += h != NULL && h->state == HS_KMOD_KEEP_UNSURE;
	unmap_head(h);
	lives_run(l, 1 + (unsigned)lives_random(l, LIFE_MS), !early);
	t->lives++;
	t->early += !l->s->ready;
	t->warm += l->s->ready && l->s->warm;
	t->cold += whole && l->s->ready && !l->s->warm;
	if (l->s->ready && l->s->warm)
		t->rolled += (size_t)l->s->rolled;
}

static void
test_killed(contract_report *report, uint64_t seed, double seconds)
{
	struct tally t = { .lives = 0 };
	const double end = now() + seconds;
	struct lives l;
	char detail[400];

	lives_create(&l, seed);
	while ((now() < end || t.warm < 10) && l.s->broken[0] == '\0' &&
	    t.lives < 2000)
		run_one(&l, &t);
	(void)snprintf(detail, sizeof(detail),
	    "%u lives, %u of them warm, %zu pages of %zu rolled back by each; "
	    "%u cold without need; "
	    "%u ended before they had begun, %u while a collect was noted; "
	    "%zu epochs, %zu by cuts%s%s",
	    t.lives, t.warm, t.warm != 0 ? t.rolled / t.warm : 0, LIVES_PAGES,
	    t.cold, t.early, t.unsure, l.s->epochs, l.s->cuts,
	    l.s->broken[0] != '\0' ? "; " : "", l.s->broken);
	report(l.s->broken[0] == '\0' && t.warm > 0 && t.cold == 0 &&
		t.rolled < t.warm * LIVES_PAGES / 4 && l.s->cuts > 0,
	    "killed at any time, every byte is the image's", detail);
	lives_finish(&l);
	report(attach(LIVES_NAME) == -ENOENT &&
		attach(LIVES_NAME HS_KEEP_TABLE) == -ENOENT,
	    "who ends on purpose leaves nothing behind", l.s->broken);
	lives_destroy(&l);
}

/* ---- what is not to be used, or not to be trusted ---- */

/* A life that leaves memory, and an image that is behind it. */
static void
leave_memory(struct lives *l)
{
	do
		lives_run(l, LIFE_MS, true);
	while (l->epoch == 0 && l->s->broken[0] == '\0');
}

static void
check_next(contract_report *report, struct lives *l, bool warm,
    const char *told, const char *name)
{
	char detail[400];

	lives_run(l, 5, true);
	(void)snprintf(detail, sizeof(detail), "%s %s", l->s->told,
	    l->s->broken);
	report(l->s->broken[0] == '\0' && l->s->warm == warm &&
		strstr(l->s->told, told) != NULL,
	    name, detail);
}

static void
test_refusals(contract_report *report, struct lives *l)
{
	struct hscpt_destroy d = { .size = sizeof(d), .name = LIVES_NAME };
	int dev = open(HSCPT_DEVICE, O_RDWR | O_CLOEXEC);

	leave_memory(l);
	l->warm_term = l->image_term + 7;
	check_next(report, l, false, "of term",
	    "memory of another term is not used");
	l->warm_term = 0;
	leave_memory(l);
	l->base = LIVES_BASE + LIVES_BYTES;
	check_next(report, l, false, "another arena",
	    "nor memory that was elsewhere");
	check_next(report, l, true, "warm", "but what comes after it is");
	l->base = 0;
	leave_memory(l);
	(void)ioctl(dev, HSCPT_DESTROY, &d);
	check_next(report, l, false, "was kept",
	    "nor memory that is not there any more");
	(void)close(dev);
}

/* As by a child of the dead one that was made without fork(). */
static void
test_busy(contract_report *report, struct lives *l)
{
	char c;
	int p[2], fd;
	pid_t pid;

	leave_memory(l);
	if (pipe(p) < 0)
		abort();
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(p[0]);
		fd = attach(LIVES_NAME);
		if (write(p[1], fd >= 0 ? "y" : "n", 1) != 1)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	(void)close(p[1]);
	if (read(p[0], &c, 1) != 1 || c != 'y')
		abort();
	(void)close(p[0]);
	check_next(report, l, false, "open", "nor what another process has");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* The device was asked, and the death came before the table was written. */
static void
forget_bits(struct hs_kmod_keep_head *h)
{
	static uint64_t bitmap[LIVES_PAGES / 64];
	struct hscpt_harvest a = { .size = sizeof(a),
		.bitmap = (uintptr_t)bitmap };
	int fd = attach(LIVES_NAME);

	if (h == NULL || fd < 0 || ioctl(fd, HSCPT_HARVEST, &a) < 0)
		abort();
	h->state = HS_KMOD_KEEP_UNSURE;
	(void)close(fd);
}

static void
test_unsure(contract_report *report, struct lives *l)
{
	struct hs_kmod_keep_head *h;
	size_t behind;

	do {
		leave_memory(l);
		behind = lives_behind(l);
	} while (behind == 0 && l->s->broken[0] == '\0');
	h = map_head();
	forget_bits(h);
	unmap_head(h);
	check_next(report, l, true, "warm",
	    "a death before the table was written costs a comparison");

	leave_memory(l);
	h = map_head();
	h->state = HS_KMOD_KEEP_NONE;
	unmap_head(h);
	check_next(report, l, false, "took up",
	    "one while memory is rolled back leaves nothing");
}

void
contract_keep(contract_report *report, uint64_t seed, double seconds)
{
	struct lives l;

	test_killed(report, seed, seconds);
	lives_create(&l, seed + 1);
	test_refusals(report, &l);
	test_busy(report, &l);
	test_unsure(report, &l);
	lives_finish(&l);
	lives_destroy(&l);
}
