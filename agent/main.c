/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hs-agent: one process a resource and node.
 */
#include <assert.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "agent/command.h"
#include "agent/log.h"
#include "agent/node.h"
#include "config.h"

/* Exit codes are the OCF resource agent API's: the OCF agent passes them on. */
#define EXIT_PERM 4
#define EXIT_INSTALLED 5
#define EXIT_CONFIGURED 6

#define DEFAULT_START_TIMEOUT_S 20
#define DEFAULT_GRACE_MS 3000
#define LOCK_TRIES 40
#define LOCK_PAUSE_NS 50000000

struct options {
	struct hs_node_config node;
	bool foreground, debug;
	const char *agent_log;
	unsigned start_timeout_s;
	bool free_kept;
};

struct start {
	struct options *opt;
	qb_loop_t *loop;
	int report; /* to the parent; -1: nobody waits */
	qb_loop_timer_handle timer;
	bool failed;
	int code;
	char text[HS_MSG_TEXT_BYTES];
};

static const char usage_text[] =
    "usage: hs-agent --resource NAME [options] -- PROGRAM [ARG...]\n"
    "       hs-agent --standalone [options] -- PROGRAM [ARG...]\n"
    "options:\n"
    "  --min-spares N       held needs N spares (default 0: one, and the\n"
    "                       service may go on when there is none)\n"
    "  --ping-timeout SEC   a service that called hsping() and stops is hung\n"
    "  --local-restarts N   restart a PROGRAM that died here, up to N times\n"
    "                       in 10 minutes, before another node takes over\n"
    "  --user USER          run PROGRAM as USER\n"
    "  --directory DIR      run PROGRAM in DIR\n"
    "  --log-file FILE      stdout and stderr of PROGRAM\n"
    "  --agent-log FILE     messages of hs-agent (default syslog; - stderr)\n"
    "  --start-timeout SEC  until PROGRAM must have called hsinit() (20)\n"
    "  --stop-grace MS      from SIGTERM to SIGKILL (3000)\n"
    "  --any-build          restore an image of another build of PROGRAM\n"
    "  --no-aslr            run PROGRAM at the same addresses on all nodes\n"
    "  --run-dir DIR        sockets (/run/hotspare)\n"
    "  --state-dir DIR      terms (/var/lib/hotspare)\n"
    "  --foreground         do not become a daemon\n"
    "  --free-kept          free what a killed agent of NAME kept, and exit\n"
    "  --debug  --version  --help\n";

enum {
	OPT_RESOURCE = 256,
	OPT_STANDALONE,
	OPT_MIN_SPARES,
	OPT_PING_TIMEOUT,
	OPT_LOCAL_RESTARTS,
	OPT_USER,
	OPT_DIRECTORY,
	OPT_LOG_FILE,
	OPT_AGENT_LOG,
	OPT_START_TIMEOUT,
	OPT_STOP_GRACE,
	OPT_ANY_BUILD,
	OPT_NO_ASLR,
	OPT_RUN_DIR,
	OPT_STATE_DIR,
	OPT_FOREGROUND,
	OPT_FREE_KEPT,
	OPT_DEBUG,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "resource", required_argument, NULL, OPT_RESOURCE },
	{ "standalone", no_argument, NULL, OPT_STANDALONE },
	{ "min-spares", required_argument, NULL, OPT_MIN_SPARES },
	{ "ping-timeout", required_argument, NULL, OPT_PING_TIMEOUT },
	{ "local-restarts", required_argument, NULL, OPT_LOCAL_RESTARTS },
	{ "user", required_argument, NULL, OPT_USER },
	{ "directory", required_argument, NULL, OPT_DIRECTORY },
	{ "log-file", required_argument, NULL, OPT_LOG_FILE },
	{ "agent-log", required_argument, NULL, OPT_AGENT_LOG },
	{ "start-timeout", required_argument, NULL, OPT_START_TIMEOUT },
	{ "stop-grace", required_argument, NULL, OPT_STOP_GRACE },
	{ "any-build", no_argument, NULL, OPT_ANY_BUILD },
	{ "no-aslr", no_argument, NULL, OPT_NO_ASLR },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "free-kept", no_argument, NULL, OPT_FREE_KEPT },
	{ "debug", no_argument, NULL, OPT_DEBUG },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static _Noreturn void
