/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of the program's own.  Once added they stay, so there is one, of
 * memory with a name, that can be told to fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/fd_app.h"
#include "state/fd_info.h"
#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

static struct {
	int probe, query, restore;	/* -errno instead of doing it */
	int queries;
	bool away;			/* not added, as it were */
} told;

static int
probe(int fd, void *arg)
{
	char link[64];

	CU_ASSERT_PTR_EQUAL(arg, &told);
	if (told.away || hs_fd_info_link(fd, link, sizeof(link)) < 0 ||
	    strncmp(link, "/memfd:kind", 11) != 0)
		return 0;
	return told.probe < 0 ? told.probe : 1;
}

static long
query(int fd, void *buf, size_t size, void *arg)
{
	struct stat st;

	CU_ASSERT_PTR_EQUAL(arg, &told);
	told.queries++;
	if (told.query < 0)
		return told.query;
	CU_ASSERT_EQUAL(fstat(fd, &st), 0);
	if ((size_t)st.st_size <= size)
		CU_ASSERT_EQUAL(pread(fd, buf, size, 0), st.st_size);
	return st.st_size;
}

static int
restore(const void *buf, size_t len, void *arg)
{
	int fd;

	CU_ASSERT_PTR_EQUAL(arg, &told);
	if (told.restore < 0)
		return told.restore;
	fd = memfd_create("kind", 0);
	if (len > 0)
		CU_ASSERT_EQUAL(write(fd, buf, len), (ssize_t)len);
	return fd;
}

static const struct hs_fd_kind memory = { .size = sizeof(memory),
	.name = "memory",
	.probe = probe,
	.query = query,
	.restore = restore,
	.arg = &told };

static int
begin(void)
{
	static bool added;
	int fd;

	if (!added)
		CU_ASSERT_EQUAL(hs_fd_app_add(&memory), 0);
	added = true;
	memset(&told, 0, sizeof(told));
	state_begin();
	fd = memfd_create("kind", 0);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static void
it_comes_back_however_large(void)
{
	const size_t len = 300000;
	char *in = malloc(len), *out = malloc(len);
	struct hs_random rnd;
	int fd = begin();

	hs_random_init(&rnd);
	hs_random_fill(&rnd, in, len);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), 0);
	state_takeover();		/* without a byte */
	CU_ASSERT_EQUAL(pwrite(fd, in, len, 0), (ssize_t)len);
	told.queries = 0;
	CU_ASSERT_EQUAL(state_query(), 0);
	CU_ASSERT_EQUAL(told.queries, 2);	/* the second had the room */
	state_takeover();
	CU_ASSERT_EQUAL(pread(fd, out, len, 0), (ssize_t)len);
	CU_ASSERT_EQUAL(memcmp(in, out, len), 0);
	state_end();
	free(in);
	free(out);
}

static void
its_refusals_are_told(void)
{
	int fd = begin();

	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_CONTENT), HS_EMISUSE);
	CU_ASSERT(state_says("how must be 0"));
	told.probe = -EBUSY;
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("kind memory refuses it"));
	told.probe = 0;
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), 0);
	told.query = -EIO;
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("cannot tell its state"));
	told.query = 0;
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	told.restore = -EIO;
	CU_ASSERT_EQUAL(state_restore(), HS_EFD);
	CU_ASSERT(state_says("cannot bring it back"));
	told.restore = 0;
	CU_ASSERT_EQUAL(state_restore(), 0);
	state_end();
	/* What no kind takes is the built-in ones'. */
	fd = begin();
	told.away = true;
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("in checkpoint memory"));
	(void)close(fd);
	state_end();
}

static void
bad_kinds_are_not_added(void)
{
	struct hs_fd_kind k = memory;
	static char names[HS_FD_APP_MOST][8];
	int n = 0;

	(void)close(begin());
	CU_ASSERT_EQUAL(hs_fd_app_add(&memory), HS_EMISUSE);
	CU_ASSERT(state_says("there is a kind of the name memory"));
	k.name = "";
	CU_ASSERT_EQUAL(hs_fd_app_add(&k), HS_EMISUSE);
	k.name = "a name that has 32 characters is ";
	CU_ASSERT_EQUAL(hs_fd_app_add(&k), HS_EMISUSE);
	CU_ASSERT(state_says("1 to 31 bytes"));
	k.name = "two\nlines";
	CU_ASSERT_EQUAL(hs_fd_app_add(&k), HS_EMISUSE);
	CU_ASSERT(state_says("printable"));
	k.name = "other";
	k.size = 0;
	CU_ASSERT_EQUAL(hs_fd_app_add(&k), HS_EMISUSE);
	CU_ASSERT(state_says("begin with struct hs_fd_kind k = HS_FD_KIND"));
	k.size = sizeof(k);
	told.away = true;	/* more of the same, that take nothing */
	for (; n < HS_FD_APP_MOST - 1; n++) {
		(void)snprintf(names[n], sizeof(names[n]), "k%d", n);
		k.name = names[n];
		CU_ASSERT_EQUAL(hs_fd_app_add(&k), 0);
	}
	k.name = "one more";
	CU_ASSERT_EQUAL(hs_fd_app_add(&k), -ENOSPC);
	CU_ASSERT(state_says("there are 16 kinds"));
	state_end();
}

/* A record of a kind that this program did not add. */
static void
a_kind_must_be_on_the_spare_too(void)
{
	struct hs_store_rec rec;
	uint8_t bytes[256];
	int fd = begin();

	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	CU_ASSERT_EQUAL(hs_store_get(state_store(), HS_STORE_FD, (uint64_t)fd,
			    &rec),
	    0);
	CU_ASSERT_FATAL(rec.len <= sizeof(bytes));
	memcpy(bytes, rec.bytes, rec.len);
	bytes[24] = 'M';		/* its name's first letter */
	CU_ASSERT_EQUAL(hs_store_put(state_store(), HS_STORE_FD, (uint64_t)fd,
			    bytes, rec.len),
	    0);
	state_die();
	CU_ASSERT_EQUAL(state_restore(), HS_EINCOMPATIBLE);
	CU_ASSERT(state_says("call hsfdkind() before hsinit(), on each node"));
	bytes[24] = 'm';
	CU_ASSERT_EQUAL(hs_store_put(state_store(), HS_STORE_FD, (uint64_t)fd,
			    bytes, rec.len),
	    0);
	CU_ASSERT_EQUAL(state_restore(), 0);
	state_end();
}

HS_SUITE(state_fd_app, HS_TEST(it_comes_back_however_large),
    HS_TEST(its_refusals_are_told), HS_TEST(a_kind_must_be_on_the_spare_too),
    HS_TEST(bad_kinds_are_not_added))
