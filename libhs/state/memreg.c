/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/memreg.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/maps.h"
#include "base/rd.h"
#include "base/why.h"
#include "base/wr.h"
#include "state/shadow.h"

#define VERSION 1
#define REC_BYTES 56
#define DAMAGED                                                                \
	"a record of registered memory is damaged: the program wrote outside " \
	"its allocations before the checkpoint"

struct area {
	struct area *next;
	char name[HS_MEMREG_NAME_BYTES];
	uint8_t *live;
	size_t len;
	uint8_t *shadow; /* NULL: waits */
	uint64_t key; /* of its record, if it has a shadow */
};

/* A record, read. */
struct entry {
	uint64_t key;
	char name[HS_MEMREG_NAME_BYTES];
	size_t len;
	uint8_t *shadow;
};

/* By the order of registration.  The lock is taken after the seal lock. */
static struct area *areas;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- records ---- */

static int
decode_entry(const struct hs_store *s, const struct hs_store_rec *rec,
    struct entry *e)
{
	const struct hs_store_mem *mem = hs_store_mem(s);
	struct hs_rd r;
	uint64_t len;

	hs_rd_init(&r, rec->bytes, rec->len);
	hs_rd_require(&r, hs_rd_u16(&r) == VERSION);
	hs_rd_zeros(&r, 6);
	hs_rd_text(&r, e->name, sizeof(e->name));
	hs_rd_require(&r, e->name[0] != '\0');
	len = hs_rd_u64(&r);
	e->key = rec->key;
	e->len = (size_t)len;
	e->shadow = (uint8_t *)(uintptr_t)hs_rd_u64(&r);
	if (hs_rd_end(&r) < 0 || len == 0 ||
	    !mem->has(mem->arg, e->shadow, e->len))
		return hs_why(HS_ECORRUPT, DAMAGED);
	return 0;
}

/* The entry with the smallest key >= key: 1, 0 if none is left, or negative. */
static int
next_entry(const struct hs_store *s, uint64_t key, struct entry *e)
{
	struct hs_store_rec rec;
	int rc;

	rc = hs_store_next(s, HS_STORE_MEMORY, key, &rec);
	if (rc == 1 && decode_entry(s, &rec, e) < 0)
		return HS_ECORRUPT;
	return rc;
}

/* 1, 0 if there is none, or negative. */
static int
find_entry(const struct hs_store *s, const char *name, struct entry *e)
{
	int rc;

	for (uint64_t key = 0; (rc = next_entry(s, key, e)) == 1;
	     key = e->key + 1)
		if (strcmp(e->name, name) == 0)
			return 1;
	return rc;
}

static int
free_key(const struct hs_store *s, uint64_t *key)
{
	struct entry e;
	int rc;

	for (*key = 0; (rc = next_entry(s, *key, &e)) == 1; ++*key)
		if (e.key != *key)
			return 0;
	return rc;
}

static int
put_entry(struct hs_store *s, const struct area *a)
{
	uint8_t buf[REC_BYTES];
	struct hs_wr w;
	int rc;

	hs_wr_init(&w, buf, sizeof(buf));
	hs_wr_u16(&w, VERSION);
	hs_wr_zeros(&w, 6);
	hs_wr_text(&w, a->name, sizeof(a->name));
	hs_wr_u64(&w, a->len);
	hs_wr_u64(&w, (uintptr_t)a->shadow);
	rc = hs_wr_end(&w);
	assert(rc == REC_BYTES);
	return hs_store_put(s, HS_STORE_MEMORY, a->key, buf, (size_t)rc);
}

/* ---- what is refused ---- */

static bool
is_name(const char *name)
{
	const size_t n = strnlen(name, HS_MEMREG_NAME_BYTES);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return false;
	return n > 0 && n < HS_MEMREG_NAME_BYTES;
}

static int
check_name(const char *name)
{
	if (name != NULL && is_name(name))
		return 0;
	return hs_why(HS_EMISUSE,
	    "hsmemreg: a name has 1 to %d bytes, and no control characters",
	    HS_MEMREG_NAME_BYTES - 1);
}

/* What of an area is mapped as it must be. */
struct cover {
	uintptr_t at, end; /* still to be seen */
	bool readonly;
};

static int
cover_more(void *arg, const struct hs_maps_entry *e)
{
	struct cover *c = arg;

	if (e->to <= c->at)
		return 0;
	if (e->from > c->at)
		return 1; /* a hole */
	c->readonly = !e->readable || !e->writable;
	if (c->readonly)
		return 1;
	c->at = e->to;
	return c->at >= c->end;
}

