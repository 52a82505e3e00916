/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests of examples/sqlite: a VFS that has just started, calls that
 * fail when told to, and a look at what a spare would find.
 *
 * Without an agent hscpt() sends nothing: so the linker puts our own between
 * (--wrap), which counts, fails, and tells what is in the store at that moment.
 */
#ifndef HS_TESTS_UNIT_SQLITE_TOOLS_H
#define HS_TESTS_UNIT_SQLITE_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#include <sqlite3.h>

struct tools {
	/* Called at each hscpt(), and after each change of the store. */
	void (*at_hold)(void);
	void (*at_change)(void);
	unsigned holds;		/* calls of hscpt() */
	unsigned changes;
	int cpt_rc;		/* what hscpt() answers; 1: what it does */
	unsigned how;		/* what it was asked for */
	int fail_after;		/* so many allocations work; -1: all do */
};

extern struct tools tools;

/* A new store, in a new directory that is the working directory. */
void tools_begin(void);
void tools_end(void);

/* vfs NULL: the default one. */
sqlite3 *tools_open(const char *name, const char *vfs);
/* The result code; rows go to out (size bytes), if it is not NULL. */
int tools_run(sqlite3 *db, const char *sql, char *out, size_t size);
/* The first value; -1 if there is none. */
long long tools_number(sqlite3 *db, const char *sql);
/* As tools_run(), and must work. */
void tools_must(sqlite3 *db, const char *sql);

/* Every file of the store, as a file in the working directory. */
void tools_dump(void);

#endif
