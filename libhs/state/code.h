/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pointers to code, as they are in records: the module by its build-id, and the
 * address in the module's file, so that they hold wherever the spare's kernel
 * put the module.
 *
 * off len field
 *   0  32 build_id, cut or padded with zeros; all zeros: no pointer (NULL)
 *  32   8 off, an address as in the module's file; 0 with NULL
 */
#ifndef HS_STATE_CODE_H
#define HS_STATE_CODE_H

#include "base/err.h"
#include "base/rd.h"
#include "base/wr.h"

#define HS_CODE_BYTES 40

/*
 * HS_ECODE: p is in no module's code, or the module has no build-id, and
 * hs_why() says what to do.  NULL is referred to, too.
 */
HS_MUST_CHECK int hs_code_ref(const void *p, struct hs_code *out);
/* HS_ECODE, with hs_why(): no module here has this code. */
HS_MUST_CHECK int hs_code_ptr(const struct hs_code *c, void **out);

void hs_code_encode(struct hs_wr *w, const struct hs_code *c);
void hs_code_decode(struct hs_rd *r, struct hs_code *out);

#endif
