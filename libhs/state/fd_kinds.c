/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_ops.h"

/* The first whose probe says so has the descriptor. */
const struct hs_fd_ops *const hs_fd_kinds[] = {
	&hs_fd_file,
	&hs_fd_dir,
	&hs_fd_pipe,
	&hs_fd_tty,
	&hs_fd_tcp,
	&hs_fd_udp,
	&hs_fd_event,
	&hs_fd_timer,
	&hs_fd_signal,
	&hs_fd_epoll,
	&hs_fd_inotify,
	&hs_fd_unix_listen,
	&hs_fd_unix_pair,
	&hs_fd_unix_dgram,	/* any that the two above have left */
	NULL,
};
