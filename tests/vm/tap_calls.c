/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each call of /dev/hscpt keeps to what hscpt.h says of sizes, flags, ranges,
 * pointers and states.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/vm/arena.h"
#include "tests/vm/tap.h"

#define NPAGES	130UL		/* no multiple of 64 */
#define USER	1000

enum object {
	DEVICE,
	ARENA,
	SNAP,
	OBJECTS
};

struct call {
	const char *name;
	unsigned long number;
	enum object on;
	uint32_t bytes;
	uint32_t flags;			/* all that it knows */
	bool range;			/* off and len follow flags */
};

#define CALL(name, on, type, flags, range) \
	{                                                                  \
#name, HSCPT_##name, on, sizeof(struct type), flags, range \
	}

static const struct call calls[] = {
	CALL(INFO, DEVICE, hscpt_info, 0, false),
	CALL(CREATE, DEVICE, hscpt_create, 3, false),
	CALL(ATTACH, DEVICE, hscpt_attach, 0, false),
	CALL(DESTROY, DEVICE, hscpt_destroy, 0, false),
	CALL(POPULATE, ARENA, hscpt_populate, 0, true),
	CALL(HARVEST, ARENA, hscpt_harvest, 1, true),
	CALL(SNAPSHOT, ARENA, hscpt_snapshot, 7, false),
	CALL(STAT, ARENA, hscpt_stat, 0, false),
	CALL(SNAP_BITMAP, SNAP, hscpt_snap_bitmap, 0, true),
	CALL(SNAP_DRAIN, SNAP, hscpt_snap_drain, 1, true),
	CALL(SNAP_COMMIT, SNAP, hscpt_snap_commit, 0, false),
	CALL(SNAP_ABORT, SNAP, hscpt_snap_abort, 0, false),
	CALL(SNAP_STATUS, SNAP, hscpt_snap_status, 0, false),
};

#define NCALLS	(sizeof(calls) / sizeof(calls[0]))

static uint64_t bits[BITMAP_WORDS(NPAGES)];
static uint64_t offsets[NPAGES];
static uint64_t contents[NPAGES * WORDS];

/* One of each: an arena with three modified pages, a snapshot with one more. */
struct world {
	struct arena a;
	struct snap s;
	int fd[OBJECTS];
};

static void
world_make(struct world *w)
{
	must(arena_create(&w->a, NPAGES, HSCPT_CREATE_PERSIST, "w") == 0,
	    "HSCPT_CREATE");
	w->a.at[5 * WORDS] = 5;
	must(snap_take(&w->a, &w->s, 0) == 0, "HSCPT_SNAPSHOT");
	for (uint64_t p = 0; p < 3; p++)
		w->a.at[p * 64 * WORDS] = 1 + p;
	w->fd[DEVICE] = arena_device();
	w->fd[ARENA] = w->a.fd;
	w->fd[SNAP] = w->s.fd;
}

static void
world_end(struct world *w)
{
	close(w->fd[DEVICE]);
	snap_close(&w->s);
	must(arena_destroy("w") == 0, "HSCPT_DESTROY");
	arena_close(&w->a);
}

/* Arguments with which the call succeeds, but ATTACH: EBUSY. */
static void
fill(const struct call *call, void *arg)
{
	memset(arg, 0, call->bytes);
	memcpy(arg, &call->bytes, sizeof(call->bytes));
	switch (call->number) {
	case HSCPT_CREATE:
		((struct hscpt_create *)arg)->bytes = PAGE;
		break;
	case HSCPT_ATTACH:
		strcpy(((struct hscpt_attach *)arg)->name, "w");
		break;
	case HSCPT_DESTROY:
		strcpy(((struct hscpt_destroy *)arg)->name, "d");
		break;
	case HSCPT_HARVEST:
		((struct hscpt_harvest *)arg)->bitmap = (uintptr_t)bits;
		break;
	case HSCPT_SNAP_BITMAP:
		((struct hscpt_snap_bitmap *)arg)->bitmap = (uintptr_t)bits;
		break;
	case HSCPT_SNAP_DRAIN:
		((struct hscpt_snap_drain *)arg)->max_pages = NPAGES;
		((struct hscpt_snap_drain *)arg)->pages = (uintptr_t)contents;
		((struct hscpt_snap_drain *)arg)->offsets = (uintptr_t)offsets;
		break;
	}
}

