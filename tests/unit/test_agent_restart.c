/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A primary whose service dies and is to go on here, and whatever may come in
 * between.  The service is this program again: with HS_TEST_RESTART in its
 * environment it plays one part and ends before main().
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/command.h"
#include "base/sock.h"
#include "tests/unit/agent_rig.h"
#include "tests/unit/suite.h"

#define CHILD "HS_TEST_RESTART"
#define TOLD "HS_TEST_RESTART_TOLD" /* a file: what GO said */
#define TICK_NS 1000000
#define TICKS 10000
#define WINDOW_NS (HS_RESTART_WINDOW_S * 1000000000ull)

/* ---- the child ---- */

static void
child_say(int fd, uint8_t type)
{
	const bool other = strcmp(getenv(CHILD), "other") == 0;
	const struct hs_msg_head h = { .type = type };
	struct hs_msg_hello hello = { .pid = (uint32_t)getpid(),
		.arena_base = CHUNKS_BASE,
		.arena_bytes = (uint64_t)(other ? 2 : 1) * NPAGES * PAGE,
		.tracker = "none",
		.version = "0" };
	uint8_t buf[1024];
	int len = type == HS_MSG_HELLO
	    ? hs_msg_encode_hello(buf, sizeof(buf), &h, &hello)
	    : hs_msg_encode_bare(buf, sizeof(buf), &h);

	if (len <= 0 || hs_sock_send(fd, buf, (size_t)len, NULL, 0) < 0)
		_exit(90);
}

/* "keep warm_term", as GO has them. */
static void
child_write_go(const uint8_t *buf, size_t len)
{
	struct hs_msg_head h;
	struct hs_msg_go m;
	const uint8_t *body;
	size_t body_len;
	FILE *f = fopen(getenv(TOLD), "we");

	if (f == NULL || hs_msg_open(buf, len, &h, &body, &body_len) < 0 ||
	    hs_msg_decode_go(body, body_len, &m) < 0)
		_exit(92);
	(void)fprintf(f, "'%s' %llu\n", m.keep,
	    (unsigned long long)m.warm_term);
	if (fclose(f) != 0)
		_exit(93);
}

__attribute__((__constructor__)) static void
child_main(void)
{
	const char *part = getenv(CHILD);
	uint8_t buf[1024];
	ssize_t n;
	int fd;

	if (part == NULL)
		return;
	fd = atoi(getenv("HOTSPARE_FD"));
	child_say(fd, HS_MSG_HELLO);
	n = hs_sock_recv(fd, buf, sizeof(buf), NULL, NULL, 0);
	if (n <= 0)
		_exit(91);
	child_write_go(buf, (size_t)n);
	if (strcmp(part, "die") == 0)
		_exit(3);
	if (strcmp(part, "hang") != 0)
		child_say(fd, HS_MSG_RUNNING);
	if (strcmp(part, "ping") == 0)
		child_say(fd, HS_MSG_PING); /* and never again */
	for (;;)
		(void)pause();
}

/* ---- the node ---- */

static char dir[64], told[96], self[PATH_MAX];

/* How many messages the transport takes now; the rest waits. */
static unsigned allowed;
static const struct hs_xport_ops *real_ops;

static int
send_if_allowed(struct hs_xport *x, const void *buf, size_t len)
{
	if (allowed == 0)
		return -EAGAIN;
	if (allowed < UINT_MAX)
		allowed--;
	return real_ops->send(x, buf, len);
}

struct wait {
	struct rig *g;
	bool (*is)(const struct hs_node *n);
	unsigned ticks;
};

static void
on_tick(void *arg)
{
	struct wait *w = arg;
	qb_loop_timer_handle timer;

	CU_ASSERT_EQUAL(hs_xport_dispatch(w->g->x, 1 << 20), 0);
	if (w->is(w->g->n) || w->ticks-- == 0)
		qb_loop_stop(w->g->loop);
	else
		(void)qb_loop_timer_add(w->g->loop, QB_LOOP_LOW, TICK_NS, w,
		    on_tick, &timer);
}

