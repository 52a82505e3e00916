/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records of the additional state, kept in checkpoint memory, so that they
 * travel, are verified and come back with it.  docs/format/state.md:
 *
 * directory, 24 bytes			slot, 40 bytes
 * off len field			off len field
 *   0   4 magic "HSST"			  0   2 kind
 *   4   2 version = 1			  2   2 reserved, 0
 *   6   2 reserved, 0			  4   4 len
 *   8   4 nslot			  8   4 cap, >= len
 *  12   4 cap, >= nslot		 12   4 crc
 *  16   8 address of the slots		 16   8 key
 *					 24   8 address of the bytes
 *					 32   8 reserved, 0
 *
 * T1  Slots ascend by (kind, key), and no two are equal.
 * T2  crc is CRC-32C of kind, len, key (little-endian) and the bytes: a stray
 *     write of the program is found when a record is read.
 * T3  A record that says what it said before is not written: it costs the
 *     checkpoint nothing.
 * T4  Between two calls the directory is whole.
 *
 * No call is thread-safe: the checkpoint's seal lock guards all of it.
 */
#ifndef HS_STATE_STORE_H
#define HS_STATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* No record is longer. */
#define HS_STORE_MAX_BYTES ((size_t)1 << 30)

/* Permanent: they are in images. */
enum hs_store_kind {
	HS_STORE_MEMORY = 1,
	HS_STORE_CONTEXT = 2,
	HS_STORE_FD = 3,
	HS_STORE_SIGNAL = 4,
	HS_STORE_TIMER = 5,
	HS_STORE_CLOCK = 6,
	HS_STORE_THREAD = 7,
	HS_STORE_LOCK = 8,
};

/* Checkpoint memory, lent. */
struct hs_store_mem {
	void *arg;
	/* As malloc(); 0 or negative. */
	int (*alloc)(void *arg, size_t len, void **out);
	void (*free)(void *arg, void *p);
	/* Is [p, p + len) checkpoint memory? */
	bool (*has)(void *arg, const void *p, size_t len);
};

struct hs_store;

struct hs_store_rec {
	uint16_t kind;
	uint64_t key;
	const uint8_t *bytes;	/* borrowed: until the store changes */
	size_t len;
};

/* A new directory; mem->arg must outlive *out. */
HS_MUST_CHECK int hs_store_create(struct hs_store **out,
    const struct hs_store_mem *mem);
/*
 * The directory at dir, of a restored image.  Every record is checked (T1, T2,
 * addresses): HS_ECORRUPT, and hs_why() says which.
 */
HS_MUST_CHECK int hs_store_attach(struct hs_store **out,
    const struct hs_store_mem *mem, void *dir);
/* The records stay; only this process's view of them goes. */
void hs_store_destroy(struct hs_store *s);
/* From where hs_store_attach() finds it. */
void *hs_store_dir(const struct hs_store *s);
/* Where what a record points to comes from; borrowed. */
const struct hs_store_mem *hs_store_mem(const struct hs_store *s);

/*
 * Create or change the record of (kind, key).  On failure (-ENOMEM, HS_EARENA;
 * -EMSGSIZE) the old one stays.  len 0 is a record without bytes.
 */
HS_MUST_CHECK int hs_store_put(struct hs_store *s, uint16_t kind, uint64_t key,
    const void *bytes, size_t len);
/* 0 and *rec; -ENOENT; HS_ECORRUPT (T2). */
HS_MUST_CHECK int hs_store_get(const struct hs_store *s, uint16_t kind,
    uint64_t key, struct hs_store_rec *rec);
/* -ENOENT. */
int hs_store_del(struct hs_store *s, uint16_t kind, uint64_t key);
/*
 * The record of kind with the smallest key >= key: 1 and *rec; 0: none is left;
 * HS_ECORRUPT.  So a walk goes on at rec.key + 1, whatever changed meanwhile.
 */
HS_MUST_CHECK int hs_store_next(const struct hs_store *s, uint16_t kind,
    uint64_t key, struct hs_store_rec *rec);

#endif
