/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Error codes are those of hs.h (-5000 and below) and -errno; 0 is success.
 */
#ifndef HS_BASE_ERR_H
#define HS_BASE_ERR_H

#include <errno.h>

#include "hs.h"

#define HS_MUST_CHECK __attribute__((__warn_unused_result__))

/* Static text; async-signal-safe.  Never NULL. */
const char *hs_err_text(int rc);

#endif
