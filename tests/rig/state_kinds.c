/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rig/state_anon.h"
#include "tests/rig/state_inet.h"
#include "tests/rig/state_process.h"

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
	NULL,
};
