/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stopping the threads at their safepoints (park.h), by one thread at a time.
 */
#ifndef HS_STATE_PARK_STOP_H
#define HS_STATE_PARK_STOP_H

#include "base/err.h"

/*
 * Wait until every busy is 0 and keep it so.  HS_ESTOP after the timeout,
 * HS_ELOCK if a thread breaks the lock rule meanwhile or has ended with a lock:
 * hs_why() names it, and all go on as if nothing had been.
 */
HS_MUST_CHECK int hs_park_stop_all(void);
/*
 * In between, after hooks of the program were called, which may take locks:
 * HS_ELOCK if they have not given all of them back.
 */
HS_MUST_CHECK int hs_park_stop_still(void);
void hs_park_stop_resume(void);
/* How long to wait; -1: for ever.  The one before. */
int hs_park_stop_timeout(int ms);

#endif
