/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/state_tools.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_record.h"
#include "state/fd_table.h"
#include "tests/unit/suite.h"

static struct hs_store *store;
static size_t lent;

static int
lend(void *arg, size_t len, void **out)
{
	(void)arg;
	*out = malloc(len);
	lent += *out != NULL;
	return *out != NULL ? 0 : HS_EARENA;
}

static void
take(void *arg, void *p)
{
	(void)arg;
	lent--;
	free(p);
}

static bool
is_lent(void *arg, const void *p, size_t len)
{
	(void)arg;
	(void)len;
	return p != NULL;
}

static const struct hs_store_mem mem = { .alloc = lend,
	.free = take,
	.has = is_lent };

void
state_begin(void)
{
	lent = 0;
	CU_ASSERT_EQUAL_FATAL(hs_store_create(&store, &mem), 0);
	CU_ASSERT_PTR_NULL(hs_fd_table_next(-1));
}

void
state_end(void)
{
	const struct hs_fd_reg *d;
	struct hs_store_rec rec;
	void *slots;
	int fd;

	while ((d = hs_fd_table_next(-1)) != NULL) {
		fd = d->fd;
		CU_ASSERT_EQUAL(hs_fd_unregister(store, fd), 0);
		(void)close(fd);
	}
	CU_ASSERT_EQUAL(hs_store_next(store, HS_STORE_FD, 0, &rec), 0);
	hs_fd_section.forget();
	/* The directory and its slots are the arena's, and go with it. */
	CU_ASSERT_EQUAL(lent, 2);
	memcpy(&slots, (char *)hs_store_dir(store) + 16, sizeof(slots));
	free(slots);
	free(hs_store_dir(store));
	hs_store_destroy(store);
}

struct hs_store *
state_store(void)
{
	return store;
}

int
state_query(void)
{
	return hs_fd_section.query(store);
}

void
state_die(void)
{
	const struct hs_fd_reg *d;

	for (d = hs_fd_table_next(-1); d != NULL; d = hs_fd_table_next(d->fd))
		(void)close(d->fd);
	hs_fd_section.forget();
}

int
state_restore(void)
{
	void *dir = hs_store_dir(store);

	hs_store_destroy(store);
	CU_ASSERT_EQUAL_FATAL(hs_store_attach(&store, &mem, dir), 0);
	return hs_fd_section.restore(store);
}

size_t
state_dump(void **out)
{
	struct hs_store_rec rec;
	char *text = NULL;
	size_t size = 0;
	uint64_t key = 0;
	FILE *f = open_memstream(&text, &size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (hs_store_next(store, HS_STORE_FD, key, &rec) == 1) {
		(void)fwrite(&rec.key, sizeof(rec.key), 1, f);
		(void)fwrite(&rec.len, sizeof(rec.len), 1, f);
		(void)fwrite(rec.bytes, 1, rec.len, f);
		key = rec.key + 1;
	}
	(void)fclose(f);
	*out = text;
	return size;
}

static void
say(int rc)
{
	if (rc < 0)
		printf("\n  %d: %s\n", rc, hs_why_line());
	CU_ASSERT_EQUAL_FATAL(rc, 0);
}

void
state_takeover(void)
{
	void *before, *after;
	size_t nbefore, nafter;

	say(state_query());
	nbefore = state_dump(&before);
	state_die();
	say(state_restore());
	say(state_query());
	nafter = state_dump(&after);
	CU_ASSERT_EQUAL(nbefore, nafter);
	CU_ASSERT(nbefore == nafter && memcmp(before, after, nbefore) == 0);
	free(before);
	free(after);
}

bool
state_says(const char *text)
{
	const bool says = strstr(hs_why_line(), text) != NULL;

	if (!says)
		printf("\n  \"%s\" is not in: %s\n", text, hs_why_line());
	return says;
}

void
state_damage(int fd, size_t off, uint8_t v)
{
	struct hs_store_rec rec;
	uint8_t *copy;

	CU_ASSERT_EQUAL_FATAL(hs_store_get(store, HS_STORE_FD, (uint64_t)fd,
				  &rec),
	    0);
	off += HS_FD_RECORD_HEAD;
	CU_ASSERT_FATAL(off < rec.len);
	copy = malloc(rec.len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, rec.bytes, rec.len);
	copy[off] = v;
	CU_ASSERT_EQUAL(hs_store_put(store, HS_STORE_FD, (uint64_t)fd, copy,
			    rec.len),
	    0);
	free(copy);
}

void
state_forget(int fd)
{
	struct hs_store_rec rec;
	uint64_t key = (uint64_t)fd;

	while (hs_store_next(store, HS_STORE_FD, key, &rec) == 1) {
		key = rec.key + 1;
		if ((uint32_t)rec.key == (uint32_t)fd)
			CU_ASSERT_EQUAL(hs_store_del(store, HS_STORE_FD,
					    rec.key),
			    0);
	}
}

int
state_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while (readdir(dir) != NULL) /* NOLINT: nobody else reads it */
		n++;
	(void)closedir(dir);
	return n - 3;		/* ".", ".." and its own */
}
