/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_TESTS_RIG_STATE_PROCESS_H
#define HS_TESTS_RIG_STATE_PROCESS_H

#include "tests/rig/state_kind.h"

extern const struct state_kind state_clock;
extern const struct state_kind state_context;
extern const struct state_kind state_queues;
extern const struct state_kind state_timers;

#endif
