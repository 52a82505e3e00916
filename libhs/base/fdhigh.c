/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fdhigh.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

/* Room for the library's own, of which there are fewer than 20. */
#define OWN_FDS 32
/* A program that raised its limit to millions has no table for them yet. */
#define MOST_FDS 65536

/* Where the first one was moved to; 0: none yet. */
static int own_first;

int
hs_fdhigh_range(int *first, int *last)
{
	*first = __atomic_load_n(&own_first, __ATOMIC_RELAXED);
	*last = *first + OWN_FDS - 1;
	return *first != 0;
}

int
hs_fdhigh_move(int fd)
{
	int none = 0;
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
	(void)__atomic_compare_exchange_n(&own_first, &none,
	    (int)most - OWN_FDS, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	(void)close(fd);
	return high;
}
