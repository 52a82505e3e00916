/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/dirty.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "mem/arena.h"

#define SCRATCH_PAGES 16u
#define SCRATCH_BYTES ((size_t)SCRATCH_PAGES * HS_ARENA_PAGE_BYTES)
#define SCRATCH_WRITTEN 5u
#define SCRATCH_OFF ((size_t)SCRATCH_WRITTEN * HS_ARENA_PAGE_BYTES)

struct hs_dirty {
	const struct hs_dirty_ops *ops;
	void *priv;
	pthread_mutex_t lock;
	char passed[256];	/* why "auto" did not take a better one */
};

/* In the order in which "auto" tries them. */
static const struct hs_dirty_ops *const backends[] = {
	&hs_dirty_kmod,
	&hs_dirty_wpa,
	&hs_dirty_full,
};

#define NBACKENDS (sizeof(backends) / sizeof(backends[0]))

/* ---- the round trip ---- */

/* Memory of the kind that will be tracked; MAP_FAILED and errno. */
static void *
map_scratch(bool fresh)
{
	void *p;
	int err, fd;

	if (fresh)
		return mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fd = memfd_create("hs-probe", MFD_CLOEXEC);
	if (fd < 0)
		return MAP_FAILED;
	p = ftruncate(fd, (off_t)SCRATCH_BYTES) < 0
	    ? MAP_FAILED
	    : mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		  0);
	err = errno;
	(void)close(fd);
	errno = err;
	return p;
}

/* Is a collect with nothing written empty, and one with a page that page? */
static int
collect_twice(const struct hs_dirty_ops *ops, void *priv, uint8_t *base,
    struct hs_pageset *set)
{
	size_t page;
	int rc;

	rc = ops->arm(priv, SCRATCH_BYTES);
	if (rc < 0)
		return rc;
	do
		rc = ops->settle == NULL ? 0 : ops->settle(priv);
	while (rc == 1);
	if (rc == 0)
		rc = ops->collect(priv, set);
	if (rc < 0)
		return rc;
	if (hs_pageset_count(set) != 0)
		return HS_ETRACK;
	*(volatile uint8_t *)(base + SCRATCH_OFF) = 1;
	rc = ops->collect(priv, set);
	if (rc < 0)
		return rc;
	return hs_pageset_count(set) == 1 && hs_pageset_next(set, 0, &page) &&
		page == SCRATCH_WRITTEN
	    ? 0
	    : HS_ETRACK;
}

static int
probe_backend(const struct hs_dirty_ops *ops, bool fresh, char *why,
    size_t why_size)
{
	struct hs_dirty_range r = { .len = SCRATCH_BYTES, .fresh = fresh };
	struct hs_pageset *set = NULL;
	void *priv;
	int rc;

	if (ops->abi != HS_DIRTY_ABI)
		return HS_ETRACK;
	r.base = map_scratch(fresh);
	if (r.base == MAP_FAILED)
		return -errno;
	if (!fresh)
		r.used = SCRATCH_BYTES;
	rc = hs_pageset_create(&set, SCRATCH_PAGES);
	if (rc == 0)
		rc = ops->open(&priv, &r, why, why_size);
	if (rc == 0) {
		rc = collect_twice(ops, priv, r.base, set);
		if (rc < 0)
			(void)snprintf(why, why_size,
			    "tracker %s is there but does not find what was"
			    " written (%d); use tracker=full",
			    ops->name, rc);
		ops->close(priv);
	}
	hs_pageset_destroy(set);
	(void)munmap(r.base, SCRATCH_BYTES);
	return rc;
}

/* ---- choice ---- */

/* Probe, unless it is the oracle, which reports all by design; then open. */
static int
try_backend(struct hs_dirty *d, const struct hs_dirty_ops *ops,
    const struct hs_dirty_range *r, char *why, size_t why_size)
{
	int rc = 0;

	if (ops != &hs_dirty_full)
		rc = probe_backend(ops, r->fresh, why, why_size);
	if (rc == 0)
		rc = ops->open(&d->priv, r, why, why_size);
	if (rc == 0)
		d->ops = ops;
	return rc;
}

