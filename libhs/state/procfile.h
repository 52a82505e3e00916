/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /proc says; all failures are told by hs_why(). */
#ifndef HS_STATE_PROCFILE_H
#define HS_STATE_PROCFILE_H

#include <stddef.h>

#include "base/err.h"

/* The first size - 1 bytes, terminated; the number of them. */
HS_MUST_CHECK int hs_procfile_head(const char *path, char *buf, size_t size);

/*
 * All of it, terminated; *out is the caller's to free().  -E2BIG: more than
 * most bytes.
 */
HS_MUST_CHECK int hs_procfile_whole(const char *path, size_t most, char **out,
    size_t *len);

#endif