refuse(int code, const char *fmt, const char *arg)
{
	fputs("hs-agent: ", stderr);
	fprintf(stderr, fmt, arg);
	fputc('\n', stderr);
	exit(code);
}

static unsigned
number(const char *what, const char *s, unsigned max)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || *s == '-' || v > max)
		refuse(EXIT_CONFIGURED, "--%s wants a whole number", what);
	return (unsigned)v;
}

static void
take_user(struct hs_service_config *c, const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		refuse(EXIT_CONFIGURED, "no such user: %s", name);
	c->own_user = true;
	c->user = name;
	c->uid = pw->pw_uid;
	c->gid = pw->pw_gid;
}

static void
take_option(struct options *o, int opt, const char *arg)
{
	struct hs_node_config *n = &o->node;

	switch (opt) {
	case OPT_RESOURCE:
		n->resource = arg;
		break;
	case OPT_STANDALONE:
		n->standalone = true;
		break;
	case OPT_MIN_SPARES:
		n->min_spares = number("min-spares", arg, HS_NODE_MAX_SPARES);
		break;
	case OPT_PING_TIMEOUT:
		n->ping_timeout_ms =
		    1000 * number("ping-timeout", arg, HS_NODE_MAX_PING_S);
		break;
	case OPT_LOCAL_RESTARTS:
		n->local_restarts =
		    number("local-restarts", arg, HS_RESTART_MAX);
		break;
	case OPT_USER:
		take_user(&n->service, arg);
		break;
	case OPT_DIRECTORY:
		n->service.directory = arg;
		break;
	case OPT_LOG_FILE:
		n->service.log_file = arg;
		break;
	case OPT_AGENT_LOG:
		o->agent_log = arg;
		break;
	case OPT_START_TIMEOUT:
		o->start_timeout_s = number("start-timeout", arg, 86400);
		break;
	case OPT_STOP_GRACE:
		n->service.grace_ms = number("stop-grace", arg, 3600000);
		break;
	case OPT_ANY_BUILD:
		n->any_build = true;
		break;
	case OPT_NO_ASLR:
		n->service.no_aslr = true;
		break;
	case OPT_RUN_DIR:
		n->run_dir = arg;
		break;
	case OPT_STATE_DIR:
		n->state_dir = arg;
		break;
	case OPT_FOREGROUND:
		o->foreground = true;
		break;
	case OPT_FREE_KEPT:
		o->free_kept = true;
		break;
	case OPT_DEBUG:
		o->debug = true;
		break;
	case OPT_VERSION:
		puts("hs-agent " PACKAGE_VERSION);
		exit(0);
	case OPT_HELP:
		fputs(usage_text, stdout);
		exit(0);
	default:
		refuse(EXIT_CONFIGURED, "%s", "see hs-agent --help");
	}
}

static void
check_name(const char *name)
{
	/*
	 * Part of file names and of the group's name ("hs:" and NUL besides).
	 */
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
	    strlen(name) > HS_MSG_GROUP_BYTES - 4)
		refuse(EXIT_CONFIGURED, "unusable resource name: '%s'", name);
}

static void
parse(struct options *o, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "+", long_options, NULL)) != -1)
		take_option(o, opt, optarg);
	if (optind >= argc && !o->free_kept)
		refuse(EXIT_CONFIGURED, "no program given: see %s",
		    "hs-agent --help");
	o->node.service.argv = argv + optind;
	if (o->node.standalone) {
		o->foreground = true;
		if (o->node.resource == NULL)
			o->node.resource = "standalone";
		if (o->agent_log == NULL)
			o->agent_log = "-";
	} else {
		if (o->node.resource == NULL)
			refuse(EXIT_CONFIGURED, "--resource NAME is missing%s",
			    "");
		o->node.service.own_group = true;
	}
	check_name(o->node.resource);
	o->node.service.resource = o->node.resource;
}

/* Whose members may speak to the agent; absent on a machine of one user. */
static void
make_dir(const char *path, mode_t mode)
{
	const struct group *gr = getgrnam("hotspare");

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		refuse(EXIT_PERM, "cannot make %s; run as root", path);
	if (gr != NULL && geteuid() == 0 && chown(path, 0, gr->gr_gid) < 0)
		refuse(EXIT_PERM, "cannot set the group of %s", path);
}

