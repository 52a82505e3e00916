/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VFS beside SQLite's own: the same statements, the same answers.  And what
 * becomes of a commit when there is no spare, no memory, or no cluster.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hotspare/hs.h>

#include "examples/sqlite/store.h"
#include "examples/sqlite/vfs.h"
#include "tests/unit/sqlite_tools.h"
#include "tests/unit/suite.h"

#define STATEMENTS 1500
#define OUT_BYTES 65536
#define THREADS 4

static int
random_write(struct hs_random *r, char *sql, size_t size)
{
	int id = (int)hs_random_below(r, 200);
	int len = (int)hs_random_below(r, 9000);

	switch (hs_random_below(r, 4)) {
	case 0:
		return snprintf(sql, size,
		    "INSERT OR REPLACE INTO t VALUES(%d, "
		    "hex(zeroblob(%d)), %d)",
		    id, len, len);
	case 1:
		return snprintf(sql, size, "UPDATE t SET n=n+%d WHERE id>%d",
		    len, id);
	case 2:
		return snprintf(sql, size, "DELETE FROM t WHERE id%%7=%d",
		    id % 7);
	default:
		return snprintf(sql, size,
		    "INSERT INTO t VALUES(%d, 'twice', 1)", id);
	}
}

static int
random_pragma(struct hs_random *r, char *sql, size_t size)
{
	static const char *const some[] = {
		"PRAGMA journal_mode=delete",
		"PRAGMA journal_mode=wal",
		"PRAGMA journal_mode=persist",
		"PRAGMA journal_mode=truncate",
		"PRAGMA wal_checkpoint(full)",
		"PRAGMA incremental_vacuum",
		"PRAGMA cache_size=1",
		"PRAGMA cache_size=2000",
		"VACUUM",
		"PRAGMA auto_vacuum=2",
		"REINDEX",
		"PRAGMA integrity_check",
		"PRAGMA page_count",
		"PRAGMA freelist_count",
	};

	return snprintf(sql, size, "%s",
	    some[hs_random_below(r, sizeof(some) / sizeof(some[0]))]);
}

static void
random_statement(struct hs_random *r, char *sql, size_t size)
{
	static const char *const ends[] = { "BEGIN", "COMMIT", "ROLLBACK",
		"SAVEPOINT a", "ROLLBACK TO a", "RELEASE a" };

	switch (hs_random_below(r, 8)) {
	case 0:
		(void)random_pragma(r, sql, size);
		break;
	case 1:
	case 2:
		(void)snprintf(sql, size, "%s",
		    ends[hs_random_below(r, sizeof(ends) / sizeof(ends[0]))]);
		break;
	case 3:
		(void)snprintf(sql, size,
		    "SELECT id, length(v), n FROM t ORDER BY n, id");
		break;
	default:
		(void)random_write(r, sql, size);
	}
}

/* Errors and all: COMMIT without BEGIN, a unique id twice. */
static void
same_answers_as_the_default_vfs(void)
{
	static char ours[OUT_BYTES], theirs[OUT_BYTES];
	static const char schema[] =
	    "PRAGMA page_size=1024; PRAGMA auto_vacuum=2;"
	    "CREATE TABLE t(id INTEGER PRIMARY KEY, v, n); CREATE INDEX i ON "
	    "t(n)";
	sqlite3 *a, *b;
	struct hs_random r;
	char sql[256];
	int i, rc;

	hs_random_init(&r);
	tools_begin();
	a = tools_open("a.db", "hotspare");
	b = tools_open("b.db", "unix");
	tools_must(a, schema);
	tools_must(b, schema);
	tools_must(b, "PRAGMA synchronous=off");
	for (i = 0; i < STATEMENTS; i++) {
		random_statement(&r, sql, sizeof(sql));
		rc = tools_run(a, sql, ours, sizeof(ours));
		if (tools_run(b, sql, theirs, sizeof(theirs)) != rc ||
		    strcmp(ours, theirs) != 0) {
			printf("\n    %d: %s: %d %s\n", i, sql, rc,
			    sqlite3_errmsg(a));
			CU_FAIL("another answer");
			break;
		}
	}
	(void)tools_run(a, "ROLLBACK", NULL, 0);
	CU_ASSERT_EQUAL(tools_run(a, "PRAGMA integrity_check", ours,
			    sizeof(ours)),
	    SQLITE_OK);
	CU_ASSERT_STRING_EQUAL(ours, "ok|");
	CU_ASSERT_EQUAL(sqlite3_close(a), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_close(b), SQLITE_OK);
	tools_end();
}

