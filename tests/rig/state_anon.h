/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_TESTS_RIG_STATE_ANON_H
#define HS_TESTS_RIG_STATE_ANON_H

#include "tests/rig/state_kind.h"

extern const struct state_kind state_epoll;
extern const struct state_kind state_event;
extern const struct state_kind state_inotify;
extern const struct state_kind state_signal;
extern const struct state_kind state_timer;

#endif
