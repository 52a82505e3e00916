/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/sqlite/vfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hotspare/hs.h>

#include "examples/sqlite/api.h"
#include "examples/sqlite/gate.h"
#include "examples/sqlite/io.h"
#include "examples/sqlite/lock.h"
#include "examples/sqlite/store.h"

#define ARENA_BYTES ((size_t)4 << 30)	/* address space until used */

static struct io_shared shared;

static struct io_shared *
shared_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static sqlite3_vfs *
parent_of(sqlite3_vfs *vfs)
{
	return shared_of(vfs)->parent;
}

static enum gate_policy
parse_policy(const char *text, enum gate_policy otherwise)
{
	if (text == NULL)
		return otherwise;
	if (strcmp(text, "optional") == 0)
		return GATE_OPTIONAL;
	if (strcmp(text, "wait") == 0)
		return GATE_WAIT;
	if (strcmp(text, "refuse") == 0)
		return GATE_REFUSE;
	sqlite3_log(SQLITE_WARNING,
	    "hotspare: spare=%s is not known, taken as refuse", text);
	return GATE_REFUSE;
}

static bool
is_temporary(const char *name, int flags)
{
	return name == NULL ||
	    (flags &
		(SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TRANSIENT_DB |
		    SQLITE_OPEN_TEMP_JOURNAL | SQLITE_OPEN_SUBJOURNAL)) != 0;
}

static int
open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
    int *out_flags)
{
	struct io_shared *s = shared_of(vfs);
	const char *spare = NULL;

	if (is_temporary(name, flags))
		return s->parent->xOpen(s->parent, name, file, flags,
		    out_flags);
	if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0)
		spare = sqlite3_uri_parameter(name, "spare");
	if (out_flags != NULL)
		*out_flags = flags;
	return io_open(s, name, flags, parse_policy(spare, s->policy), file);
}

static int
delete_file(sqlite3_vfs *vfs, const char *name, int sync)
{
	return io_delete(shared_of(vfs), name, sync != 0);
}

static int
access_file(sqlite3_vfs *vfs, const char *name, int what, int *out)
{
	struct io_shared *s = shared_of(vfs);
	const struct store_file *f;

	gate_enter(&s->gate);
	f = store_find(s->store, name);
	/* An empty journal is none; the default VFS has it so, too. */
	*out = f != NULL && (what != SQLITE_ACCESS_EXISTS || store_size(f) > 0);
	gate_leave(&s->gate);
	return SQLITE_OK;
}

/*
 * A name is a key: directories differ from node to node, and the database does
 * not lie in one.
 */
static int
full_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	if (snprintf(out, (size_t)size, "%s", name) >= size)
		return SQLITE_CANTOPEN;
	return SQLITE_OK;
}

static void *
open_library(sqlite3_vfs *vfs, const char *name)
{
	return parent_of(vfs)->xDlOpen(parent_of(vfs), name);
}

static void
tell_library_error(sqlite3_vfs *vfs, int size, char *out)
{
	parent_of(vfs)->xDlError(parent_of(vfs), size, out);
}

static void (*find_symbol(sqlite3_vfs *vfs, void *lib, const char *name))(void)
{
	return parent_of(vfs)->xDlSym(parent_of(vfs), lib, name);
}

static void
close_library(sqlite3_vfs *vfs, void *lib)
{
	parent_of(vfs)->xDlClose(parent_of(vfs), lib);
}

static int
give_random(sqlite3_vfs *vfs, int size, char *out)
{
	return parent_of(vfs)->xRandomness(parent_of(vfs), size, out);
}

static int
sleep_us(sqlite3_vfs *vfs, int us)
{
	return parent_of(vfs)->xSleep(parent_of(vfs), us);
}

static int
tell_time(sqlite3_vfs *vfs, double *out)
{
	return parent_of(vfs)->xCurrentTime(parent_of(vfs), out);
}

static int
tell_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	sqlite3_vfs *parent = parent_of(vfs);
	double days;
	int rc;

	if (parent->iVersion >= 2 && parent->xCurrentTimeInt64 != NULL)
		return parent->xCurrentTimeInt64(parent, out);
	rc = parent->xCurrentTime(parent, &days);
	*out = (sqlite3_int64)(days * 86400000.0);
	return rc;
}

static int
last_error(sqlite3_vfs *vfs, int size, char *out)
{
	(void)vfs;
	(void)size;
	(void)out;
	return 0;
}

static sqlite3_vfs hotspare = {
	.iVersion = 2,
	.mxPathname = STORE_NAME_BYTES - 1,
	.zName = VFS_NAME,
	.pAppData = &shared,
	.xOpen = open_file,
	.xDelete = delete_file,
	.xAccess = access_file,
	.xFullPathname = full_name,
	.xDlOpen = open_library,
	.xDlError = tell_library_error,
	.xDlSym = find_symbol,
	.xDlClose = close_library,
	.xRandomness = give_random,
	.xSleep = sleep_us,
	.xCurrentTime = tell_time,
	.xGetLastError = last_error,
	.xCurrentTimeInt64 = tell_time_ms,
};

/* 0: the text is not a size. */
static size_t
parse_bytes(const char *text)
{
	static const char units[] = "KMG";
	const char *unit;
	size_t v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *text == '-')
		return 0;
	if (*end == '\0')
		return v;
	unit = strchr(units, *end);
	if (unit == NULL || end[1] != '\0' || v > SIZE_MAX >> 31)
		return 0;
	return v << (10 * (unit - units + 1));
}

int
vfs_begin(const char **why)
{
	struct hs_status st = { .size = sizeof(st) };
	struct hs_options opt = HS_OPTIONS;
	const char *bytes = getenv("HS_SQLITE_BYTES");
	int rc;

	if (hsstatus(&st) == 0)
		return 0;	/* the program's own hsinit() */
	opt.arena_bytes = bytes == NULL ? ARENA_BYTES : parse_bytes(bytes);
	if (opt.arena_bytes == 0) {
		*why = "HS_SQLITE_BYTES is not a size";
		return HS_EMISUSE;
	}
	rc = hsinit(&opt);
	if (rc < 0)
		*why = hsmessage();
	return rc < 0 ? rc : 0;
}

/* The parent is who was the default before: never ourselves. */
static int
prepare_shared(const char **why)
{
	int rc;

	rc = vfs_begin(why);
	if (rc < 0)
		return rc;
	gate_init(&shared.gate);
	shared.policy = parse_policy(getenv("HS_SQLITE_SPARE"), GATE_OPTIONAL);
	rc = store_open(&shared.store);
	if (rc == 0)
		rc = lock_table_create(&shared.locks);
	if (rc < 0) {
		*why = hsstrerror(rc);
		return rc;
	}
	shared.parent = sqlite3_vfs_find(NULL);
	hotspare.szOsFile = io_file_bytes(shared.parent->szOsFile);
	return 0;
}

int
vfs_start(bool as_default, const char **why)
{
	static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
	int rc = 0;

	(void)pthread_mutex_lock(&starting);
	if (shared.parent == NULL)
		rc = prepare_shared(why);
	if (rc == 0 &&
	    sqlite3_vfs_register(&hotspare, as_default) != SQLITE_OK) {
		*why = "SQLite does not take the VFS";
		rc = HS_EMISUSE;
	}
	(void)pthread_mutex_unlock(&starting);
	return rc;
}

void
vfs_stop(void)
{
	(void)sqlite3_vfs_unregister(&hotspare);
	lock_table_destroy(shared.locks);
	shared = (struct io_shared){ .parent = NULL };
}

const struct store *
vfs_store(void)
{
	return shared.store;
}
