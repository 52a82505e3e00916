/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/contract/lives.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mem/dirty.h"
#include "mem/pageset.h"

#define PAGE ((size_t)HS_ARENA_PAGE_BYTES)
#define FIRST_BYTES (LIVES_BYTES / 4)
#define GROW_BYTES ((size_t)64 << 10)
#define QUEUE 6
/* Twice that, and the table's entries have come to their end. */
#define LEAP ((UINT64_C(1) << 31) - 64)

static void
need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static uint64_t
random_below(uint64_t *state, uint64_t n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 33) % n;
}

uint64_t
lives_random(struct lives *l, uint64_t n)
{
	return random_below(&l->random, n);
}

/* ---- what goes from a life to the agent ---- */

struct epoch_head {
	uint64_t epoch;
	uint64_t used;
	uint64_t n;		/* pages: n numbers, then n contents */
};

static size_t
epoch_bytes(const struct epoch_head *h)
{
	return sizeof(*h) + h->n * (sizeof(uint32_t) + PAGE);
}

/* As the agent does: an epoch that is whole, or nothing. */
static void
apply_epoch(struct lives *l, const uint8_t *p)
{
	struct epoch_head h;
	const uint8_t *number, *content;

	memcpy(&h, p, sizeof(h));
	number = p + sizeof(h);
	content = number + h.n * sizeof(uint32_t);
	for (size_t i = 0; i < h.n; i++) {
		uint32_t page;

		memcpy(&page, number + i * sizeof(page), sizeof(page));
		memcpy(l->image + page * PAGE, content + i * PAGE, PAGE);
	}
	l->used = h.used;
	l->epoch = h.epoch;
	l->image_term = l->term;
}

struct stream {
	uint8_t *buf;
	size_t len;
	size_t cap;
};

/* False at the end. */
static bool
take_stream(struct lives *l, int fd, struct stream *s)
{
	struct epoch_head h;
	size_t at = 0;
	ssize_t n;

	if (s->cap - s->len < 65536) {
		s->cap = s->cap * 2 + 65536;
		s->buf = realloc(s->buf, s->cap);
		need(s->buf != NULL, "realloc");
	}
	n = read(fd, s->buf + s->len, s->cap - s->len);
	if (n <= 0)
		return false;
	s->len += (size_t)n;
	while (s->len - at >= sizeof(h)) {
		memcpy(&h, s->buf + at, sizeof(h));
		if (s->len - at < epoch_bytes(&h))
			break;
		apply_epoch(l, s->buf + at);
		at += epoch_bytes(&h);
	}
	memmove(s->buf, s->buf + at, s->len - at);
	s->len -= at;
	return true;
}

/* ---- a life ---- */

struct life {
	const struct lives *l;
	struct lives_shared *s;
	uint64_t random;
	uint8_t *base;
	size_t used;
	int out;
	uint64_t sealed;
	uint64_t sent;		/* the newest of this life; 0: none */
	bool full;		/* the next epoch says everything */
	struct hs_dirty *d;
	struct hs_pageset *set;
	uint8_t *queue[QUEUE];	/* sealed, not sent */
	size_t nqueue;
};

__attribute__((format(printf, 2, 3))) static void
break_life(struct life *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(f->s->broken, sizeof(f->s->broken), fmt, ap);
	va_end(ap);
	_exit(3);
}

static void
send_oldest(struct life *f)
{
	struct epoch_head h;
	size_t done = 0;

	memcpy(&h, f->queue[0], sizeof(h));
	while (done < epoch_bytes(&h)) {
		ssize_t n =
		    write(f->out, f->queue[0] + done, epoch_bytes(&h) - done);

		if (n < 0)
			_exit(4);	/* the test has ended */
		done += (size_t)n;
	}
	f->sent = h.epoch;
	free(f->queue[0]);
	memmove(f->queue, f->queue + 1, --f->nqueue * sizeof(f->queue[0]));
}

static void
write_page(struct life *f, size_t page)
{
	uint64_t *w = (uint64_t *)(void *)(f->base + page * PAGE);

	/* First, as the death may be in between. */
	(void)__atomic_exchange_n(&f->s->touched[page], f->sealed + 1,
	    __ATOMIC_SEQ_CST);
	w[random_below(&f->random, PAGE / sizeof(*w))] = f->random;
}

static void
write_some(struct life *f)
{
	size_t npages = f->used / PAGE, n = random_below(&f->random, 40);
	size_t hot = random_below(&f->random, npages);

	for (size_t i = 0; i < n; i++)
		write_page(f,
		    (i & 1) != 0 ? random_below(&f->random, npages)
				 : (hot + i / 4) % npages);
}

