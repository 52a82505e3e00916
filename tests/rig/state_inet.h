/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_TESTS_RIG_STATE_INET_H
#define HS_TESTS_RIG_STATE_INET_H

#include "tests/rig/state_kind.h"

extern const struct state_kind state_tcp;
extern const struct state_kind state_udp;

#endif
