/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The child is "hsctl fenced NODEID", found by PATH: it prints the seconds of
 * the last fencing, or 0, or fails.
 */
#include "agent/fence.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include <qb/qblog.h>

#include "agent/tool.h"

#define TOOL_MS 10000u	/* the fencer answers in 30 ms, or has gone */

struct ask {
	struct ask *next;
	struct hs_fence *fence;
	struct hs_tool *tool;
	uint32_t nodeid;
};

struct hs_fence {
	qb_loop_t *loop;
	hs_fence_fn *fn;
	void *arg;
	struct ask *asks;
	bool failing;		/* logged; until the next answer */
};

int
hs_fence_create(struct hs_fence **out, qb_loop_t *loop, hs_fence_fn *fn,
    void *arg)
{
	struct hs_fence *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	f->loop = loop;
	f->fn = fn;
	f->arg = arg;
	*out = f;
	return 0;
}

void
hs_fence_destroy(struct hs_fence *f)
{
	struct ask *a;

	if (f == NULL)
		return;
	while ((a = f->asks) != NULL) {
		f->asks = a->next;
		hs_tool_cancel(a->tool);
		free(a);
	}
	free(f);
}

static void
remove_ask(struct hs_fence *f, struct ask *a)
{
	struct ask **p = &f->asks;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	free(a);
}

/* A whole line of one number >= 0, or -1. */
static time_t
parse_time(const char *text)
{
	long long when;
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	when = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' ? (time_t)when : -1;
}

static void
answer(struct hs_fence *f, uint32_t nodeid, time_t when, const char *why)
{
	if (when < 0 && !f->failing)
		qb_log(LOG_WARNING,
		    "cannot ask Pacemaker's fencer about node "
		    "%u: %s",
		    nodeid, why);
	f->failing = when < 0;
	f->fn(f->arg, nodeid, when);
}

static void
tool_done(void *arg, int status, const char *text)
{
	struct ask *a = arg;
	struct hs_fence *f = a->fence;
	uint32_t nodeid = a->nodeid;
	time_t when = status == 0 ? parse_time(text) : -1;

	remove_ask(f, a);
	answer(f, nodeid, when, *text != '\0' ? text : hs_err_text(-EIO));
}

void
hs_fence_ask(struct hs_fence *f, uint32_t nodeid)
{
	const char *argv[] = { "hsctl", "fenced", NULL, NULL };
	char id[sizeof("4294967295")];
	struct ask *a;
	int rc;

	for (a = f->asks; a != NULL; a = a->next)
		if (a->nodeid == nodeid)
			return;
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		answer(f, nodeid, -1, hs_err_text(-ENOMEM));
		return;
	}
	(void)snprintf(id, sizeof(id), "%u", nodeid);
	argv[2] = id;
	a->fence = f;
	a->nodeid = nodeid;
	rc = hs_tool_run(&a->tool, f->loop, argv, TOOL_MS, tool_done, a);
	if (rc < 0) {
		free(a);
		answer(f, nodeid, -1,
		    rc == -ENOENT ? "hsctl is not in PATH" : hs_err_text(rc));
		return;
	}
	a->next = f->asks;
	f->asks = a;
}