/* Room for an epoch of the pages of f->set, with their numbers. */
static uint8_t *
begin_epoch(struct life *f)
{
	struct epoch_head h = { .epoch = f->sealed + 1,
		.used = f->used,
		.n = hs_pageset_count(f->set) };
	uint8_t *p = malloc(epoch_bytes(&h));
	size_t i = 0;

	need(p != NULL, "malloc");
	memcpy(p, &h, sizeof(h));
	for (size_t page = 0; hs_pageset_next(f->set, page, &page); page++) {
		const uint32_t number = (uint32_t)page;

		memcpy(p + sizeof(h) + i++ * sizeof(number), &number,
		    sizeof(number));
	}
	return p;
}

static void
seal_epoch(struct life *f, uint8_t *p)
{
	f->sealed++;
	f->s->epochs++;
	f->queue[f->nqueue++] = p;
	f->full = false;
	hs_pageset_clear(f->set);
}

static void
collect(struct life *f)
{
	uint8_t *p, *to;

	hs_dirty_epoch(f->d, f->sealed + 1);
	if (hs_dirty_collect(f->d, f->set) < 0)
		break_life(f, "collect failed");
	if (f->full)
		hs_pageset_add(f->set, 0, f->used / PAGE);
	p = begin_epoch(f);
	to = p + sizeof(struct epoch_head) +
	    hs_pageset_count(f->set) * sizeof(uint32_t);
	for (size_t page = 0; hs_pageset_next(f->set, page, &page); page++) {
		memcpy(to, f->base + page * PAGE, PAGE);
		to += PAGE;
	}
	seal_epoch(f, p);
}

/* Read while the life writes on; arrived, given up, or cut short by death. */
static void
cut(struct life *f)
{
	const uint64_t fate = random_below(&f->random, 8);
	uint8_t *p, *to, *buf;
	size_t n;

	hs_dirty_epoch(f->d, f->sealed + 1);
	if (hs_dirty_cut_begin(f->d, f->set) < 0)
		break_life(f, "cut failed");
	n = hs_pageset_count(f->set);
	p = begin_epoch(f);
	to = p + sizeof(struct epoch_head) + n * sizeof(uint32_t);
	f->sealed++;
	write_some(f);
	for (size_t i = 0; i < n; i++) {
		uint32_t page;

		memcpy(&page, p + sizeof(struct epoch_head) + i * sizeof(page),
		    sizeof(page));
		buf = to + i * PAGE;
		if (fate == 0 && i == n / 2)
			break;
		if (hs_dirty_cut_read(f->d, &page, &buf, 1) < 0)
			break_life(f, "cut cannot be read");
	}
	if (fate == 1)
		(void)raise(SIGKILL);
	if (hs_dirty_cut_end(f->d, fate != 0) < 0)
		break_life(f, "cut cannot be ended");
	f->sealed--;
	if (fate == 0) {
		/* Its number may be used again, or not. */
		f->sealed += random_below(&f->random, 2);
		hs_pageset_clear(f->set);
		free(p);
		return;
	}
	f->s->cuts++;
	seal_epoch(f, p);
}

static void
live(struct life *f)
{
	const bool leaps = random_below(&f->random, 4) == 0;

	for (;;) {
		/* Never are 2^31 in flight: the image is of the newest. */
		if (leaps && f->sent == f->sealed) {
			f->sealed += LEAP;
			f->s->all = true;
		}
		write_some(f);
		if (f->nqueue == QUEUE ||
		    (f->nqueue > 0 && random_below(&f->random, 3) != 0))
			send_oldest(f);
		else if (!f->full && random_below(&f->random, 2) == 0)
			cut(f);
		else
			collect(f);
		if (random_below(&f->random, 16) == 0 &&
		    f->used < LIVES_BYTES) {
			f->used += GROW_BYTES;
			if (hs_dirty_arm(f->d, f->used) < 0)
				break_life(f, "cannot grow");
		}
	}
}

/* ---- its beginning ---- */

