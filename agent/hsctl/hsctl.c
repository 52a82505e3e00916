/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hsctl: asks one hs-agent, by its control socket, and ends with what the OCF
 * agent has to return.  Only "stop" and "kill" look at processes themselves.
 */
#include "config.h"

#include <dirent.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "agent/ctl.h"
#include "agent/hsctl/fenced.h"
#include "agent/hsctl/page.h"
#include "agent/hsctl/pids.h"
#include "base/clock.h"

#define RUN_DIR "/run/hotspare"
#define PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)
#define TIMEOUT_MS 20000	/* OCF's own default for an action */

/* Exit statuses that have a name of OCF's. */
enum {
	RC_OK = 0,
	RC_ERROR = 1,
	RC_ARGS = 2,
	RC_PERM = 4,
	RC_NOT_RUNNING = 7,
	RC_PROMOTED = 8,
};

struct target {
	char socket[PATH_BYTES];
	char pids[PATH_BYTES];
	int timeout_ms;
	bool json;
};

struct command {
	const char *name;
	const char *args;	/* for the usage */
	const char *what;
	int min_args, max_args;
	bool many;		/* without a name: for each agent in turn */
	int (*run)(struct target *t, char **args);
};

/* ---- talking to the agent ---- */

/* The exit status of a call that brought no answer, and why, on stderr. */
static int
explain_silence(const struct target *t, int rc)
{
	const struct hs_pids_one *o;
	struct hs_pids p;
	int read_rc;

	if (rc == -EACCES || rc == -EPERM) {
		(void)fprintf(stderr,
		    "no permission for %s: be root or in "
		    "group hotspare\n",
		    t->socket);
		return RC_PERM;
	}
	if (rc != -ENOENT && rc != -ECONNREFUSED) {
		(void)fprintf(stderr, "hs-agent at %s does not answer: %s\n",
		    t->socket, hs_err_text(rc));
		return RC_ERROR;
	}
	read_rc = hs_pids_read(t->pids, &p);
	if (read_rc < 0) {
		(void)fprintf(stderr, "cannot tell what runs: %s: %s\n",
		    t->pids, hs_err_text(read_rc));
		return RC_ERROR;
	}
	o = hs_pids_left(&p);
	if (o != NULL) {
		(void)fprintf(stderr,
		    "hs-agent does not listen, but its %s, "
		    "pid %d, is there\n",
		    strcmp(o->role, "agent") == 0 ? "process" : o->role,
		    (int)o->pid);
		return RC_ERROR;
	}
	(void)fprintf(stderr, "no hs-agent runs behind %s\n", t->socket);
	return RC_NOT_RUNNING;
}

static int
exit_status(struct json_object *answer)
{
	struct json_object *v = NULL;
	int rc = RC_ERROR;

	if (json_object_object_get_ex(answer, "rc", &v))
		rc = json_object_get_int(v);
	if (rc == -EPERM)
		return RC_PERM;
	return rc < 0 || rc > UINT8_MAX ? RC_ERROR : rc;
}

/*
 * Send body (taken), wait for the answer, which is *answer, to be put, if
 * the call returns -1; else its return value is the exit status.
 */
static int
call(const struct target *t, struct json_object *body,
    struct json_object **answer)
{
	int rc = hs_ctl_call(t->socket, body, t->timeout_ms, answer);

	json_object_put(body);
	return rc < 0 ? explain_silence(t, rc) : -1;
}

static struct json_object *
make_request(const char *cmd)
{
	struct json_object *o = json_object_new_object();

	(void)json_object_object_add(o, "cmd", json_object_new_string(cmd));
	return o;
}

/* One whose answer is a return code and a reason. */
static int
simple_call(const struct target *t, struct json_object *body)
{
	struct json_object *answer = NULL, *text = NULL;
	int rc = call(t, body, &answer);

	if (rc != -1)
		return rc;
	rc = exit_status(answer);
	if (rc != RC_OK && rc != RC_PROMOTED)
		(void)fprintf(stderr, "%s\n",
		    json_object_object_get_ex(answer, "text", &text)
			? json_object_get_string(text)
			: "hs-agent gave no reason");
	json_object_put(answer);
	return rc;
}

