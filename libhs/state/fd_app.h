/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kinds of the program's own.  The bytes of their records: name, 32 (text),
 * then what the program's query wrote, in the body.
 */
#ifndef HS_STATE_FD_APP_H
#define HS_STATE_FD_APP_H

#include "base/err.h"
#include "state/fd_ops.h"

#define HS_FD_APP_NAME_BYTES 32
#define HS_FD_APP_MOST 16

/*
 * Before hsinit(), single-threaded: HS_EMISUSE, -ENOSPC, with hs_why().  Stays
 * for the life of the process.
 */
HS_MUST_CHECK int hs_fd_app_add(const struct hs_fd_kind *k);

/* The first that says that fd is its own: 1 and *out; 0; negative: refused. */
HS_MUST_CHECK int hs_fd_app_probe(int fd, const struct hs_fd_kind **out);

#endif
