/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions a second: the same transfers in the same run by SQLite with its
 * database in checkpoint memory, on the disk, and in plain memory.  It is the
 * service of a cluster; rows and samples go to files in DIRECTORY, as does the
 * database that is on the disk.
 *
 *	sqlite/JOURNAL/tps	each held; beside the disk, with a write-ahead
 *				log and synchronous=full
 *	sqlite/disk/tps		that; beside :memory:
 *	sqlite/memory/tps	:memory:
 *	sqlite/fsync/us		of one page on that disk: what it is worth
 *
 * One thread, one transaction after the other, each of two updates and an
 * insertion.  In turn, round by round.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hotspare/hs.h>
#include <sqlite3.h>

#include "examples/sqlite/vfs.h"
#include "tests/bench/bench.h"

#define ACCOUNTS 10000
#define ROUNDS 7
#define ROUND_NS UINT64_C(700000000)
#define WARM_UP 200
#define PROTECTED_MS 20000

enum place {
	PLACE_WAL,	/* ours */
	PLACE_DELETE,
	PLACE_DISK,
	PLACE_MEMORY,
	PLACES
};

static const char *const row_names[PLACES] = { "wal", "delete", "disk",
	"memory" };

struct bank {
	sqlite3 *db;
	sqlite3_stmt *begin, *from, *to, *record, *commit;
	struct bench_samples tps;
};

static void
must(struct bank *b, int rc, const char *what)
{
	if (rc != SQLITE_OK && rc != SQLITE_DONE)
		bench_die("sqlite: %s: %s", what, sqlite3_errmsg(b->db));
}

static void
run(struct bank *b, const char *sql)
{
	must(b, sqlite3_exec(b->db, sql, NULL, NULL, NULL), sql);
}

static sqlite3_stmt *
prepare(struct bank *b, const char *sql)
{
	sqlite3_stmt *st;

	must(b, sqlite3_prepare_v2(b->db, sql, -1, &st, NULL), sql);
	return st;
}

static void
open_bank(struct bank *b, const char *uri, const char *journal)
{
	char sql[256];

	must(b,
	    sqlite3_open_v2(uri, &b->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
		NULL),
	    uri);
	(void)snprintf(sql, sizeof(sql),
	    "PRAGMA synchronous=full; PRAGMA journal_mode=%s", journal);
	run(b, sql);
	(void)snprintf(sql, sizeof(sql),
	    "CREATE TABLE account(id INTEGER PRIMARY KEY, amount);"
	    "CREATE TABLE done(no INTEGER PRIMARY KEY, src, dst, amount);"
	    "WITH n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n WHERE i<%d) "
	    "INSERT INTO account SELECT i, 1000 FROM n",
	    ACCOUNTS - 1);
	run(b, sql);
	b->begin = prepare(b, "BEGIN IMMEDIATE");
	b->from = prepare(b, "UPDATE account SET amount=amount-?2 WHERE id=?1");
	b->to = prepare(b, "UPDATE account SET amount=amount+?2 WHERE id=?1");
	b->record = prepare(b, "INSERT INTO done VALUES(NULL,?1,?2,?3)");
	b->commit = prepare(b, "COMMIT");
}

static void
step(struct bank *b, sqlite3_stmt *st)
{
	must(b, sqlite3_step(st), sqlite3_sql(st));
	must(b, sqlite3_reset(st), "reset");
}

static void
transfer(struct bank *b, uint64_t *random)
{
	int from = (int)(bench_random(random) % ACCOUNTS);
	int to = (int)(bench_random(random) % ACCOUNTS);
	int amount = (int)(bench_random(random) % 100);

	step(b, b->begin);
	(void)sqlite3_bind_int(b->from, 1, from);
	(void)sqlite3_bind_int(b->from, 2, amount);
	step(b, b->from);
	(void)sqlite3_bind_int(b->to, 1, to);
	(void)sqlite3_bind_int(b->to, 2, amount);
	step(b, b->to);
	(void)sqlite3_bind_int(b->record, 1, from);
	(void)sqlite3_bind_int(b->record, 2, to);
	(void)sqlite3_bind_int(b->record, 3, amount);
	step(b, b->record);
	step(b, b->commit);
}

