/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A descriptor's record (fd.h), into the store and out of it.
 */
#ifndef HS_STATE_FD_RECORD_H
#define HS_STATE_FD_RECORD_H

#include "base/err.h"
#include "state/fd_ops.h"
#include "state/store.h"

/* What stands before the kind's own bytes. */
#define HS_FD_RECORD_HEAD 24
#define HS_FD_RECORD_BYTES (HS_FD_RECORD_HEAD + HS_FD_HEAD_BYTES)

/*
 * out->head begins with HS_FD_RECORD_HEAD bytes, which are written here.  On
 * failure d->body_kept is false.
 */
HS_MUST_CHECK int hs_fd_record_put(struct hs_store *s, struct hs_fd_reg *d,
    struct hs_fd_out *out);
void hs_fd_record_del(struct hs_store *s, const struct hs_fd_reg *d);

/*
 * The record of the lowest number >= number: 1, and d's fd, how, ops, as,
 * flags, cloexec, body_len, and *own at the kind's bytes; 0: none.
 * HS_ECORRUPT, HS_EINCOMPATIBLE, with hs_why().  d is otherwise untouched.
 */
HS_MUST_CHECK int hs_fd_record_next(const struct hs_store *s, int number,
    struct hs_fd_reg *d, struct hs_rd *own);

/*
 * The body, whole: borrowed from the store, or from *made, which the caller
 * frees.
 */
HS_MUST_CHECK int hs_fd_record_body(const struct hs_store *s,
    const struct hs_fd_reg *d, const uint8_t **body, uint8_t **made);

#endif
