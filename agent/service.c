/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "agent/service.h"
#include "base/clock.h"
#include "base/sock.h"

#define TYPE_OFF 6 /* of a message's type; see wire/msg.h */
#define LINK_BYTES 2048 /* larger than any message of the link */

struct hs_service {
	qb_loop_t *loop;
	const struct hs_service_events *ev;
	void *arg;
	enum hs_service_phase phase;
	pid_t pid;
	int pidfd, link;
	bool own_group;
	unsigned grace_ms;
	bool grace_armed;
	qb_loop_timer_handle grace;
	int status;
	struct hs_msg_hello hello;
	struct hs_msg_stats stats;
	uint64_t held_epoch, pinged_ns;
	char text[HS_MSG_TEXT_BYTES];
	char end[64];
};

#define BIT(n) (1u << (n))
static const unsigned next_phases[] = {
	[HS_SERVICE_SPAWNED] = BIT(HS_SERVICE_WAITING) | BIT(HS_SERVICE_DEAD),
	[HS_SERVICE_WAITING] = BIT(HS_SERVICE_GOING) | BIT(HS_SERVICE_DEAD),
	[HS_SERVICE_GOING] = BIT(HS_SERVICE_RUNNING) | BIT(HS_SERVICE_DEAD),
	[HS_SERVICE_RUNNING] = BIT(HS_SERVICE_DEAD),
	[HS_SERVICE_DEAD] = 0,
};

static const char *const phase_names[] = {
	[HS_SERVICE_SPAWNED] = "starting",
	[HS_SERVICE_WAITING] = "waiting",
	[HS_SERVICE_GOING] = "restoring",
	[HS_SERVICE_RUNNING] = "running",
	[HS_SERVICE_DEAD] = "dead",
};

static void
goto_phase(struct hs_service *s, enum hs_service_phase to)
{
	assert(next_phases[s->phase] & BIT(to));
	s->phase = to;
}

const char *
hs_service_phase_name(enum hs_service_phase p)
{
	return phase_names[p];
}

/* In the child, between fork and exec: only async-signal-safe calls. */
struct child_plan {
	const struct hs_service_config *cfg;
	int link, report, log;
	pid_t parent;
	char **env;
};

/* What failed, as the child reports it. */
enum child_step {
	STEP_PREPARE,
	STEP_PLACE,
	STEP_USER,
	STEP_DIRECTORY,
	STEP_LOG,
	STEP_EXEC
};

struct child_report {
	enum child_step step;
	int err;
};

static _Noreturn void
child_fail(const struct child_plan *p, enum child_step step)
{
	const struct child_report r = { .step = step, .err = errno };
	ssize_t n = write(p->report, &r, sizeof(r));

	(void)n;
	_exit(127);
}

static void
child_streams(const struct child_plan *p)
{
	int null;

	if (!p->cfg->own_group)
		return;
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		child_fail(p, STEP_PREPARE);
	/* Its number may be one that the service registered elsewhere. */
	if (null != STDIN_FILENO)
		(void)close(null);
	if (p->log >= 0 &&
	    (dup2(p->log, STDOUT_FILENO) < 0 ||
		dup2(p->log, STDERR_FILENO) < 0))
		child_fail(p, STEP_PREPARE);
}

/* The exec is what it tells on. */
static void
child_place(const struct child_plan *p)
{
	const int now = personality(0xffffffff);

	if (now < 0 || personality((unsigned)now | ADDR_NO_RANDOMIZE) < 0)
		child_fail(p, STEP_PLACE);
}

