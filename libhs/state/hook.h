/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions of the program that the library calls at turning points.  They are
 * the process's own: none of them is in an image.
 *
 * H1  Those of one occasion run one after another, by ascending order; of equal
 *     order, as they were registered.
 * H2  No lock of this file is held while one runs.
 */
#ifndef HS_STATE_HOOK_H
#define HS_STATE_HOOK_H

#include "base/err.h"

#define HS_HOOK_MOST 64

/* -ENOSPC, with hs_why(): there are HS_HOOK_MOST. */
HS_MUST_CHECK int hs_hook_add(enum hs_when when, int order, void (*fn)(void *),
    void *arg);
/* The first that is so; -ENOENT. */
HS_MUST_CHECK int hs_hook_del(enum hs_when when, void (*fn)(void *), void *arg);

/* Run those that are registered now. */
void hs_hook_run(enum hs_when when);

/* For a call that no hook may make: 0, or HS_EMISUSE with hs_why(). */
HS_MUST_CHECK int hs_hook_refuse(const char *call);

#endif
