/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/why.h"
#include "base/wr.h"

#define MAGIC 0x54535348u	/* "HSST" in memory */
#define VERSION 1
#define FIRST_SLOTS 16
#define MOST_SLOTS (1u << 20)

struct dir {
	uint32_t magic;
	uint16_t version;
	uint16_t reserved;
	uint32_t nslot;
	uint32_t cap;
	uint64_t slots;
};

struct slot {
	uint16_t kind;
	uint16_t reserved;
	uint32_t len;
	uint32_t cap;
	uint32_t crc;
	uint64_t key;
	uint64_t bytes;
	uint64_t reserved2;
};

_Static_assert(sizeof(struct dir) == 24, "docs/format/state.md");
_Static_assert(sizeof(struct slot) == 40, "docs/format/state.md");

struct hs_store {
	struct hs_store_mem mem;
	struct dir *dir;
};

static struct slot *
slots_of(const struct hs_store *s)
{
	return (struct slot *)(uintptr_t)s->dir->slots;
}

static const uint8_t *
bytes_of(const struct slot *slot)
{
	return (const uint8_t *)(uintptr_t)slot->bytes;
}

static uint32_t
sum_record(uint16_t kind, uint64_t key, const void *bytes, size_t len)
{
	uint8_t head[2 + 4 + 8];
	struct hs_wr w;
	uint32_t crc;

	hs_wr_init(&w, head, sizeof(head));
	hs_wr_u16(&w, kind);
	hs_wr_u32(&w, (uint32_t)len);
	hs_wr_u64(&w, key);
	crc = hs_crc32c(0, head, sizeof(head));
	return len == 0 ? crc : hs_crc32c(crc, bytes, len);
}

