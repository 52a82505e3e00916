/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service is this program again: with HS_TEST_CHILD in its environment it
 * plays one part and ends before main().
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/service.h"
#include "base/clock.h"
#include "base/sock.h"
#include "tests/unit/suite.h"

#define WAIT_NS 10000000000ull
#define CHILD "HS_TEST_CHILD"
#define LINE "out of luck; buy more"

/* ---- the child ---- */

static void
child_say(uint8_t type)
{
	const struct hs_msg_head h = { .type = type };
	struct hs_msg_hello hello = { .pid = (uint32_t)getpid(),
		.arena_base = 4096,
		.arena_bytes = 4096,
		.tracker = "none",
		.version = "0" };
	struct hs_msg_text text = { .text = LINE };
	uint8_t buf[1024];
	int fd = atoi(getenv("HOTSPARE_FD")), len;

	if (type == HS_MSG_HELLO)
		len = hs_msg_encode_hello(buf, sizeof(buf), &h, &hello);
	else if (type == HS_MSG_FAILED)
		len = hs_msg_encode_text(buf, sizeof(buf), &h, &text);
	else
		len = hs_msg_encode_bare(buf, sizeof(buf), &h);
	if (len <= 0 || hs_sock_send(fd, buf, (size_t)len, NULL, 0) < 0)
		_exit(90);
}

static void
child_await_go(void)
{
	uint8_t buf[1024];
	int fd = atoi(getenv("HOTSPARE_FD"));

	if (hs_sock_recv(fd, buf, sizeof(buf), NULL, NULL, 0) <= 0)
		_exit(91);
}

static _Noreturn void
child_last(void)
{
	for (;;)
		(void)pause();
}

/* In the same process group, and not in the same life. */
static void
child_leave_one(void)
{
	int out = open(getenv("HS_TEST_FILE"), O_WRONLY | O_CLOEXEC);
	pid_t pid = fork();

	if (pid == 0)
		child_last();
	if (dprintf(out, "%d", (int)pid) < 0)
		_exit(92);
}

