/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of what runs a tool beside the loop: a directory, alone in PATH,
 * where a script of the test takes the tool's place and writes its arguments
 * to "calls", and the loop, run for a time.
 */
#ifndef HS_UNIT_AGENT_TOOLS_H
#define HS_UNIT_AGENT_TOOLS_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/CUnit.h>
#include <qb/qbloop.h>

#include "agent/log.h"

static char tool_dir[] = "/tmp/hs-tool.XXXXXX";

static inline const char *
tool_path(const char *name)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", tool_dir, name);
	return path;
}

static inline void
put_script(const char *name, const char *body)
{
	FILE *f = fopen(tool_path(name), "w");

	CU_ASSERT_FATAL(f != NULL);
	(void)fprintf(f,
	    "#!/bin/sh\nPATH=/usr/bin:/bin\necho \"$*\" >>'%s/calls'\n%s\n",
	    tool_dir, body);
	CU_ASSERT_EQUAL(fclose(f), 0);
	CU_ASSERT_EQUAL(chmod(tool_path(name), 0700), 0);
}

/* What the tools were called with, since the last time this was asked. */
static inline const char *
take_calls(void)
{
	static char text[4096];
	FILE *f = fopen(tool_path("calls"), "r");
	size_t n = 0;

	if (f != NULL) {
		n = fread(text, 1, sizeof(text) - 1, f);
		(void)fclose(f);
		(void)unlink(tool_path("calls"));
	}
	text[n] = '\0';
	return text;
}

static inline void
stop_loop(void *loop)
{
	qb_loop_stop(loop);
}

static inline void
run_for(qb_loop_t *loop, unsigned ms)
{
	qb_loop_timer_handle h;

	CU_ASSERT_EQUAL(qb_loop_timer_add(loop, QB_LOOP_LOW,
			    (uint64_t)ms * 1000000u, loop, stop_loop, &h),
	    0);
	qb_loop_run(loop);
}

__attribute__((__constructor__)) static inline void
make_tools(void)
{
	if (mkdtemp(tool_dir) == NULL || setenv("PATH", tool_dir, 1) < 0 ||
	    hs_log_init("test", "/dev/null", LOG_DEBUG) < 0)
		abort();
}

__attribute__((__destructor__)) static inline void
remove_tools(void)
{
	hs_log_fini();
	(void)unlink(tool_path("calls"));
	(void)unlink(tool_path("attrd_updater"));
	(void)unlink(tool_path("cibadmin"));
	(void)unlink(tool_path("hsctl"));
	(void)rmdir(tool_dir);
}

#endif
