/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A takeover of registered descriptors within one process: they are asked for
 * their state, forgotten and closed, and restored from the records alone.
 */
#ifndef HS_TESTS_UNIT_STATE_TOOLS_H
#define HS_TESTS_UNIT_STATE_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/fd.h"
#include "state/store.h"

/* An empty store, no descriptor registered. */
void state_begin(void);
/* Unregister and close what is left; nothing lent is left. */
void state_end(void);
struct hs_store *state_store(void);

/* A checkpoint: 0 or what hscpt() would say. */
int state_query(void);
/*
 * Everything registered is closed, as by the death of the process, without a
 * checkpoint.
 */
void state_die(void);
/* The spare's side: 0 or what hsinit() would say. */
int state_restore(void);
/*
 * All three, and once more a checkpoint: it must leave the same records, but
 * for the kinds' own exceptions.  Asserts.
 */
void state_takeover(void);

/* Does hsmessage() have that in it?  Prints it if not. */
bool state_says(const char *text);

/* All records, as one string of bytes to compare; the caller frees it. */
size_t state_dump(void **out);

/*
 * Byte off of the kind's own part of the record of fd becomes v, as by a
 * library that writes what this one refuses: the checksum is right.
 */
void state_damage(int fd, size_t off, uint8_t v);
/* The records of fd, which could not be restored, go. */
void state_forget(int fd);

/* How many descriptors are open in this process. */
int state_open_fds(void);

#endif
