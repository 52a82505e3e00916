/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fdhigh.h"
#include "base/why.h"
#include "ckpt/extra.h"
#include "ckpt/impl.h"
#include "ckpt/ident.h"
#include "ckpt/link.h"
#include "ckpt/worker.h"
#include "state/clock.h"
#include "state/signal.h"

#define DEFAULT_ARENA_BYTES ((size_t)1 << 30)
#define DEFAULT_INFLIGHT_BYTES ((size_t)64 << 20)
/*
 * A page without its twin is sent whole: some 4096 bytes instead of some 50.
 * So twins may take several times what is in flight.
 */
#define TWINS_PER_INFLIGHT 4
/* Page numbers of the wire format have 32 bits, addresses 47. */
#define MAX_ARENA_BYTES ((size_t)1 << 44)
#define END_OF_ADDRESSES ((uintptr_t)1 << 47)
#define PROBE_BYTES HS_ARENA_EXTENT_BYTES

/* The options as they are meant, defaults filled in. */
struct plan {
	struct hs_arena_geometry geometry;
	size_t inflight_bytes;
	const char *tracker;	/* borrowed */
};

struct report {
	char *why;
	size_t size;
};

static int
refuse(struct report *r, int rc, const char *text)
{
	(void)snprintf(r->why, r->size, "%s", text);
	return rc;
}

/* The caller's options as this library knows them. */
static int
read_options(struct hs_options *o, const struct hs_options *given,
    struct report *r)
{
	const uint8_t *bytes = (const uint8_t *)given;

	*o = (struct hs_options)HS_OPTIONS;
	if (given == NULL)
		return 0;
	if (given->size < offsetof(struct hs_options, arena_bytes) ||
	    given->size > 4096)
		return refuse(r, HS_EMISUSE,
		    "hsinit: options.size is not set: "
		    "begin with struct hs_options o = HS_OPTIONS");
	for (size_t i = sizeof(*o); i < given->size; i++)
		if (bytes[i] != 0)
			return refuse(r, HS_EMISUSE,
			    "hsinit: the program sets "
			    "options that this libhotspare does not know: "
			    "install the one that it was built with");
	memcpy(o, given, given->size < sizeof(*o) ? given->size : sizeof(*o));
	return 0;
}

static int
make_plan(struct plan *p, const struct hs_options *o, struct report *r)
{
	const size_t unit = HS_ARENA_EXTENT_BYTES;
	size_t bytes = o->arena_bytes;
	uintptr_t base = o->arena_base;

	if (bytes == 0)
		bytes = DEFAULT_ARENA_BYTES;
	if (base == 0)
		base = HS_ARENA_DEFAULT_BASE;
	if (bytes > MAX_ARENA_BYTES)
		return refuse(r, HS_EMISUSE,
		    "hsinit: arena_bytes is above 16 TiB");
	bytes = (bytes + unit - 1) / unit * unit;
	if (base % unit != 0 || base > END_OF_ADDRESSES - bytes)
		return refuse(r, HS_EMISUSE,
		    "hsinit: arena_base must be a "
		    "multiple of 2 MiB with arena_bytes of addresses above it");
	*p = (struct plan){
		.geometry = { .base = base, .bytes = bytes },
		.inflight_bytes = o->inflight_bytes != 0
		    ? o->inflight_bytes
		    : DEFAULT_INFLIGHT_BYTES,
		.tracker = o->tracker,
	};
	return 0;
}