/* To whoever waits for the start: one line and a code. */
static void
report(struct start *s, int code, const char *text)
{
	if (s->report >= 0) {
		dprintf(s->report, "%d %s\n", code, text);
		close(s->report);
		s->report = -1;
	} else if (code != 0) {
		fprintf(stderr, "hs-agent: %s\n", text);
	}
}

static int
exit_code(int rc)
{
	switch (rc) {
	case -EACCES:
	case -EPERM:
		return EXIT_PERM;
	case -ENOENT:
	case -ENOEXEC:
		return EXIT_INSTALLED;
	case HS_ETRACK:
	case HS_EADDR:
		return EXIT_INSTALLED;
	case -EINVAL:
		return EXIT_CONFIGURED;
	default:
		return 1;
	}
}

static void
on_ready(void *arg, int rc, const char *text)
{
	struct start *s = arg;

	qb_loop_timer_del(s->loop, s->timer);
	if (rc == 0) {
		report(s, 0, "");
		return;
	}
	s->failed = true;
	s->code = exit_code(rc);
	snprintf(s->text, sizeof(s->text), "%s", text);
	if (s->report >= 0)
		qb_log(LOG_ERR, "not started: %s", text);
	qb_loop_stop(s->loop);
}

static void
on_start_timeout(void *arg)
{
	struct start *s = arg;

	s->failed = true;
	s->code = 1;
	snprintf(s->text, sizeof(s->text),
	    "%.100s did not call hsinit() within %u s: is it linked with "
	    "libhotspare?",
	    s->opt->node.service.argv[0], s->opt->start_timeout_s);
	qb_loop_stop(s->loop);
}

static int32_t
on_signal(int32_t sig, void *data)
{
	struct hs_node *n = data;

	qb_log(LOG_NOTICE, "stopping on SIG%s", sigabbrev_np(sig));
	hs_tenure_stop(n, NULL);
	return 0;
}

static int
add_signals(struct hs_node *n)
{
	qb_loop_signal_handle h;
	int rc;

	(void)signal(SIGPIPE, SIG_IGN);
	rc = qb_loop_signal_add(n->loop, QB_LOOP_HIGH, SIGTERM, n, on_signal,
	    &h);
	if (rc == 0)
		rc = qb_loop_signal_add(n->loop, QB_LOOP_HIGH, SIGINT, n,
		    on_signal, &h);
	return rc;
}

static int
open_ctl(struct hs_node *n, char *why, size_t why_size)
{
	char path[256];
	int rc;

	if (n->cfg->standalone && n->cfg->run_dir == NULL)
		return 0;
	snprintf(path, sizeof(path), "%s/%s.sock", n->cfg->run_dir,
	    n->cfg->resource);
	rc = hs_ctl_create(&n->ctl, n->loop, path, hs_command_run, n);
	if (rc == -EADDRINUSE)
		snprintf(why, why_size, "an hs-agent for %.60s runs already",
		    n->cfg->resource);
	else if (rc < 0)
		snprintf(why, why_size, "%.150s: %s", path, hs_err_text(rc));
	return rc;
}

/*
 * Held until this process ends.  Taken before all else: a second agent of the
 * resource would be taken for the first one by the others in the group.
 */
static int
take_lock(const struct hs_node_config *cfg, char *why, size_t why_size)
{
	char path[512];
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	int fd;

	if (cfg->run_dir == NULL)
		return 0;
	snprintf(path, sizeof(path), "%s/%s.lock", cfg->run_dir, cfg->resource);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* One that was stopped has said so before it is gone. */
	for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		snprintf(why, why_size,
		    "an hs-agent for %.60s runs already: see hsctl status",
		    cfg->resource);
	else
		snprintf(why, why_size, "%.150s: %s", path,
		    strerrordesc_np(errno));
	if (fd >= 0)
		close(fd);
	return -EBUSY;
}

static void
remove_pids(const struct hs_node_config *cfg)
{
	char path[512];

	if (cfg->standalone)
		return;
	snprintf(path, sizeof(path), "%s/%s.pids", cfg->run_dir, cfg->resource);
	(void)unlink(path);
}

