/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The records of what is registered, for the calls that register.
 */
#ifndef HS_API_RECORDS_H
#define HS_API_RECORDS_H

#include "base/err.h"

struct hs_store;

/*
 * Lend call the records; hs_records_unlock() is due.  HS_ESTATE where there is
 * no checkpointing, or what hs_extra_lock() says; hs_why() has it.
 */
HS_MUST_CHECK int hs_records_lock(const char *call, struct hs_store **s);
void hs_records_unlock(void);

/* change(records, n) in between. */
HS_MUST_CHECK int hs_records_change(const char *call,
    int (*change)(struct hs_store *, int), int n);

#endif
