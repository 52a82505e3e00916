/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of an agent and its service.  Both return the exit status; success
 * is said only if every process that the agent recorded is certainly gone,
 * and then what it left in the run directory goes too.
 */
#ifndef HS_HSCTL_END_H
#define HS_HSCTL_END_H

#include "agent/hsctl/ask.h"

/* Ask, and wait for the processes to end.  One that does not run is stopped. */
HS_MUST_CHECK int hs_end_stop(const struct hs_ask *a);

/* SIGKILL for both, whatever they do. */
HS_MUST_CHECK int hs_end_kill(const struct hs_ask *a);

#endif
