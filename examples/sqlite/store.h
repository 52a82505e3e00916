/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named files in checkpoint memory: what a spare finds there are the databases,
 * their journals and write-ahead logs.  Nothing in it is a lock or belongs
 * to a process.
 *
 * F1  A file's chunks are exactly those that its size needs.
 * F2  What lies behind a file's size is never read: a file that grows over it
 *     is zeroed there first.
 * F3  A file without a name is open somewhere in this process, or left over
 *     from a process that ended: store_open() drops those.
 *
 * No call locks: the gate does (gate.h).
 */
#ifndef EXAMPLES_SQLITE_STORE_H
#define EXAMPLES_SQLITE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_NAME_BYTES 512	/* with the NUL */
#define STORE_CHUNK_BYTES ((uint64_t)65536)
#define STORE_FILE_BYTES ((uint64_t)1 << 46)	/* largest file */

struct store;
struct store_file;

/*
 * The store of this checkpoint memory, made if there is none yet.  hsinit() has
 * returned.  HS_EARENA; HS_EINCOMPATIBLE: made by another version.
 */
int store_open(struct store **out);

/* The file of that name, or NULL. */
struct store_file *store_find(const struct store *s, const char *name);

/* -ENAMETOOLONG, HS_EARENA.  No file has the name. */
int store_create(struct store *s, const char *name, struct store_file **out);

/* The name is free again; the content stays until store_drop(). */
void store_unname(struct store_file *f);
bool store_is_named(const struct store_file *f);
void store_drop(struct store *s, struct store_file *f);

uint64_t store_size(const struct store_file *f);

/* How many of the n bytes at off there are; these are now in buf. */
size_t store_read(const struct store_file *f, void *buf, size_t n,
    uint64_t off);

/* -EFBIG, HS_EARENA: nothing was changed. */
int store_write(struct store_file *f, const void *buf, size_t n, uint64_t off);

/* As ftruncate(2); what is cut off goes back to checkpoint memory. */
int store_resize(struct store_file *f, uint64_t size);

/* Every file with a name, in no order: f NULL starts, NULL ends. */
const struct store_file *store_next(const struct store *s,
    const struct store_file *f);
const char *store_name(const struct store_file *f);

#endif
