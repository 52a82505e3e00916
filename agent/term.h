/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The newest term this node knows of, on disk: survives power-off, so that no
 * term is used twice.  File <dir>/<resource>.term; docs/format/term.md.
 */
#ifndef HS_AGENT_TERM_H
#define HS_AGENT_TERM_H

#include <stdint.h>

#include "base/err.h"

/*
 * *term is 0 when there is no file yet.  HS_EWIRE: the file is damaged,
 * HS_EVERSION: of a newer release; the log says what to do.
 */
HS_MUST_CHECK int hs_term_load(const char *dir, const char *resource,
    uint64_t *term);
/* On disk when it returns 0: write, fsync, rename, fsync of the directory. */
HS_MUST_CHECK int hs_term_store(const char *dir, const char *resource,
    uint64_t term);

#endif