static void
map_range(struct life *f)
{
	const struct lives *l = f->l;
	void *want = (void *)(l->base != 0 ? l->base : LIVES_BASE);

	f->base = mmap(want, LIVES_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	need(f->base == want, "mmap");
	if (f->full) {
		f->used = FIRST_BYTES;
		for (size_t page = 0; page < f->used / PAGE; page += 2)
			write_page(f, page);
		return;
	}
	f->used = l->used;
	need(mmap(f->base, f->used, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED, l->fd, 0) == want,
	    "mmap of the image");
}

static void
begin_life(struct life *f)
{
	const struct lives *l = f->l;
	const struct hs_dirty_keep keep = {
		.name = LIVES_NAME,
		.term = l->term,
		.epoch = l->epoch,
		.warm_term = l->warm_term != 0 ? l->warm_term : l->image_term,
	};
	struct hs_dirty_range r = { .len = LIVES_BYTES,
		.fresh = l->epoch == 0,
		.keep = &keep };

	f->full = r.fresh;
	f->sealed = l->epoch;
	map_range(f);
	r.base = f->base;
	r.used = f->used;
	if (hs_dirty_create(&f->d, "kmod", &r, f->s->told, sizeof(f->s->told)) <
	    0)
		break_life(f, "no tracker: %s", f->s->told);
	if (hs_dirty_arm(f->d, f->used) < 0)
		break_life(f, "cannot arm");
	need(hs_pageset_create(&f->set, LIVES_PAGES) == 0, "pageset");
}

/* Every byte is the image's, and none of them counts as written. */
static void
look_around(struct life *f)
{
	size_t behind;

	if (!f->full && memcmp(f->base, f->l->image, LIVES_BYTES) != 0)
		break_life(f, "not the image of epoch %" PRIu64 " (%s)",
		    f->l->epoch, f->s->told);
	hs_dirty_epoch(f->d, f->sealed + 1);
	if (hs_dirty_collect(f->d, f->set) < 0 || hs_pageset_count(f->set) != 0)
		break_life(f, "%zu pages count as written at the start",
		    hs_pageset_count(f->set));
	f->s->rolled = hs_dirty_warm(f->d);
	f->s->warm = f->s->rolled >= 0;
	behind = lives_behind(f->l);
	if (f->s->rolled > (int64_t)behind && !f->s->all)
		break_life(f, "%lld pages rolled back for %zu",
		    (long long)f->s->rolled, behind);
	f->s->all = false;
	memset(f->s->touched, 0, sizeof(f->s->touched));
	__atomic_store_n(&f->s->ready, true, __ATOMIC_SEQ_CST);
}

static pid_t
start_life(struct lives *l, int *from, bool ends)
{
	struct life f = { .l = l,
		.s = l->s,
		.random = lives_random(l, 1 << 30) };
	const pid_t parent = getpid();
	int ends_of[2];
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_of) == 0,
	    "socketpair");
	l->s->ready = l->s->warm = false;
	l->s->told[0] = '\0';
	l->term++;
	(void)fflush(stdout);
	pid = fork();
	need(pid >= 0, "fork");
	if (pid > 0) {
		/* Without an epoch of its own the image is the one it had. */
		if (l->epoch > 0)
			l->image_term = l->term;
		(void)close(ends_of[1]);
		*from = ends_of[0];
		return pid;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)close(ends_of[0]);
	if (getppid() != parent)
		_exit(4);
	f.out = ends_of[1];
	begin_life(&f);
	look_around(&f);
	if (!ends)
		live(&f);
	hs_dirty_destroy(f.d);
	_exit(0);
}

/* ---- the agent ---- */

static double
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

void
lives_run(struct lives *l, unsigned ms, bool ready)
{
	struct stream s = { .buf = NULL };
	double end = now_ms() + ms;
	bool waits = ready;
	int status, fd;
	pid_t pid;

	pid = start_life(l, &fd, false);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		double left = end - now_ms();

		if (waits && __atomic_load_n(&l->s->ready, __ATOMIC_SEQ_CST)) {
			waits = false;
			end = now_ms() + ms;
			continue;
		}
		if (!waits && left <= 0)
			break;
		if (poll(&p, 1, waits ? 1 : (int)left) > 0 &&
		    !take_stream(l, fd, &s))
			break;
	}
	(void)kill(pid, SIGKILL);
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	/* What it had sent arrives. */
	while (take_stream(l, fd, &s))
		continue;
	(void)close(fd);
	free(s.buf);
	if (!WIFSIGNALED(status) && l->s->broken[0] == '\0')
		(void)snprintf(l->s->broken, sizeof(l->s->broken),
		    "a life ended with status %#x", status);
}

void
lives_finish(struct lives *l)
{
	int status, fd;
	pid_t pid;

	pid = start_life(l, &fd, true);
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	(void)close(fd);
	if (status != 0 && l->s->broken[0] == '\0')
		(void)snprintf(l->s->broken, sizeof(l->s->broken),
		    "the last life ended with status %#x", status);
}

size_t
lives_behind(const struct lives *l)
{
	size_t n = 0;

	for (size_t page = 0; page < LIVES_PAGES; page++)
		n += l->s->touched[page] > l->epoch;
	return n;
}

void
lives_create(struct lives *l, uint64_t seed)
{
	memset(l, 0, sizeof(*l));
	l->random = seed;
	l->term = 1 + lives_random(l, 1000);
	l->s = mmap(NULL, sizeof(*l->s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(l->s != MAP_FAILED, "mmap");
	l->fd = memfd_create("lives", MFD_CLOEXEC);
	need(l->fd >= 0 && ftruncate(l->fd, (off_t)LIVES_BYTES) == 0, "memfd");
	l->image = mmap(NULL, LIVES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
	    l->fd, 0);
	need(l->image != MAP_FAILED, "mmap");
}

void
lives_destroy(struct lives *l)
{
	(void)munmap(l->image, LIVES_BYTES);
	(void)munmap(l->s, sizeof(*l->s));
	(void)close(l->fd);
}