static int
check_mapped(const char *name, const void *p, size_t len)
{
	struct cover c = { .at = (uintptr_t)p, .end = (uintptr_t)p + len };
	int rc;

	if (p == NULL || len == 0 || c.end < c.at)
		return hs_why(HS_EMISUSE,
		    "hsmemreg: \"%s\" is no memory: %zu bytes at %p", name, len,
		    p);
	rc = hs_maps_each(cover_more, &c);
	if (rc < 0)
		return hs_why(rc,
		    "hsmemreg: cannot read /proc/self/maps: mount /proc");
	if (c.at >= c.end)
		return 0;
	return hs_why(HS_EMISUSE,
	    c.readonly ? "hsmemreg: \"%s\" cannot be written at %#zx: what is "
			 "constant needs no registration"
		       : "hsmemreg: \"%s\" has no memory at %#zx: register "
			 "what is allocated, and as long as it is",
	    name, (size_t)c.at);
}

static int
check_others(const char *name, const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (const struct area *a = areas; a != NULL; a = a->next, n++) {
		if (strcmp(a->name, name) == 0)
			return hs_why(HS_EMISUSE,
			    "hsmemreg: \"%s\" is registered already: "
			    "hsmemunreg() it first",
			    name);
		if (p < a->live + a->len && a->live < p + len)
			return hs_why(HS_EMISUSE,
			    "hsmemreg: \"%s\" overlaps \"%s\", %zu bytes at "
			    "%p: register each byte once",
			    name, a->name, a->len, (void *)a->live);
	}
	if (n >= HS_MEMREG_MAX)
		return hs_why(HS_EMISUSE,
		    "hsmemreg: %d areas are registered, which is the most",
		    HS_MEMREG_MAX);
	return 0;
}

static int
check_length(const struct area *a, const struct entry *e)
{
	if (a->len == e->len)
		return 0;
	return hs_why(HS_EINCOMPATIBLE,
	    "registered memory \"%s\" has %zu bytes here and %zu in the "
	    "checkpoint: run the same program on all nodes",
	    a->name, a->len, e->len);
}

/* ---- areas; the lock is held ---- */