/* In a world of its own; what it created is closed. */
static int
call_once(const struct call *call, void *arg)
{
	struct world w;
	struct arena other;
	int rc, fd = -1;

	world_make(&w);
	if (call->number == HSCPT_DESTROY) {
		must(arena_create(&other, 1, HSCPT_CREATE_PERSIST, "d") == 0,
		    "HSCPT_CREATE");
		arena_close(&other);
	}
	rc = arena_call(w.fd[call->on], call->number, arg);
	if (rc == 0 && call->number == HSCPT_CREATE)
		fd = ((struct hscpt_create *)arg)->fd;
	if (rc == 0 && call->number == HSCPT_SNAPSHOT)
		fd = ((struct hscpt_snapshot *)arg)->fd;
	if (fd >= 0)
		close(fd);
	if (call->number == HSCPT_DESTROY)
		arena_destroy("d");
	world_end(&w);
	return rc;
}

static int
expected(const struct call *call)
{
	return call->number == HSCPT_ATTACH ? -EBUSY : 0;
}

static void
test_sizes(const struct call *call)
{
	static unsigned char arg[2 * PAGE];
	unsigned bad = 0;

	for (uint32_t size = 0; size < call->bytes; size++) {
		fill(call, arg);
		memcpy(arg, &size, sizeof(size));
		bad += call_once(call, arg) != -EINVAL;
	}
	ok(bad == 0, "%s: a size below the struct's is refused", call->name);
	for (uint32_t size = call->bytes; size <= call->bytes + 64; size++) {
		memset(arg, 0, sizeof(arg));
		fill(call, arg);
		memcpy(arg, &size, sizeof(size));
		bad += call_once(call, arg) != expected(call);
		if (size == call->bytes)
			continue;
		memset(arg, 0, sizeof(arg));
		fill(call, arg);
		memcpy(arg, &size, sizeof(size));
		arg[size - 1] = 1;
		bad += call_once(call, arg) != -E2BIG;
	}
	ok(bad == 0, "%s: what is newer than the module is to be 0",
	    call->name);
}

static void
test_flags(const struct call *call)
{
	static unsigned char arg[PAGE];
	unsigned bad = 0;

	for (unsigned bit = 0; bit < 32; bit++) {
		uint32_t flags = 1U << bit;

		if ((flags & call->flags) != 0)
			continue;
		fill(call, arg);
		memcpy(arg + sizeof(uint32_t), &flags, sizeof(flags));
		bad += call_once(call, arg) != -EINVAL;
	}
	ok(bad == 0, "%s: an unknown flag is refused", call->name);
}

static void
test_pointers(const struct call *call)
{
	static const uintptr_t wild[] = { 0, 8, ~0UL, ~0UL << 12, 1UL << 47,
		0xffff888000000000 };
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
		bad += call_once(call, (void *)wild[i]) != -EFAULT;
	ok(bad == 0, "%s: a wild pointer is EFAULT", call->name);
}

static void
test_range(const struct call *call)
{
	static const struct {
		uint64_t off, len;
		int want;
	} with[] = {
		{ 0, 0, 0 },
		{ PAGE, 0, 0 },
		{ 0, NPAGES * PAGE, 0 },
		{ (NPAGES - 1) * PAGE, PAGE, 0 },
		{ 1, 0, -EINVAL },
		{ 0, 1, -EINVAL },
		{ PAGE / 2, PAGE, -EINVAL },
		{ 0, (NPAGES + 1) * PAGE, -ERANGE },
		{ (NPAGES + 1) * PAGE, 0, -ERANGE },
		{ PAGE, NPAGES * PAGE, -ERANGE },
		{ PAGE, -PAGE, -ERANGE },
		{ -PAGE, PAGE, -ERANGE },
		{ -PAGE, 2 * PAGE, -ERANGE },
		{ 1UL << 63, 1UL << 63, -ERANGE },
	};

	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		static unsigned char arg[PAGE];
		int rc;

		fill(call, arg);
		memcpy(arg + 8, &with[i].off, 8);
		memcpy(arg + 16, &with[i].len, 8);
		rc = call_once(call, arg);
		if (rc != with[i].want)
			note("off %#lx len %#lx: %d, not %d",
			    (unsigned long)with[i].off,
			    (unsigned long)with[i].len, rc, with[i].want);
		ok(rc == with[i].want, "%s: range %zu", call->name, i);
	}
}

