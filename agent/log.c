/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <qb/qbdefs.h>
#include <qb/qblog.h>

static int
open_target(int32_t target, int level, bool dated)
{
	int32_t rc;

	rc = qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE,
	    "*", (uint8_t)level);
	if (rc < 0)
		return rc;
	qb_log_format_set(target, dated ? "%T [%P] %p: %b" : "%p: %b");
	return qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
}

int
hs_log_init(const char *ident, const char *file, int level)
{
	int32_t target;
	int rc;

	/* libqb opens syslog by itself: with the pid, and at this level. */
	qb_log_init(ident, LOG_DAEMON, (uint8_t)level);
	if (file == NULL)
		return 0;
	target = QB_LOG_STDERR;
	if (strcmp(file, "-") != 0) {
		target = qb_log_file_open(file);
		if (target < 0)
			return target;
	}
	rc = open_target(target, level, target != QB_LOG_STDERR);
	if (rc < 0)
		return rc;
	rc = qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
	return rc < 0 ? rc : 0;
}

void
hs_log_fini(void)
{
	qb_log_fini();
}