static struct area **
find_area(const char *name)
{
	struct area **at = &areas;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

/* Take up what the record has: the area is as of the checkpoint. */
static int
claim_entry(struct area *a, const struct entry *e)
{
	if (check_length(a, e) < 0)
		return HS_EINCOMPATIBLE;
	memcpy(a->live, e->shadow, a->len);
	a->shadow = e->shadow;
	a->key = e->key;
	return HS_RESTORED;
}

static int
make_shadow(struct hs_store *s, struct area *a)
{
	const struct hs_store_mem *mem = hs_store_mem(s);
	void *shadow;
	int rc;

	rc = mem->alloc(mem->arg, a->len, &shadow);
	if (rc < 0)
		return hs_why(rc,
		    "hsmemreg: checkpoint memory has no room for the %zu bytes "
		    "of \"%s\": raise arena_bytes",
		    a->len, a->name);
	a->shadow = shadow;
	/* Not a plain copy: zeros on fresh memory take no pages. */
	(void)hs_shadow_sync(a->shadow, a->live, a->len);
	rc = free_key(s, &a->key);
	if (rc == 0)
		rc = put_entry(s, a);
	if (rc == 0)
		return HS_FRESH;
	mem->free(mem->arg, shadow);
	a->shadow = NULL;
	return hs_why(rc, "hsmemreg: \"%s\": %s", a->name, hs_err_text(rc));
}

static int
bind_area(struct hs_store *s, struct area *a)
{
	struct entry e;
	int rc;

	rc = find_entry(s, a->name, &e);
	if (rc == 1)
		return claim_entry(a, &e);
	return rc < 0 ? rc : make_shadow(s, a);
}

static int
add_area(struct hs_store *s, const char *name, uint8_t *p, size_t len)
{
	struct area *a;
	int rc;

	rc = check_others(name, p, len);
	if (rc < 0)
		return rc;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return hs_why(-ENOMEM, "hsmemreg: %s", hs_err_text(-ENOMEM));
	memcpy(a->name, name, strlen(name) + 1);
	a->live = p;
	a->len = len;
	rc = s != NULL ? bind_area(s, a) : HS_FRESH;
	if (rc < 0)
		free(a);
	else
		*find_area(name) = a;
	return rc;
}

int
hs_memreg_add(struct hs_store *s, const char *name, void *p, size_t len)
{
	int rc;

	rc = check_name(name);
	if (rc == 0)
		rc = check_mapped(name, p, len);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&lock);
	rc = add_area(s, name, p, len);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int
drop_entry(struct hs_store *s, const struct entry *e)
{
	const struct hs_store_mem *mem = hs_store_mem(s);

	mem->free(mem->arg, e->shadow);
	return hs_store_del(s, HS_STORE_MEMORY, e->key);
}

int
hs_memreg_del(struct hs_store *s, const char *name)
{
	struct area **at, *a;
	struct entry e;
	int rc = 0;

	if (check_name(name) < 0)
		return HS_EMISUSE;
	pthread_mutex_lock(&lock);
	at = find_area(name);
	a = *at;
	if (s != NULL)
		rc = find_entry(s, name, &e);
	if (rc == 1)
		rc = drop_entry(s, &e);
	else if (rc == 0 && a == NULL)
		rc = -ENOENT;
	if (rc == 0 && a != NULL) {
		*at = a->next;
		free(a);
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

/* ---- questions ---- */

static void
show_area(const struct area *a, struct hs_mem_area *out)
{
	memcpy(out->name, a->name, sizeof(out->name));
	out->ptr = a->live;
	out->len = a->len;
	out->dirty_bytes = a->shadow != NULL
	    ? hs_shadow_differ(a->shadow, a->live, a->len)
	    : a->len;
}

/* The i-th record that no area has claimed: 1, 0 or negative. */
static int
find_unclaimed(const struct hs_store *s, size_t i, struct entry *e)
{
	int rc;

	for (uint64_t key = 0; (rc = next_entry(s, key, e)) == 1;
	     key = e->key + 1)
		if (*find_area(e->name) == NULL && i-- == 0)
			return 1;
	return rc;
}

int
hs_memreg_show(struct hs_store *s, size_t i, struct hs_mem_area *out)
{
	const struct area *a;
	struct entry e;
	int rc = 0;

	pthread_mutex_lock(&lock);
	for (a = areas; a != NULL && i > 0; a = a->next)
		i--;
	if (a != NULL) {
		show_area(a, out);
	} else {
		rc = s != NULL ? find_unclaimed(s, i, &e) : 0;
		if (rc == 1) {
			memcpy(out->name, e.name, sizeof(out->name));
			out->ptr = NULL;
			out->len = e.len;
			out->dirty_bytes = 0;
		}
		rc = rc == 1 ? 0 : rc == 0 ? -ENOENT : rc;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

/* ---- checkpoint and restore ---- */

static int
query_areas(struct hs_store *s)
{
	(void)s;
	pthread_mutex_lock(&lock);
	for (const struct area *a = areas; a != NULL; a = a->next) {
		assert(a->shadow != NULL); /* B2 */
		(void)hs_shadow_sync(a->shadow, a->live, a->len);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

/* Those that are not in the image wait for hs_memreg_bind(). */
static int
restore_areas(struct hs_store *s)
{
	struct entry e;
	int rc = 0;

	pthread_mutex_lock(&lock);
	for (uint64_t key = 0; rc >= 0 && (rc = next_entry(s, key, &e)) == 1;
	     key = e.key + 1) {
		struct area *a = *find_area(e.name);

		if (a != NULL)
			rc = claim_entry(a, &e);
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

bool
hs_memreg_waits(void)
{
	bool waits = false;

	pthread_mutex_lock(&lock);
	for (const struct area *a = areas; a != NULL; a = a->next)
		waits |= a->shadow == NULL;
	pthread_mutex_unlock(&lock);
	return waits;
}

int
hs_memreg_bind(struct hs_store *s)
{
	int rc = 0;

	pthread_mutex_lock(&lock);
	for (struct area *a = areas; a != NULL && rc >= 0; a = a->next)
		if (a->shadow == NULL)
			rc = bind_area(s, a);
	pthread_mutex_unlock(&lock);
	return rc < 0 ? rc : 0;
}

/* The areas wait for the next store. */
static void
unbind_areas(void)
{
	pthread_mutex_lock(&lock);
	for (struct area *a = areas; a != NULL; a = a->next)
		a->shadow = NULL;
	pthread_mutex_unlock(&lock);
}

const struct hs_section_ops hs_memreg_section = {
	.abi = HS_SECTION_ABI,
	.name = "memory",
	.query = query_areas,
	.restore = restore_areas,
	.forget = unbind_areas,
};