static void
test_numbers(void)
{
	static unsigned char arg[PAGE];
	unsigned bad = 0;
	struct world w;

	world_make(&w);
	for (unsigned on = 0; on < OBJECTS; on++)
		for (unsigned n = 0; n < 256; n++) {
			bool known = false;

			for (size_t i = 0; i < NCALLS; i++)
				known = known ||
				    (calls[i].on == on &&
					calls[i].number == _IO(HSCPT_IOC, n));
			memset(arg, 0, sizeof(arg));
			if (!known)
				bad += arena_call(w.fd[on], _IO(HSCPT_IOC, n),
					   arg) != -ENOTTY;
		}
	world_end(&w);
	ok(bad == 0, "a call that an object does not have is ENOTTY");
}

static int
create_named(const char name[HSCPT_NAME_BYTES], uint32_t flags)
{
	struct hscpt_create create = { .size = sizeof(create),
		.flags = flags,
		.bytes = PAGE };
	int device = arena_device(), rc;

	memcpy(create.name, name, HSCPT_NAME_BYTES);
	rc = arena_call(device, HSCPT_CREATE, &create);
	close(device);
	if (rc == 0)
		close(create.fd);
	return rc;
}

static void
test_names(void)
{
	static const char good[][HSCPT_NAME_BYTES] = { "a", "A-Z.0_9", "..",
		"1234567890123456789012345678901" };
	static const char bad[][HSCPT_NAME_BYTES] = { "", "a/b", "a b", "\377",
		"a\0b", "\n" };
	char full[HSCPT_NAME_BYTES];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ok(create_named(good[i], HSCPT_CREATE_PERSIST) == 0 &&
			create_named(good[i], HSCPT_CREATE_PERSIST) ==
			    -EEXIST &&
			arena_destroy(good[i]) == 0 &&
			arena_destroy(good[i]) == -ENOENT,
		    "the name \"%s\" lives until it is destroyed", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(create_named(bad[i], HSCPT_CREATE_PERSIST) == -EINVAL,
		    "bad name %zu is refused", i);
	memset(full, 'x', sizeof(full));
	ok(create_named(full, HSCPT_CREATE_PERSIST) == -EINVAL,
	    "a name without its NUL is refused");
	ok(create_named(good[0], 0) == -EINVAL,
	    "a name needs an arena that persists");
}

static void
test_lengths(void)
{
	static const uint64_t bad[] = { 0, 1, PAGE - 1, PAGE + 1, 1UL << 63,
		-PAGE, ~0UL };
	struct hscpt_create create;
	struct hscpt_info info;
	int device = arena_device();
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		create = (struct hscpt_create){ .size = sizeof(create),
			.bytes = bad[i] };
		wrong += arena_call(device, HSCPT_CREATE, &create) == 0;
	}
	ok(wrong == 0, "lengths that no arena can have are refused");
	arena_info(&info);
	create = (struct hscpt_create){ .size = sizeof(create),
		.bytes = info.max_bytes };
	ok(arena_call(device, HSCPT_CREATE, &create) == 0,
	    "%lu MiB of addresses cost no memory",
	    (unsigned long)(info.max_bytes >> 20));
	close(create.fd);
	close(device);
	ok(info.abi == HSCPT_ABI && info.page_bytes == PAGE &&
		info.reserved == 0 && info.narenas == 0,
	    "HSCPT_INFO: abi, page size, and no arena is left");
}

static void
test_mappings(void)
{
	struct world w;
	char *at;

	world_make(&w);
	at = (char *)w.a.at;
	ok(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, w.a.fd, 0) == MAP_FAILED &&
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, w.a.fd,
		    0) == MAP_FAILED,
	    "a private mapping of an arena is refused");
	ok(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, w.s.fd, 0) ==
		MAP_FAILED,
	    "a snapshot cannot be mapped for writing");
	ok(mremap(at, NPAGES * PAGE, 2 * NPAGES * PAGE, MREMAP_MAYMOVE) ==
		MAP_FAILED,
	    "mremap() makes no mapping longer");
	at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, w.s.fd, 0);
	ok(at != MAP_FAILED && mprotect(at, PAGE, PROT_READ | PROT_WRITE) < 0,
	    "a snapshot's mapping cannot be made writable");
	munmap(at, PAGE);
	world_end(&w);
}