/* ---- commands ---- */

static int
run_status(struct target *t, char **args)
{
	struct json_object *answer = NULL, *v = NULL;
	int rc = call(t, make_request("status"), &answer);

	(void)args;
	if (rc != -1)
		return rc;
	rc = RC_OK;
	if (t->json)
		(void)printf("%s\n",
		    json_object_to_json_string_ext(answer,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			    JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (json_object_object_get_ex(answer, "state", &v))
		hs_page_print(stdout, answer);
	else
		rc = RC_ERROR;
	json_object_put(answer);
	return rc;
}

static int
run_monitor(struct target *t, char **args)
{
	(void)args;
	return simple_call(t, make_request("monitor"));
}

static int
run_promote(struct target *t, char **args)
{
	(void)args;
	return simple_call(t, make_request("promote"));
}

static int
run_demote(struct target *t, char **args)
{
	(void)args;
	return simple_call(t, make_request("demote"));
}

/* A whole decimal number of at most max, or -1. */
static int64_t
parse_number(const char *s, int64_t max)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (*s < '0' || *s > '9' || *end != '\0' || errno != 0 || v > max)
		return -1;
	return v;
}

static int64_t
parse_nodeid(const char *s)
{
	int64_t id = parse_number(s, UINT32_MAX);

	if (id <= 0)
		(void)fprintf(stderr,
		    "\"%s\" is no node id: see "
		    "corosync-cmapctl nodelist\n",
		    s);
	return id;
}

static int
run_confirm(struct target *t, char **args)
{
	int64_t id = parse_nodeid(args[0]);
	struct json_object *o;

	if (id <= 0)
		return RC_ARGS;
	o = make_request("confirm");
	(void)json_object_object_add(o, "nodeid", json_object_new_int64(id));
	return simple_call(t, o);
}

static int
run_set(struct target *t, char **args)
{
	struct json_object *o = make_request("set");

	for (; *args != NULL; args++) {
		char *eq = strchr(*args, '=');
		int64_t v = eq != NULL ? parse_number(eq + 1, INT_MAX) : -1;

		if (v < 0) {
			(void)fprintf(stderr, "\"%s\" is not NAME=NUMBER\n",
			    *args);
			json_object_put(o);
			return RC_ARGS;
		}
		*eq = '\0';
		(void)json_object_object_add(o, *args,
		    json_object_new_int64(v));
	}
	return simple_call(t, o);
}

static int
run_fenced(struct target *t, char **args)
{
	int64_t id = parse_nodeid(args[0]);
	time_t when = 0;
	int rc;

	(void)t;
	if (id <= 0)
		return RC_ARGS;
	rc = hs_fenced_when((uint32_t)id, &when);
	if (rc < 0) {
		(void)fprintf(stderr,
		    "no libstonithd here: install "
		    "Pacemaker's libraries\n");
		return RC_ERROR;
	}
	(void)printf("%lld\n", (long long)when);
	return RC_OK;
}

static int
run_version(struct target *t, char **args)
{
	struct json_object *answer = NULL, *v = NULL;
	int rc;

	(void)args;
	(void)printf("hsctl %s\n", PACKAGE_VERSION);
	if (*t->socket == '\0')
		return RC_OK;
	rc = call(t, make_request("version"), &answer);
	if (rc != -1)
		return rc;
	if (json_object_object_get_ex(answer, "agent_version", &v))
		(void)printf("hs-agent %s\n", json_object_get_string(v));
	json_object_put(answer);
	return RC_OK;
}

/* ---- stop and kill ---- */

/*
 * Success is said only if every recorded process is certainly gone; then
 * what a killed agent left in the run directory goes too.
 */
static int
end_all(const struct target *t, const struct hs_pids *p, int timeout_ms)
{
	const struct hs_pids_one *o;

	if (hs_pids_wait(p, timeout_ms) < 0) {
		o = hs_pids_left(p);
		if (o != NULL) {
			(void)fprintf(stderr,
			    "the %s, pid %d, is still "
			    "there\n",
			    o->role, (int)o->pid);
			return RC_ERROR;
		}
	}
	(void)unlink(t->socket);
	(void)unlink(t->pids);
	return RC_OK;
}

static int
read_pids(const struct target *t, struct hs_pids *p)
{
	int rc = hs_pids_read(t->pids, p);

	if (rc == 0)
		return RC_OK;
	(void)fprintf(stderr, "cannot tell what runs: %s: %s\n", t->pids,
	    hs_err_text(rc));
	return RC_ERROR;
}

static int
run_stop(struct target *t, char **args)
{
	uint64_t start_ns = hs_clock_ns();
	struct hs_pids p;
	int rc, used_ms;

	(void)args;
	/* Before the agent removes the file. */
	rc = read_pids(t, &p);
	if (rc != RC_OK)
		return rc;
	rc = simple_call(t, make_request("stop"));
	if (rc != RC_OK && rc != RC_NOT_RUNNING)
		return rc;
	used_ms = (int)((hs_clock_ns() - start_ns) / 1000000u);
	return end_all(t, &p,
	    used_ms < t->timeout_ms ? t->timeout_ms - used_ms : 0);
}

static int
run_kill(struct target *t, char **args)
{
	struct hs_pids p;
	int rc;

	(void)args;
	rc = read_pids(t, &p);
	if (rc != RC_OK)
		return rc;
	rc = hs_pids_kill(&p);
	if (rc < 0) {
		(void)fprintf(stderr, "cannot kill: %s\n", hs_err_text(rc));
		return rc == -EPERM ? RC_PERM : RC_ERROR;
	}
	return end_all(t, &p, t->timeout_ms);
}

static const struct command commands[] = {
	{ .name = "status",
	    .args = "[--json]",
	    .many = true,
	    .what = "what the agent is and knows",
	    .run = run_status },
	{ .name = "monitor",
	    .what = "exit with the OCF state",
	    .run = run_monitor },
	{ .name = "promote",
	    .what = "make this node's service the primary",
	    .run = run_promote },
	{ .name = "demote",
	    .what = "end the primary, stay as a spare",
	    .run = run_demote },
	{ .name = "stop",
	    .what = "end service and agent in good order",
	    .run = run_stop },
	{ .name = "kill",
	    .what = "end both at once, whatever they do",
	    .run = run_kill },
	{ .name = "confirm",
	    .args = "NODEID",
	    .min_args = 1,
	    .max_args = 1,
	    .what = "the node that vanished is off, for certain",
	    .run = run_confirm },
	{ .name = "set",
	    .args = "NAME=N...",
	    .min_args = 1,
	    .max_args = 2,
	    .what = "change min_spares or ping_timeout (s)",
	    .run = run_set },
	{ .name = "fenced",
	    .args = "NODEID",
	    .min_args = 1,
	    .max_args = 1,
	    .what = "when Pacemaker last fenced the node; 0: never",
	    .run = run_fenced },
	{ .name = "version",
	    .what = "of hsctl, with -r of the agent too",
	    .run = run_version },
};

#define NCOMMAND (sizeof(commands) / sizeof(commands[0]))

static void
print_usage(FILE *f)
{
	(void)fprintf(f,
	    "usage: hsctl [-r RESOURCE | -s SOCKET] [-t SECONDS] COMMAND\n");
	for (size_t i = 0; i < NCOMMAND; i++)
		(void)fprintf(f, "  %-8s %-10s %s\n", commands[i].name,
		    commands[i].args != NULL ? commands[i].args : "",
		    commands[i].what);
	(void)fprintf(f,
	    "RESOURCE may be left out where one agent runs; "
	    "status then tells of all.\n");
}

/* ---- which agent ---- */

static const char *
run_dir(void)
{
	const char *dir = getenv("HS_RUN_DIR");

	return dir != NULL && *dir != '\0' ? dir : RUN_DIR;
}

static int
set_socket(struct target *t, const char *path)
{
	size_t len = strlen(path);
	const char *tail = len > 5 ? path + len - 5 : "";
	int stem = (int)(strcmp(tail, ".sock") == 0 ? len - 5 : len);

	if (len >= PATH_BYTES ||
	    snprintf(t->pids, PATH_BYTES, "%.*s.pids", stem, path) >=
		(int)PATH_BYTES) {
		(void)fprintf(stderr, "%s: the path is too long\n", path);
		return -1;
	}
	memcpy(t->socket, path, len + 1);
	return 0;
}

static int
set_resource(struct target *t, const char *name)
{
	char path[PATH_BYTES];

	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL) {
		(void)fprintf(stderr, "\"%s\" is no resource's name\n", name);
		return -1;
	}
	if (snprintf(path, sizeof(path), "%s/%s.sock", run_dir(), name) >=
	    (int)sizeof(path)) {
		(void)fprintf(stderr, "%s: the name is too long\n", name);
		return -1;
	}
	return set_socket(t, path);
}

