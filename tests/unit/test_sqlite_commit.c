/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a commit promises.  At each checkpoint, and after each change of the
 * store, what a spare would have is written to the disk and opened by SQLite's
 * own VFS, which knows nothing of us: it has to come out clean, with all
 * that was answered and nothing by halves.
 */
#include <stdio.h>
#include <string.h>

#include <hotspare/hs.h>

#include "tests/unit/sqlite_tools.h"
#include "tests/unit/suite.h"

#define ACCOUNTS 40
#define TOTAL (ACCOUNTS * 1000)
#define TRANSFERS 12

/* How a database is set up, and what a commit then costs. */
struct mode {
	const char *name;
	const char *pragmas;
	unsigned holds;		/* checkpoints a commit takes */
};

static const struct mode modes[] = {
	{ "delete", "PRAGMA journal_mode=delete", 1 },
	{ "delete, extra",
	    "PRAGMA journal_mode=delete; PRAGMA synchronous=extra", 1 },
	{ "delete, normal",
	    "PRAGMA journal_mode=delete; PRAGMA synchronous=normal", 1 },
	{ "truncate", "PRAGMA journal_mode=truncate", 1 },
	{ "truncate, normal",
	    "PRAGMA journal_mode=truncate; PRAGMA synchronous=normal", 1 },
	{ "persist", "PRAGMA journal_mode=persist", 1 },
	{ "memory", "PRAGMA journal_mode=memory", 1 },
	{ "off", "PRAGMA journal_mode=off", 1 },
	{ "exclusive",
	    "PRAGMA locking_mode=exclusive; PRAGMA journal_mode=delete", 1 },
	{ "wal", "PRAGMA journal_mode=wal", 1 },
	{ "wal, exclusive",
	    "PRAGMA locking_mode=exclusive; PRAGMA journal_mode=wal", 1 },
	{ "small cache", "PRAGMA cache_size=1; PRAGMA cache_spill=1", 1 },
	{ "delete, synchronous off",
	    "PRAGMA journal_mode=delete; PRAGMA synchronous=off", 0 },
	{ "wal, normal", "PRAGMA journal_mode=wal; PRAGMA synchronous=normal",
	    0 },
};
#define MODES (sizeof(modes) / sizeof(modes[0]))

/* Modes that SQLite itself does not promise to recover. */
static bool
survives_any_instant(const struct mode *m)
{
	return strcmp(m->name, "memory") != 0 && strcmp(m->name, "off") != 0;
}

static struct {
	long long answered;	/* transfers that have returned */
	long long at_hold;	/* transfers that the last checkpoint has */
	unsigned looks;
	const char *dbs[2];
	unsigned ndbs;
} watch;

static void
build_accounts(sqlite3 *db)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
	    "CREATE TABLE account(id INTEGER PRIMARY KEY, amount, pad);"
	    "WITH n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n WHERE i<%d)"
	    "INSERT INTO account SELECT i, 1000, randomblob(600) FROM n;"
	    "CREATE TABLE done(no INTEGER PRIMARY KEY)",
	    ACCOUNTS - 1);
	tools_must(db, sql);
}

static int
transfer(sqlite3 *db, struct hs_random *r)
{
	char sql[512];

	(void)snprintf(sql, sizeof(sql),
	    "BEGIN IMMEDIATE;"
	    "UPDATE account SET amount=amount-%d, pad=randomblob(%d) "
	    "WHERE id=%d;"
	    "UPDATE account SET amount=amount+%d WHERE id=%d;"
	    "INSERT INTO done VALUES(NULL);",
	    7, (int)hs_random_below(r, 3000), (int)hs_random_below(r, ACCOUNTS),
	    7, (int)hs_random_below(r, ACCOUNTS));
	/* In two, so that it is seen which of them failed. */
	tools_must(db, sql);
	return tools_run(db, "COMMIT", NULL, 0);
}

/* What a spare would find in database name: how many transfers. */
static long long
look(const char *name)
{
	char out[256];
	long long n;
	sqlite3 *db = tools_open(name, "unix");

	tools_must(db, "PRAGMA synchronous=off");
	CU_ASSERT_EQUAL(tools_run(db, "PRAGMA integrity_check", out,
			    sizeof(out)),
	    SQLITE_OK);
	CU_ASSERT_STRING_EQUAL(out, "ok|");
	CU_ASSERT_EQUAL(tools_number(db, "SELECT sum(amount) FROM account"),
	    TOTAL);
	n = tools_number(db, "SELECT count(*) FROM done");
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	watch.looks++;
	return n;
}

static long long
look_at_all(void)
{
	long long n, m;

	tools_dump();
	n = look(watch.dbs[0]);
	if (watch.ndbs == 2) {
		/* Both, or neither. */
		m = look(watch.dbs[1]);
		CU_ASSERT_EQUAL(n, m);
	}
	return n;
}

static void
note_hold(void)
{
	watch.at_hold = look_at_all();
}

static void
check_instant(void)
{
	long long n = look_at_all();

	CU_ASSERT(n == watch.answered || n == watch.answered + 1);
}

static void
watch_databases(const char *a, const char *b)
{
	watch.dbs[0] = a;
	watch.dbs[1] = b;
	watch.ndbs = b == NULL ? 1 : 2;
	watch.answered = 0;
	watch.at_hold = -1;
	watch.looks = 0;
}

