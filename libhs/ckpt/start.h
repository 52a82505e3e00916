/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hsinit()'s work, and its undoing.
 */
#ifndef HS_CKPT_START_H
#define HS_CKPT_START_H

#include <stddef.h>

#include "base/err.h"

struct hs_ckpt;

/*
 * As hsinit(): HS_FRESH or HS_RESTORED and *out, or an error and a line in why,
 * which the agent was told, too.
 */
HS_MUST_CHECK int hs_start_run(struct hs_ckpt **out,
    const struct hs_options *opt, char *why, size_t why_size);

/* Free *c, whose worker does not run, and all that it opened. */
void hs_start_undo(struct hs_ckpt **c);

#endif