static void
measure(struct bank *b, uint64_t *random)
{
	uint64_t t0 = bench_now_ns(), t;
	unsigned n = 0;

	do {
		transfer(b, random);
		n++;
		t = bench_now_ns();
	} while (t - t0 < ROUND_NS);
	bench_add(&b->tps, n * 1e9 / (double)(t - t0));
}

static double
time_fsync(const char *path)
{
	struct bench_samples s = { 0 };
	static const char page[BENCH_PAGE] = { 1 };
	double us;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		bench_die("cannot write %s", path);
	for (int i = 0; i < 200; i++) {
		uint64_t t0;

		if (pwrite(fd, page, sizeof(page), i * (off_t)sizeof(page)) < 0)
			bench_die("cannot write %s", path);
		t0 = bench_now_ns();
		if (fsync(fd) < 0)
			bench_die("cannot sync %s", path);
		bench_add(&s, (double)(bench_now_ns() - t0) / 1e3);
	}
	close(fd);
	us = bench_quantile(&s, 0.5);
	bench_clear(&s);
	return us;
}

/* Without a spare nothing would be measured: it starts a moment after us. */
static void
wait_protected(void)
{
	struct hs_status st = { .size = sizeof(st) };

	for (unsigned ms = 0; ms < PROTECTED_MS; ms += 10) {
		if (hsstatus(&st) == 0 && st.protection == HS_PROTECTED)
			return;
		bench_sleep_ms(10);
	}
	bench_die("sqlite: no spare: run it below hs-agent");
}

static void
check(struct bank *b)
{
	sqlite3_stmt *st = prepare(b, "SELECT sum(amount) FROM account");

	if (sqlite3_step(st) != SQLITE_ROW ||
	    sqlite3_column_int64(st, 0) != 1000 * ACCOUNTS)
		bench_die("sqlite: the sum is wrong");
	(void)sqlite3_finalize(st);
}

static void
tell(struct bank *bank, const char *path)
{
	double tps[PLACES], fsync_us = time_fsync(path);

	for (int p = 0; p < PLACES; p++) {
		check(&bank[p]);
		bench_dump(&bank[p].tps, "sqlite-%s", row_names[p]);
		tps[p] = bench_quantile(&bank[p].tps, 0.5);
	}
	bench_row(tps[PLACE_WAL], "tx/s", tps[PLACE_DISK], "sqlite/wal/tps");
	bench_row(tps[PLACE_DELETE], "tx/s", tps[PLACE_DISK],
	    "sqlite/delete/tps");
	bench_row(tps[PLACE_DISK], "tx/s", tps[PLACE_MEMORY],
	    "sqlite/disk/tps");
	bench_row(tps[PLACE_MEMORY], "tx/s", BENCH_NONE, "sqlite/memory/tps");
	bench_row(fsync_us, "us", BENCH_NONE, "sqlite/fsync");
}

int
main(int argc, char **argv)
{
	struct bank bank[PLACES] = { 0 };
	char uri[512], path[512];
	const char *why = "";
	uint64_t random;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: sqlite SEED DIRECTORY\n");
		return 2;
	}
	random = strtoull(argv[1], NULL, 0);
	(void)snprintf(path, sizeof(path), "%s/rows", argv[2]);
	if (setenv("HS_BENCH_ROWS", path, 1) < 0 ||
	    setenv("HS_BENCH_RAW", argv[2], 1) < 0)
		bench_die("no memory");
	if (vfs_start(false, &why) < 0)
		bench_die("%s", why);
	wait_protected();
	(void)snprintf(uri, sizeof(uri), "file:%s/bank.db?vfs=unix", argv[2]);
	(void)snprintf(path, sizeof(path), "%s/page", argv[2]);
	open_bank(&bank[PLACE_WAL], "file:w.db?vfs=hotspare&spare=wait", "wal");
	open_bank(&bank[PLACE_DELETE], "file:d.db?vfs=hotspare&spare=wait",
	    "delete");
	open_bank(&bank[PLACE_DISK], uri, "wal");
	open_bank(&bank[PLACE_MEMORY], ":memory:", "memory");
	for (int round = -1; round < ROUNDS; round++)
		for (int p = 0; p < PLACES; p++) {
			if (round >= 0)
				measure(&bank[p], &random);
			else
				for (int i = 0; i < WARM_UP; i++)
					transfer(&bank[p], &random);
		}
	tell(bank, path);
	/* Whoever ended would be taken over from. */
	for (;;)
		(void)pause();
}
