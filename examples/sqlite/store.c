/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/sqlite/store.h"

#include <errno.h>
#include <string.h>

#include <hotspare/hs.h>

#define ROOT "sqlite"
#define MAGIC UINT64_C(0x3145524f54535148)	/* "HQSTORE1" */
#define PAGE_BYTES 4096
#define CHUNKS_MIN 4	/* of a new table */

struct store {
	uint64_t magic;
	uint64_t chunk_bytes;
	struct store_file *first;
};

struct store_file {
	struct store_file *next;
	uint64_t size;
	size_t nchunks;
	size_t chunks_size;	/* of the table */
	uint8_t **chunk;
	char name[STORE_NAME_BYTES];
};

static size_t
chunks_for(uint64_t size)
{
	return (size_t)((size + STORE_CHUNK_BYTES - 1) / STORE_CHUNK_BYTES);
}

static int
create_store(struct store **out)
{
	struct store *s;
	int rc;

	s = hscalloc(1, sizeof(*s));
	if (s == NULL)
		return HS_EARENA;
	s->magic = MAGIC;
	s->chunk_bytes = STORE_CHUNK_BYTES;
	rc = hsroot(ROOT, s);
	if (rc < 0) {
		(void)hsfree(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void
drop_unnamed(struct store *s)
{
	struct store_file *f, *next;

	for (f = s->first; f != NULL; f = next) {
		next = f->next;
		if (!store_is_named(f))
			store_drop(s, f);
	}
}

int
store_open(struct store **out)
{
	struct store *s = hsfind(ROOT);

	if (s == NULL)
		return create_store(out);
	if (s->magic != MAGIC || s->chunk_bytes != STORE_CHUNK_BYTES)
		return HS_EINCOMPATIBLE;
	drop_unnamed(s);
	*out = s;
	return 0;
}

struct store_file *
store_find(const struct store *s, const char *name)
{
	struct store_file *f = s->first;

	while (f != NULL && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

int
store_create(struct store *s, const char *name, struct store_file **out)
{
	size_t len = strlen(name);
	struct store_file *f;

	if (len == 0 || len >= STORE_NAME_BYTES)
		return -ENAMETOOLONG;
	f = hscalloc(1, sizeof(*f));
	if (f == NULL)
		return HS_EARENA;
	memcpy(f->name, name, len);
	f->next = s->first;
	s->first = f;
	*out = f;
	return 0;
}

void
store_unname(struct store_file *f)
{
	f->name[0] = '\0';
}

bool
store_is_named(const struct store_file *f)
{
	return f->name[0] != '\0';
}

/* Down to what F1 allows; freeing cannot fail but by damage, and then leaks. */
static void
free_chunks(struct store_file *f, size_t keep)
{
	while (f->nchunks > keep)
		(void)hsfree(f->chunk[--f->nchunks]);
	if (keep == 0) {
		(void)hsfree(f->chunk);
		f->chunk = NULL;
		f->chunks_size = 0;
	}
}

void
store_drop(struct store *s, struct store_file *f)
{
	struct store_file **at = &s->first;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	free_chunks(f, 0);
	(void)hsfree(f);
}

uint64_t
store_size(const struct store_file *f)
{
	return f->size;
}

static int
grow_table(struct store_file *f, size_t n)
{
	size_t size = f->chunks_size == 0 ? CHUNKS_MIN : f->chunks_size;
	uint8_t **table;

	if (n <= f->chunks_size)
		return 0;
	while (size < n)
		size *= 2;
	table = hsrealloc(f->chunk, size * sizeof(*table));
	if (table == NULL)
		return HS_EARENA;
	f->chunk = table;
	f->chunks_size = size;
	return 0;
}

static int
add_chunks(struct store_file *f, size_t n)
{
	size_t had = f->nchunks;
	uint8_t *p;

	if (grow_table(f, n) < 0)
		return HS_EARENA;
	while (f->nchunks < n) {
		p = hsmemalign(PAGE_BYTES, STORE_CHUNK_BYTES);
		if (p == NULL) {
			free_chunks(f, had);
			return HS_EARENA;
		}
		f->chunk[f->nchunks++] = p;
	}
	return 0;
}

/* The bytes at off that lie in one chunk, at most n: how many there are. */
static size_t
piece_at(const struct store_file *f, uint64_t off, size_t n, uint8_t **out)
{
	size_t in = (size_t)(off % STORE_CHUNK_BYTES);
	size_t left = (size_t)STORE_CHUNK_BYTES - in;

	*out = f->chunk[off / STORE_CHUNK_BYTES] + in;
	return n < left ? n : left;
}

static void
zero_range(struct store_file *f, uint64_t from, uint64_t to)
{
	uint8_t *p;
	size_t len;

	for (; from < to; from += len) {
		len = piece_at(f, from, (size_t)(to - from), &p);
		memset(p, 0, len);
	}
}

size_t
store_read(const struct store_file *f, void *buf, size_t n, uint64_t off)
{
	uint8_t *to = buf, *p;
	size_t len, left;

	if (off >= f->size)
		return 0;
	if (n > f->size - off)
		n = (size_t)(f->size - off);
	for (left = n; left > 0; left -= len) {
		len = piece_at(f, off, left, &p);
		memcpy(to, p, len);
		to += len;
		off += len;
	}
	return n;
}

int
store_write(struct store_file *f, const void *buf, size_t n, uint64_t off)
{
	const uint8_t *from = buf;
	uint64_t end = off + n;
	uint8_t *p;
	size_t len;

	if (off > STORE_FILE_BYTES || n > STORE_FILE_BYTES - off)
		return -EFBIG;
	if (n == 0)
		return 0;
	if (add_chunks(f, chunks_for(end)) < 0)
		return HS_EARENA;
	if (off > f->size)
		zero_range(f, f->size, off);			/* F2 */
	for (; n > 0; n -= len) {
		len = piece_at(f, off, n, &p);
		memcpy(p, from, len);
		from += len;
		off += len;
	}
	if (end > f->size)
		f->size = end;
	return 0;
}

int
store_resize(struct store_file *f, uint64_t size)
{
	if (size > STORE_FILE_BYTES)
		return -EFBIG;
	if (size > f->size) {
		if (add_chunks(f, chunks_for(size)) < 0)
			return HS_EARENA;
		zero_range(f, f->size, size);			/* F2 */
	}
	f->size = size;
	free_chunks(f, chunks_for(size));			/* F1 */
	return 0;
}

const struct store_file *
store_next(const struct store *s, const struct store_file *f)
{
	f = f == NULL ? s->first : f->next;
	while (f != NULL && !store_is_named(f))
		f = f->next;
	return f;
}

const char *
store_name(const struct store_file *f)
{
	return f->name;
}
