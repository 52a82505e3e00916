/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors that come back by the path of their file.
 *
 * off len field	rule
 *   0   2 length	1 to 2047
 *   2   - path		begins with '/', no NUL
 */
#ifndef HS_STATE_FD_PATH_H
#define HS_STATE_FD_PATH_H

#include <stdbool.h>

#include "base/err.h"
#include "state/fd_ops.h"

/*
 * The path that leads to d's file now, terminated; of a file that was deleted,
 * its last one, and *deleted.  HS_EFD with hs_why() where no path leads there,
 * and, with deleted NULL, where it was deleted.  d->st is fresh.
 */
HS_MUST_CHECK int hs_fd_path_find(const struct hs_fd_reg *d,
    char path[HS_FD_PATH_BYTES], bool *deleted);

void hs_fd_path_write(struct hs_wr *w, const char *path);
void hs_fd_path_read(struct hs_rd *r, char path[HS_FD_PATH_BYTES]);

/*
 * Open path with d's way of access and flags: the descriptor, close-on-exec,
 * or HS_EFD with hs_why().
 */
HS_MUST_CHECK int hs_fd_path_open(const struct hs_fd_reg *d, const char *path,
    int flags);

/* The same of what is open as number `of`: another open file of it. */
HS_MUST_CHECK int hs_fd_path_reopen(const struct hs_fd_reg *d, int of);

#endif
