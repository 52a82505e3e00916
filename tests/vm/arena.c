/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vm/arena.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/vm/tap.h"

int
arena_call(int fd, unsigned long call, void *arg)
{
	return ioctl(fd, call, arg) < 0 ? -errno : 0;
}

int
arena_device(void)
{
	int fd = open(HSCPT_DEVICE, O_RDWR | O_CLOEXEC);

	must(fd >= 0, "open(%s)", HSCPT_DEVICE);
	return fd;
}

void
arena_info(struct hscpt_info *info)
{
	int fd = arena_device();

	*info = (struct hscpt_info){ .size = sizeof(*info) };
	must(arena_call(fd, HSCPT_INFO, info) == 0, "HSCPT_INFO");
	close(fd);
}

static void
map_arena(struct arena *a)
{
	a->at = arena_map(a);
	a->set = calloc(BITMAP_WORDS(a->npages), sizeof(*a->set));
	must(a->set != NULL, "calloc()");
}

int
arena_create(struct arena *a, uint64_t npages, uint32_t flags, const char *name)
{
	struct hscpt_create create = { .size = sizeof(create),
		.flags = flags,
		.bytes = npages * PAGE };
	int device = arena_device();
	int rc;

	if (name != NULL)
		snprintf(create.name, sizeof(create.name), "%s", name);
	rc = arena_call(device, HSCPT_CREATE, &create);
	close(device);
	if (rc < 0)
		return rc;
	*a = (struct arena){ .fd = create.fd, .npages = npages };
	map_arena(a);
	return 0;
}

int
arena_attach(struct arena *a, const char *name, struct hscpt_attach *got)
{
	int device = arena_device();
	int rc;

	*got = (struct hscpt_attach){ .size = sizeof(*got) };
	snprintf(got->name, sizeof(got->name), "%s", name);
	rc = arena_call(device, HSCPT_ATTACH, got);
	close(device);
	if (rc < 0)
		return rc;
	*a = (struct arena){ .fd = got->fd, .npages = got->bytes / PAGE };
	map_arena(a);
	return 0;
}

int
arena_destroy(const char *name)
{
	struct hscpt_destroy destroy = { .size = sizeof(destroy) };
	int device = arena_device();
	int rc;

	snprintf(destroy.name, sizeof(destroy.name), "%s", name);
	rc = arena_call(device, HSCPT_DESTROY, &destroy);
	close(device);
	return rc;
}

void *
arena_map(const struct arena *a)
{
	void *at = mmap(NULL, a->npages * PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED, a->fd, 0);

	must(at != MAP_FAILED, "mmap() of %lu pages", a->npages);
	return at;
}

void
arena_close(struct arena *a)
{
	munmap(a->at, a->npages * PAGE);
	free(a->set);
	close(a->fd);
}

int64_t
arena_harvest(struct arena *a, uint32_t flags)
{
	struct hscpt_harvest harvest = { .size = sizeof(harvest),
		.flags = flags,
		.bitmap = (uintptr_t)a->set };
	int rc = arena_call(a->fd, HSCPT_HARVEST, &harvest);

	return rc < 0 ? rc : (int64_t)harvest.ndirty;
}

int
arena_populate(struct arena *a, uint64_t page, uint64_t npages)
{
	struct hscpt_populate populate = { .size = sizeof(populate),
		.off = page * PAGE,
		.len = npages * PAGE };

	return arena_call(a->fd, HSCPT_POPULATE, &populate);
}

void
arena_stat(const struct arena *a, struct hscpt_stat *stat)
{
	*stat = (struct hscpt_stat){ .size = sizeof(*stat) };
	must(arena_call(a->fd, HSCPT_STAT, stat) == 0, "HSCPT_STAT");
}

int
snap_take(const struct arena *a, struct snap *s, uint32_t flags)
{
	int rc;

	s->got =
	    (struct hscpt_snapshot){ .size = sizeof(s->got), .flags = flags };
	rc = arena_call(a->fd, HSCPT_SNAPSHOT, &s->got);
	s->fd = rc < 0 ? -1 : s->got.fd;
	return rc;
}

int
snap_bitmap(const struct snap *s, uint64_t npages, uint64_t *set)
{
	struct hscpt_snap_bitmap bitmap = { .size = sizeof(bitmap),
		.len = npages * PAGE,
		.bitmap = (uintptr_t)set };

	return arena_call(s->fd, HSCPT_SNAP_BITMAP, &bitmap);
}

int64_t
snap_drain(const struct snap *s, uint64_t *off, uint64_t max, void *pages,
    uint64_t *offsets)
{
	struct hscpt_snap_drain drain = { .size = sizeof(drain),
		.off = *off,
		.max_pages = max,
		.pages = (uintptr_t)pages,
		.offsets = (uintptr_t)offsets };
	int rc = arena_call(s->fd, HSCPT_SNAP_DRAIN, &drain);

	if (rc < 0)
		return rc;
	*off = drain.next;
	return (int64_t)drain.npages;
}

int
snap_commit(struct snap *s, uint64_t cookie)
{
	struct hscpt_snap_commit commit = { .size = sizeof(commit),
		.cookie = cookie };

	return arena_call(s->fd, HSCPT_SNAP_COMMIT, &commit);
}

int64_t
snap_abort(struct snap *s)
{
	struct hscpt_snap_abort abort = { .size = sizeof(abort) };
	int rc = arena_call(s->fd, HSCPT_SNAP_ABORT, &abort);

	return rc < 0 ? rc : (int64_t)abort.nputback;
}

void
snap_status(const struct snap *s, struct hscpt_snap_status *status)
{
	*status = (struct hscpt_snap_status){ .size = sizeof(*status) };
	must(arena_call(s->fd, HSCPT_SNAP_STATUS, status) == 0,
	    "HSCPT_SNAP_STATUS");
}

void
snap_close(struct snap *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