static uint64_t
stored_bytes(void)
{
	const struct store_file *f = NULL;
	uint64_t sum = 0;

	while ((f = store_next(vfs_store(), f)) != NULL)
		sum += store_size(f);
	return sum;
}

static void
database_grows_and_shrinks(void)
{
	uint64_t empty;
	sqlite3 *db;
	int i;

	tools_begin();
	db = tools_open("a.db", "hotspare");
	tools_must(db, "CREATE TABLE t(v)");
	empty = stored_bytes();
	for (i = 0; i < 3; i++) {
		tools_must(db,
		    "WITH n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n "
		    "WHERE i<999) INSERT INTO t SELECT randomblob(8000) "
		    "FROM n");
		CU_ASSERT(stored_bytes() > 8000 * 1000);
		tools_must(db, "DELETE FROM t; VACUUM");
		CU_ASSERT_EQUAL(stored_bytes(), empty);
	}
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	tools_end();
}

static void
databases_are_apart(void)
{
	char name[32];
	sqlite3 *db[8];
	int i;

	tools_begin();
	for (i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "dir/%d.db", i);
		db[i] = tools_open(name, "hotspare");
		tools_must(db[i], "CREATE TABLE t(v)");
	}
	for (i = 0; i < 8; i++) {
		CU_ASSERT_EQUAL(tools_run(db[i], "CREATE TABLE t(v)", NULL, 0),
		    SQLITE_ERROR);
		CU_ASSERT_EQUAL(sqlite3_close(db[i]), SQLITE_OK);
	}
	/* What does not exist is not made by who only reads. */
	CU_ASSERT_EQUAL(sqlite3_open_v2("dir/9.db", &db[0],
			    SQLITE_OPEN_READWRITE, "hotspare"),
	    SQLITE_CANTOPEN);
	CU_ASSERT_EQUAL(sqlite3_close(db[0]), SQLITE_OK);
	tools_end();
}

/* A reader keeps a writer from committing, a writer another writer. */
static void
connections_lock_each_other_out(void)
{
	sqlite3 *a, *b;

	tools_begin();
	a = tools_open("a.db", "hotspare");
	b = tools_open("a.db", "hotspare");
	tools_must(a, "CREATE TABLE t(v); INSERT INTO t VALUES(1)");
	tools_must(a, "BEGIN IMMEDIATE");
	CU_ASSERT_EQUAL(tools_run(b, "BEGIN IMMEDIATE", NULL, 0), SQLITE_BUSY);
	CU_ASSERT_EQUAL(tools_number(b, "SELECT v FROM t"), 1);
	tools_must(b, "BEGIN; SELECT v FROM t");
	tools_must(a, "UPDATE t SET v=2");
	CU_ASSERT_EQUAL(tools_run(a, "COMMIT", NULL, 0), SQLITE_BUSY);
	tools_must(b, "COMMIT");
	tools_must(a, "COMMIT");
	CU_ASSERT_EQUAL(tools_number(b, "SELECT v FROM t"), 2);
	/* With a log they are not in each other's way. */
	tools_must(a, "PRAGMA journal_mode=wal; BEGIN IMMEDIATE");
	tools_must(b, "BEGIN");
	CU_ASSERT_EQUAL(tools_number(b, "SELECT v FROM t"), 2);
	tools_must(a, "UPDATE t SET v=3; COMMIT");
	CU_ASSERT_EQUAL(tools_number(b, "SELECT v FROM t"), 2);
	CU_ASSERT_EQUAL(tools_run(b, "UPDATE t SET v=4", NULL, 0),
	    SQLITE_BUSY_SNAPSHOT);
	tools_must(b, "COMMIT");
	CU_ASSERT_EQUAL(tools_number(b, "SELECT v FROM t"), 3);
	CU_ASSERT_EQUAL(sqlite3_close(a), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_close(b), SQLITE_OK);
	tools_end();
}