static int
choose_backend(struct hs_dirty *d, const char *name,
    const struct hs_dirty_range *r, char *why, size_t why_size)
{
	bool any = name == NULL || strcmp(name, "auto") == 0;
	int rc = HS_EMISUSE;
	size_t i;

	for (i = 0; i < NBACKENDS; i++) {
		if (!any && strcmp(name, backends[i]->name) != 0)
			continue;
		if (any && backends[i]->prefer != NULL &&
		    backends[i]->prefer(r, why, why_size) < 0)
			continue;
		rc = try_backend(d, backends[i], r, why, why_size);
		if (rc == 0 || rc == -ENOMEM)
			return rc;
	}
	if (rc == HS_EMISUSE)
		(void)snprintf(why, why_size,
		    "no tracker is called \"%s\"; there are auto, kmod, wpa,"
		    " full",
		    name);
	return rc == HS_EMISUSE ? rc : HS_ETRACK;
}

int
hs_dirty_create(struct hs_dirty **out, const char *name,
    const struct hs_dirty_range *r, char *why, size_t why_size)
{
	struct hs_dirty *d;
	int rc;

	if (why_size != 0)
		why[0] = '\0';
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	rc = choose_backend(d, name, r, why, why_size);
	if (rc < 0) {
		free(d);
		return rc;
	}
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)snprintf(d->passed, sizeof(d->passed), "%s", why);
	*out = d;
	return 0;
}

void
hs_dirty_destroy(struct hs_dirty *d)
{
	if (d == NULL)
		return;
	d->ops->close(d->priv);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
}

int
hs_dirty_arm(struct hs_dirty *d, size_t len)
{
	int rc;

	(void)pthread_mutex_lock(&d->lock);
	rc = d->ops->arm(d->priv, len);
	(void)pthread_mutex_unlock(&d->lock);
	return rc;
}

int
hs_dirty_collect(struct hs_dirty *d, struct hs_pageset *out)
{
	int rc;

	(void)pthread_mutex_lock(&d->lock);
	rc = d->ops->collect(d->priv, out);
	(void)pthread_mutex_unlock(&d->lock);
	return rc;
}

int
hs_dirty_settle(struct hs_dirty *d)
{
	int rc;

	if (d->ops->settle == NULL)
		return 0;
	(void)pthread_mutex_lock(&d->lock);
	rc = d->ops->settle(d->priv);
	(void)pthread_mutex_unlock(&d->lock);
	return rc;
}

const char *
hs_dirty_name(const struct hs_dirty *d)
{
	return d->ops->name;
}

const char *
hs_dirty_passed(const struct hs_dirty *d)
{
	return d->passed;
}

void
hs_dirty_epoch(struct hs_dirty *d, uint64_t epoch)
{
	if (d->ops->epoch == NULL)
		return;
	(void)pthread_mutex_lock(&d->lock);
	d->ops->epoch(d->priv, epoch);
	(void)pthread_mutex_unlock(&d->lock);
}

int64_t
hs_dirty_warm(const struct hs_dirty *d)
{
	return d->ops->warm != NULL ? d->ops->warm(d->priv) : -1;
}

bool
hs_dirty_can_cut(const struct hs_dirty *d)
{
	return d->ops->cut_begin != NULL;
}

int
hs_dirty_cut_begin(struct hs_dirty *d, struct hs_pageset *out)
{
	int rc;

	(void)pthread_mutex_lock(&d->lock);
	rc = d->ops->cut_begin(d->priv, out);
	(void)pthread_mutex_unlock(&d->lock);
	return rc;
}

/* Without the lock: it may take milliseconds, and arm() must not wait. */
int
hs_dirty_cut_read(struct hs_dirty *d, const uint32_t *page, uint8_t *const *buf,
    size_t n)
{
	if (hs_fault(HS_FAULT_CUT_STALE))
		return -ESTALE;
	return d->ops->cut_read(d->priv, page, buf, n);
}

int
hs_dirty_cut_end(struct hs_dirty *d, bool arrived)
{
	int rc;

	(void)pthread_mutex_lock(&d->lock);
	rc = d->ops->cut_end(d->priv, arrived);
	(void)pthread_mutex_unlock(&d->lock);
	return rc;
}