static void
until(struct rig *g, bool (*is)(const struct hs_node *n))
{
	struct wait w = { .g = g, .is = is, .ticks = TICKS };
	qb_loop_timer_handle timer;

	CU_ASSERT_EQUAL_FATAL(qb_loop_timer_add(g->loop, QB_LOOP_LOW, TICK_NS,
				  &w, on_tick, &timer),
	    0);
	qb_loop_run(g->loop);
	CU_ASSERT_FATAL(is(g->n));
}

static pid_t killed;

static bool
runs(const struct hs_node *n)
{
	return n->active != NULL && hs_service_pid(n->active) != killed &&
	    hs_service_phase(n->active) == HS_SERVICE_RUNNING &&
	    !n->promoting && !hs_restart_busy(&n->restart);
}

static bool
has_failed(const struct hs_node *n)
{
	return n->kind == HS_STATE_FAILED && n->active == NULL;
}

static bool
is_no_primary(const struct hs_node *n)
{
	return n->kind != HS_STATE_PRIMARY && n->active == NULL;
}

static bool
is_flushing(const struct hs_node *n)
{
	return n->restart.phase == HS_RESTART_FLUSHING;
}

static bool
is_announced(const struct hs_node *n)
{
	return hs_restart_busy(&n->restart) && n->promote_term != 0;
}

static bool
is_told(const struct hs_node *n)
{
	return hs_restart_busy(&n->restart) && n->active != NULL &&
	    hs_service_phase(n->active) == HS_SERVICE_GOING;
}

static bool
stands_by(const struct hs_node *n)
{
	return n->waiting != NULL &&
	    hs_service_phase(n->waiting) == HS_SERVICE_WAITING;
}

static bool
is_alone(const struct hs_node *n)
{
	return n->waiting == NULL;
}

/* From now on the program is of this kind, and one of it waits. */
static void
let_one_wait(struct rig *g, const char *part)
{
	char why[HS_MSG_TEXT_BYTES];

	CU_ASSERT_EQUAL_FATAL(setenv(CHILD, part, 1), 0);
	hs_service_destroy(g->n->waiting);
	g->n->waiting = NULL;
	CU_ASSERT_EQUAL_FATAL(hs_child_prepare(g->n, why, sizeof(why)), 0);
	until(g, stands_by);
}

