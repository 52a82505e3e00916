/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registered descriptors of this process, by number.  The seal lock guards
 * them; between hsinit() and hsfini() only.
 */
#ifndef HS_STATE_FD_TABLE_H
#define HS_STATE_FD_TABLE_H

#include "base/err.h"
#include "state/fd_ops.h"

/* Borrowed until it is deleted; NULL if there is none. */
struct hs_fd_reg *hs_fd_table_get(int fd);
/* The one with the lowest number above `after`; -1 begins a walk. */
struct hs_fd_reg *hs_fd_table_next(int after);
/* The same among those of the file (dev, ino). */
struct hs_fd_reg *hs_fd_table_find(dev_t dev, ino_t ino, int after);

/* A new entry, all else zero, `as` its own; fd is in none.  NULL: -ENOMEM. */
struct hs_fd_reg *hs_fd_table_add(int fd);
/* Calls ops->forget, if there is one. */
void hs_fd_table_del(struct hs_fd_reg *d);
void hs_fd_table_clear(void);

#endif
