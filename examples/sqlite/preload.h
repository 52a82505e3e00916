/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXAMPLES_SQLITE_PRELOAD_H
#define EXAMPLES_SQLITE_PRELOAD_H

struct sqlite3;
struct sqlite3_api_routines;

/* The entry point of the extension where it was preloaded. */
int preload_enter(struct sqlite3 *db, char **error,
    const struct sqlite3_api_routines *api);

#endif
