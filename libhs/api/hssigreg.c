/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/records.h"
#include "hs.h"
#include "state/signal.h"
#include "state/timer.h"

int
hssigreg(int signo)
{
	return hs_records_change("hssigreg", hs_signal_add, signo);
}

static int
delete_unused(struct hs_store *s, int signo)
{
	const int rc = hs_timer_check_unused(s, signo);

	return rc < 0 ? rc : hs_signal_del(s, signo);
}

int
hssigunreg(int signo)
{
	return hs_records_change("hssigunreg", delete_unused, signo);
}
