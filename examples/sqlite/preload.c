/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hotspare.so in LD_PRELOAD, for a program that is linked with SQLite and loads
 * no extensions: checkpointing starts before its main(), where a spare waits,
 * and the VFS is there when it opens its first database.  With
 * HS_SQLITE_DEFAULT set, names that are no URI are in checkpoint memory, too.
 *
 * SQLite may be configured only before its first use, and by the program: so
 * the VFS is not registered earlier.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/sqlite/preload.h"
#include "examples/sqlite/vfs.h"

#define VISIBLE __attribute__((visibility("default")))

/*
 * As sqlite3.h has them, which is not included: what is defined here are other
 * functions of the same names.  0 is SQLITE_OK.
 */
typedef int open_fn(const char *, struct sqlite3 **);
typedef int open_v2_fn(const char *, struct sqlite3 **, int, const char *);
typedef int auto_extension_fn(void (*)(void));
typedef int close_fn(struct sqlite3 *);

VISIBLE int sqlite3_open(const char *name, struct sqlite3 **out);
VISIBLE int sqlite3_open_v2(const char *name, struct sqlite3 **out, int flags,
    const char *vfs);

static void *
next_symbol(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (p == NULL) {
		(void)fprintf(stderr, "hotspare: this program has no %s\n",
		    name);
		abort();
	}
	return p;
}

/* Only where we were preloaded are the calls below the program's. */
static bool
is_preloaded(void)
{
	const char *list = getenv("LD_PRELOAD");

	return list != NULL && strstr(list, "hotspare.so") != NULL &&
	    dlsym(RTLD_NEXT, "sqlite3_open_v2") != NULL;
}

__attribute__((constructor)) static void
begin_checkpointing(void)
{
	const char *why = "";

	if (!is_preloaded())
		return;
	/* What the program runs is not protected with it. */
	(void)unsetenv("LD_PRELOAD");
	if (vfs_begin(&why) < 0) {
		(void)fprintf(stderr, "hotspare: %s\n", why);
		exit(EXIT_FAILURE);
	}
}

/* SQLite tells its table of calls to extensions alone: so we become one. */
static void
register_vfs(void)
{
	close_fn *close_db = (close_fn *)next_symbol("sqlite3_close");
	open_fn *open_db = (open_fn *)next_symbol("sqlite3_open");
	auto_extension_fn *add =
	    (auto_extension_fn *)next_symbol("sqlite3_auto_extension");
	auto_extension_fn *cancel =
	    (auto_extension_fn *)next_symbol("sqlite3_cancel_auto_extension");
	void (*entry)(void) = (void (*)(void))preload_enter;
	struct sqlite3 *db = NULL;

	(void)add(entry);
	if (open_db(":memory:", &db) != 0) {
		(void)fprintf(stderr, "hotspare: no VFS in this program\n");
		exit(EXIT_FAILURE);
	}
	(void)cancel(entry);
	(void)close_db(db);
}

static void
register_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, register_vfs);
}

int
sqlite3_open(const char *name, struct sqlite3 **out)
{
	open_fn *open_db = (open_fn *)next_symbol("sqlite3_open");

	register_once();
	return open_db(name, out);
}

int
sqlite3_open_v2(const char *name, struct sqlite3 **out, int flags,
    const char *vfs)
{
	open_v2_fn *open_db = (open_v2_fn *)next_symbol("sqlite3_open_v2");

	register_once();
	return open_db(name, out, flags, vfs);
}
