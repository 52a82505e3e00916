/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wpa backend once more, made to believe that there is swap: it then
 * settles a restored image in its other way.
 */
#include <sys/sysinfo.h>

#include "tests/contract/contract.h"

static int
claim_swap(struct sysinfo *si)
{
	si->totalswap = 1;
	return 0;
}

#define sysinfo(si) claim_swap(si)
#define hs_dirty_wpa contract_wpa_swap
#include "libhs/mem/dirty_wpa.c"