/* A primary of a cluster with a spare, and a process that waits. */
static struct rig *
primary(unsigned limit)
{
	static char *argv[] = { self, NULL };
	static struct hs_xport_ops ops;
	struct rig *g = rig_with_image();
	struct hs_node *n = g->n;

	strcpy(dir, "/tmp/hotspare-restart.XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
	(void)snprintf(told, sizeof(told), "%s/told", dir);
	CU_ASSERT_EQUAL_FATAL(setenv(TOLD, told, 1), 0);
	CU_ASSERT_FATAL(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	g->cfg.service.argv = argv;
	g->cfg.service.resource = "test";
	g->cfg.service.own_group = true;
	g->cfg.run_dir = g->cfg.state_dir = dir;
	n->restart.limit = limit;
	hs_keep_open(&n->keep, "test", dir, false);
	real_ops = n->xport->ops;
	ops = *real_ops;
	ops.send = send_if_allowed;
	n->xport->ops = &ops;
	allowed = UINT_MAX;
	let_one_wait(g, "serve");
	hs_tenure_promote(n, NULL);
	until(g, runs);
	rig_say_state(g, HS_STATE_READY);
	if (limit > 0)
		let_one_wait(g, "serve");
	CU_ASSERT_EQUAL(g->state, HS_STATE_PRIMARY);
	return g;
}

static void
end(struct rig *g)
{
	char path[96];

	CU_ASSERT_EQUAL(unsetenv(CHILD), 0);
	allowed = UINT_MAX;
	rig_destroy(g);
	(void)snprintf(path, sizeof(path), "%s/test.term", dir);
	(void)unlink(path);
	(void)unlink(told);
	CU_ASSERT_EQUAL(unsetenv(TOLD), 0);
	(void)snprintf(path, sizeof(path), "%s/test.pids", dir);
	(void)unlink(path);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	/* No child is left unreaped. */
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

static void
kill_service(struct rig *g)
{
	killed = hs_service_pid(g->n->active);
	CU_ASSERT_EQUAL_FATAL(kill(killed, SIGKILL), 0);
}

/* The service dies, and the restart comes as far as this. */
static void
kill_and_hold(struct rig *g, bool (*is)(const struct hs_node *n))
{
	/* PROGRESS, TERM; what comes before either has to be sent. */
	allowed = is == is_flushing ? 0 : is == is_announced ? 1 : UINT_MAX;
	kill_service(g);
	until(g, is);
	allowed = is == is_told ? UINT_MAX : 0;
}

static int
monitor(const struct rig *g)
{
	const char *text;

	return hs_status_monitor(g->n, &text);
}

/* The newest GO named this memory, and that of this term as sound. */
static void
expect_told(const char *keep, uint64_t warm_term)
{
	char line[64] = "", want[64];
	FILE *f = fopen(told, "re");

	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT_PTR_NOT_NULL(fgets(line, sizeof(line), f));
	(void)fclose(f);
	(void)snprintf(want, sizeof(want), "'%s' %llu\n", keep,
	    (unsigned long long)warm_term);
	CU_ASSERT_STRING_EQUAL(line, want);
}

struct question {
	char path[96];
	const char *cmd;
	int rc;
	bool over;
};

static void *
ask(void *arg)
{
	struct question *q = arg;
	struct json_object *o = json_object_new_object(), *a = NULL, *rc;

	json_object_object_add(o, "cmd", json_object_new_string(q->cmd));
	if (hs_ctl_call(q->path, o, 10000, &a) == 0 &&
	    json_object_object_get_ex(a, "rc", &rc))
		q->rc = json_object_get_int(rc);
	json_object_put(o);
	json_object_put(a);
	__atomic_store_n(&q->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static struct question question;

static bool
is_answered(const struct hs_node *n)
{
	(void)n;
	return __atomic_load_n(&question.over, __ATOMIC_ACQUIRE);
}

/* As hsctl asks: its exit status. */
static int
command(struct rig *g, const char *cmd)
{
	pthread_t t;

	question = (struct question){ .cmd = cmd, .rc = -1 };
	(void)snprintf(question.path, sizeof(question.path), "%s/sock", dir);
	CU_ASSERT_EQUAL_FATAL(hs_ctl_create(&g->n->ctl, g->loop, question.path,
				  hs_command_run, g->n),
	    0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, ask, &question), 0);
	until(g, is_answered);
	CU_ASSERT_EQUAL(pthread_join(t, NULL), 0);
	hs_ctl_destroy(g->n->ctl);
	g->n->ctl = NULL;
	return question.rc;
}

/* ---- the tests ---- */

static void
it_goes_on_and_nobody_notices(void)
{
	struct rig *g = primary(3);
	struct hs_node *n = g->n;
	unsigned terms = g->said[HS_MSG_TERM];
	pid_t pid = hs_service_pid(n->active),
	      next = hs_service_pid(n->waiting);
	uint64_t term = n->term;

	kill_and_hold(g, is_flushing);
	CU_ASSERT_EQUAL(n->kind, HS_STATE_PRIMARY); /* S7 */
	CU_ASSERT_EQUAL(monitor(g), 8);
	CU_ASSERT_EQUAL(n->primary.pid, (uint32_t)pid); /* S3: its last words */
	hs_group_send_state(n); /* as when a node joins */
	allowed = UINT_MAX;
	until(g, runs);
	CU_ASSERT_EQUAL(g->state, HS_STATE_PRIMARY);
	CU_ASSERT_EQUAL(hs_service_pid(n->active), next);
	CU_ASSERT_EQUAL(n->primary.pid, (uint32_t)next);
	CU_ASSERT_EQUAL(n->term, term + 1);
	CU_ASSERT_EQUAL(n->go_epoch, g->epoch);
	CU_ASSERT_EQUAL(g->said[HS_MSG_TERM], terms + 1);
	CU_ASSERT_EQUAL(monitor(g), 8);
	CU_ASSERT_FALSE(n->penalty);
	CU_ASSERT_EQUAL(n->restart.done, 1);
	CU_ASSERT_EQUAL(hs_restart_used(&n->restart), 1);
	CU_ASSERT_STRING_EQUAL(n->restart.why, "killed by SIGKILL");
	rig_expect_image(g);
	end(g);
}

static void
a_limit_is_one_of_ten_minutes(void)
{
	struct rig *g = primary(2);
	struct hs_node *n = g->n;

	for (unsigned i = 1; i <= 2; i++) {
		kill_service(g);
		until(g, runs);
		until(g, stands_by);
		CU_ASSERT_EQUAL(hs_restart_used(&n->restart), i);
	}
	n->restart.begun_ns[0] -= WINDOW_NS; /* that was then */
	CU_ASSERT_EQUAL(hs_restart_used(&n->restart), 1);
	kill_service(g);
	until(g, runs);
	CU_ASSERT_EQUAL(n->restart.done, 3);
	kill_service(g);
	until(g, has_failed);
	CU_ASSERT_EQUAL(n->restart.done, 3);
	CU_ASSERT_TRUE(n->penalty);
	CU_ASSERT_EQUAL(monitor(g), 9);
	CU_ASSERT_EQUAL(g->state, HS_STATE_FAILED);
	end(g);
}

static void
without_the_option_a_death_is_a_failure(void)
{
	struct rig *g = primary(0);

	CU_ASSERT_PTR_NULL(g->n->waiting);
	kill_service(g);
	until(g, has_failed);
	CU_ASSERT_EQUAL(g->n->restart.begun, 0);
	end(g);
}

static bool
has_pinged(const struct hs_node *n)
{
	return hs_service_pinged(n->active) != 0;
}

static void
a_hang_is_a_death(void)
{
	struct rig *g = primary(3);
	struct hs_node *n = g->n;

	let_one_wait(g, "ping");
	kill_service(g);
	until(g, runs);
	until(g, has_pinged);
	let_one_wait(g, "serve");
	killed = hs_service_pid(n->active);
	n->ping_timeout_ms = 100;
	hs_child_watch_pings(n);
	until(g, runs);
	CU_ASSERT_EQUAL(n->restart.done, 2);
	CU_ASSERT_STRING_EQUAL(n->restart.why, "killed by SIGKILL");
	end(g);
}

/* Of the very process whose death a start follows, or none's. */
static void
kept_memory_is_of_the_last_tenure(void)
{
	struct rig *g = primary(3);
	struct hs_node *n = g->n;
	uint64_t term = n->term;

	CU_ASSERT_STRING_NOT_EQUAL(n->keep.name, "");
	expect_told(n->keep.name, 0);
	kill_service(g);
	until(g, runs);
	expect_told(n->keep.name, term);
	/* A term in between that no process had: it is the same memory. */
	until(g, stands_by);
	term = n->term;
	kill_and_hold(g, is_announced);
	n->id.epoch++;
	allowed = UINT_MAX;
	until(g, runs);
	CU_ASSERT_EQUAL(n->term, term + 2);
	expect_told(n->keep.name, term);
	/* The process that ended was not of that tenure, or was meant to. */
	until(g, stands_by);
	CU_ASSERT_EQUAL(command(g, "demote"), 0);
	CU_ASSERT_EQUAL(n->kept_term, 0);
	CU_ASSERT_EQUAL(command(g, "promote"), 0);
	expect_told(n->keep.name, 0);
	/* Nobody wants it kept any more. */
	hs_restart_set_limit(n, 0);
	kill_service(g);
	until(g, has_failed);
	CU_ASSERT_EQUAL(n->kept_term, 0);
	CU_ASSERT_EQUAL(command(g, "demote"), 0);
	until(g, stands_by);
	CU_ASSERT_EQUAL(command(g, "promote"), 0);
	expect_told("", 0);
	end(g);
}

/* S8: whichever of these comes, and whenever it does. */
static void
nothing_is_restarted_in_doubt(void)
{
	bool (*const stage[])(
	    const struct hs_node *) = { runs, is_flushing, is_announced };

	for (int what = 0; what < 4; what++) {
		for (int i = 0; i < 3; i++) {
			struct rig *g = primary(3);
			struct hs_node *n = g->n;

			if (stage[i] != runs)
				kill_and_hold(g, stage[i]);
			if (what == 0)
				n->quorate = false;
			else if (what == 1)
				hs_peer_lose(&n->peers, 99, time(NULL));
			else if (what == 2)
				n->chain = false;
			else
				n->held_epoch = n->id.epoch + 1;
			allowed = UINT_MAX;
			if (stage[i] == runs)
				kill_service(g);
			until(g, has_failed);
			CU_ASSERT_FALSE(hs_restart_busy(&n->restart));
			CU_ASSERT_FALSE(n->promoting);
			CU_ASSERT_EQUAL(n->restart.done, 0);
			end(g);
		}
	}
}

/*
 * An epoch of the dead process between the announcement and the term's begin:
 * what is announced then is what the service goes on from.
 */
static void
what_came_in_between_is_not_lost(void)
{
	struct rig *g = primary(3);
	struct hs_node *n = g->n;
	unsigned terms = g->said[HS_MSG_TERM];
	uint64_t term = n->term;

	kill_and_hold(g, is_announced);
	n->id.epoch++;
	n->id.digest[0] ^= 1;
	allowed = UINT_MAX;
	until(g, runs);
	CU_ASSERT_EQUAL(g->said[HS_MSG_TERM], terms + 2);
	CU_ASSERT_EQUAL(n->term, term + 2);
	CU_ASSERT_EQUAL(n->go_epoch, g->epoch + 1);
	CU_ASSERT_EQUAL(n->held_epoch, g->epoch + 1);
	CU_ASSERT_TRUE(n->chain);
	end(g);
}

static void
a_death_in_a_restart_ends_it(void)
{
	struct rig *g = primary(3);
	struct hs_node *n = g->n;

	let_one_wait(g, "die");
	kill_service(g);
	until(g, has_failed);
	CU_ASSERT_EQUAL(n->restart.begun, 1);
	CU_ASSERT_EQUAL(n->restart.done, 0);
	CU_ASSERT_TRUE(n->penalty);
	CU_ASSERT_PTR_NOT_NULL(strstr(n->why, "not restarted"));
	end(g);
}

/* Somebody installed another program meanwhile. */
static void
another_program_does_not_go_on(void)
{
	struct rig *g = primary(3);
	struct hs_node *n = g->n;
	uint64_t term = n->term;

	let_one_wait(g, "other");
	kill_service(g);
	until(g, has_failed);
	CU_ASSERT_TRUE(n->incompatible);
	CU_ASSERT_EQUAL(n->term, term);
	CU_ASSERT_EQUAL(n->restart.done, 0);
	end(g);
}

static void
it_needs_no_process_that_waits(void)
{
	struct rig *g = primary(3);
	struct hs_node *n = g->n;

	CU_ASSERT_EQUAL(kill(hs_service_pid(n->waiting), SIGKILL), 0);
	until(g, is_alone);
	kill_service(g);
	until(g, runs);
	CU_ASSERT_EQUAL(n->restart.done, 1);
	/* One that dies when it is all but told. */
	until(g, stands_by);
	kill_and_hold(g, is_announced);
	CU_ASSERT_EQUAL(kill(hs_service_pid(n->waiting), SIGKILL), 0);
	until(g, is_alone);
	allowed = UINT_MAX;
	until(g, runs);
	CU_ASSERT_EQUAL(n->restart.done, 2);
	end(g);
}

static void
a_demotion_ends_it(void)
{
	bool (*const stage[])(
	    const struct hs_node *) = { is_flushing, is_announced, is_told };

	for (int i = 0; i < 3; i++) {
		struct rig *g = primary(3);
		struct hs_node *n = g->n;

		let_one_wait(g, "hang");
		kill_and_hold(g, stage[i]);
		/* It is promoted: there is nothing to do, and no failure. */
		CU_ASSERT_EQUAL(command(g, "promote"), 0);
		CU_ASSERT_EQUAL(command(g, "demote"), 0);
		CU_ASSERT_FALSE(hs_restart_busy(&n->restart));
		allowed = UINT_MAX;
		until(g, is_no_primary);
		CU_ASSERT_FALSE(n->failed);
		CU_ASSERT_EQUAL(n->kind, HS_STATE_READY);
		/* And a promotion is one again. */
		let_one_wait(g, "serve");
		CU_ASSERT_EQUAL(command(g, "promote"), 0);
		CU_ASSERT_TRUE(runs(n));
		end(g);
	}
}

static void
the_end_of_the_agent_ends_it(void)
{
	bool (*const stage[])(
	    const struct hs_node *) = { is_flushing, is_announced, is_told };

	for (int i = 0; i < 3; i++) {
		struct rig *g = primary(3);

		let_one_wait(g, "hang");
		kill_and_hold(g, stage[i]);
		allowed = UINT_MAX;
		hs_tenure_stop(g->n, NULL);
		if (g->n->active != NULL)
			qb_loop_run(g->loop);
		CU_ASSERT_PTR_NULL(g->n->active);
		CU_ASSERT_PTR_NULL(g->n->waiting);
		CU_ASSERT_FALSE(hs_restart_busy(&g->n->restart));
		end(g);
	}
}

static void
put_term(struct rig *g)
{
	struct hs_msg_head h = { .type = HS_MSG_TERM,
		.term = g->n->term + 2,
		.epoch = g->epoch };
	struct hs_msg_term m = { .nodeid = PEER, .pid = PEER_PID };
	uint8_t buf[256];
	int rc;

	memcpy(m.digest, g->lineage, sizeof(m.digest));
	rc = hs_msg_encode_term(buf, sizeof(buf), &h, &m);
	CU_ASSERT_FATAL(rc > 0);
	rig_put(g, buf, (size_t)rc);
}

/* A tenure that this node did not see begin. */
static void
put_tenure(struct rig *g)
{
	rig_say_tenure(g, HS_STATE_PRIMARY, g->n->term + 2);
}

/* Somebody promoted another node, whatever this one thinks. */
static void
another_primary_ends_it(void)
{
	bool (*const stage[])(
	    const struct hs_node *) = { is_flushing, is_announced, is_told };

	for (int i = 0; i < 6; i++) {
		struct rig *g = primary(3);
		struct hs_node *n = g->n;

		let_one_wait(g, "hang");
		kill_and_hold(g, stage[i % 3]);
		if (i < 3)
			put_term(g);
		else
			put_tenure(g);
		CU_ASSERT_FALSE(hs_restart_busy(&n->restart));
		allowed = UINT_MAX;
		until(g, is_no_primary);
		CU_ASSERT_FALSE(n->failed);
		/* Of a service that is yet to die: its agent is told again. */
		if (i == 5)
			put_tenure(g);
		CU_ASSERT_EQUAL(n->primary.nodeid, PEER);
		end(g);
	}
}

static void
a_process_stands_by_where_it_is_of_use(void)
{
	struct rig *g = primary(3);

	hs_restart_set_limit(g->n, 0);
	CU_ASSERT_PTR_NULL(g->n->waiting);
	hs_restart_set_limit(g->n, 1);
	until(g, stands_by);
	CU_ASSERT_PTR_NOT_NULL(g->n->active);
	end(g);
}

HS_SUITE(agent_restart, HS_TEST(it_goes_on_and_nobody_notices),
    HS_TEST(a_limit_is_one_of_ten_minutes),
    HS_TEST(without_the_option_a_death_is_a_failure),
    HS_TEST(a_hang_is_a_death), HS_TEST(kept_memory_is_of_the_last_tenure),
    HS_TEST(nothing_is_restarted_in_doubt),
    HS_TEST(what_came_in_between_is_not_lost),
    HS_TEST(a_death_in_a_restart_ends_it),
    HS_TEST(another_program_does_not_go_on),
    HS_TEST(it_needs_no_process_that_waits), HS_TEST(a_demotion_ends_it),
    HS_TEST(the_end_of_the_agent_ends_it), HS_TEST(another_primary_ends_it),
    HS_TEST(a_process_stands_by_where_it_is_of_use))