static void
run_mode(const struct mode *m, bool every_instant)
{
	struct hs_random r;
	unsigned before;
	sqlite3 *db;
	int i;

	hs_random_init(&r);
	tools_begin();
	tools.cpt_rc = 0;	/* held */
	db = tools_open("a.db", "hotspare");
	tools_must(db, m->pragmas);
	build_accounts(db);
	watch_databases("a.db", NULL);
	tools.at_hold = note_hold;
	if (every_instant)
		tools.at_change = check_instant;
	for (i = 0; i < TRANSFERS; i++) {
		before = tools.holds;
		CU_ASSERT_EQUAL(transfer(db, &r), SQLITE_OK);
		watch.answered++;
		if (tools.holds - before != m->holds)
			printf("\n    %s: %u\n", m->name, tools.holds - before);
		CU_ASSERT_EQUAL(tools.holds - before, m->holds);
		if (m->holds > 0)
			CU_ASSERT_EQUAL(watch.at_hold, watch.answered);
	}
	CU_ASSERT(!every_instant || watch.looks > 3 * TRANSFERS);
	tools.at_hold = tools.at_change = NULL;
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	tools_end();
}

static void
commit_is_held_once_and_whole(void)
{
	for (size_t i = 0; i < MODES; i++)
		run_mode(&modes[i], false);
}

static void
every_instant_recovers(void)
{
	for (size_t i = 0; i < MODES; i++)
		if (survives_any_instant(&modes[i]))
			run_mode(&modes[i], true);
}

static void
two_databases_commit_as_one(void)
{
	static const char both[] =
	    "BEGIN IMMEDIATE;"
	    "UPDATE main.account SET amount=amount-5 WHERE id=1;"
	    "UPDATE main.account SET amount=amount+5 WHERE id=2;"
	    "UPDATE b.account SET amount=amount-5 WHERE id=3;"
	    "UPDATE b.account SET amount=amount+5 WHERE id=4;"
	    "INSERT INTO main.done VALUES(NULL);"
	    "INSERT INTO b.done VALUES(NULL); COMMIT";
	unsigned before;
	sqlite3 *db;
	int i;

	tools_begin();
	tools.cpt_rc = 0;
	db = tools_open("b.db", "hotspare");
	build_accounts(db);
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	db = tools_open("a.db", "hotspare");
	build_accounts(db);
	tools_must(db, "ATTACH 'file:b.db?vfs=hotspare' AS b");
	watch_databases("a.db", "b.db");
	tools.at_hold = note_hold;
	tools.at_change = check_instant;
	for (i = 0; i < 4; i++) {
		before = tools.holds;
		tools_must(db, both);
		watch.answered++;
		CU_ASSERT_EQUAL(tools.holds - before, 1);
		CU_ASSERT_EQUAL(watch.at_hold, watch.answered);
	}
	tools.at_hold = tools.at_change = NULL;
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	tools_end();
}

/* A rollback, a vacuum, a backup: what else writes. */
static void
rollback_and_vacuum_recover_at_every_instant(void)
{
	struct hs_random r;
	sqlite3 *db;

	hs_random_init(&r);
	tools_begin();
	db = tools_open("a.db", "hotspare");
	build_accounts(db);
	watch_databases("a.db", NULL);
	tools.at_change = check_instant;
	tools_must(db,
	    "PRAGMA cache_size=1; BEGIN; UPDATE account SET "
	    "pad=randomblob(4000), amount=0; ROLLBACK");
	CU_ASSERT_EQUAL(look_at_all(), 0);
	tools_must(db, "VACUUM");
	CU_ASSERT_EQUAL(transfer(db, &r), SQLITE_OK);
	watch.answered++;
	tools_must(db, "PRAGMA journal_mode=wal");
	CU_ASSERT_EQUAL(transfer(db, &r), SQLITE_OK);
	watch.answered++;
	tools_must(db, "PRAGMA wal_checkpoint(truncate)");
	CU_ASSERT_EQUAL(transfer(db, &r), SQLITE_OK);
	watch.answered++;
	tools_must(db, "PRAGMA journal_mode=delete");
	CU_ASSERT_EQUAL(look_at_all(), 3);
	tools.at_change = NULL;
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	tools_end();
}

/* With WAL and synchronous=normal it is the log's way back that is held. */
static void
wal_checkpoint_holds_what_normal_did_not(void)
{
	struct hs_random r;
	sqlite3 *db;

	hs_random_init(&r);
	tools_begin();
	db = tools_open("a.db", "hotspare");
	tools_must(db, "PRAGMA journal_mode=wal; PRAGMA synchronous=normal");
	build_accounts(db);
	watch_databases("a.db", NULL);
	tools.at_hold = note_hold;
	CU_ASSERT_EQUAL(transfer(db, &r), SQLITE_OK);
	CU_ASSERT_EQUAL(watch.at_hold, -1);
	tools_must(db, "PRAGMA wal_checkpoint");
	CU_ASSERT_EQUAL(watch.at_hold, 1);
	tools.at_hold = NULL;
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
	tools_end();
}

HS_SUITE(sqlite_commit, HS_TEST(commit_is_held_once_and_whole),
    HS_TEST(every_instant_recovers), HS_TEST(two_databases_commit_as_one),
    HS_TEST(rollback_and_vacuum_recover_at_every_instant),
    HS_TEST(wal_checkpoint_holds_what_normal_did_not))