/* Descriptors of /dev/null beside the streams. */
static int
child_count_null(void)
{
	char name[32], link[16];
	int n = 0;

	for (int fd = 3; fd < 1024; fd++) {
		(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		n += readlink(name, link, sizeof(link)) == 9 &&
		    memcmp(link, "/dev/null", 9) == 0;
	}
	return n;
}

__attribute__((__constructor__)) static void
child_main(void)
{
	const char *part = getenv(CHILD);

	if (part == NULL)
		return;
	if (strcmp(part, "fail") == 0) {
		child_say(HS_MSG_FAILED);
		_exit(3);
	}
	if (strcmp(part, "count") == 0)
		_exit(child_count_null());
	if (strcmp(part, "mute") == 0)
		child_last();
	if (strcmp(part, "stubborn") == 0)
		(void)signal(SIGTERM, SIG_IGN);
	if (strcmp(part, "orphan") == 0) {
		child_leave_one();
		_exit(0);
	}
	if (strcmp(part, "early") == 0)
		child_say(HS_MSG_RUNNING); /* before its turn */
	child_say(HS_MSG_HELLO);
	child_await_go();
	if (strcmp(part, "flood") == 0)
		for (int i = 0; i < 5; i++)
			child_say(HS_MSG_FAILED);
	child_say(HS_MSG_RUNNING);
	if (strcmp(part, "brief") == 0)
		_exit(0);
	child_last();
}

/* ---- the parent ---- */

struct host {
	qb_loop_t *loop;
	struct hs_service *s;
	unsigned hello, running, dead;
	enum hs_service_phase want;
	char why[HS_MSG_TEXT_BYTES];
};

static void
stop_if(struct host *t)
{
	if (hs_service_phase(t->s) >= t->want)
		qb_loop_stop(t->loop);
}

static void
on_hello(void *arg, struct hs_service *s)
{
	struct host *t = arg;

	t->s = s;
	t->hello++;
	stop_if(t);
}

static void
on_running(void *arg, struct hs_service *s)
{
	struct host *t = arg;

	(void)s;
	t->running++;
	stop_if(t);
}

static void
on_dead(void *arg, struct hs_service *s)
{
	struct host *t = arg;

	t->s = s;
	t->dead++;
	qb_loop_stop(t->loop);
}

static const struct hs_service_events events = {
	.hello = on_hello,
	.running = on_running,
	.dead = on_dead,
};

static void
on_late(void *arg)
{
	CU_FAIL("nothing happened for 10 s");
	qb_loop_stop(arg);
}

/* Until the service is in this phase, or dead. */
static void
until(struct host *t, enum hs_service_phase want)
{
	qb_loop_timer_handle late;

	t->want = want;
	if (hs_service_phase(t->s) >= want)
		return;
	(void)qb_loop_timer_add(t->loop, QB_LOOP_LOW, WAIT_NS, t->loop, on_late,
	    &late);
	qb_loop_run(t->loop);
	qb_loop_timer_del(t->loop, late);
}

static int
spawn(struct host *t, const struct hs_service_config *cfg)
{
	memset(t, 0, sizeof(*t));
	t->loop = qb_loop_create();
	return hs_service_spawn(&t->s,
	    &(struct hs_service_owner){ .loop = t->loop,
		.ev = &events,
		.arg = t },
	    cfg, t->why, sizeof(t->why));
}

static void
play(struct host *t, char *part, unsigned grace_ms)
{
	static char self[PATH_MAX];
	char *argv[] = { self, NULL };
	struct hs_service_config cfg = { .argv = argv,
		.resource = "test",
		.own_group = true,
		.grace_ms = grace_ms };

	CU_ASSERT_FATAL(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	CU_ASSERT_EQUAL_FATAL(setenv(CHILD, part, 1), 0);
	CU_ASSERT_EQUAL_FATAL(spawn(t, &cfg), 0);
	CU_ASSERT_EQUAL(unsetenv(CHILD), 0);
}

static void
end(struct host *t)
{
	hs_service_destroy(t->s);
	qb_loop_destroy(t->loop);
	/* No child is left unreaped. */
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

static void
give_go(struct host *t)
{
	const struct hs_msg_head h = { .type = HS_MSG_GO, .term = 1 };
	struct hs_msg_go m = { .transport = HS_TRANSPORT_CPG, .nodeid = 1 };

	until(t, HS_SERVICE_WAITING);
	CU_ASSERT_EQUAL(hs_service_phase(t->s), HS_SERVICE_WAITING);
	CU_ASSERT_EQUAL(hs_service_go(t->s, &h, &m, NULL, 0), 0);
	CU_ASSERT_EQUAL(hs_service_phase(t->s), HS_SERVICE_GOING);
}

static void
go(struct host *t)
{
	give_go(t);
	until(t, HS_SERVICE_RUNNING);
}

static void
each_phase_in_turn(void)
{
	const struct hs_msg_head h = { .type = HS_MSG_GO };
	struct hs_msg_go m = { .transport = HS_TRANSPORT_CPG, .nodeid = 1 };
	struct host t;

	play(&t, "serve", 5000);
	CU_ASSERT_EQUAL(hs_service_phase(t.s), HS_SERVICE_SPAWNED);
	CU_ASSERT_EQUAL(hs_service_go(t.s, &h, &m, NULL, 0), HS_ESTATE);
	go(&t);
	CU_ASSERT_EQUAL(t.hello, 1);
	CU_ASSERT_EQUAL(t.running, 1);
	CU_ASSERT_EQUAL(hs_service_hello(t.s)->pid,
	    (uint32_t)hs_service_pid(t.s));
	CU_ASSERT_EQUAL(hs_service_go(t.s, &h, &m, NULL, 0), HS_ESTATE);
	hs_service_stop(t.s);
	until(&t, HS_SERVICE_DEAD);
	CU_ASSERT_EQUAL(t.dead, 1);
	CU_ASSERT_STRING_EQUAL(hs_service_end(t.s), "killed by SIGTERM");
	end(&t);
}

static void
sigkill_comes_after_the_grace(void)
{
	uint64_t from;
	struct host t;

	play(&t, "stubborn", 300);
	go(&t);
	from = hs_clock_ns();
	hs_service_stop(t.s);
	hs_service_stop(t.s); /* asks for no second grace */
	until(&t, HS_SERVICE_DEAD);
	CU_ASSERT_TRUE(hs_clock_ns() - from >= 300000000);
	CU_ASSERT_STRING_EQUAL(hs_service_end(t.s), "killed by SIGKILL");
	end(&t);
}

/* It has nothing to finish. */
static void
who_only_waits_gets_no_grace(void)
{
	struct host t;

	play(&t, "stubborn", 1000000);
	until(&t, HS_SERVICE_WAITING);
	hs_service_stop(t.s);
	until(&t, HS_SERVICE_DEAD);
	CU_ASSERT_STRING_EQUAL(hs_service_end(t.s), "killed by SIGKILL");
	end(&t);
}

static void
its_own_reason_outlives_it(void)
{
	struct host t;

	play(&t, "fail", 0);
	until(&t, HS_SERVICE_DEAD);
	CU_ASSERT_STRING_EQUAL(hs_service_text(t.s), LINE);
	CU_ASSERT_STRING_EQUAL(hs_service_end(t.s), "exited with 3");
	CU_ASSERT_EQUAL(WEXITSTATUS(hs_service_status(t.s)), 3);
	CU_ASSERT_EQUAL(t.hello, 0);
	hs_service_forget_text(t.s);
	CU_ASSERT_STRING_EQUAL(hs_service_text(t.s), "");
	end(&t);
}

/* However brief: that it ran is known before its end is. */
static void
a_brief_life_was_one(void)
{
	for (int i = 0; i < 20; i++) {
		struct host t;
		siginfo_t si;

		play(&t, "brief", 0);
		give_go(&t);
		/* Both are to be read now, its end and its word. */
		CU_ASSERT_EQUAL(waitid(P_PID, (id_t)hs_service_pid(t.s), &si,
				    WEXITED | WNOWAIT),
		    0);
		until(&t, HS_SERVICE_DEAD);
		CU_ASSERT_EQUAL(t.running, 1);
		CU_ASSERT_EQUAL(t.dead, 1);
		CU_ASSERT_STRING_EQUAL(hs_service_end(t.s), "exited with 0");
		end(&t);
	}
}

static void
messages_out_of_turn_are_refused(void)
{
	struct host t;

	play(&t, "early", 0);
	go(&t);
	CU_ASSERT_EQUAL(t.running, 1);
	end(&t); /* and is killed */
}

static void
what_fails_while_it_runs_is_kept(void)
{
	struct host t;

	play(&t, "flood", 0);
	go(&t);
	CU_ASSERT_STRING_EQUAL(hs_service_text(t.s), LINE);
	CU_ASSERT_EQUAL(hs_service_phase(t.s), HS_SERVICE_RUNNING);
	end(&t);
}

static bool
runs(pid_t pid)
{
	char path[64], state = 'X';
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fscanf(f, "%*d %*s %c", &state) != 1)
		state = 'X';
	(void)fclose(f);
	return state != 'Z' && state != 'X';
}

/* What the service started ends with it. */
static void
its_process_group_ends_with_it(void)
{
	char path[] = "/tmp/hs-service.XXXXXX", text[16] = "";
	int fd = mkstemp(path), pid;
	struct host t;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(setenv("HS_TEST_FILE", path, 1), 0);
	play(&t, "orphan", 0);
	until(&t, HS_SERVICE_DEAD);
	CU_ASSERT_FATAL(pread(fd, text, sizeof(text) - 1, 0) > 0);
	pid = atoi(text);
	CU_ASSERT_FATAL(pid > 1);
	for (int i = 0; i < 100 && runs(pid); i++)
		(void)usleep(20000);
	CU_ASSERT_FALSE(runs(pid));
	end(&t);
	(void)close(fd);
	(void)unlink(path);
}

/* Else its number is taken, where the service opens one of its own. */
static void
nothing_is_left_open_for_it(void)
{
	const int before = child_count_null();
	char want[32];
	struct host t;

	play(&t, "count", 0);
	until(&t, HS_SERVICE_DEAD);
	(void)snprintf(want, sizeof(want), "exited with %d", before);
	CU_ASSERT_STRING_EQUAL(hs_service_end(t.s), want);
	end(&t);
}

static void
expect_no_start(struct hs_service_config *cfg, int rc, const char *why)
{
	struct host t;

	CU_ASSERT_EQUAL(spawn(&t, cfg), rc);
	CU_ASSERT_PTR_NULL(t.s);
	if (strcmp(t.why, why) != 0)
		(void)printf("said: %s\n", t.why);
	CU_ASSERT_STRING_EQUAL(t.why, why);
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
	qb_loop_destroy(t.loop);
}

static void
each_failure_names_its_cause(void)
{
	char *none[] = { "/tmp/no/program", NULL };
	char *plain[] = { "/proc/version", NULL };
	char *good[] = { "/bin/true", NULL };
	struct hs_service_config c = { .argv = none, .resource = "test" };

	expect_no_start(&c, -ENOENT,
	    "cannot run /tmp/no/program: No such file or directory; check the "
	    "program's path and its execute permission");
	c.argv = plain;
	expect_no_start(&c, -EACCES,
	    "cannot run /proc/version: Permission denied; check the program's "
	    "path and its execute permission");
	c.argv = good;
	c.directory = "/tmp/no/directory";
	expect_no_start(&c, -ENOENT,
	    "cannot enter /tmp/no/directory: No such file or directory; check "
	    "the working directory");
	c.directory = NULL;
	c.log_file = "/tmp/no/log";
	expect_no_start(&c, -ENOENT,
	    "cannot open /tmp/no/log: No such file or directory; check the "
	    "log file's directory");
}

HS_SUITE(agent_service, HS_TEST(each_phase_in_turn),
    HS_TEST(sigkill_comes_after_the_grace),
    HS_TEST(who_only_waits_gets_no_grace), HS_TEST(its_own_reason_outlives_it),
    HS_TEST(a_brief_life_was_one), HS_TEST(messages_out_of_turn_are_refused),
    HS_TEST(what_fails_while_it_runs_is_kept),
    HS_TEST(its_process_group_ends_with_it),
    HS_TEST(nothing_is_left_open_for_it), HS_TEST(each_failure_names_its_cause))