static void *
move_money(void *arg)
{
	sqlite3 *db = tools_open("a.db", "hotspare");
	char sql[256];
	int i, rc;

	(void)sqlite3_busy_timeout(db, 20000);
	for (i = 0; i < 100; i++) {
		(void)snprintf(sql, sizeof(sql),
		    "BEGIN IMMEDIATE; UPDATE t SET v=v-1 WHERE id=%d; "
		    "UPDATE t SET v=v+1 WHERE id=%d; COMMIT",
		    i % 5, (i + 1 + *(int *)arg) % 5);
		rc = tools_run(db, sql, NULL, 0);
		CU_ASSERT_EQUAL(rc, SQLITE_OK);
	}
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	return NULL;
}

static void
threads_commit_beside_each_other(void)
{
	static const char *const modes[] = { "delete", "wal" };
	int id[THREADS];
	pthread_t thread[THREADS];
	char sql[64];
	sqlite3 *db;

	for (int m = 0; m < 2; m++) {
		tools_begin();
		db = tools_open("a.db", "hotspare");
		(void)snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s",
		    modes[m]);
		tools_must(db, sql);
		tools_must(db,
		    "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
		    "INSERT INTO t VALUES(0,9),(1,9),(2,9),(3,9),(4,9)");
		for (int i = 0; i < THREADS; i++) {
			id[i] = i;
			CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL,
						  move_money, &id[i]),
			    0);
		}
		for (int i = 0; i < THREADS; i++)
			CU_ASSERT_EQUAL(pthread_join(thread[i], NULL), 0);
		CU_ASSERT_EQUAL(tools_number(db, "SELECT sum(v) FROM t"), 45);
		CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
		tools_end();
	}
}

/* What a checkpoint answers, and what the commit then does. */
static void
commit_fails_when_it_is_not_held(void)
{
	static const struct {
		int cpt;
		const char *uri;
		int want;
		unsigned how;
	} cases[] = {
		{ 0, "file:a.db", SQLITE_OK, HS_HELD },
		{ HS_ENOSPARE, "file:a.db", SQLITE_OK, HS_HELD },
		{ HS_ENOSPARE, "file:a.db?spare=optional", SQLITE_OK, HS_HELD },
		{ HS_ENOSPARE, "file:a.db?spare=refuse", SQLITE_IOERR_FSYNC,
		    HS_HELD },
		{ HS_ENOSPARE, "file:a.db?spare=wait", SQLITE_IOERR_FSYNC,
		    HS_HELD | HS_NEEDSPARE },
		{ HS_ENOSPARE, "file:a.db?spare=mispelt", SQLITE_IOERR_FSYNC,
		    HS_HELD },
		{ HS_EFENCED, "file:a.db", SQLITE_IOERR_FSYNC, HS_HELD },
		{ HS_EAGENT, "file:a.db?spare=wait", SQLITE_IOERR_FSYNC,
		    HS_HELD | HS_NEEDSPARE },
		{ HS_ELOCK, "file:a.db", SQLITE_IOERR_FSYNC, HS_HELD },
	};
	static const char *const modes[] = { "delete", "wal", "persist" };
	char sql[64];
	sqlite3 *db;

	for (size_t i = 0; i < 3 * sizeof(cases) / sizeof(cases[0]); i++) {
		tools_begin();
		db = tools_open(cases[i / 3].uri, "hotspare");
		(void)snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s",
		    modes[i % 3]);
		tools.cpt_rc = 0;
		tools_must(db, sql);
		tools_must(db, "CREATE TABLE t(v)");
		tools.cpt_rc = cases[i / 3].cpt;
		CU_ASSERT_EQUAL(tools_run(db, "INSERT INTO t VALUES(1)", NULL,
				    0),
		    cases[i / 3].want);
		CU_ASSERT_EQUAL(tools.how, cases[i / 3].how);
		/* Once it works again so does the connection. */
		tools.cpt_rc = 0;
		tools_must(db, "INSERT INTO t VALUES(2)");
		CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
		tools_end();
	}
}

