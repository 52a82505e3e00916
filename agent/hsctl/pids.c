/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/hsctl/pids.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define START_FIELD 22

/* 0, -ENOENT when there is no such process, or an error. */
static int
read_start(pid_t pid, uint64_t *start)
{
	char path[sizeof("/proc//stat") + 12], buf[1024], *p, *end;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf) - 1);
	(void)close(fd);
	if (n < 0)
		return errno == ESRCH ? -ENOENT : -EIO;
	buf[n] = '\0';
	/* Field 2 is a name in parentheses, which may hold anything. */
	p = strrchr(buf, ')');
	for (int field = 2; p != NULL && field < START_FIELD; field++)
		p = strchr(p + 1, ' ');
	if (p == NULL)
		return HS_EWIRE;
	*start = strtoull(p + 1, &end, 10);
	return *end == ' ' ? 0 : HS_EWIRE;
}

/* A pidfd of exactly this process (P1), -ESRCH if it is gone, or an error. */
static int
open_process(const struct hs_pids_one *o)
{
	uint64_t start = 0;
	int fd, rc;

	fd = (int)syscall(SYS_pidfd_open, o->pid, 0);
	if (fd < 0)
		return -errno;
	rc = read_start(o->pid, &start);
	if (rc == -ENOENT || (rc == 0 && start != o->start))
		rc = -ESRCH;
	if (rc < 0) {
		(void)close(fd);
		return rc;
	}
	return fd;
}

static bool
parse_line(const char *line, struct hs_pids_one *o)
{
	unsigned long long start;
	int pid, end = 0;

	if (sscanf(line, "%15s %d %llu %n", o->role, &pid, &start, &end) != 3 ||
	    line[end] != '\0' || pid <= 1)
		return false;
	o->pid = pid;
	o->start = start;
	return strcmp(o->role, "agent") == 0 || strcmp(o->role, "service") == 0;
}

int
hs_pids_read(const char *path, struct hs_pids *p)
{
	char line[128];
	int rc = 0;
	FILE *f;

	p->n = 0;
	f = fopen(path, "re");
	if (f == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (rc == 0 && fgets(line, sizeof(line), f) != NULL) {
		if (p->n < HS_PIDS_MAX && parse_line(line, &p->one[p->n]))
			p->n++;
		else
			rc = HS_EWIRE;
	}
	if (ferror(f) != 0)
		rc = -EIO;
	(void)fclose(f);
	return rc;
}

/* A pidfd is readable once its process has ended, reaped or not. */
static int
wait_process(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int n = poll(&pfd, 1, timeout_ms);

	if (n < 0)
		return -errno;
	return n > 0 ? 0 : -ETIMEDOUT;
}

int
hs_pids_alive(const struct hs_pids_one *o)
{
	int fd = open_process(o), rc;

	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	rc = wait_process(fd, 0);
	(void)close(fd);
	return rc == -ETIMEDOUT ? 1 : rc;
}

const struct hs_pids_one *
hs_pids_left(const struct hs_pids *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (hs_pids_alive(&p->one[i]) != 0)
			return &p->one[i];
	return NULL;
}

int
hs_pids_kill(const struct hs_pids *p)
{
	int first = 0;

	for (unsigned i = 0; i < p->n; i++) {
		int fd = open_process(&p->one[i]), rc = fd < 0 ? fd : 0;

		if (fd >= 0) {
			if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL,
				0) < 0)
				rc = -errno;
			(void)close(fd);
		}
		if (rc < 0 && rc != -ESRCH && first == 0)
			first = rc;
	}
	return first;
}

int
hs_pids_wait(const struct hs_pids *p, int timeout_ms)
{
	uint64_t deadline_ns = hs_clock_ns() + (uint64_t)timeout_ms * 1000000u;
	const struct hs_pids_one *o;

	while ((o = hs_pids_left(p)) != NULL) {
		uint64_t now = hs_clock_ns();
		int fd;

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		fd = open_process(o);
		if (fd < 0)
			continue;
		(void)wait_process(fd,
		    (int)((deadline_ns - now) / 1000000u) + 1);
		(void)close(fd);
	}
	return 0;
}
