/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/sqlite_tools.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hotspare/hs.h>

#include "examples/sqlite/store.h"
#include "examples/sqlite/vfs.h"
#include "tests/unit/suite.h"

struct tools tools;
static char home[64];
static bool inside;	/* of a hook: what it does is not watched */

void *__real_hscalloc(size_t n, size_t len);
void *__real_hsrealloc(void *p, size_t len);
void *__real_hsmemalign(size_t align, size_t len);
int __real_hscpt(unsigned how, uint64_t *epoch);
int __real_store_write(struct store_file *f, const void *buf, size_t n,
    uint64_t off);
int __real_store_resize(struct store_file *f, uint64_t size);
void __real_store_unname(struct store_file *f);

void *__wrap_hscalloc(size_t n, size_t len);
void *__wrap_hsrealloc(void *p, size_t len);
void *__wrap_hsmemalign(size_t align, size_t len);
int __wrap_hscpt(unsigned how, uint64_t *epoch);
int __wrap_store_write(struct store_file *f, const void *buf, size_t n,
    uint64_t off);
int __wrap_store_resize(struct store_file *f, uint64_t size);
void __wrap_store_unname(struct store_file *f);

static bool
fails(void)
{
	if (tools.fail_after < 0)
		return false;
	if (tools.fail_after > 0) {
		tools.fail_after--;
		return false;
	}
	errno = ENOMEM;
	return true;
}

void *
__wrap_hscalloc(size_t n, size_t len)
{
	return fails() ? NULL : __real_hscalloc(n, len);
}

void *
__wrap_hsrealloc(void *p, size_t len)
{
	return fails() ? NULL : __real_hsrealloc(p, len);
}

void *
__wrap_hsmemalign(size_t align, size_t len)
{
	return fails() ? NULL : __real_hsmemalign(align, len);
}

static void
call_hook(void (*hook)(void))
{
	if (hook == NULL || inside)
		return;
	inside = true;
	hook();
	inside = false;
}

int
__wrap_hscpt(unsigned how, uint64_t *epoch)
{
	(void)__atomic_fetch_add(&tools.holds, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&tools.how, how, __ATOMIC_RELAXED);
	call_hook(tools.at_hold);
	if (tools.cpt_rc > 0)
		return __real_hscpt(how, epoch);
	if (epoch != NULL)
		*epoch = 0;
	return tools.cpt_rc;
}

static void
note_change(void)
{
	(void)__atomic_fetch_add(&tools.changes, 1, __ATOMIC_RELAXED);
	call_hook(tools.at_change);
}

int
__wrap_store_write(struct store_file *f, const void *buf, size_t n,
    uint64_t off)
{
	int rc = __real_store_write(f, buf, n, off);

	note_change();
	return rc;
}

int
__wrap_store_resize(struct store_file *f, uint64_t size)
{
	int rc = __real_store_resize(f, size);

	note_change();
	return rc;
}

void
__wrap_store_unname(struct store_file *f)
{
	__real_store_unname(f);
	note_change();
}

static void
empty_home(void)
{
	DIR *d = opendir(".");
	struct dirent *e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlink(e->d_name);
	(void)closedir(d);
}

void
tools_begin(void)
{
	const char *why = "";

	tools = (struct tools){ .cpt_rc = 1, .fail_after = -1 };
	(void)snprintf(home, sizeof(home), "/tmp/hotspare-sqlite.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(home));
	CU_ASSERT_EQUAL_FATAL(chdir(home), 0);
	CU_ASSERT_EQUAL_FATAL(vfs_start(false, &why), 0);
}

void
tools_end(void)
{
	vfs_stop();
	CU_ASSERT_EQUAL(hsfini(0), 0);
	empty_home();
	CU_ASSERT_EQUAL(chdir("/"), 0);
	CU_ASSERT_EQUAL(rmdir(home), 0);
}

sqlite3 *
tools_open(const char *name, const char *vfs)
{
	sqlite3 *db = NULL;
	int rc;

	rc = sqlite3_open_v2(name, &db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, vfs);
	CU_ASSERT_EQUAL_FATAL(rc, SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_extended_result_codes(db, 1), SQLITE_OK);
	return db;
}

static void
add_text(char *out, size_t size, const char *text)
{
	size_t len = strlen(out);

	(void)snprintf(out + len, size - len, "%s|", text);
}

int
tools_run(sqlite3 *db, const char *sql, char *out, size_t size)
{
	sqlite3_stmt *st;
	int rc = SQLITE_OK, i;

	if (out != NULL)
		out[0] = '\0';
	while (rc == SQLITE_OK && *sql != '\0') {
		rc = sqlite3_prepare_v2(db, sql, -1, &st, &sql);
		if (rc != SQLITE_OK || st == NULL)
			break;
		while ((rc = sqlite3_step(st)) == SQLITE_ROW)
			for (i = 0; out != NULL && i < sqlite3_column_count(st);
			     i++)
				add_text(out, size,
				    (const char *)sqlite3_column_text(st, i)
					? (const char *)sqlite3_column_text(st,
					      i)
					: "NULL");
		rc = sqlite3_finalize(st);
	}
	return rc;
}

long long
tools_number(sqlite3 *db, const char *sql)
{
	char out[256];

	if (tools_run(db, sql, out, sizeof(out)) != SQLITE_OK || out[0] == '\0')
		return -1;
	return strtoll(out, NULL, 10);
}

void
tools_must(sqlite3 *db, const char *sql)
{
	int rc = tools_run(db, sql, NULL, 0);

	if (rc != SQLITE_OK)
		printf("\n    %s: %s\n", sql, sqlite3_errmsg(db));
	CU_ASSERT_EQUAL(rc, SQLITE_OK);
}

void
tools_dump(void)
{
	const struct store_file *f;
	static uint8_t buf[8192];
	uint64_t off;
	size_t len;
	FILE *out;

	empty_home();
	for (f = store_next(vfs_store(), NULL); f != NULL;
	     f = store_next(vfs_store(), f)) {
		out = fopen(store_name(f), "w");
		CU_ASSERT_PTR_NOT_NULL_FATAL(out);
		for (off = 0; (len = store_read(f, buf, sizeof(buf), off)) > 0;
		     off += len)
			CU_ASSERT_EQUAL(fwrite(buf, 1, len, out), len);
		CU_ASSERT_EQUAL(fclose(out), 0);
	}
}
