/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registered memory by the public calls, without an agent.
 * tests/rig/memory.test restores it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hs.h"
#include "tests/unit/suite.h"

static char data[5000];

static void
registration_outlasts_hsinit_and_hsfini(void)
{
	struct hs_mem_area a = HS_MEM_AREA;

	CU_ASSERT_EQUAL(hsmemreg("data", data, sizeof(data)), HS_FRESH);
	CU_ASSERT_EQUAL(hsmemquery(0, &a), 0);
	CU_ASSERT_EQUAL(a.dirty_bytes, sizeof(data)); /* nobody has it */
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
		CU_ASSERT_EQUAL(hsmemquery(0, &a), 0);
		CU_ASSERT_STRING_EQUAL(a.name, "data");
		CU_ASSERT_PTR_EQUAL(a.ptr, data);
		CU_ASSERT_EQUAL(a.len, sizeof(data));
		CU_ASSERT_EQUAL(a.dirty_bytes, 0);
		data[17]++;
		CU_ASSERT_EQUAL(hsmemquery(0, &a), 0);
		CU_ASSERT_EQUAL(a.dirty_bytes, 1);
		CU_ASSERT_EQUAL(hsmemquery(1, &a), -ENOENT);
		CU_ASSERT_EQUAL(hsmemreg("more", &a, sizeof(a)), HS_FRESH);
		CU_ASSERT_EQUAL(hsmemunreg("more"), 0);
		CU_ASSERT_EQUAL(hsmemunreg("more"), -ENOENT);
		CU_ASSERT_EQUAL(hsfini(0), 0);
	}
	CU_ASSERT_EQUAL(hsmemunreg("data"), 0);
	CU_ASSERT_EQUAL(hsmemquery(0, &a), -ENOENT);
}

static void
checkpoint_memory_is_refused(void)
{
	char *p;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	p = hsmalloc(100);
	CU_ASSERT_EQUAL(hsmemreg("p", p, 100), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "is in checkpoint memory"));
	/* And what is not in use of it yet. */
	CU_ASSERT_EQUAL(hsmemreg("p", p + (512 << 20), 100), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "is in checkpoint memory"));
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
no_room_is_told(void)
{
	struct hs_options o = HS_OPTIONS;
	struct hs_mem_area a = HS_MEM_AREA;
	const size_t len = (size_t)8 << 20;
	void *big = calloc(1, len);

	o.arena_bytes = (size_t)4 << 20;
	CU_ASSERT_PTR_NOT_NULL_FATAL(big);
	CU_ASSERT_EQUAL_FATAL(hsinit(&o), HS_FRESH);
	CU_ASSERT_EQUAL(hsmemreg("big", big, len), HS_EARENA);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "raise arena_bytes"));
	CU_ASSERT_EQUAL(hsmemquery(0, &a), -ENOENT);
	CU_ASSERT_EQUAL(hsfini(0), 0);
	/* So does hsinit(). */
	CU_ASSERT_EQUAL(hsmemreg("big", big, len), HS_FRESH);
	CU_ASSERT_EQUAL(hsinit(&o), HS_EARENA);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "raise arena_bytes"));
	CU_ASSERT_EQUAL(hsmemunreg("big"), 0);
	free(big);
}

static void
questions_want_a_size(void)
{
	struct hs_mem_area a = { .size = 0 };
	struct {
		struct hs_mem_area a;
		long later;
	} newer = { .a = { .size = sizeof(newer) }, .later = 7 };

	CU_ASSERT_EQUAL(hsmemquery(0, NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsmemquery(0, &a), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "HS_MEM_AREA"));
	CU_ASSERT_EQUAL(hsmemreg("data", data, 1), HS_FRESH);
	CU_ASSERT_EQUAL(hsmemquery(0, &newer.a), 0);
	CU_ASSERT_EQUAL(newer.later, 0);
	CU_ASSERT_EQUAL(newer.a.size, sizeof(newer));
	CU_ASSERT_EQUAL(hsmemunreg("data"), 0);
	CU_ASSERT_EQUAL(hsmemunreg(NULL), HS_EMISUSE);
}

static void
a_child_of_fork_registers_nothing(void)
{
	struct hs_mem_area a = HS_MEM_AREA;
	int status = -1;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	pid = fork();
	if (pid == 0)
		_exit(hsmemreg("data", data, 1) == HS_ESTATE &&
			    hsmemunreg("data") == HS_ESTATE &&
			    hsmemquery(0, &a) == HS_ESTATE
			? 0
			: 1);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

HS_SUITE(api_memreg, HS_TEST(registration_outlasts_hsinit_and_hsfini),
    HS_TEST(checkpoint_memory_is_refused), HS_TEST(no_room_is_told),
    HS_TEST(questions_want_a_size), HS_TEST(a_child_of_fork_registers_nothing))