/* The first slot that is not below (kind, key) (T1). */
static uint32_t
find_place(const struct hs_store *s, uint16_t kind, uint64_t key)
{
	const struct slot *slot = slots_of(s);
	uint32_t low = 0, high = s->dir->nslot;

	while (low < high) {
		const uint32_t mid = low + (high - low) / 2;
		const struct slot *at = &slot[mid];

		if (at->kind < kind || (at->kind == kind && at->key < key))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct slot *
find_slot(const struct hs_store *s, uint16_t kind, uint64_t key)
{
	const uint32_t i = find_place(s, kind, key);
	struct slot *slot = slots_of(s) + i;

	if (i == s->dir->nslot || slot->kind != kind || slot->key != key)
		return NULL;
	return slot;
}

/* ---- coming and going ---- */

static int
create_view(struct hs_store **out, const struct hs_store_mem *mem, void *dir)
{
	struct hs_store *s = malloc(sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	*s = (struct hs_store){ .mem = *mem, .dir = dir };
	*out = s;
	return 0;
}

int
hs_store_create(struct hs_store **out, const struct hs_store_mem *mem)
{
	void *dir = NULL, *slots = NULL;
	int rc;

	rc = mem->alloc(mem->arg, sizeof(struct dir), &dir);
	if (rc == 0)
		rc = mem->alloc(mem->arg, FIRST_SLOTS * sizeof(struct slot),
		    &slots);
	if (rc == 0) {
		*(struct dir *)dir = (struct dir){ .magic = MAGIC,
			.version = VERSION,
			.cap = FIRST_SLOTS,
			.slots = (uintptr_t)slots };
		rc = create_view(out, mem, dir);
	}
	if (rc < 0) {
		if (slots != NULL)
			mem->free(mem->arg, slots);
		if (dir != NULL)
			mem->free(mem->arg, dir);
	}
	return rc;
}

static bool
is_sound(const struct hs_store *s, const struct slot *slot)
{
	return slot->reserved == 0 && slot->reserved2 == 0 &&
	    slot->len <= slot->cap && slot->cap <= HS_STORE_MAX_BYTES &&
	    (slot->cap == 0 ||
		s->mem.has(s->mem.arg, bytes_of(slot), slot->cap)) &&
	    slot->crc ==
	    sum_record(slot->kind, slot->key, bytes_of(slot), slot->len);
}

static int
check_dir(const struct hs_store *s)
{
	const struct dir *d = s->dir;
	const struct slot *slot;

	if (!s->mem.has(s->mem.arg, d, sizeof(*d)) || d->magic != MAGIC ||
	    d->version != VERSION || d->reserved != 0 || d->nslot > d->cap ||
	    d->cap > MOST_SLOTS ||
	    !s->mem.has(s->mem.arg, slots_of(s), d->cap * sizeof(*slot)))
		return hs_why(HS_ECORRUPT,
		    "the directory of the additional state is damaged: the "
		    "program wrote outside its allocations before the "
		    "checkpoint");
	slot = slots_of(s);
	for (uint32_t i = 0; i < d->nslot; i++) {
		const bool ascends = i == 0 ||
		    slot[i - 1].kind < slot[i].kind ||
		    (slot[i - 1].kind == slot[i].kind &&
			slot[i - 1].key < slot[i].key);

		if (!ascends || !is_sound(s, &slot[i]))
			return hs_why(HS_ECORRUPT,
			    "record %u of the additional state (kind %u, key "
			    "%llu) is damaged: the program wrote outside its "
			    "allocations before the checkpoint",
			    i, slot[i].kind, (unsigned long long)slot[i].key);
	}
	return 0;
}

int
hs_store_attach(struct hs_store **out, const struct hs_store_mem *mem,
    void *dir)
{
	struct hs_store *s;
	int rc;

	rc = create_view(&s, mem, dir);
	if (rc < 0)
		return rc;
	rc = check_dir(s);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
hs_store_destroy(struct hs_store *s)
{
	free(s);
}

void *
hs_store_dir(const struct hs_store *s)
{
	return s->dir;
}

const struct hs_store_mem *
hs_store_mem(const struct hs_store *s)
{
	return &s->mem;
}

/* ---- records ---- */

static int
grow_slots(struct hs_store *s)
{
	const uint32_t cap = s->dir->cap * 2;
	struct slot *old = slots_of(s);
	void *slots = NULL;
	int rc;

	if (s->dir->nslot < s->dir->cap)
		return 0;
	if (cap > MOST_SLOTS)
		return HS_EARENA;
	rc = s->mem.alloc(s->mem.arg, cap * sizeof(*old), &slots);
	if (rc < 0)
		return rc;
	memcpy(slots, old, s->dir->nslot * sizeof(*old));
	s->dir->slots = (uintptr_t)slots;
	s->dir->cap = cap;
	s->mem.free(s->mem.arg, old);
	return 0;
}

/* An empty slot for (kind, key), where T1 wants it. */
static int
add_slot(struct hs_store *s, uint16_t kind, uint64_t key, struct slot **out)
{
	uint32_t i, n;
	int rc;

	rc = grow_slots(s);
	if (rc < 0)
		return rc;
	i = find_place(s, kind, key);
	n = s->dir->nslot - i;
	*out = slots_of(s) + i;
	memmove(*out + 1, *out, n * sizeof(**out));
	**out = (struct slot){ .kind = kind,
		.key = key,
		.crc = sum_record(kind, key, NULL, 0) };
	s->dir->nslot++;
	return 0;
}

/* Room for len bytes; what is there need not stay. */
static int
grow_slot(struct hs_store *s, struct slot *slot, size_t len)
{
	/* A queue that grows by a message each time is not copied each time. */
	const size_t cap = len + len / 2;
	void *bytes = NULL;
	int rc;

	if (len <= slot->cap)
		return 0;
	rc = s->mem.alloc(s->mem.arg, cap, &bytes);
	if (rc < 0)
		return rc;
	if (slot->cap != 0)
		s->mem.free(s->mem.arg, (void *)(uintptr_t)slot->bytes);
	slot->bytes = (uintptr_t)bytes;
	slot->cap = (uint32_t)cap;
	return 0;
}

int
hs_store_put(struct hs_store *s, uint16_t kind, uint64_t key, const void *bytes,
    size_t len)
{
	struct slot *slot = find_slot(s, kind, key);
	bool fresh = slot == NULL;
	uint32_t crc;
	int rc = 0;

	/* grow_slot() takes half as much again. */
	if (len > HS_STORE_MAX_BYTES / 2)
		return -EMSGSIZE;
	crc = sum_record(kind, key, bytes, len);
	if (!fresh && slot->len == len && slot->crc == crc &&
	    (len == 0 || memcmp(bytes_of(slot), bytes, len) == 0))
		return 0;						/* T3 */
	if (fresh)
		rc = add_slot(s, kind, key, &slot);
	if (rc == 0)
		rc = grow_slot(s, slot, len);
	if (rc < 0) {
		if (fresh && slot != NULL)
			(void)hs_store_del(s, kind, key);
		return rc;
	}
	if (len != 0)
		memcpy((void *)(uintptr_t)slot->bytes, bytes, len);
	slot->len = (uint32_t)len;
	slot->crc = crc;
	return 0;
}

static int
read_slot(const struct slot *slot, struct hs_store_rec *rec)
{
	if (slot->len > slot->cap ||
	    slot->crc !=
		sum_record(slot->kind, slot->key, bytes_of(slot), slot->len))
		return hs_why(HS_ECORRUPT,
		    "a record of the additional state (kind %u, key %llu) is "
		    "damaged: the program wrote outside its allocations",
		    slot->kind, (unsigned long long)slot->key);
	*rec = (struct hs_store_rec){ .kind = slot->kind,
		.key = slot->key,
		.bytes = bytes_of(slot),
		.len = slot->len };
	return 0;
}

int
hs_store_get(const struct hs_store *s, uint16_t kind, uint64_t key,
    struct hs_store_rec *rec)
{
	const struct slot *slot = find_slot(s, kind, key);

	return slot == NULL ? -ENOENT : read_slot(slot, rec);
}

int
hs_store_del(struct hs_store *s, uint16_t kind, uint64_t key)
{
	struct slot *slot = find_slot(s, kind, key);
	size_t after;

	if (slot == NULL)
		return -ENOENT;
	if (slot->cap != 0)
		s->mem.free(s->mem.arg, (void *)(uintptr_t)slot->bytes);
	after = (size_t)(slots_of(s) + s->dir->nslot - (slot + 1));
	memmove(slot, slot + 1, after * sizeof(*slot));
	s->dir->nslot--;
	return 0;
}

int
hs_store_next(const struct hs_store *s, uint16_t kind, uint64_t key,
    struct hs_store_rec *rec)
{
	const uint32_t i = find_place(s, kind, key);
	const struct slot *slot = slots_of(s) + i;
	int rc;

	if (i == s->dir->nslot || slot->kind != kind)
		return 0;
	rc = read_slot(slot, rec);
	return rc < 0 ? rc : 1;
}