/* A thread that is late for its safepoint is waited for once more. */
static void
end_stop(void)
{
	if (tools.holds == 3)
		tools.cpt_rc = 0;
}

static void
late_thread_is_waited_for(void)
{
	sqlite3 *db;

	tools_begin();
	db = tools_open("a.db", "hotspare");
	tools_must(db, "CREATE TABLE t(v)");
	tools.cpt_rc = HS_ESTOP;
	tools.at_hold = end_stop;
	tools.holds = 0;
	tools_must(db, "INSERT INTO t VALUES(1)");
	CU_ASSERT_EQUAL(tools.holds, 3);
	tools.at_hold = NULL;
	/* But not for ever. */
	tools.cpt_rc = HS_ESTOP;
	CU_ASSERT_EQUAL(tools_run(db, "INSERT INTO t VALUES(2)", NULL, 0),
	    SQLITE_IOERR_FSYNC);
	tools.cpt_rc = 1;
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	tools_end();
}

/* Wherever memory ends, the statement fails or works, and nothing is broken. */
static void
full_memory_breaks_nothing(void)
{
	static const char insert[] =
	    "INSERT INTO t VALUES(zeroblob(400000)), (randomblob(300000))";
	char out[64];
	sqlite3 *db;
	long long n = 0;
	int after, rc, failures = 0;

	tools_begin();
	db = tools_open("a.db", "hotspare");
	tools_must(db, "CREATE TABLE t(v)");
	for (after = 0; after < 40; after++) {
		if (after == 20)
			tools_must(db, "PRAGMA journal_mode=wal");
		tools.fail_after = after % 20;
		rc = tools_run(db, insert, NULL, 0);
		tools.fail_after = -1;
		if (rc == SQLITE_OK)
			n += 2;
		else
			failures++;
		CU_ASSERT(rc == SQLITE_OK || rc == SQLITE_FULL ||
		    (rc & 0xff) == SQLITE_CANTOPEN);
		CU_ASSERT_EQUAL(tools_number(db, "SELECT count(*) FROM t"), n);
		CU_ASSERT_EQUAL(tools_run(db, "PRAGMA integrity_check", out,
				    sizeof(out)),
		    SQLITE_OK);
		CU_ASSERT_STRING_EQUAL(out, "ok|");
	}
	CU_ASSERT(failures > 5 && n > 0);
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	tools_end();
}

static void
protection_is_told(void)
{
	char out[128];
	sqlite3 *db;

	tools_begin();
	db = tools_open("a.db", "hotspare");
	CU_ASSERT_EQUAL(tools_run(db, "PRAGMA hotspare", out, sizeof(out)),
	    SQLITE_OK);
	CU_ASSERT_STRING_EQUAL(out, "alone spares=0 sealed=0 held=0|");
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	tools_end();
}

HS_SUITE(sqlite_vfs, HS_TEST(same_answers_as_the_default_vfs),
    HS_TEST(database_grows_and_shrinks), HS_TEST(databases_are_apart),
    HS_TEST(connections_lock_each_other_out),
    HS_TEST(threads_commit_beside_each_other),
    HS_TEST(commit_fails_when_it_is_not_held),
    HS_TEST(late_thread_is_waited_for), HS_TEST(full_memory_breaks_nothing),
    HS_TEST(protection_is_told))
