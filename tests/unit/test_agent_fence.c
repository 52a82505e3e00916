/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How answers are read; tests/rig asks a real fencer. */
#include "agent/fence.h"

#include "tests/unit/agent_tools.h"
#include "tests/unit/suite.h"

#define SETTLE_MS 200

static qb_loop_t *loop;
static struct hs_fence *f;

struct told {
	uint32_t nodeid;
	time_t when;
	int n;
};

static void
tell(void *arg, uint32_t nodeid, time_t when)
{
	struct told *t = arg;

	t->nodeid = nodeid;
	t->when = when;
	t->n++;
}

/* What is told after the tool answered in this way. */
static struct told
ask_once(const char *script)
{
	struct told t = { .when = -99 };

	put_script("hsctl", script);
	loop = qb_loop_create();
	CU_ASSERT_EQUAL_FATAL(hs_fence_create(&f, loop, tell, &t), 0);
	hs_fence_ask(f, 4294967295u);
	run_for(loop, SETTLE_MS);
	hs_fence_destroy(f);
	qb_loop_destroy(loop);
	CU_ASSERT_STRING_EQUAL(take_calls(), "fenced 4294967295\n");
	CU_ASSERT_EQUAL(t.n, 1);
	CU_ASSERT_EQUAL(t.nodeid, 4294967295u);
	return t;
}

static void
good_answers_are_told(void)
{
	CU_ASSERT_EQUAL(ask_once("echo 1700000000").when, 1700000000);
	CU_ASSERT_EQUAL(ask_once("echo 0").when, 0);
}

/* None of these may be taken for "fenced", nor for "never". */
static void
bad_answers_are_not_known(void)
{
	static const char *const scripts[] = { "", "echo", "echo -1",
		"echo 12x", "echo ' 12'", "echo 99999999999999999999",
		"echo 12; exit 1", "echo 12; kill -KILL $$", "echo never" };

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		CU_ASSERT_TRUE(ask_once(scripts[i]).when < 0);
}

static void
second_question_is_dropped(void)
{
	struct told t = { 0 };

	put_script("hsctl", "sleep 0.1; echo 5");
	loop = qb_loop_create();
	CU_ASSERT_EQUAL_FATAL(hs_fence_create(&f, loop, tell, &t), 0);
	hs_fence_ask(f, 2);
	hs_fence_ask(f, 2);
	hs_fence_ask(f, 2);
	run_for(loop, 2 * SETTLE_MS);
	CU_ASSERT_STRING_EQUAL(take_calls(), "fenced 2\n");
	CU_ASSERT_EQUAL(t.n, 1);
	hs_fence_ask(f, 2);
	hs_fence_ask(f, 3);
	run_for(loop, 2 * SETTLE_MS);
	CU_ASSERT_EQUAL(t.n, 3);
	hs_fence_ask(f, 2);
	hs_fence_destroy(f);	/* while one runs */
	run_for(loop, SETTLE_MS);
	CU_ASSERT_EQUAL(t.n, 3);
	qb_loop_destroy(loop);
	(void)take_calls();
}

static void
absent_tool_is_not_known(void)
{
	struct told t = { 0 };

	(void)unlink(tool_path("hsctl"));
	loop = qb_loop_create();
	CU_ASSERT_EQUAL_FATAL(hs_fence_create(&f, loop, tell, &t), 0);
	hs_fence_ask(f, 2);
	run_for(loop, SETTLE_MS);
	CU_ASSERT_EQUAL(t.n, 1);
	CU_ASSERT_TRUE(t.when < 0);
	hs_fence_destroy(f);
	qb_loop_destroy(loop);
}

/* clang-format off */
HS_SUITE(agent_fence,
	HS_TEST(good_answers_are_told),
	HS_TEST(bad_answers_are_not_known),
	HS_TEST(second_question_is_dropped),
	HS_TEST(absent_tool_is_not_known))
/* clang-format on */