static int
init_locks(struct hs_ckpt *c)
{
	pthread_condattr_t attr;
	int rc;

	rc = pthread_condattr_init(&attr);
	if (rc != 0)
		return -rc;
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(&c->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (rc != 0)
		return -rc;
	/* With default attributes these cannot fail. */
	(void)pthread_mutex_init(&c->seal, NULL);
	(void)pthread_mutex_init(&c->cut, NULL);
	(void)pthread_mutex_init(&c->io, NULL);
	(void)pthread_mutex_init(&c->lock, NULL);
	return 0;
}

/* A ckpt that hs_start_undo() takes, and nothing more. */
static int
create_ckpt(struct hs_ckpt **out)
{
	struct hs_ckpt *c;
	int rc;

	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->link_fd = c->wake_fd = c->event_fd = c->drive_fd = -1;
	c->role.data_fd = c->xport_fd = -1;
	c->queue_tail = &c->queue;
	rc = init_locks(c);
	if (rc < 0) {
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void
hs_start_undo(struct hs_ckpt **cp)
{
	struct hs_ckpt *c = *cp;
	struct hs_seal_snap *s;

	if (c->twin != NULL)
		hs_send_break(c);
	while ((s = c->idle) != NULL) {
		c->idle = s->next;
		hs_seal_free(s);
	}
	hs_send_fini(c);
	hs_extra_fini(c);
	if (c->dirty != NULL)
		hs_dirty_destroy(c->dirty);
	if (c->set != NULL)
		hs_pageset_destroy(c->set);
	if (c->twin != NULL)
		hs_twin_destroy(c->twin);
	if (c->arena != NULL)
		hs_arena_destroy(c->arena);
	if (c->role.data_fd >= 0)
		(void)close(c->role.data_fd);
	if (c->link_fd >= 0)
		(void)close(c->link_fd);
	if (c->wake_fd >= 0)
		(void)close(c->wake_fd);
	if (c->drive_fd >= 0)
		(void)close(c->drive_fd);
	if (c->event_fd >= 0)
		(void)close(c->event_fd);
	(void)pthread_mutex_destroy(&c->seal);
	(void)pthread_mutex_destroy(&c->cut);
	(void)pthread_mutex_destroy(&c->io);
	(void)pthread_mutex_destroy(&c->lock);
	(void)pthread_cond_destroy(&c->changed);
	free(c);
	*cp = NULL;
}

/*
 * Does tracking work here?  Asked on a scratch range at once, so that a spare
 * says so when it starts and not when it is needed.
 */
static int
probe_tracker(const struct plan *p, char name[16], struct report *r)
{
	struct hs_dirty_range scratch = { .len = PROBE_BYTES, .fresh = true };
	struct hs_dirty *d;
	int rc;

	scratch.base = mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (scratch.base == MAP_FAILED)
		return -ENOMEM;
	rc = hs_dirty_create(&d, p->tracker, &scratch, r->why, r->size);
	if (rc == 0) {
		(void)snprintf(name, 16, "%s", hs_dirty_name(d));
		hs_dirty_destroy(d);
		r->why[0] = '\0';
	}
	(void)munmap(scratch.base, PROBE_BYTES);
	return rc;
}

static int
open_event(void)
{
	return hs_fdhigh_move(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* All that takes time or may fail, before this process's turn comes. */
static int
prepare_stream(struct hs_ckpt *c, const struct plan *p)
{
	const size_t npages = p->geometry.bytes / HS_ARENA_PAGE_BYTES;
	size_t twin_bytes = p->inflight_bytes;
	int rc;

	if (twin_bytes <= SIZE_MAX / TWINS_PER_INFLIGHT)
		twin_bytes *= TWINS_PER_INFLIGHT;
	c->inflight_bound = p->inflight_bytes;
	c->wake_fd = open_event();
	c->drive_fd = open_event();
	if (c->wake_fd < 0 || c->drive_fd < 0)
		return -errno;
	rc = hs_pageset_create(&c->set, npages);
	if (rc == 0)
		rc = hs_twin_create(&c->twin, npages, twin_bytes);
	if (rc == 0)
		rc = hs_send_init(c);
	return rc;
}

static uint32_t
peer_pid(int fd)
{
	struct ucred u = { .pid = 0 };
	socklen_t len = sizeof(u);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) < 0)
		return 0;
	return (uint32_t)u.pid;
}

static void
assume_role(struct hs_ckpt *c, const struct hs_msg_head *h,
    const struct hs_msg_go *go)
{
	c->role.term = h->term;
	c->role.base_epoch = h->epoch;
	c->role.nodeid = go->nodeid;
	c->role.min_spares = go->min_spares;
	c->role.transport = go->transport;
	c->role.peer_pid = peer_pid(c->link_fd);
	memcpy(c->role.base_digest, go->digest, sizeof(go->digest));
	memcpy(c->role.group, go->group, sizeof(go->group));
	hs_ack_init(&c->ack, go->nodeid, go->min_spares);
	c->sealed = c->sent = c->held = h->epoch;
	c->send.base_epoch = h->epoch;
	memcpy(c->send.lineage, go->digest, sizeof(go->digest));
	/* A fresh start has no image to make a delta on. */
	c->want_full = go->restored == 0;
	c->protection = HS_BLOCKED;
	c->state = HS_CKPT_JOINING;
}

static int
grow_armed(void *arg, size_t used_bytes)
{
	struct hs_ckpt *c = arg;

	return hs_dirty_arm(c->dirty, used_bytes);
}

/*
 * Track the arena, all of whose used pages count as clean from now on.  What
 * became of memory that is to be kept is an operator's to know.
 */
static int
start_tracking(struct hs_ckpt *c, const struct plan *p,
    const struct hs_msg_go *go, struct report *r)
{
	const struct hs_dirty_keep keep = {
		.name = go->keep,
		.term = c->role.term,
		.epoch = c->role.base_epoch,
		.warm_term = go->warm_term,
	};
	const struct hs_dirty_range all = {
		.base = hs_arena_base(c->arena),
		.len = hs_arena_bytes(c->arena),
		.used = hs_arena_used(c->arena),
		.fresh = go->restored == 0,
		.keep = go->keep[0] != '\0' ? &keep : NULL,
	};
	int rc;

	rc = hs_dirty_create(&c->dirty, p->tracker, &all, r->why, r->size);
	if (rc == 0)
		rc = hs_dirty_arm(c->dirty, hs_arena_used(c->arena));
	if (rc < 0)
		return rc;
	r->why[0] = '\0';
	if (all.keep != NULL && hs_dirty_passed(c->dirty)[0] != '\0')
		hs_link_note(c->link_fd, hs_dirty_passed(c->dirty));
	hs_arena_on_grow(c->arena, grow_armed, c);
	return 0;
}

static int
check_go(const struct hs_msg_go *go, const int fds[2], struct report *r)
{
	const int want =
	    (go->restored != 0) + (go->transport == HS_TRANSPORT_UNIX);
	const int got = (fds[0] >= 0) + (fds[1] >= 0);

	if (want == got)
		return 0;
	return refuse(r, HS_EAGENT,
	    "hs-agent handed over too few descriptors: "
	    "raise its limit of open files (ulimit -n)");
}

/* Take up the image, or begin with nothing.  HS_FRESH, HS_RESTORED, error. */
static int
fill_arena(struct hs_ckpt *c, const struct hs_msg_go *go, int image)
{
	int rc;

	if (go->restored == 0) {
		rc = hs_arena_format(c->arena);
		return rc < 0 ? rc : HS_FRESH;
	}
	rc = hs_arena_restore(c->arena, image, go->used_bytes);
	return rc < 0 ? rc : HS_RESTORED;
}

/* hsinit() has the line printed to where it is already. */
static int
refuse_extra(int rc, struct report *r)
{
	if (rc < 0 && r->why != hs_why_line())
		(void)refuse(r, rc, hs_why_line());
	return rc;
}

static int
await_turn(struct hs_ckpt *c, const struct plan *p, struct report *r)
{
	struct hs_msg_head h;
	struct hs_msg_go go;
	int fds[2], rc, found;

	rc = hs_link_await_go(c->link_fd, &h, &go, fds, r->why, r->size);
	if (rc < 0)
		return rc;
	if (go.transport == HS_TRANSPORT_UNIX)
		c->role.data_fd = hs_fdhigh_move(fds[go.restored != 0]);
	rc = check_go(&go, fds, r);
	if (rc == 0)
		rc = found = fill_arena(c, &go, fds[0]);
	if (go.restored != 0 && fds[0] >= 0)
		(void)close(fds[0]);
	if (rc < 0)
		return rc;
	assume_role(c, &h, &go);
	/* First, as a restore may write: the next spare is to learn of it. */
	rc = start_tracking(c, p, &go, r);
	/* Before the worker opens its own: low numbers are free (fdhigh.h). */
	if (rc == 0 && found == HS_RESTORED)
		rc = refuse_extra(hs_extra_restore(c), r);
	if (rc == 0)
		rc = refuse_extra(hs_extra_begin(c), r);
	if (rc == 0)
		rc = hs_worker_start(c);
	if (rc == 0)
		rc = hs_link_running(c->link_fd, c->role.term);
	if (rc < 0)
		hs_worker_stop(c);
	return rc < 0 ? rc : found;
}

/* hs-agent has the kernel place all processes alike (--no-aslr). */
static bool
is_placed(void)
{
	/* hsinit() runs alone: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *aslr = getenv("HOTSPARE_ASLR");

	return aslr != NULL && strcmp(aslr, "off") == 0;
}

static int
start_protected(struct hs_ckpt *c, const struct plan *p, struct report *r)
{
	struct hs_msg_hello m = {
		.pid = (uint32_t)getpid(),
		.arena_base = p->geometry.base,
		.arena_bytes = p->geometry.bytes,
	};
	int rc;

	rc = probe_tracker(p, m.tracker, r);
	if (rc == 0)
		rc = prepare_stream(c, p);
	if (rc == 0)
		rc = hs_ident_build(m.build, is_placed());
	if (rc < 0)
		return rc;
	(void)snprintf(m.version, sizeof(m.version), "%d.%d.%d",
	    HS_VERSION_MAJOR, HS_VERSION_MINOR, HS_VERSION_PATCH);
	rc = hs_link_hello(c->link_fd, &m);
	return rc < 0 ? rc : await_turn(c, p, r);
}

static int
start_arena(struct hs_ckpt *c, const struct plan *p, struct report *r)
{
	int rc;

	c->event_fd = open_event();
	if (c->event_fd < 0)
		return -errno;
	rc = hs_arena_create(&c->arena, &p->geometry, r->why, r->size);
	if (rc < 0)
		return rc;
	if (c->link_fd >= 0)
		return start_protected(c, p, r);
	rc = hs_arena_format(c->arena);
	if (rc == 0)
		rc = refuse_extra(hs_extra_begin(c), r);
	return rc < 0 ? rc : HS_FRESH;
}

int
hs_start_run(struct hs_ckpt **out, const struct hs_options *opt, char *why,
    size_t why_size)
{
	struct report r = { .why = why, .size = why_size };
	struct hs_options o;
	struct hs_ckpt *c;
	struct plan p;
	int rc;

	why[0] = '\0';
	hs_signal_home();
	rc = create_ckpt(&c);
	if (rc < 0)
		return refuse(&r, rc, hs_err_text(rc));
	rc = c->link_fd = hs_link_inherit(why, why_size);
	if (rc >= -1)
		rc = read_options(&o, opt, &r);
	if (rc == 0)
		rc = make_plan(&p, &o, &r);
	if (rc == 0)
		rc = start_arena(c, &p, &r);
	if (rc >= 0) {
		hs_clock_begin();
		if (c->dirty != NULL)
			(void)snprintf(why, why_size, "%s",
			    hs_dirty_passed(c->dirty));
		*out = c;
		return rc;
	}
	if (why[0] == '\0')
		(void)snprintf(why, why_size, "hsinit: %s", hs_err_text(rc));
	if (c->link_fd >= 0)
		hs_link_failed(c->link_fd, why);
	hs_start_undo(&c);
	return rc;
}
