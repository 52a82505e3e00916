/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls at random: tap_fuzz [COUNT [SEED]], replayable by what it prints.
 *
 * Any call on any object with any size, flags, range and pointers, between
 * writes, mappings and closes.  Each ends in a way that hscpt.h has, and one
 * arena's pages are never forgotten: what the calls that succeeded reported is
 * the whole of what was written to it.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/vm/arena.h"
#include "tests/vm/tap.h"

#define NPAGES	64UL
#define POOL	12
#define USER	1000
#define BUFFER	(NPAGES * PAGE)

struct object {
	int fd;
	bool watched;			/* the watched arena, or of it */
	bool snap;
	uint64_t gen;
	uint64_t set;			/* of the watched arena's pages */
	uint64_t *pages;		/* their contents at the cut */
};

struct fuzz {
	uint64_t seed;
	struct arena a;			/* the watched one */
	uint64_t image[NPAGES * WORDS];
	uint64_t gen_of[NPAGES];	/* which image has the page from */
	uint64_t model[NPAGES * WORDS];
	struct object pool[POOL];	/* 0: the device, 1: the arena */
	unsigned char *buffer;		/* where calls may write; fenced */
	uint64_t *bitmap;		/* the last word before a fence */
	int file;			/* to write to from odd places */
	uint64_t writes;
	uint64_t good, refused;
	unsigned long odd;		/* ended otherwise */
};

static struct fuzz f;

static const struct {
	unsigned long number;
	uint32_t bytes;
	uint32_t flags;
} calls[] = {
	{ HSCPT_INFO, sizeof(struct hscpt_info), 0 },
	{ HSCPT_CREATE, sizeof(struct hscpt_create), 3 },
	{ HSCPT_ATTACH, sizeof(struct hscpt_attach), 0 },
	{ HSCPT_DESTROY, sizeof(struct hscpt_destroy), 0 },
	{ HSCPT_POPULATE, sizeof(struct hscpt_populate), 0 },
	{ HSCPT_HARVEST, sizeof(struct hscpt_harvest), 1 },
	{ HSCPT_HARVEST, sizeof(struct hscpt_harvest), 1 },
	{ HSCPT_SNAPSHOT, sizeof(struct hscpt_snapshot), 7 },
	{ HSCPT_SNAPSHOT, sizeof(struct hscpt_snapshot), 7 },
	{ HSCPT_STAT, sizeof(struct hscpt_stat), 0 },
	{ HSCPT_SNAP_BITMAP, sizeof(struct hscpt_snap_bitmap), 0 },
	{ HSCPT_SNAP_DRAIN, sizeof(struct hscpt_snap_drain), 1 },
	{ HSCPT_SNAP_COMMIT, sizeof(struct hscpt_snap_commit), 0 },
	{ HSCPT_SNAP_ABORT, sizeof(struct hscpt_snap_abort), 0 },
	{ HSCPT_SNAP_STATUS, sizeof(struct hscpt_snap_status), 0 },
};

static uint64_t
pick(uint64_t n)
{
	return draw(&f.seed) % n;
}

/* A number that a field may have: small, at an edge, a pointer, anything. */
static uint64_t
draw_value(void)
{
	uint64_t bit = pick(64);

	switch (pick(8)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return pick(NPAGES + 1) * PAGE;
	case 3:
		return pick(NPAGES + 2);
	case 4:
		return (uintptr_t)f.buffer;
	case 5:
		/* No pointer to what this program keeps. */
		return 1UL << (bit >= 16 && bit < 32 ? bit + 32 : bit);
	case 6:
		return -PAGE * pick(3);
	default:
		return draw(&f.seed);
	}
}

static uint32_t
draw_size(uint32_t right)
{
	static uint32_t const odd[] = { 0, 4096, 4097, 1U << 31, ~0U };

	switch (pick(10)) {
	case 0:
		return (uint32_t)pick(right + 32);
	case 1:
		return odd[pick(5)];
	default:
		return right;
	}
}

static void
fill(unsigned char arg[PAGE], unsigned which)
{
	uint32_t size = draw_size(calls[which].bytes);
	uint32_t flags = calls[which].flags & (uint32_t)draw(&f.seed);

	memset(arg, 0, PAGE);
	if (pick(8) == 0)
		flags |= 1U << pick(32);
	for (uint32_t at = 8; at < calls[which].bytes; at += 8) {
		uint64_t value = pick(3) == 0 ? draw_value() : 0;

		memcpy(arg + at, &value, sizeof(value));
	}
	if (calls[which].number == HSCPT_CREATE) {
		struct hscpt_create *create = (void *)arg;

		/* Not so many that creating is all that it does. */
		if (pick(4) != 0)
			create->bytes = (1 + pick(NPAGES)) * PAGE;
		memset(create->name, 0, sizeof(create->name));
		if ((flags & HSCPT_CREATE_PERSIST) != 0)
			create->name[0] = (char)('a' + pick(4));
	}
	if (calls[which].number == HSCPT_ATTACH ||
	    calls[which].number == HSCPT_DESTROY) {
		memset(arg + 8, 0, HSCPT_NAME_BYTES);
		arg[8] = (unsigned char)('a' + pick(4));
	}
	memcpy(arg, &size, sizeof(size));
	memcpy(arg + 4, &flags, sizeof(flags));
}

