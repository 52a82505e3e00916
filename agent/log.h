/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where hs-agent's messages go: qb_log() of <qb/qblog.h>, set up once here.
 * A message stays below 512 bytes (libqb cuts it there).
 */
#ifndef HS_AGENT_LOG_H
#define HS_AGENT_LOG_H

#include <syslog.h>

#include "base/err.h"

/*
 * file: NULL for syslog, "-" for stderr, else a file that is appended to.
 * level: LOG_INFO, LOG_DEBUG, ...: less urgent messages are dropped.  ident is
 * borrowed until hs_log_fini().  On failure the log goes to syslog.
 */
HS_MUST_CHECK int hs_log_init(const char *ident, const char *file, int level);
void hs_log_fini(void);

#endif
