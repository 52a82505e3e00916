/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/hsctl/ask.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ctl.h"
#include "agent/hsctl/pids.h"

#define RUN_DIR "/run/hotspare"
#define OCF_PREFIX "ocf-exit-reason:"
#define OCF_REASON_BYTES 128
#define REASON_BYTES 1024

const char *
hs_ask_run_dir(void)
{
	const char *dir = getenv("HS_RUN_DIR");

	return dir != NULL && *dir != '\0' ? dir : RUN_DIR;
}

int
hs_ask_set_socket(struct hs_ask *a, const char *path)
{
	size_t len = strlen(path);
	const char *tail = len > 5 ? path + len - 5 : "";
	int stem = (int)(strcmp(tail, ".sock") == 0 ? len - 5 : len);

	if (len >= sizeof(a->socket) ||
	    snprintf(a->pids, sizeof(a->pids), "%.*s.pids", stem, path) >=
		(int)sizeof(a->pids)) {
		hs_ask_say(a, "%s: the path is too long", path);
		return -1;
	}
	memcpy(a->socket, path, len + 1);
	return 0;
}

int
hs_ask_set_resource(struct hs_ask *a, const char *name)
{
	char path[HS_ASK_PATH_BYTES];

	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL) {
		hs_ask_say(a, "\"%s\" is no resource's name", name);
		return -1;
	}
	if (snprintf(path, sizeof(path), "%s/%s.sock", hs_ask_run_dir(),
		name) >= (int)sizeof(path)) {
		hs_ask_say(a, "%s: the name is too long", name);
		return -1;
	}
	return hs_ask_set_socket(a, path);
}

void
hs_ask_say(const struct hs_ask *a, const char *fmt, ...)
{
	size_t size = a->ocf ? OCF_REASON_BYTES : REASON_BYTES;
	const char *prefix = a->ocf ? getenv("OCF_EXIT_REASON_PREFIX") : "";
	char text[REASON_BYTES];
	va_list ap;

	if (prefix == NULL || (a->ocf && *prefix == '\0'))
		prefix = OCF_PREFIX;
	va_start(ap, fmt);
	(void)vsnprintf(text, size, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "%s%s\n", prefix, text);
}

struct json_object *
hs_ask_request(const char *cmd)
{
	struct json_object *o = json_object_new_object();

	(void)json_object_object_add(o, "cmd", json_object_new_string(cmd));
	return o;
}

/* Nobody listens: is nobody there? */
static int
explain_absence(const struct hs_ask *a)
{
	const struct hs_pids_one *o;
	struct hs_pids p;
	int rc = hs_pids_read(a->pids, &p);

	if (rc < 0) {
		hs_ask_say(a, "cannot tell what runs: %s: %s", a->pids,
		    hs_err_text(rc));
		return HS_RC_ERROR;
	}
	o = hs_pids_left(&p);
	if (o != NULL) {
		hs_ask_say(a,
		    "hs-agent does not listen, but its %s, pid %d, is there",
		    strcmp(o->role, "agent") == 0 ? "process" : o->role,
		    (int)o->pid);
		return HS_RC_ERROR;
	}
	if (!a->ocf)	/* to Pacemaker, 7 says it all */
		hs_ask_say(a, "no hs-agent runs behind %s", a->socket);
	return HS_RC_NOT_RUNNING;
}

static int
explain_silence(const struct hs_ask *a, int rc)
{
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return explain_absence(a);
	if (rc == -EACCES || rc == -EPERM) {
		hs_ask_say(a,
		    "no permission for %s: be root or in group hotspare",
		    a->socket);
		return HS_RC_PERM;
	}
	hs_ask_say(a, "hs-agent at %s does not answer: %s", a->socket,
	    hs_err_text(rc));
	return HS_RC_ERROR;
}

int
hs_ask_call(const struct hs_ask *a, struct json_object *body,
    struct json_object **answer)
{
	int rc = hs_ctl_call(a->socket, body, a->timeout_ms, answer);

	json_object_put(body);
	return rc < 0 ? explain_silence(a, rc) : -1;
}

static int
exit_status(struct json_object *answer)
{
	struct json_object *v = NULL;
	int rc = HS_RC_ERROR;

	if (json_object_object_get_ex(answer, "rc", &v))
		rc = json_object_get_int(v);
	if (rc == -EPERM)
		return HS_RC_PERM;
	return rc < 0 || rc > UINT8_MAX ? HS_RC_ERROR : rc;
}

int
hs_ask_simple(const struct hs_ask *a, struct json_object *body)
{
	struct json_object *answer = NULL, *v = NULL;
	const char *text = "";
	int rc = hs_ask_call(a, body, &answer);

	if (rc != -1)
		return rc;
	rc = exit_status(answer);
	if (json_object_object_get_ex(answer, "text", &v))
		text = json_object_get_string(v);
	if (rc != HS_RC_OK && rc != HS_RC_PROMOTED)
		hs_ask_say(a, "%s",
		    *text != '\0' ? text : "hs-agent gave no reason");
	json_object_put(answer);
	return rc;
}
