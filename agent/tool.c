/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/tool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Enough for one line of a log; the rest of what a tool prints is lost. */
#define TEXT_BYTES 256

struct hs_tool {
	qb_loop_t *loop;
	hs_tool_fn *fn;
	void *arg;
	qb_loop_timer_handle timer;
	pid_t pid;		/* not reaped while this struct lives */
	int pidfd;
	int out;		/* its stdout and stderr, non-blocking */
	bool late;		/* killed, for its time was up */
};

/* The tool has ended or was killed: reap it, give everything back. */
static int
end_tool(struct hs_tool *t)
{
	int status = 0;

	while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	(void)qb_loop_timer_del(t->loop, t->timer);
	(void)qb_loop_poll_del(t->loop, t->pidfd);
	(void)close(t->pidfd);
	(void)close(t->out);
	free(t);
	return status;
}

static void
read_line(int fd, char *text, size_t size)
{
	ssize_t n = read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
}

static int32_t
tool_ended(int32_t fd, int32_t revents, void *data)
{
	struct hs_tool *t = data;
	hs_tool_fn *fn = t->fn;
	void *arg = t->arg;
	bool late = t->late;
	char text[TEXT_BYTES];
	int status;

	(void)fd;
	(void)revents;
	read_line(t->out, text, sizeof(text));
	status = end_tool(t);
	if (late)
		status = -ETIMEDOUT;
	else if (WIFSIGNALED(status))
		status = 128 + WTERMSIG(status);
	else
		status = WEXITSTATUS(status);
	fn(arg, status, text);
	return 0;
}

static void
tool_late(void *data)
{
	struct hs_tool *t = data;

	t->late = true;
	(void)kill(t->pid, SIGKILL);
}

/* Defaults for every signal, no descriptor but 0 to 2, out_fd on 1 and 2. */
static int
spawn_tool(pid_t *pid, const char *const *argv, int out_fd)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	int rc;

	rc = posix_spawn_file_actions_init(&fa);
	if (rc != 0)
		return -rc;
	rc = posix_spawnattr_init(&at);
	if (rc != 0) {
		(void)posix_spawn_file_actions_destroy(&fa);
		return -rc;
	}
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	rc = posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, out_fd,
		    STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, out_fd,
		    STDERR_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&fa,
		    STDERR_FILENO + 1);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(&at, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(&at, &all);
	if (rc == 0)
		rc = posix_spawnattr_setflags(&at,
		    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawnp(pid, argv[0], &fa, &at,
		    (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawnattr_destroy(&at);
	(void)posix_spawn_file_actions_destroy(&fa);
	return -rc;
}

static int
watch_tool(struct hs_tool *t, unsigned timeout_ms)
{
	int rc;

	t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	if (t->pidfd < 0)
		return -errno;
	rc = qb_loop_poll_add(t->loop, QB_LOOP_MED, t->pidfd, POLLIN, t,
	    tool_ended);
	if (rc == 0) {
		rc = qb_loop_timer_add(t->loop, QB_LOOP_MED,
		    (uint64_t)timeout_ms * 1000000u, t, tool_late, &t->timer);
		if (rc < 0)
			(void)qb_loop_poll_del(t->loop, t->pidfd);
	}
	if (rc < 0)
		(void)close(t->pidfd);
	return rc < 0 ? rc : 0;
}

int
hs_tool_run(struct hs_tool **out, qb_loop_t *loop, const char *const *argv,
    unsigned timeout_ms, hs_tool_fn *fn, void *arg)
{
	struct hs_tool *t;
	int fds[2];
	int rc;

	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->loop = loop;
	t->fn = fn;
	t->arg = arg;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		rc = -errno;
		free(t);
		return rc;
	}
	/* Only our end: a tool must not meet EAGAIN on its own output. */
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	t->out = fds[0];
	rc = spawn_tool(&t->pid, argv, fds[1]);
	(void)close(fds[1]);
	if (rc == 0) {
		rc = watch_tool(t, timeout_ms);
		if (rc < 0) {
			(void)kill(t->pid, SIGKILL);
			(void)waitpid(t->pid, NULL, 0);
		}
	}
	if (rc < 0) {
		(void)close(t->out);
		free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void
hs_tool_cancel(struct hs_tool *t)
{
	if (t == NULL)
		return;
	(void)kill(t->pid, SIGKILL);
	(void)end_tool(t);
}
