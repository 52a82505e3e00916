/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments and environment with which the process was started: context.h has
 * their records.  HS_EINCOMPATIBLE, and hs_why() names the first difference.
 */
#ifndef HS_STATE_CONTEXT_ENV_H
#define HS_STATE_CONTEXT_ENV_H

#include "base/rd.h"
#include "base/wr.h"

/* No record of theirs is longer. */
#define HS_CONTEXT_MOST_BYTES ((size_t)1 << 20)

HS_MUST_CHECK int hs_context_env_query_argv(struct hs_wr *w);
HS_MUST_CHECK int hs_context_env_compare_argv(struct hs_rd *r);
HS_MUST_CHECK int hs_context_env_query(struct hs_wr *w);
HS_MUST_CHECK int hs_context_env_compare(struct hs_rd *r);

#endif