static int
run(struct options *o, int report_fd)
{
	struct start s = { .opt = o, .report = report_fd };
	struct hs_node *n = NULL;
	char why[HS_MSG_TEXT_BYTES] = "";
	int rc, status;

	s.loop = qb_loop_create();
	rc = s.loop == NULL ? -ENOMEM : take_lock(&o->node, why, sizeof(why));
	if (rc == 0)
		rc = hs_node_create(&n, s.loop, &o->node, why, sizeof(why));
	if (rc == 0)
		rc = open_ctl(n, why, sizeof(why));
	if (rc == 0)
		rc = add_signals(n);
	if (rc < 0) {
		report(&s, exit_code(rc),
		    why[0] != '\0' ? why : hs_err_text(rc));
		hs_node_destroy(n);
		return exit_code(rc);
	}
	assert(n != NULL);
	n->on_ready = on_ready;
	n->on_ready_arg = &s;
	(void)qb_loop_timer_add(s.loop, QB_LOOP_LOW,
	    (uint64_t)o->start_timeout_s * 1000000000, &s, on_start_timeout,
	    &s.timer);
	qb_loop_run(s.loop);
	status = s.failed ? s.code : n->exit_status;
	if (s.failed)
		report(&s, s.code, s.text);
	hs_ctl_destroy(n->ctl);
	hs_node_destroy(n);
	qb_loop_destroy(s.loop);
	remove_pids(&o->node);
	return status;
}

static int
log_and_run(struct options *o, int report_fd)
{
	int level = o->debug	 ? LOG_DEBUG
	    : o->node.standalone ? LOG_WARNING
				 : LOG_INFO;
	int rc = hs_log_init("hs-agent", o->agent_log, level);

	if (rc < 0)
		refuse(1, "cannot open the log: %s", hs_err_text(rc));
	rc = run(o, report_fd);
	hs_log_fini();
	return rc;
}

/* For whoever makes certain that nothing of a dead agent is left. */
static int
free_kept(const struct hs_node_config *cfg)
{
	struct hs_keep k;

	hs_keep_open(&k, cfg->resource, cfg->state_dir, cfg->standalone);
	hs_keep_close(&k);
	return 0;
}

/* The parent: wait for the daemon's one line, pass on its code. */
static int
await(int fd, pid_t pid)
{
	char line[HS_MSG_TEXT_BYTES + 16] = "";
	FILE *f = fdopen(fd, "r");
	char *text;
	long code;

	if (f == NULL || fgets(line, sizeof(line), f) == NULL) {
		(void)waitpid(pid, NULL, 0);
		refuse(1, "the daemon ended without a word; see %s", "its log");
	}
	code = strtol(line, &text, 10);
	if (code != 0)
		fprintf(stderr, "hs-agent:%s", text);
	return (int)code;
}

static int
daemonize(struct options *o)
{
	int pipefd[2], null;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		refuse(1, "%s", strerrordesc_np(errno));
	pid = fork();
	if (pid < 0)
		refuse(1, "%s", strerrordesc_np(errno));
	if (pid > 0) {
		close(pipefd[1]);
		return await(pipefd[0], pid);
	}
	close(pipefd[0]);
	null = open("/dev/null", O_RDWR);
	if (setsid() < 0 || chdir("/") < 0 || null < 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(1);
	if (null > 2)
		close(null);
	/* Nothing of the caller's stays open here. */
	if (pipefd[1] > 3)
		(void)close_range(3, (unsigned)pipefd[1] - 1, 0);
	(void)close_range((unsigned)pipefd[1] + 1, ~0u, 0);
	return log_and_run(o, pipefd[1]);
}

int
main(int argc, char **argv)
{
	struct options o = {
		.start_timeout_s = DEFAULT_START_TIMEOUT_S,
		.node = {
			.service = { .grace_ms = DEFAULT_GRACE_MS },
			.state_dir = "/var/lib/hotspare",
		},
	};

	parse(&o, argc, argv);
	if (o.free_kept)
		return free_kept(&o.node);
	if (!o.node.standalone && o.node.run_dir == NULL)
		o.node.run_dir = "/run/hotspare";
	if (o.node.run_dir != NULL)
		make_dir(o.node.run_dir, 0750);
	if (!o.node.standalone)
		make_dir(o.node.state_dir, 0750);
	if (!o.foreground)
		return daemonize(&o);
	return log_and_run(&o, -1);
}
