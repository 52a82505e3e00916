/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is sent to Pacemaker, in which order and how often.  That Pacemaker
 * understands it is tests/rig's to show.
 */
#include "agent/cluster.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/agent_tools.h"
#include "tests/unit/suite.h"

#define SETTLE_MS 200

static qb_loop_t *loop;
static struct hs_cluster *c;

static void
start_with(const char *script)
{
	put_script("attrd_updater", script);
	loop = qb_loop_create();
	CU_ASSERT_EQUAL_FATAL(hs_cluster_create(&c, loop, "db"), 0);
}

static void
finish(void)
{
	hs_cluster_destroy(c);
	qb_loop_destroy(loop);
	(void)take_calls();
}

/* How many lines there are in the file of calls. */
static unsigned
count_calls(void)
{
	FILE *f = fopen(tool_path("calls"), "r");
	unsigned n = 0;
	int ch;

	while (f != NULL && (ch = fgetc(f)) != EOF)
		n += ch == '\n';
	if (f != NULL)
		(void)fclose(f);
	return n;
}

/* Until the tools were called n times, however slowly the machine does it. */
static void
await_calls(unsigned n)
{
	for (int i = 0; i < 1000 && count_calls() < n; i++)
		run_for(loop, 10);
}

static void
await_done(const int *done)
{
	for (int i = 0; i < 1000 && *done == 0; i++)
		run_for(loop, 10);
	CU_ASSERT_EQUAL(*done, 1);
}

/* These calls, and by now no more. */
static void
expect_calls(const char *want)
{
	unsigned n = 0;

	for (const char *p = want; *p != '\0'; p++)
		n += *p == '\n';
	await_calls(n);
	CU_ASSERT_STRING_EQUAL(take_calls(), want);
}

static void
score_goes_first(void)
{
	start_with("sleep 0.05");
	hs_cluster_attr(c, "state", "SYNCING");
	hs_cluster_attr(c, "epoch", "10");
	hs_cluster_score(c, 100);
	run_for(loop, 2 * SETTLE_MS);
	expect_calls("-n hs-db-state -U SYNCING\n"
		     "-n master-db -U 100\n"
		     "-n hs-db-epoch -U 10\n");
	finish();
}

static void
only_changes_are_sent(void)
{
	start_with("");
	hs_cluster_score(c, 100);
	run_for(loop, SETTLE_MS);
	hs_cluster_score(c, 100);
	run_for(loop, SETTLE_MS);
	expect_calls("-n master-db -U 100\n");
	hs_cluster_score(c, HS_SCORE_NEVER);
	run_for(loop, SETTLE_MS);
	expect_calls("-n master-db -U -INFINITY\n");
	finish();
}

static void
newer_value_replaces_a_waiting_one(void)
{
	start_with("sleep 0.05");
	hs_cluster_score(c, 1);
	for (int i = 2; i <= 50; i++)
		hs_cluster_score(c, i);
	run_for(loop, 2 * SETTLE_MS);
	expect_calls("-n master-db -U 1\n-n master-db -U 50\n");
	finish();
}

static void
first_deletion_is_sent(void)
{
	start_with("");
	hs_cluster_score(c, HS_SCORE_NONE);
	hs_cluster_attr(c, "state", NULL);
	run_for(loop, SETTLE_MS);
	hs_cluster_score(c, HS_SCORE_NONE);
	run_for(loop, SETTLE_MS);
	expect_calls("-n master-db -D\n-n hs-db-state -D\n");
	finish();
}

static void
failure_is_retried(void)
{
	start_with("exit 1");
	hs_cluster_score(c, 100);
	run_for(loop, SETTLE_MS);
	expect_calls("-n master-db -U 100\n");
	put_script("attrd_updater", "");
	run_for(loop, 1000 + SETTLE_MS);
	expect_calls("-n master-db -U 100\n");
	run_for(loop, 1000 + SETTLE_MS);
	expect_calls("");
	finish();
}

/* The score of a dead primary must not wait a second for anything. */
static void
new_score_does_not_wait_for_a_retry(void)
{
	start_with("exit 1");
	hs_cluster_attr(c, "state", "READY");
	run_for(loop, SETTLE_MS);
	put_script("attrd_updater", "");
	(void)take_calls();
	hs_cluster_score(c, HS_SCORE_NEVER);
	run_for(loop, SETTLE_MS);
	expect_calls("-n master-db -U -INFINITY\n-n hs-db-state -U READY\n");
	finish();
}

static void
absent_tool_is_retried(void)
{
	start_with("");
	CU_ASSERT_EQUAL(unlink(tool_path("attrd_updater")), 0);
	hs_cluster_score(c, 100);
	run_for(loop, SETTLE_MS);
	put_script("attrd_updater", "");
	run_for(loop, 1000 + SETTLE_MS);
	expect_calls("-n master-db -U 100\n");
	finish();
}

static void
count(void *arg)
{
	++*(int *)arg;
}

