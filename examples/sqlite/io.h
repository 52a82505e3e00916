/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of the VFS: SQLite's I/O methods over store, lock and gate.
 */
#ifndef EXAMPLES_SQLITE_IO_H
#define EXAMPLES_SQLITE_IO_H

#include <stdbool.h>

#include "examples/sqlite/api.h"
#include "examples/sqlite/gate.h"

/* What all files of the process have in common. */
struct io_shared {
	sqlite3_vfs *parent;
	struct store *store;	/* in checkpoint memory; guarded by gate */
	struct lock_table *locks;
	struct gate gate;
	enum gate_policy policy;	/* where the URI does not say */
	unsigned open[GATE_POLICIES];	/* databases; guarded by gate */
	bool unprotected;	/* it has been logged; atomic */
};

/* sqlite3_vfs.szOsFile: room for one of ours or one of the parent's. */
int io_file_bytes(int parents);

/* flags are xOpen's.  These return SQLite's codes. */
int io_open(struct io_shared *s, const char *name, int flags,
    enum gate_policy policy, sqlite3_file *out);
int io_delete(struct io_shared *s, const char *name, bool sync);

#endif