static _Noreturn void
child_run(const struct child_plan *p)
{
	const struct hs_service_config *c = p->cfg;
	sigset_t none;

	/* The service must not outlive the one who speaks for it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		child_fail(p, STEP_PREPARE);
	if (getppid() != p->parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (c->own_group && setsid() < 0)
		child_fail(p, STEP_PREPARE);
	child_streams(p);
	if (c->no_aslr)
		child_place(p);
	if (c->own_user &&
	    (initgroups(c->user, c->gid) < 0 || setgid(c->gid) < 0 ||
		setuid(c->uid) < 0))
		child_fail(p, STEP_USER);
	/* setuid() clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != p->parent)
		child_fail(p, STEP_PREPARE);
	if (c->directory != NULL && chdir(c->directory) < 0)
		child_fail(p, STEP_DIRECTORY);
	if (fcntl(p->link, F_SETFD, 0) < 0)
		child_fail(p, STEP_PREPARE);
	execvpe(c->argv[0], c->argv, p->env);
	child_fail(p, STEP_EXEC);
}

static bool
is_ours(const char *var)
{
	return strncmp(var, "HOTSPARE_FD=", 12) == 0 ||
	    strncmp(var, "HOTSPARE_RESOURCE=", 18) == 0 ||
	    strncmp(var, "HOTSPARE_ASLR=", 14) == 0;
}

/* environ with ours, up to a NULL; the array is the caller's. */
static char **
child_env(char *const ours[])
{
	size_t n = 0, k = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	for (size_t i = 0; ours[i] != NULL; i++)
		n++;
	env = calloc(n + 1, sizeof(*env));
	if (env == NULL)
		return NULL;
	for (size_t i = 0; environ[i] != NULL; i++)
		if (!is_ours(environ[i]))
			env[k++] = environ[i];
	while (*ours != NULL)
		env[k++] = *ours++;
	return env;
}

/* r->err is 0, or says what failed before or in the exec. */
static void
fork_child(struct hs_service *s, const struct hs_service_config *cfg, int link,
    struct child_report *r)
{
	char fd_var[32], resource_var[300];
	char aslr_var[] = "HOTSPARE_ASLR=off";
	char *const ours[] = { fd_var, resource_var,
		cfg->no_aslr ? aslr_var : NULL, NULL };
	struct child_plan plan = { .cfg = cfg, .link = link, .log = -1 };
	int report[2];

	snprintf(fd_var, sizeof(fd_var), "HOTSPARE_FD=%d", link);
	snprintf(resource_var, sizeof(resource_var), "HOTSPARE_RESOURCE=%s",
	    cfg->resource);
	*r = (struct child_report){ .step = STEP_LOG };
	if (cfg->log_file != NULL) {
		plan.log = open(cfg->log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		r->err = plan.log < 0 ? errno : 0;
		if (r->err != 0)
			return;
	}
	r->step = STEP_PREPARE;
	plan.env = child_env(ours);
	plan.parent = getpid();
	if (plan.env == NULL || pipe2(report, O_CLOEXEC) < 0) {
		r->err = plan.env == NULL ? ENOMEM : errno;
		goto out;
	}
	plan.report = report[1];
	s->pid = fork();
	if (s->pid == 0)
		child_run(&plan);
	r->err = s->pid < 0 ? errno : 0;
	close(report[1]);
	/* The write end closes by the exec; a failure says what it was. */
	if (s->pid > 0 &&
	    TEMP_FAILURE_RETRY(read(report[0], r, sizeof(*r))) == sizeof(*r)) {
		(void)waitpid(s->pid, NULL, 0);
		s->pid = -1;
	}
	close(report[0]);
out:
	free(plan.env);
	if (plan.log >= 0)
		close(plan.log);
}

static void
describe_end(struct hs_service *s)
{
	if (WIFSIGNALED(s->status))
		snprintf(s->end, sizeof(s->end), "killed by SIG%s",
		    sigabbrev_np(WTERMSIG(s->status)));
	else
		snprintf(s->end, sizeof(s->end), "exited with %d",
		    WEXITSTATUS(s->status));
}

static void
close_link(struct hs_service *s)
{
	if (s->link < 0)
		return;
	qb_loop_poll_del(s->loop, s->link);
	close(s->link);
	s->link = -1;
}

/*
 * A running service tries again, many times a second; one that did not start
 * ends, and its text is what its end is explained by.
 */
static void
note_text(struct hs_service *s, const struct hs_msg_text *m)
{
	bool news = strcmp(s->text, m->text) != 0;

	memcpy(s->text, m->text, sizeof(s->text));
	if (news && s->phase >= HS_SERVICE_GOING)
		qb_log(LOG_ERR, "service says: %s", s->text);
}

static void
on_message(struct hs_service *s, const uint8_t *buf, size_t len)
{
	struct hs_msg_head h;
	struct hs_msg_text text;
	const uint8_t *body;
	size_t body_len;
	int rc = hs_msg_open(buf, len, &h, &body, &body_len);

	if (rc == 0 && h.type == HS_MSG_HELLO &&
	    s->phase == HS_SERVICE_SPAWNED) {
		rc = hs_msg_decode_hello(body, body_len, &s->hello);
		if (rc == 0) {
			goto_phase(s, HS_SERVICE_WAITING);
			s->ev->hello(s->arg, s);
			return;
		}
	} else if (rc == 0 && h.type == HS_MSG_RUNNING &&
	    s->phase == HS_SERVICE_GOING) {
		goto_phase(s, HS_SERVICE_RUNNING);
		s->ev->running(s->arg, s);
		return;
	} else if (rc == 0 && h.type == HS_MSG_FAILED) {
		rc = hs_msg_decode_text(body, body_len, &text);
		if (rc == 0)
			note_text(s, &text);
	} else if (rc == 0 && h.type == HS_MSG_NOTE) {
		rc = hs_msg_decode_text(body, body_len, &text);
		if (rc == 0)
			qb_log(LOG_NOTICE, "service: %s", text.text);
	} else if (rc == 0 && h.type == HS_MSG_PING) {
		s->pinged_ns = hs_clock_ns();
	} else if (rc == 0 && h.type == HS_MSG_STATS) {
		rc = hs_msg_decode_stats(body, body_len, &s->stats);
		if (rc == 0)
			s->held_epoch = h.epoch;
	} else if (rc == 0) {
		rc = HS_EWIRE;
	}
	if (rc < 0)
		qb_log(LOG_WARNING, "service's message refused: %s",
		    hs_err_text(rc));
}

static int32_t
on_link(int32_t fd, int32_t revents, void *data)
{
	struct hs_service *s = data;
	uint8_t buf[LINK_BYTES];
	ssize_t n;

	(void)revents;
	n = hs_sock_recv(fd, buf, sizeof(buf), NULL, NULL, MSG_DONTWAIT);
	if (n > 0)
		on_message(s, buf, (size_t)n); /* may destroy s */
	else if (n != -EAGAIN && n != -EMSGSIZE)
		close_link(s); /* the pidfd tells the rest */
	return 0;
}

static void
reap(struct hs_service *s)
{
	/* What the service left behind goes too; ESRCH is the usual case. */
	if (s->own_group)
		(void)kill(-s->pid, SIGKILL);
	while (waitpid(s->pid, &s->status, 0) < 0 && errno == EINTR)
		;
	describe_end(s);
	goto_phase(s, HS_SERVICE_DEAD);
	qb_loop_poll_del(s->loop, s->pidfd);
	close(s->pidfd);
	s->pidfd = -1;
	if (s->grace_armed)
		qb_loop_timer_del(s->loop, s->grace);
	s->grace_armed = false;
}

/*
 * What it said before it died still counts: that it ran, or why it failed.  Not
 * that it is ready to.
 */
static void
drain_link(struct hs_service *s)
{
	uint8_t buf[LINK_BYTES];
	ssize_t n;

	while (s->link >= 0 &&
	    (n = hs_sock_recv(s->link, buf, sizeof(buf), NULL, NULL,
		 MSG_DONTWAIT)) >= HS_MSG_HEAD_BYTES)
		if (buf[TYPE_OFF] != HS_MSG_HELLO)
			on_message(s, buf, (size_t)n);
}

static int32_t
on_pidfd(int32_t fd, int32_t revents, void *data)
{
	struct hs_service *s = data;

	(void)fd;
	(void)revents;
	drain_link(s);
	reap(s);
	close_link(s);
	s->ev->dead(s->arg, s);
	return 0;
}

static void
explain_failure(const struct hs_service_config *cfg,
    const struct child_report *r, char *why, size_t size)
{
	const char *text = strerrordesc_np(r->err);

	switch (r->step) {
	case STEP_PREPARE:
		snprintf(why, size, "cannot start a process: %s", text);
		break;
	case STEP_PLACE:
		snprintf(why, size,
		    "cannot turn address randomization off: %s; permit "
		    "personality(2), or do without --no-aslr",
		    text);
		break;
	case STEP_USER:
		snprintf(why, size,
		    "cannot become user %s: %s; run hs-agent "
		    "as root",
		    cfg->user, text);
		break;
	case STEP_DIRECTORY:
		snprintf(why, size,
		    "cannot enter %s: %s; check the working "
		    "directory",
		    cfg->directory, text);
		break;
	case STEP_LOG:
		snprintf(why, size,
		    "cannot open %s: %s; check the log file's "
		    "directory",
		    cfg->log_file, text);
		break;
	case STEP_EXEC:
		snprintf(why, size, "cannot run %s: %s%s", cfg->argv[0], text,
		    r->err == ENOENT || r->err == EACCES || r->err == ENOEXEC
			? "; check the program's path and its execute "
			  "permission"
			: "");
		break;
	}
}

static int
watch(struct hs_service *s)
{
	int rc;

	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	if (s->pidfd < 0)
		return -errno;
	(void)fcntl(s->pidfd, F_SETFD, FD_CLOEXEC);
	/* A death is the most urgent of all events. */
	rc = qb_loop_poll_add(s->loop, QB_LOOP_HIGH, s->pidfd, POLLIN, s,
	    on_pidfd);
	if (rc == 0)
		rc = qb_loop_poll_add(s->loop, QB_LOOP_HIGH, s->link, POLLIN, s,
		    on_link);
	return rc;
}

int
hs_service_spawn(struct hs_service **out, const struct hs_service_owner *owner,
    const struct hs_service_config *cfg, char *why, size_t why_size)
{
	struct hs_service *s = calloc(1, sizeof(*s));
	struct child_report report = { .step = STEP_PREPARE };
	int pair[2], rc;

	if (s == NULL) {
		snprintf(why, why_size, "%s", hs_err_text(-ENOMEM));
		return -ENOMEM;
	}
	s->loop = owner->loop;
	s->ev = owner->ev;
	s->arg = owner->arg;
	s->pid = s->pidfd = s->link = -1;
	s->own_group = cfg->own_group;
	s->grace_ms = cfg->grace_ms;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		report.err = errno;
	} else {
		s->link = pair[0];
		fork_child(s, cfg, pair[1], &report);
		close(pair[1]);
	}
	if (report.err != 0) {
		explain_failure(cfg, &report, why, why_size);
		if (s->link >= 0)
			close(s->link);
		free(s);
		return -report.err;
	}
	rc = watch(s);
	if (rc < 0) {
		snprintf(why, why_size, "cannot watch the service: %s",
		    hs_err_text(rc));
		hs_service_destroy(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
hs_service_destroy(struct hs_service *s)
{
	if (s == NULL)
		return;
	if (s->phase != HS_SERVICE_DEAD && s->pid > 0) {
		(void)kill(s->pid, SIGKILL);
		reap(s);
	}
	close_link(s);
	free(s);
}

int
hs_service_go(struct hs_service *s, const struct hs_msg_head *h,
    const struct hs_msg_go *m, const int *fds, int nfd)
{
	uint8_t buf[LINK_BYTES];
	int rc;

	if (s->phase != HS_SERVICE_WAITING || s->link < 0)
		return HS_ESTATE;
	rc = hs_msg_encode_go(buf, sizeof(buf), h, m);
	if (rc >= 0)
		rc = hs_sock_send(s->link, buf, (size_t)rc, fds, nfd);
	if (rc == 0)
		goto_phase(s, HS_SERVICE_GOING);
	return rc;
}

void
hs_service_policy(struct hs_service *s, const struct hs_msg_head *h,
    const struct hs_msg_policy *m)
{
	uint8_t buf[LINK_BYTES];
	int rc;

	if (s->link < 0 ||
	    (s->phase != HS_SERVICE_GOING && s->phase != HS_SERVICE_RUNNING))
		return;
	rc = hs_msg_encode_policy(buf, sizeof(buf), h, m);
	if (rc >= 0)
		rc = hs_sock_send(s->link, buf, (size_t)rc, NULL, 0);
	if (rc < 0)
		qb_log(LOG_WARNING, "cannot tell the service the policy: %s",
		    hs_err_text(rc));
}

void
hs_service_kill(struct hs_service *s)
{
	if (s->phase != HS_SERVICE_DEAD)
		(void)kill(s->pid, SIGKILL);
}

static void
on_grace(void *data)
{
	struct hs_service *s = data;

	s->grace_armed = false;
	qb_log(LOG_WARNING, "service %d ignored SIGTERM for %u ms: SIGKILL",
	    (int)s->pid, s->grace_ms);
	hs_service_kill(s);
}

void
hs_service_stop(struct hs_service *s)
{
	if (s->phase == HS_SERVICE_DEAD || s->grace_armed)
		return;
	if (s->phase != HS_SERVICE_RUNNING || s->grace_ms == 0) {
		hs_service_kill(s);
		return;
	}
	(void)kill(s->pid, SIGTERM);
	if (qb_loop_timer_add(s->loop, QB_LOOP_HIGH,
		(uint64_t)s->grace_ms * 1000000, s, on_grace, &s->grace) == 0)
		s->grace_armed = true;
	else
		hs_service_kill(s);
}

enum hs_service_phase
hs_service_phase(const struct hs_service *s)
{
	return s->phase;
}

pid_t
hs_service_pid(const struct hs_service *s)
{
	return s->pid;
}

const struct hs_msg_hello *
hs_service_hello(const struct hs_service *s)
{
	return &s->hello;
}

const struct hs_msg_stats *
hs_service_stats(const struct hs_service *s)
{
	return &s->stats;
}

uint64_t
hs_service_held_epoch(const struct hs_service *s)
{
	return s->held_epoch;
}

uint64_t
hs_service_pinged(const struct hs_service *s)
{
	return s->pinged_ns;
}

void
hs_service_forget_text(struct hs_service *s)
{
	s->text[0] = '\0';
}

const char *
hs_service_text(const struct hs_service *s)
{
	return s->text;
}

int
hs_service_status(const struct hs_service *s)
{
	return s->status;
}

const char *
hs_service_end(const struct hs_service *s)
{
	return s->end;
}
