/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_TESTS_RIG_STATE_UNIX_H
#define HS_TESTS_RIG_STATE_UNIX_H

#include "tests/rig/state_kind.h"

extern const struct state_kind state_dgram_pair;
extern const struct state_kind state_seqpacket;
extern const struct state_kind state_stream;
extern const struct state_kind state_unix_dgram;
extern const struct state_kind state_unix_listen;

#endif