static void
clear_deletes_what_was_set(void)
{
	int done = 0;

	start_with("sleep 0.02");
	hs_cluster_attr(c, "state", "READY");
	hs_cluster_attr(c, "lag", NULL);
	run_for(loop, SETTLE_MS);
	(void)take_calls();
	hs_cluster_score(c, 100);	/* still on its way */
	hs_cluster_clear(c, count, &done);
	CU_ASSERT_EQUAL(done, 0);
	await_done(&done);
	expect_calls(
	    "-n master-db -U 100\n-n master-db -D\n-n hs-db-state -D\n");
	finish();
}

static void
clear_of_nothing_is_done_at_once(void)
{
	int done = 0;

	start_with("");
	hs_cluster_clear(c, count, &done);
	CU_ASSERT_EQUAL(done, 0);
	await_done(&done);
	expect_calls("");
	finish();
}

static void
clear_is_bounded(void)
{
	int done = 0;

	start_with("exit 1");
	hs_cluster_score(c, 100);
	run_for(loop, SETTLE_MS);
	hs_cluster_clear(c, count, &done);
	run_for(loop, 4500);
	CU_ASSERT_EQUAL(done, 0);
	await_done(&done);
	finish();
}

static void
destroy_ends_the_tool(void)
{
	start_with("sleep 0.3; echo survived >>\"${0%/*}/calls\"");
	hs_cluster_score(c, 100);
	await_calls(1);
	hs_cluster_destroy(c);
	run_for(loop, 400);
	expect_calls("-n master-db -U 100\n");
	qb_loop_destroy(loop);
}

/* The tool that looks: status 105 is "nothing matches". */
static void
start_looking(const char *script)
{
	start_with("");
	put_script("cibadmin", script);
	hs_cluster_score(c, 100);
	hs_cluster_attr(c, "state", "READY");
	hs_cluster_attr(c, "error", NULL);
	run_for(loop, SETTLE_MS);
	(void)take_calls();
	hs_cluster_watch(c, 7, 300);
}

#define QUERY                                                                  \
	"--local --query --xpath //node_state[@id='7']/transient_attributes"   \
	"//nvpair[@name='master-db']\n"

/* It looked n times or more, and did nothing else. */
static void
expect_looks(unsigned n)
{
	const char *calls;
	unsigned done = 0;

	await_calls(n);
	for (calls = take_calls(); strncmp(calls, QUERY, strlen(QUERY)) == 0;
	     calls += strlen(QUERY))
		done++;
	CU_ASSERT(done >= n);
	CU_ASSERT_STRING_EQUAL(calls, "");
}

static void
what_pacemaker_lost_is_said_again(void)
{
	/* Not after the first look: it may have been too early. */
	start_looking("exit 105");
	expect_calls(
	    QUERY QUERY "-n master-db -D\n-n master-db -U 100\n"
			"-n hs-db-state -D\n-n hs-db-state -U READY\n");
	finish();
}

static void
what_pacemaker_has_is_left_alone(void)
{
	start_looking("");
	expect_looks(2);
	/* As long as it cannot tell. */
	put_script("cibadmin", "exit 102");
	expect_looks(3);
	finish();
}

static void
a_changed_score_is_no_lost_one(void)
{
	start_looking("sleep 0.1; exit 105");
	for (int i = 0; i < 8; i++) {
		run_for(loop, 100);
		hs_cluster_score(c, i);
	}
	CU_ASSERT_PTR_NULL(strstr(take_calls(), "-D"));
	/* No score is wanted: none can be lost. */
	hs_cluster_score(c, HS_SCORE_NONE);
	run_for(loop, 200);
	(void)take_calls();
	run_for(loop, 700);
	expect_calls("");
	finish();
}

static void
long_names_are_refused(void)
{
	char name[300];
	struct hs_cluster *x = NULL;
	qb_loop_t *l = qb_loop_create();

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CU_ASSERT_EQUAL(hs_cluster_create(&x, l, name), -ENAMETOOLONG);
	CU_ASSERT_PTR_NULL(x);
	qb_loop_destroy(l);
}

/* clang-format off */
HS_SUITE(agent_cluster,
	HS_TEST(score_goes_first),
	HS_TEST(only_changes_are_sent),
	HS_TEST(newer_value_replaces_a_waiting_one),
	HS_TEST(first_deletion_is_sent),
	HS_TEST(failure_is_retried),
	HS_TEST(new_score_does_not_wait_for_a_retry),
	HS_TEST(absent_tool_is_retried),
	HS_TEST(clear_deletes_what_was_set),
	HS_TEST(clear_of_nothing_is_done_at_once),
	HS_TEST(clear_is_bounded),
	HS_TEST(destroy_ends_the_tool),
	HS_TEST(what_pacemaker_lost_is_said_again),
	HS_TEST(what_pacemaker_has_is_left_alone),
	HS_TEST(a_changed_score_is_no_lost_one),
	HS_TEST(long_names_are_refused))
/* clang-format on */
