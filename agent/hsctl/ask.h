/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One agent, asked over its control socket, and what to tell whoever asked:
 * exit statuses are OCF's, reasons are one line on stderr.
 */
#ifndef HS_HSCTL_ASK_H
#define HS_HSCTL_ASK_H

#include <stdbool.h>
#include <sys/un.h>

#include <json-c/json.h>

#include "base/err.h"

/* Exit statuses that have a name of OCF's. */
enum {
	HS_RC_OK = 0,
	HS_RC_ERROR = 1,
	HS_RC_ARGS = 2,
	HS_RC_PERM = 4,
	HS_RC_NOT_RUNNING = 7,
	HS_RC_PROMOTED = 8,
};

#define HS_ASK_PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)

struct hs_ask {
	char socket[HS_ASK_PATH_BYTES];	/* "": none was named */
	char pids[HS_ASK_PATH_BYTES];
	int timeout_ms;
	bool json;
	bool ocf;	/* reasons are for Pacemaker */
};

/* HS_RUN_DIR of the environment, else /run/hotspare. */
const char *hs_ask_run_dir(void);

/* 0, or -1 with the reason said. */
HS_MUST_CHECK int hs_ask_set_socket(struct hs_ask *a, const char *path);
HS_MUST_CHECK int hs_ask_set_resource(struct hs_ask *a, const char *name);

/*
 * A reason, without its newline.  For Pacemaker it gets the prefix that OCF
 * demands, and is cut to the length that crm_mon shows.
 */
__attribute__((__format__(printf, 2, 3))) void
hs_ask_say(const struct hs_ask *a, const char *fmt, ...);

struct json_object *hs_ask_request(const char *cmd);

/*
 * Send body (taken).  -1: *answer came, and is the caller's to put; else the
 * exit status, and the reason was said.
 */
HS_MUST_CHECK int hs_ask_call(const struct hs_ask *a, struct json_object *body,
    struct json_object **answer);

/* A command answered by a code and a reason: the exit status.  Takes body. */
HS_MUST_CHECK int hs_ask_simple(const struct hs_ask *a,
    struct json_object *body);

#endif
