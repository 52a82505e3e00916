/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of the process itself is carried over (hsctxreg()): the working
 * directory, the umask and the limits are set on the spare; arguments and
 * environment, with which it was started, are compared.
 *
 * One record a part, HS_STORE_CONTEXT, key its bit of enum hs_ctx; there while
 * it is registered.  All begin with a byte, version = 1, and then have
 *
 * CWD		the path, absolute, without a NUL
 * UMASK	u32
 * LIMITS	u8 n, then n times u64 soft, u64 hard, by the number of RLIMIT_*
 * ARGV		the arguments, each ended by a NUL
 * ENV		u32 n, then n times u16 length, the name, 16 bytes digest of the
 *		value; ascending by name.  Values are not there: they may be
 *		secrets.  Names that differ from node to node are left out.
 */
#ifndef HS_STATE_CONTEXT_H
#define HS_STATE_CONTEXT_H

#include "base/err.h"
#include "state/section.h"

extern const struct hs_section_ops hs_context_section;

/*
 * Keep the parts of the set what (enum hs_ctx), and those only.  HS_EMISUSE,
 * -E2BIG, -errno, all with hs_why(): it is as it was before.
 */
HS_MUST_CHECK int hs_context_keep(struct hs_store *s, unsigned what);

#endif
