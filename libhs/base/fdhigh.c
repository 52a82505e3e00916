/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fdhigh.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Room for the library's own, of which there are fewer than 20. */
#define OWN_FDS 32
/* A program that raised its limit to millions has no table for them yet. */
#define MOST_FDS 65536

int
hs_fdhigh_move(int fd)
{
	struct rlimit lim;
	rlim_t most = MOST_FDS;
	int high;

	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return fd;
	if (lim.rlim_cur < most)
		most = lim.rlim_cur;
	if (most < (rlim_t)2 * OWN_FDS || fd >= (int)most - OWN_FDS)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, (int)most - OWN_FDS);
	if (high < 0)
		return fd;
	(void)close(fd);
	return high;
}