static void
write_some(void)
{
	for (uint64_t n = pick(6); n > 0; n--) {
		uint64_t i = pick(NPAGES * WORDS);

		f.a.at[i] = f.model[i] = ++f.writes;
	}
}

/*
 * The page's contents are known as of the cut gen: twice a snapshot's number,
 * and one more for what is harvested before the next snapshot.
 */
static void
learn(uint64_t page, uint64_t gen, const uint64_t *contents)
{
	if (gen < f.gen_of[page])
		return;
	f.gen_of[page] = gen;
	memcpy(f.image + page * WORDS, contents, PAGE);
}

static void
forget(struct object *o)
{
	close(o->fd);
	free(o->pages);
	*o = (struct object){ .fd = -1 };
}

static struct object *
room(void)
{
	struct object *o = &f.pool[2 + pick(POOL - 2)];

	if (o->fd >= 0)
		forget(o);
	return o;
}

/* A snapshot of the watched arena: what its commit will make known. */
static void
watch_snap(struct object *o, uint64_t gen)
{
	struct snap s = { .fd = o->fd };

	o->watched = true;
	o->gen = gen * 2;
	o->pages = calloc(NPAGES, PAGE);
	must(o->pages != NULL, "memory");
	if (snap_bitmap(&s, NPAGES, &o->set) != 0)
		o->set = 0;
	for (uint64_t p = 0; p < NPAGES; p++)
		if ((o->set >> p & 1) != 0 &&
		    pread(o->fd, o->pages + p * WORDS, PAGE,
			(off_t)(p * PAGE)) != (ssize_t)PAGE)
			/* Stale: then it cannot be committed either. */
			o->set &= ~(1UL << p);
}

static uint64_t
present_gen(void)
{
	struct hscpt_stat stat;

	arena_stat(&f.a, &stat);
	return stat.gen;
}

static void
learn_harvest(const struct hscpt_harvest *h)
{
	uint64_t first = h->off / PAGE, gen = present_gen() * 2 + 1;
	uint64_t n = h->len == 0 ? NPAGES - first : h->len / PAGE;
	uint64_t set;

	if (n == 0)
		return;			/* and no word is written */
	memcpy(&set, (void *)(uintptr_t)h->bitmap, sizeof(set));
	for (uint64_t p = 0; p < n; p++)
		if ((set >> p & 1) != 0)
			learn(first + p, gen, f.a.at + (first + p) * WORDS);
}

static void
after_success(struct object *on, unsigned which, void *arg)
{
	unsigned long number = calls[which].number;
	struct object *o;

	if (number == HSCPT_HARVEST && on->watched && !on->snap) {
		struct hscpt_harvest *h = (void *)arg;

		if ((h->flags & HSCPT_HARVEST_PEEK) == 0)
			learn_harvest(h);
	} else if (number == HSCPT_SNAP_COMMIT && on->watched) {
		for (uint64_t p = 0; p < NPAGES; p++)
			if ((on->set >> p & 1) != 0)
				learn(p, on->gen, on->pages + p * WORDS);
	} else if (number == HSCPT_CREATE) {
		o = room();
		o->fd = ((struct hscpt_create *)arg)->fd;
	} else if (number == HSCPT_ATTACH) {
		o = room();
		o->fd = ((struct hscpt_attach *)arg)->fd;
	} else if (number == HSCPT_SNAPSHOT) {
		struct hscpt_snapshot *s = (void *)arg;
		bool watched = on->watched;

		o = room();
		o->fd = s->fd;
		o->snap = true;
		if (watched)
			watch_snap(o, s->gen);
	}
}

static bool
is_known_error(int rc)
{
	static const int known[] = { EFAULT, EINVAL, ERANGE, ENOMEM, ENOTTY,
		EINTR, E2BIG, EEXIST, ENOENT, EPERM, EBUSY, ENOSPC, ESTALE };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (rc == -known[i])
			return true;
	return false;
}