static void
test_fork(void)
{
	unsigned char there;
	struct world w;
	int status;
	pid_t pid;

	world_make(&w);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(mincore(w.a.at, PAGE, &there) < 0 && errno == ENOMEM);
	must(waitpid(pid, &status, 0) == pid, "waitpid()");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1,
	    "fork() does not inherit a mapping");
	ok((fcntl(w.a.fd, F_GETFD) & fcntl(w.s.fd, F_GETFD) & FD_CLOEXEC) != 0,
	    "exec() does not inherit an arena or a snapshot");
	world_end(&w);
}

static void
test_sets(void)
{
	struct world w;
	int64_t n;

	world_make(&w);
	n = arena_harvest(&w.a, HSCPT_HARVEST_PEEK);
	ok(n == 3 && w.a.set[0] == 1 && w.a.set[1] == 1 && w.a.set[2] == 1,
	    "PEEK finds the three pages that were written: %ld", (long)n);
	ok(arena_harvest(&w.a, 0) == 3 && w.a.set[2] == 1,
	    "HARVEST finds them after a PEEK");
	ok(arena_harvest(&w.a, 0) == 0, "and not once more");
	contents[0] = w.a.at[0] + w.a.at[7 * WORDS];
	ok(arena_harvest(&w.a, 0) == 0, "reading modifies nothing");
	ok(snap_abort(&w.s) == 1 && arena_harvest(&w.a, 0) == 1 &&
		w.a.set[0] == 1 << 5,
	    "what an aborted snapshot had is modified again");
	ok(snap_abort(&w.s) == -ESTALE && snap_commit(&w.s, 1) == -ESTALE &&
		snap_bitmap(&w.s, NPAGES, bits) == -ESTALE &&
		pread(w.s.fd, contents, 1, 5 * PAGE) < 0 && errno == ESTALE,
	    "a closed snapshot is ESTALE");
	world_end(&w);
}

static void
test_reading(void)
{
	uint64_t off = 0;
	struct world w;

	world_make(&w);
	w.a.at[5 * WORDS] = 6;
	ok(pread(w.s.fd, contents, 8, 5 * PAGE) == 8 && contents[0] == 5,
	    "pread() reads what was");
	ok(pread(w.s.fd, contents, 3 * PAGE, 5 * PAGE + 100) == PAGE - 100,
	    "pread() ends with the pages of the set");
	ok(pread(w.s.fd, contents, 8, 6 * PAGE) < 0 && errno == ENODATA,
	    "pread() of a page that is not in the set is ENODATA");
	ok(pread(w.s.fd, contents, 8, NPAGES * PAGE) == 0 &&
		pread(w.s.fd, contents, 8, LONG_MAX - 4096) == 0,
	    "pread() at the end is 0");
	ok(snap_drain(&w.s, &off, NPAGES, contents, offsets) == 1 &&
		offsets[0] == 5 * PAGE && contents[0] == 5 &&
		off == NPAGES * PAGE,
	    "DRAIN hands the page out");
	off = 0;
	ok(snap_drain(&w.s, &off, NPAGES, contents, offsets) == 0,
	    "DRAIN hands it out once");
	ok(pread(w.s.fd, contents, 8, 5 * PAGE) < 0 && errno == ENODATA,
	    "what was forgotten is ENODATA");
	ok(snap_commit(&w.s, 77) == 0 && arena_harvest(&w.a, 0) == 4 &&
		set_has(w.a.set, 5),
	    "after COMMIT only what was written since is modified");
	world_end(&w);
}

static void
test_limit(void)
{
	struct hscpt_info info;
	struct snap *snaps;
	struct world w;
	uint32_t n = 1;

	arena_info(&info);
	snaps = calloc(info.max_snapshots + 1, sizeof(*snaps));
	must(snaps != NULL, "memory");
	world_make(&w);
	while (n <= info.max_snapshots && snap_take(&w.a, &snaps[n], 0) == 0)
		n++;
	ok(n == info.max_snapshots && snap_take(&w.a, &snaps[0], 0) == -EBUSY,
	    "%u snapshots may be open, no more", info.max_snapshots);
	while (n-- > 1)
		snap_close(&snaps[n]);
	ok(snap_take(&w.a, &snaps[0], 0) == 0 && snaps[0].got.npages == 3,
	    "the next has what the closed ones had: %lu pages",
	    (unsigned long)snaps[0].got.npages);
	snap_close(&snaps[0]);
	world_end(&w);
	free(snaps);
}

