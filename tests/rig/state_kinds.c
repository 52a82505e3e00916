/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rig/state_anon.h"
#include "tests/rig/state_file.h"
#include "tests/rig/state_inet.h"
#include "tests/rig/state_process.h"
#include "tests/rig/state_unix.h"

const struct state_kind *const state_kinds[] = {
	&state_tcp,
	&state_udp,
	&state_event,
	&state_timer,
	&state_signal,
	&state_epoll,
	&state_inotify,
	&state_clock,
	&state_context,
	&state_queues,
	&state_timers,
	&state_file,
	&state_same,
	&state_content,
	&state_nameless,
	&state_directory,
	&state_terminal,
	&state_pipe,
	&state_packets,
	&state_application,
	&state_stream,
	&state_seqpacket,
	&state_dgram_pair,
	&state_unix_listen,
	&state_unix_dgram,
	NULL,
};
