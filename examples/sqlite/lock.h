/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the connections of this process know of each other: SQLite's five lock
 * states of a database, and its WAL index with its locks.  All of it is plain
 * memory: after a takeover every lock is free, and SQLite builds the index anew
 * from the log, as it does after the death of any process.
 *
 * L1  writer is the one claim at RESERVED or above; nshared counts the claims
 *     at SHARED or above.
 * L2  While pending is set no claim goes from NONE to SHARED.
 *
 * Every call locks by itself, and none waits for another connection.
 */
#ifndef EXAMPLES_SQLITE_LOCK_H
#define EXAMPLES_SQLITE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct lock_table;
struct lock_node;	/* what all claims to one database share */

/* One connection's locks: all zero to begin with, lent by the caller. */
struct lock_claim {
	int level;	/* SQLITE_LOCK_* */
	bool index;	/* it uses the WAL index */
	uint16_t index_shared, index_exclusive;	/* bits: slots */
};

int lock_table_create(struct lock_table **out);
void lock_table_destroy(struct lock_table *t);

/* The node of what key names, made if there is none; NULL: no memory. */
struct lock_node *lock_get(struct lock_table *t, const void *key);
/* True if that was the last user. */
bool lock_put(struct lock_table *t, struct lock_node *n);
/* Does anybody use key's? */
bool lock_in_use(struct lock_table *t, const void *key);

/* These return SQLite's codes. */
int lock_raise(struct lock_node *n, struct lock_claim *c, int level);
int lock_lower(struct lock_node *n, struct lock_claim *c, int level);
bool lock_reserved(struct lock_node *n);

/* SQLite's xShmMap, xShmLock, xShmUnmap. */
int lock_index_map(struct lock_node *n, struct lock_claim *c, int region,
    int bytes, bool extend, void volatile **out);
int lock_index_lock(struct lock_node *n, struct lock_claim *c, int first,
    int count, int flags);
void lock_index_unmap(struct lock_node *n, struct lock_claim *c);

#endif