static int
attach_as_user(void)
{
	struct hscpt_attach attach = { .size = sizeof(attach), .name = "keep" };
	int device = arena_device();

	if (setgid(USER) != 0 || setuid(USER) != 0)
		return 1;
	if (arena_call(device, HSCPT_ATTACH, &attach) != -EPERM)
		return 2;
	return arena_destroy("keep") == -EPERM ? 0 : 3;
}

static void
test_persist(void)
{
	struct hscpt_attach got;
	struct arena a;
	struct snap s;
	int status;

	chmod(HSCPT_DEVICE, 0666);
	must(arena_create(&a, NPAGES, HSCPT_CREATE_PERSIST, "keep") == 0,
	    "HSCPT_CREATE");
	a.at[0] = 10;
	a.at[70 * WORDS] = 11;
	must(snap_take(&a, &s, 0) == 0 && snap_commit(&s, 4711) == 0,
	    "a snapshot");
	snap_close(&s);
	a.at[99 * WORDS] = 12;
	ok(arena_attach(&a, "keep", &got) == -EBUSY, "an open arena is EBUSY");
	arena_close(&a);
	fflush(stdout);
	if (fork() == 0)
		_exit(attach_as_user());
	wait(&status);
	ok(status == 0, "another user may neither attach nor destroy: %#x",
	    status);
	ok(arena_attach(&a, "none", &got) == -ENOENT, "no such name: ENOENT");
	must(arena_attach(&a, "keep", &got) == 0, "HSCPT_ATTACH");
	ok(got.gen == 1 && got.committed == 1 && got.cookie == 4711,
	    "ATTACH says the last commit");
	ok(a.at[0] == 10 && a.at[70 * WORDS] == 11 && a.at[99 * WORDS] == 12,
	    "the contents outlive the descriptors");
	ok(arena_harvest(&a, 0) == 1 && set_has(a.set, 99), "so does the set");
	must(arena_destroy("keep") == 0, "HSCPT_DESTROY");
	a.at[1] = 1;
	ok(arena_harvest(&a, 0) == 1,
	    "a destroyed arena lives while it is open");
	arena_close(&a);
}

static void
test_unload(void)
{
	struct arena a;
	struct snap s;
	void *at;

	must(arena_create(&a, 4, 0, NULL) == 0, "HSCPT_CREATE");
	ok(syscall(SYS_delete_module, "hscpt", O_NONBLOCK) < 0 &&
		(errno == EWOULDBLOCK || errno == EBUSY),
	    "the module stays while an arena is open");
	a.at[0] = 1;
	must(snap_take(&a, &s, 0) == 0, "HSCPT_SNAPSHOT");
	at = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, s.fd, 0);
	arena_close(&a);
	ok(syscall(SYS_delete_module, "hscpt", O_NONBLOCK) < 0,
	    "and while a snapshot is");
	ok(pread(s.fd, contents, 8, 0) == 8 && contents[0] == 1,
	    "a snapshot outlives the arena's descriptors");
	snap_close(&s);
	ok(syscall(SYS_delete_module, "hscpt", O_NONBLOCK) < 0,
	    "and while one is mapped");
	munmap(at, 4 * PAGE);
	must(arena_create(&a, 1, HSCPT_CREATE_PERSIST, "p") == 0, "CREATE");
	arena_close(&a);
	ok(syscall(SYS_delete_module, "hscpt", O_NONBLOCK) < 0,
	    "and while one has a name");
	must(arena_destroy("p") == 0, "HSCPT_DESTROY");
}

int
main(void)
{
	for (size_t i = 0; i < NCALLS; i++) {
		test_sizes(&calls[i]);
		test_flags(&calls[i]);
		test_pointers(&calls[i]);
		if (calls[i].range)
			test_range(&calls[i]);
	}
	test_numbers();
	test_names();
	test_lengths();
	test_mappings();
	test_fork();
	test_sets();
	test_reading();
	test_limit();
	test_persist();
	test_unload();
	return tap_end();
}
