/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQLite's calls: by the table that a loadable extension is given, or, with
 * SQLITE_CORE, directly in a program that is linked with SQLite.
 */
#ifndef EXAMPLES_SQLITE_API_H
#define EXAMPLES_SQLITE_API_H

#include <sqlite3ext.h>

SQLITE_EXTENSION_INIT3

#endif
