/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_HSCTL_FENCED_H
#define HS_HSCTL_FENCED_H

#include <stdint.h>
#include <time.h>

#include "base/err.h"

/*
 * When Pacemaker's fencer last completed the fencing of nodeid, in seconds of
 * CLOCK_REALTIME; 0 if it does not know of any, or does not answer.  -ENOENT:
 * this machine has no library for it.  Blocks, up to minutes.
 */
HS_MUST_CHECK int hs_fenced_when(uint32_t nodeid, time_t *when);

#endif
