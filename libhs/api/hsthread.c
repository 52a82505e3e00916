/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Safepoints and regions.  Their inline definitions in hs.h are compiled here
 * once more, for callers that are not compiled with hs.h, or not optimised.
 */
#define HS_PARK_INLINE
#include "hs.h"

#include "state/park.h"

int
hsthreadtimeout(int ms)
{
	return ms < -1 ? HS_EMISUSE : hs_park_timeout(ms);
}