static void
call_something(void)
{
	static _Alignas(uint64_t) unsigned char arg[PAGE];
	unsigned which = (unsigned)pick(sizeof(calls) / sizeof(calls[0]));
	struct object *on = &f.pool[pick(POOL)];
	uint32_t size;
	int rc;

	if (on->fd < 0)
		on = &f.pool[pick(2)];
	fill(arg, which);
	/* The pointer of a harvest is good, or the call must not succeed. */
	if (calls[which].number == HSCPT_HARVEST) {
		struct hscpt_harvest *h = (void *)arg;

		h->bitmap = pick(4) == 0 ? pick(8) * 8 : (uintptr_t)f.bitmap;
	}
	memcpy(&size, arg, sizeof(size));
	if (pick(40) == 0) {
		/* Zeroes are a size that is refused. */
		memset(f.buffer, 0, PAGE);
		rc = arena_call(on->fd, calls[which].number,
		    (void *)(uintptr_t)draw_value());
		f.odd += rc == 0;
	} else {
		rc = arena_call(on->fd, calls[which].number, arg);
		if (rc == 0 && size < calls[which].bytes)
			f.odd++;
		else if (rc == 0)
			after_success(on, which, arg);
	}
	if (rc == 0)
		f.good++;
	else
		f.refused++;
	if (rc != 0 && !is_known_error(rc)) {
		note("call %#lx: %d", calls[which].number, rc);
		f.odd++;
	}
}

static void
use_something(void)
{
	struct object *o = &f.pool[1 + pick(POOL - 1)];
	int prot = pick(2) == 0 ? PROT_READ : PROT_READ | PROT_WRITE;
	unsigned char *at;
	size_t len = (1 + pick(NPAGES)) * PAGE;

	if (o->fd < 0)
		return;
	switch (pick(4)) {
	case 0:
		if (o > &f.pool[1])
			forget(o);
		break;
	case 1:
		if (pread(o->fd, f.buffer, pick(BUFFER), (off_t)draw_value()) <
		    0)
			f.refused++;
		break;
	case 2:
		madvise(f.a.at + pick(NPAGES) * WORDS, PAGE,
		    pick(2) == 0 ? MADV_DONTNEED : MADV_COLD);
		break;
	default:
		at = mmap(NULL, len, prot, MAP_SHARED, o->fd,
		    (off_t)(pick(NPAGES) * PAGE));
		if (at == MAP_FAILED)
			return;
		/* Accesses that may be SIGBUS are the kernel's to make. */
		for (size_t p = 0; p < len; p += PAGE)
			f.refused += pwrite(f.file, at + p, 1, 0) < 0;
		munmap(at, len);
	}
}

/* Memory that ends where nothing more can be written. */
static void *
fenced(size_t bytes)
{
	unsigned char *at = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(at != MAP_FAILED && mprotect(at + bytes, PAGE, PROT_NONE) == 0,
	    "memory");
	return at;
}

static void
drop_privileges(void)
{
	struct rlimit limit = { .rlim_cur = 16 << 20, .rlim_max = 16 << 20 };

	must(chmod(HSCPT_DEVICE, 0666) == 0, "chmod()");
	must(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "setrlimit()");
	must(setgid(USER) == 0 && setuid(USER) == 0, "setuid()");
}

static uint64_t
count_lost(void)
{
	uint64_t n = 0;

	for (unsigned i = 2; i < POOL; i++)
		if (f.pool[i].fd >= 0)
			forget(&f.pool[i]);
	must(arena_harvest(&f.a, 0) >= 0, "HSCPT_HARVEST");
	for (uint64_t p = 0; p < NPAGES; p++)
		if (set_has(f.a.set, p))
			learn(p, ~0UL, f.a.at + p * WORDS);
	for (uint64_t i = 0; i < NPAGES * WORDS; i++)
		n += f.image[i] != f.model[i];
	return n;
}

int
main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 40000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ms() | 1;
	struct hscpt_info info;
	char name[2] = "a";

	note("tap_fuzz %lu %lu", count, seed);
	f.seed = seed;
	drop_privileges();
	f.buffer = fenced(BUFFER);
	f.bitmap = (uint64_t *)fenced(PAGE) + WORDS - 1;
	f.file = memfd_create("file", MFD_CLOEXEC);
	for (unsigned i = 0; i < POOL; i++)
		f.pool[i].fd = -1;
	f.pool[0].fd = arena_device();
	must(arena_create(&f.a, NPAGES, 0, NULL) == 0, "HSCPT_CREATE");
	must(arena_populate(&f.a, 0, NPAGES) == 0, "HSCPT_POPULATE");
	f.pool[1].fd = f.a.fd;
	f.pool[1].watched = true;
	for (uint64_t i = 0; i < count && f.odd == 0; i++) {
		write_some();
		call_something();
		if (pick(4) == 0)
			use_something();
	}
	ok(f.odd == 0, "each call ends in a way that is documented");
	ok(count_lost() == 0, "nothing that was written is forgotten");
	note("%lu calls succeeded, %lu were refused; %lu writes", f.good,
	    f.refused, f.writes);
	ok(f.good > count / 20, "some of them did something");
	arena_close(&f.a);
	for (; name[0] <= 'd'; name[0]++)
		arena_destroy(name);
	close(f.pool[0].fd);
	arena_info(&info);
	ok(info.narenas == 0, "no arena is left");
	return tap_end();
}
