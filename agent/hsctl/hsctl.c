/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hsctl: asks one hs-agent, by its control socket, and ends with what the OCF
 * agent has to return.
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

#include <json-c/json.h>

#include "agent/hsctl/ask.h"
#include "agent/hsctl/end.h"
#include "agent/hsctl/fenced.h"
#include "agent/hsctl/page.h"

#define TIMEOUT_MS 20000	/* OCF's own default for an action */

struct command {
	const char *name;
	const char *args;	/* for the usage */
	const char *what;
	int min_args, max_args;
	bool many;		/* without a name: for each agent in turn */
	int (*run)(struct hs_ask *a, char **args);
};

static int
run_status(struct hs_ask *a, char **args)
{
	struct json_object *answer = NULL, *v = NULL;
	int rc = hs_ask_call(a, hs_ask_request("status"), &answer);

	(void)args;
	if (rc != -1)
		return rc;
	rc = HS_RC_OK;
	if (a->json)
		(void)printf("%s\n",
		    json_object_to_json_string_ext(answer,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			    JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (json_object_object_get_ex(answer, "state", &v))
		hs_page_print(stdout, answer);
	else
		rc = HS_RC_ERROR;
	json_object_put(answer);
	return rc;
}

static int
run_monitor(struct hs_ask *a, char **args)
{
	(void)args;
	return hs_ask_simple(a, hs_ask_request("monitor"));
}

static int
run_promote(struct hs_ask *a, char **args)
{
	(void)args;
	return hs_ask_simple(a, hs_ask_request("promote"));
}

static int
run_demote(struct hs_ask *a, char **args)
{
	(void)args;
	return hs_ask_simple(a, hs_ask_request("demote"));
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
parse_nodeid(const struct hs_ask *a, const char *s)
{
	int64_t id = parse_number(s, UINT32_MAX);

	if (id <= 0)
		hs_ask_say(a, "\"%s\" is no node id: see crm_node -l", s);
	return id;
}

static int
run_confirm(struct hs_ask *a, char **args)
{
	int64_t id = parse_nodeid(a, args[0]);
	struct json_object *o;

	if (id <= 0)
		return HS_RC_ARGS;
	o = hs_ask_request("confirm");
	(void)json_object_object_add(o, "nodeid", json_object_new_int64(id));
	return hs_ask_simple(a, o);
}

static int
run_set(struct hs_ask *a, char **args)
{
	struct json_object *o = hs_ask_request("set");

	for (; *args != NULL; args++) {
		char *eq = strchr(*args, '=');
		int64_t v = eq != NULL ? parse_number(eq + 1, INT_MAX) : -1;

		if (v < 0) {
			hs_ask_say(a, "\"%s\" is not NAME=NUMBER", *args);
			json_object_put(o);
			return HS_RC_ARGS;
		}
		*eq = '\0';
		(void)json_object_object_add(o, *args,
		    json_object_new_int64(v));
	}
	return hs_ask_simple(a, o);
}

static int
run_fenced(struct hs_ask *a, char **args)
{
	int64_t id = parse_nodeid(a, args[0]);
	time_t when = 0;
	int rc;

	if (id <= 0)
		return HS_RC_ARGS;
	rc = hs_fenced_when((uint32_t)id, &when);
	if (rc < 0) {
		hs_ask_say(a, "there are no Pacemaker libraries here");
		return HS_RC_ERROR;
	}
	(void)printf("%lld\n", (long long)when);
	return HS_RC_OK;
}

static int
run_version(struct hs_ask *a, char **args)
{
	struct json_object *answer = NULL, *v = NULL;
	int rc;

	(void)args;
	(void)printf("hsctl %s\n", PACKAGE_VERSION);
	if (*a->socket == '\0')
		return HS_RC_OK;
	rc = hs_ask_call(a, hs_ask_request("status"), &answer);
	if (rc != -1)
		return rc;
	if (json_object_object_get_ex(answer, "agent_version", &v))
		(void)printf("hs-agent %s\n", json_object_get_string(v));
	json_object_put(answer);
	return HS_RC_OK;
}

static int
run_stop(struct hs_ask *a, char **args)
{
	(void)args;
	return hs_end_stop(a);
}

static int
run_kill(struct hs_ask *a, char **args)
{
	(void)args;
	return hs_end_kill(a);
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
	    .max_args = 3,
	    .what = "change min_spares, ping_timeout (s), local_restarts",
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

static int
is_socket_name(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 5 && strcmp(d->d_name + len - 5, ".sock") == 0;
}

static int
run_for_one(struct hs_ask *a, const struct command *cmd, char **args,
    char *socket_name)
{
	socket_name[strlen(socket_name) - 5] = '\0';
	if (hs_ask_set_resource(a, socket_name) < 0)
		return HS_RC_ARGS;
	return cmd->run(a, args);
}

/*
 * No name was given: the only agent there is, or each of them in turn, and
 * then the first exit status that is not 0.
 */
static int
run_for_all(struct hs_ask *a, const struct command *cmd, char **args)
{
	struct dirent **names = NULL;
	int n, one, rc = HS_RC_OK;

	n = scandir(hs_ask_run_dir(), &names, is_socket_name, alphasort);
	if (n <= 0) {
		hs_ask_say(a, "no hs-agent runs here: %s has no socket",
		    hs_ask_run_dir());
		rc = HS_RC_NOT_RUNNING;
	} else if (n > 1 && !cmd->many) {
		hs_ask_say(a, "%d agents run here: say which by -r RESOURCE",
		    n);
		rc = HS_RC_ARGS;
	}
	for (int i = 0; i < n; i++) {
		if (rc != HS_RC_ARGS) {
			one = run_for_one(a, cmd, args, names[i]->d_name);
			rc = rc == HS_RC_OK ? one : rc;
		}
		free(names[i]);
	}
	free(names);
	return rc;
}

static int
parse_timeout(struct hs_ask *a, const char *s)
{
	int64_t v = parse_number(s, INT_MAX / 1000);

	if (v <= 0) {
		hs_ask_say(a, "-t %s: whole seconds are wanted", s);
		return -1;
	}
	a->timeout_ms = (int)v * 1000;
	return 0;
}

/* -1: go on; else the exit status. */
static int
parse_options(struct hs_ask *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "resource", required_argument, NULL, 'r' },
		{ "socket", required_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "ocf", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c, rc = 0;

	while (rc == 0 &&
	    (c = getopt_long(argc, argv, "r:s:t:jhV", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			rc = hs_ask_set_resource(a, optarg);
			break;
		case 's':
			rc = hs_ask_set_socket(a, optarg);
			break;
		case 't':
			rc = parse_timeout(a, optarg);
			break;
		case 'j':
			a->json = true;
			break;
		case 'o':
			a->ocf = true;
			break;
		case 'h':
			print_usage(stdout);
			return HS_RC_OK;
		case 'V':
			return run_version(a, NULL);
		default:
			rc = -1;
		}
	}
	return rc < 0 ? HS_RC_ARGS : -1;
}

int
main(int argc, char **argv)
{
	struct hs_ask a = { .timeout_ms = TIMEOUT_MS };
	const struct command *cmd = NULL;
	int rc, left;

	(void)signal(SIGPIPE, SIG_IGN);
	rc = parse_options(&a, argc, argv);
	if (rc != -1)
		return rc;
	if (optind == argc) {
		print_usage(stderr);
		return HS_RC_ARGS;
	}
	for (size_t i = 0; i < NCOMMAND; i++)
		if (strcmp(commands[i].name, argv[optind]) == 0)
			cmd = &commands[i];
	left = argc - optind - 1;
	if (cmd == NULL || left < cmd->min_args || left > cmd->max_args) {
		print_usage(stderr);
		return HS_RC_ARGS;
	}
	argv += optind + 1;
	if (*a.socket == '\0' && cmd->run != run_version &&
	    cmd->run != run_fenced)
		rc = run_for_all(&a, cmd, argv);
	else
		rc = cmd->run(&a, argv);
	return fflush(stdout) == 0 ? rc : HS_RC_ERROR;
}
