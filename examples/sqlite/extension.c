/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hotspare.so, a loadable extension of SQLite:
 *
 *	.load hotspare			file:x.db?vfs=hotspare is in it
 *	.load hotspare sqlite3_hotspare_default_init
 *					every database that is opened from now
 *					on is, unless its URI names another VFS
 *
 * Loading it is the program's hsinit(): on a spare it waits for its turn.  It
 * may be preloaded instead, see preload.c.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <sqlite3ext.h>

#include "examples/sqlite/preload.h"
#include "examples/sqlite/vfs.h"

SQLITE_EXTENSION_INIT1

#define VISIBLE __attribute__((visibility("default")))

VISIBLE int sqlite3_hotspare_init(sqlite3 *db, char **error,
    const sqlite3_api_routines *api);
VISIBLE int sqlite3_hotspare_default_init(sqlite3 *db, char **error,
    const sqlite3_api_routines *api);

static int
start(bool as_default, char **error)
{
	const char *why = "";

	if (vfs_start(as_default, &why) < 0) {
		*error = sqlite3_mprintf("hotspare: %s", why);
		return SQLITE_ERROR;
	}
	/* The VFS outlives the connection that loaded it. */
	return SQLITE_OK_LOAD_PERMANENTLY;
}

int
sqlite3_hotspare_init(sqlite3 *db, char **error,
    const sqlite3_api_routines *api)
{
	(void)db;
	SQLITE_EXTENSION_INIT2(api);
	return start(false, error);
}

int
sqlite3_hotspare_default_init(sqlite3 *db, char **error,
    const sqlite3_api_routines *api)
{
	(void)db;
	SQLITE_EXTENSION_INIT2(api);
	return start(true, error);
}

int
preload_enter(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
	int rc;

	(void)db;
	SQLITE_EXTENSION_INIT2(api);
	rc = start(getenv("HS_SQLITE_DEFAULT") != NULL, error);
	return rc == SQLITE_OK_LOAD_PERMANENTLY ? SQLITE_OK : rc;
}
