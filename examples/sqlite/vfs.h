/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQLite's VFS "hotspare": databases live in checkpoint memory, and a commit
 * returns once a spare holds it.  Temporary files stay with the default VFS.
 *
 * What makes a commit durable is held, and nothing else is:
 *
 *	rollback journal	its end, whatever journal_mode calls that:
 *				SQLITE_FCNTL_COMMIT_PHASETWO after an xSync
 *				of the database
 *	several databases	the deletion of the super-journal
 *	write-ahead log		xSync of the log; of the database, when
 *				the log is copied back into it
 *
 * The other syncs keep writes in order, and order is G1 (gate.h).
 * With synchronous=OFF there is no xSync, and so nothing is held.
 */
#ifndef EXAMPLES_SQLITE_VFS_H
#define EXAMPLES_SQLITE_VFS_H

#include <stdbool.h>

#define VFS_NAME "hotspare"

/*
 * hsinit(), unless the program has called it: on a spare this returns when it
 * takes over.  No call of SQLite's.  0; or negative, and *why is static text or
 * hsmessage().
 */
int vfs_begin(const char **why);

/*
 * The same, and register the VFS; as the default one if so wanted.  Again is
 * fine.
 *
 * Environment: HS_SQLITE_BYTES is the size of checkpoint memory, with K, M or
 * G; HS_SQLITE_SPARE is what a database does without a spare, where its
 * URI does not say: spare=optional (default), wait, refuse.
 */
int vfs_start(bool as_default, const char **why);

/* Before hsfini(), and with no database open. */
void vfs_stop(void);

/* The store, for tests that look at it behind SQLite's back. */
struct store;
const struct store *vfs_store(void);

#endif
