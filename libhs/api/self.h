/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one checkpointing of this process, between hsinit() and hsfini().
 */
#ifndef HS_API_SELF_H
#define HS_API_SELF_H

#include <stdbool.h>

#include "base/err.h"

struct hs_arena;
struct hs_ckpt;

/* NULL: before hsinit(), after hsfini(), and in a child of fork(). */
struct hs_ckpt *hs_self_ckpt(void);
/* The same for call; HS_ESTATE: it is NULL, and hs_why() says what to do. */
HS_MUST_CHECK int hs_self_find(const char *call, struct hs_ckpt **c);
/* Its arena; NULL as above. */
struct hs_arena *hs_self_arena(void);
void hs_self_set(struct hs_ckpt *c);

/* True in a child of fork(), whose checkpointing is its parent's. */
bool hs_self_forked(void);
/* See to it that a child finds out.  -ENOMEM. */
HS_MUST_CHECK int hs_self_watch_fork(void);

#endif