static int
is_socket_name(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 5 && strcmp(d->d_name + len - 5, ".sock") == 0;
}

/* No name was given: the only agent there is, or each of them in turn. */
static int
run_for_all(struct target *t, const struct command *cmd, char **args)
{
	struct dirent **names = NULL;
	int n, rc = RC_OK;

	n = scandir(run_dir(), &names, is_socket_name, alphasort);
	if (n <= 0) {
		(void)fprintf(stderr,
		    "no hs-agent runs here (%s has no "
		    "socket)\n",
		    run_dir());
		rc = RC_NOT_RUNNING;
	} else if (n > 1 && !cmd->many) {
		(void)fprintf(stderr,
		    "%d agents run here: say which one by "
		    "-r RESOURCE\n",
		    n);
		rc = RC_ARGS;
	}
	for (int i = 0; i < n; i++) {
		if (rc == RC_OK) {
			names[i]->d_name[strlen(names[i]->d_name) - 5] = '\0';
			rc = set_resource(t, names[i]->d_name) < 0
			    ? RC_ARGS
			    : cmd->run(t, args);
		}
		free(names[i]);
	}
	free(names);
	return rc;
}

static int
parse_timeout(struct target *t, const char *s)
{
	int64_t v = parse_number(s, INT_MAX / 1000);

	if (v <= 0) {
		(void)fprintf(stderr, "-t %s: whole seconds are wanted\n", s);
		return -1;
	}
	t->timeout_ms = (int)v * 1000;
	return 0;
}

