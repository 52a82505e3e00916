/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Against real processes. */
#include "agent/hsctl/pids.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static char dir[] = "/tmp/hs-pids.XXXXXX";
static char path[64];

static void
put_text(const char *text)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT(fputs(text, f) >= 0);
	CU_ASSERT_EQUAL(fclose(f), 0);
}

/* Field 22, found here in another way than in pids.c. */
static uint64_t
start_of(pid_t pid)
{
	char cmd[128];
	uint64_t start = 0;
	FILE *f;

	(void)snprintf(cmd, sizeof(cmd),
	    "sed 's/.*) //' /proc/%d/stat | cut -d' ' -f20", (int)pid);
	f = popen(cmd, "r");
	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT_EQUAL(fscanf(f, "%" SCNu64, &start), 1);
	(void)pclose(f);
	return start;
}

static pid_t
start_sleeper(void)
{
	int ready[2];
	char c;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		/* A name that misleads whoever counts fields. */
		(void)prctl(PR_SET_NAME, "a) 1 2 (b");
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ready[0]);
		(void)close(ready[1]);
		(void)pause();
		_exit(0);
	}
	(void)close(ready[1]);
	CU_ASSERT_EQUAL(read(ready[0], &c, 1), 0);
	(void)close(ready[0]);
	return pid;
}

static void
absent_file_is_nothing(void)
{
	struct hs_pids p = { .n = 5 };

	(void)unlink(path);
	CU_ASSERT_EQUAL(hs_pids_read(path, &p), 0);
	CU_ASSERT_EQUAL(p.n, 0);
	CU_ASSERT_PTR_NULL(hs_pids_left(&p));
	CU_ASSERT_EQUAL(hs_pids_kill(&p), 0);
	CU_ASSERT_EQUAL(hs_pids_wait(&p, 0), 0);
}

static void
good_file_is_read(void)
{
	struct hs_pids p;

	put_text("agent 123 4567890123456\nservice 99 1\n");
	CU_ASSERT_EQUAL(hs_pids_read(path, &p), 0);
	CU_ASSERT_EQUAL(p.n, 2);
	CU_ASSERT_STRING_EQUAL(p.one[0].role, "agent");
	CU_ASSERT_EQUAL(p.one[0].pid, 123);
	CU_ASSERT_EQUAL(p.one[0].start, 4567890123456u);
	CU_ASSERT_STRING_EQUAL(p.one[1].role, "service");
}

/* A pid of 1, 0 or below would make kill(2) hit others. */
static void
bad_files_are_refused(void)
{
	static const char too_many[] =
	    "agent 5 6\nagent 5 6\nagent 5 6\nagent 5 6\nagent 5 6\n"
	    "agent 5 6\nagent 5 6\nagent 5 6\nagent 5 6\n";
	static const char *const texts[] = { "agent\n", "agent 5\n",
		"agent 5 6 7\n", "nurse 5 6\n", "agent -1 6\n", "agent 0 6\n",
		"agent 1 6\n", "agent x 6\n", "\n", "agent 5 6\nservice\n",
		too_many };
	struct hs_pids p;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put_text(texts[i]);
		CU_ASSERT_EQUAL(hs_pids_read(path, &p), HS_EWIRE);
	}
}

static void
killed_process_is_gone(void)
{
	pid_t pid = start_sleeper();
	struct hs_pids p;
	char text[64];

	(void)snprintf(text, sizeof(text), "service %d %" PRIu64 "\n", (int)pid,
	    start_of(pid));
	put_text(text);
	CU_ASSERT_EQUAL(hs_pids_read(path, &p), 0);
	CU_ASSERT_EQUAL(hs_pids_alive(&p.one[0]), 1);
	CU_ASSERT_PTR_EQUAL(hs_pids_left(&p), &p.one[0]);
	CU_ASSERT_EQUAL(hs_pids_wait(&p, 30), -ETIMEDOUT);
	CU_ASSERT_EQUAL(hs_pids_kill(&p), 0);
	CU_ASSERT_EQUAL(hs_pids_wait(&p, 2000), 0);
	/* Still a zombie of ours: that is gone, too. */
	CU_ASSERT_EQUAL(hs_pids_alive(&p.one[0]), 0);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	CU_ASSERT_EQUAL(hs_pids_alive(&p.one[0]), 0);
	CU_ASSERT_EQUAL(hs_pids_kill(&p), 0);
}

static void
reused_pid_is_left_alone(void)
{
	pid_t pid = start_sleeper();
	struct hs_pids p = { .n = 1 };
	int status = 0;

	(void)snprintf(p.one[0].role, sizeof(p.one[0].role), "service");
	p.one[0].pid = pid;
	p.one[0].start = start_of(pid) - 1;
	CU_ASSERT_EQUAL(hs_pids_alive(&p.one[0]), 0);
	CU_ASSERT_EQUAL(hs_pids_kill(&p), 0);
	CU_ASSERT_EQUAL(waitpid(pid, &status, WNOHANG), 0);
	CU_ASSERT_EQUAL(kill(pid, SIGTERM), 0);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

__attribute__((__constructor__)) static void
make_dir(void)
{
	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/db.pids", dir);
}

__attribute__((__destructor__)) static void
remove_dir(void)
{
	(void)unlink(path);
	(void)rmdir(dir);
}

/* clang-format off */
HS_SUITE(agent_pids,
	HS_TEST(absent_file_is_nothing),
	HS_TEST(good_file_is_read),
	HS_TEST(bad_files_are_refused),
	HS_TEST(killed_process_is_gone),
	HS_TEST(reused_pid_is_left_alone))
/* clang-format on */
