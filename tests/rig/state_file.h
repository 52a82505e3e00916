/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_TESTS_RIG_STATE_FILE_H
#define HS_TESTS_RIG_STATE_FILE_H

#include "hs.h"
#include "tests/rig/state_kind.h"

/* Of state_application, to be added before hsinit(). */
extern const struct hs_fd_kind state_named_memory;

extern const struct state_kind state_application;
extern const struct state_kind state_content;
extern const struct state_kind state_directory;
extern const struct state_kind state_file;
extern const struct state_kind state_nameless;
extern const struct state_kind state_packets;
extern const struct state_kind state_pipe;
extern const struct state_kind state_same;
extern const struct state_kind state_terminal;

#endif
