/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that hs-agent recorded in RESOURCE.pids: itself and the
 * service, a line each, "agent PID STARTTIME" or "service PID STARTTIME".
 * STARTTIME is field 22 of /proc/PID/stat, so that a number used again is
 * not taken for the process.
 *
 * P1  A process is signalled only through a pidfd that was opened before its
 *     start time was compared: never another one.
 * P2  What cannot be told counts as alive.
 */
#ifndef HS_HSCTL_PIDS_H
#define HS_HSCTL_PIDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define HS_PIDS_MAX 8

struct hs_pids_one {
	char role[16];		/* "agent", "service" */
	pid_t pid;
	uint64_t start;
};

struct hs_pids {
	struct hs_pids_one one[HS_PIDS_MAX];
	unsigned n;		/* 0 as well when there is no file */
};

/* HS_EWIRE: the file is not as above. */
HS_MUST_CHECK int hs_pids_read(const char *path, struct hs_pids *p);

/* 0 gone, 1 alive, or -errno (P2). */
HS_MUST_CHECK int hs_pids_alive(const struct hs_pids_one *o);

/* First one that is not certainly gone, or NULL. */
const struct hs_pids_one *hs_pids_left(const struct hs_pids *p);

/* SIGKILL, in the order of the file.  What is gone already is no error. */
HS_MUST_CHECK int hs_pids_kill(const struct hs_pids *p);

/* Wait until all are gone: 0, or -ETIMEDOUT. */
HS_MUST_CHECK int hs_pids_wait(const struct hs_pids *p, int timeout_ms);

#endif
