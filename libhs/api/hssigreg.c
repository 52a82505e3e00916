/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/records.h"
#include "hs.h"
#include "state/signal.h"

int
hssigreg(int signo)
{
	return hs_records_change("hssigreg", hs_signal_add, signo);
}

int
hssigunreg(int signo)
{
	return hs_records_change("hssigunreg", hs_signal_del, signo);
}