/* -1: go on; else the exit status. */
static int
parse_options(struct target *t, int argc, char **argv)
{
	static const struct option options[] = {
		{ "resource", required_argument, NULL, 'r' },
		{ "socket", required_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c, rc = 0;

	while (rc == 0 &&
	    (c = getopt_long(argc, argv, "r:s:t:jhV", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			rc = set_resource(t, optarg);
			break;
		case 's':
			rc = set_socket(t, optarg);
			break;
		case 't':
			rc = parse_timeout(t, optarg);
			break;
		case 'j':
			t->json = true;
			break;
		case 'h':
			print_usage(stdout);
			return RC_OK;
		case 'V':
			return run_version(t, NULL);
		default:
			rc = -1;
		}
	}
	return rc < 0 ? RC_ARGS : -1;
}

int
main(int argc, char **argv)
{
	struct target t = { .timeout_ms = TIMEOUT_MS };
	const struct command *cmd = NULL;
	int rc, left;

	(void)signal(SIGPIPE, SIG_IGN);
	rc = parse_options(&t, argc, argv);
	if (rc != -1)
		return rc;
	if (optind == argc) {
		print_usage(stderr);
		return RC_ARGS;
	}
	for (size_t i = 0; i < NCOMMAND; i++)
		if (strcmp(commands[i].name, argv[optind]) == 0)
			cmd = &commands[i];
	left = argc - optind - 1;
	if (cmd == NULL || left < cmd->min_args || left > cmd->max_args) {
		print_usage(stderr);
		return RC_ARGS;
	}
	argv += optind + 1;
	if (*t.socket == '\0' && cmd->run != run_version &&
	    cmd->run != run_fenced)
		rc = run_for_all(&t, cmd, argv);
	else
		rc = cmd->run(&t, argv);
	return fflush(stdout) == 0 ? rc : RC_ERROR;
}
