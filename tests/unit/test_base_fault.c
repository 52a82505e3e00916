/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fault.h"
#include "tests/unit/suite.h"

/* Numbers are permanent: scripts and old reports name them. */
static void
points_keep_their_numbers(void)
{
	CU_ASSERT_EQUAL(HS_FAULT_MEMFD_CREATE, 1);
	CU_ASSERT_EQUAL(HS_FAULT_MMAP_ARENA, 2);
	CU_ASSERT_EQUAL(HS_FAULT_USERFAULTFD, 3);
	CU_ASSERT_EQUAL(HS_FAULT_PAGEMAP_OPEN, 4);
	CU_ASSERT_EQUAL(HS_FAULT_STAGE_ALLOC, 5);
	CU_ASSERT_EQUAL(HS_FAULT_XPORT_SEND, 6);
	CU_ASSERT_EQUAL(HS_FAULT_CHUNK_CORRUPT, 7);
	CU_ASSERT_EQUAL(HS_FAULT_CHUNK_DROP, 8);
	CU_ASSERT_EQUAL(HS_FAULT_ACK_DROP, 9);
	CU_ASSERT_EQUAL(HS_FAULT_IMAGE_FALLOCATE, 10);
	CU_ASSERT_EQUAL(HS_FAULT_TERM_FSYNC, 11);
	CU_ASSERT_EQUAL(HS_FAULT_HSCPT_OPEN, 12);
	CU_ASSERT_EQUAL(HS_FAULT_CUT_STALE, 13);
	CU_ASSERT_EQUAL(HS_FAULT_END, 14);
}

#ifdef HS_FAULTS

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
the_nth_pass_fails_once(void)
{
	unsigned before = hs_fault_fired(HS_FAULT_ACK_DROP);

	CU_ASSERT_FALSE(hs_fault(HS_FAULT_ACK_DROP));
	hs_fault_arm(HS_FAULT_ACK_DROP, 3);
	CU_ASSERT_FALSE(hs_fault(HS_FAULT_ACK_DROP));
	CU_ASSERT_FALSE(hs_fault(HS_FAULT_CHUNK_DROP));
	CU_ASSERT_FALSE(hs_fault(HS_FAULT_ACK_DROP));
	CU_ASSERT_TRUE(hs_fault(HS_FAULT_ACK_DROP));
	CU_ASSERT_FALSE(hs_fault(HS_FAULT_ACK_DROP));
	CU_ASSERT_EQUAL(hs_fault_fired(HS_FAULT_ACK_DROP), before + 1);
	hs_fault_arm(HS_FAULT_ACK_DROP, 1);
	hs_fault_arm(HS_FAULT_ACK_DROP, 0);
	CU_ASSERT_FALSE(hs_fault(HS_FAULT_ACK_DROP));
}

/*
 * The passes at which XPORT_SEND fails, a bit each, in a program started with
 * HS_FAULT=text; -1 if it died of a signal.
 */
static int
passes_failed(const char *text)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)setenv("HS_FAULT", text, 1);
		(void)execl("/proc/self/exe", "unit_base", "base_fault_child",
		    (char *)NULL);
		_exit(127);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Run by passes_failed() before main() would read its arguments. */
__attribute__((__constructor__)) static void
run_as_child(int argc, char **argv)
{
	int failed = 0;

	if (argc != 2 || strcmp(argv[1], "base_fault_child") != 0)
		return;
	for (int i = 0; i < 6; i++)
		failed |= hs_fault(HS_FAULT_XPORT_SEND) << i;
	_exit(failed);
}

static void
the_environment_arms(void)
{
	CU_ASSERT_EQUAL(passes_failed("xport_send:2"), 0x02);
	CU_ASSERT_EQUAL(passes_failed("6:1"), 0x01);
	CU_ASSERT_EQUAL(passes_failed("xport_send:3+"), 0x3c);
	CU_ASSERT_EQUAL(passes_failed("ack_drop:1,xport_send:1"), 0x01);
	CU_ASSERT_EQUAL(passes_failed(""), 0);
}

static void
a_mistyped_fault_stops_the_program(void)
{
	CU_ASSERT_EQUAL(passes_failed("xport_sent:2"), -1);
	CU_ASSERT_EQUAL(passes_failed("xport_send"), -1);
	CU_ASSERT_EQUAL(passes_failed("xport_send:0"), -1);
	CU_ASSERT_EQUAL(passes_failed("xport_send:2x"), -1);
	CU_ASSERT_EQUAL(passes_failed("99:1"), -1);
	CU_ASSERT_EQUAL(passes_failed("14:1"), -1);
	CU_ASSERT_EQUAL(passes_failed("0:1"), -1);
}

HS_SUITE(base_fault, HS_TEST(points_keep_their_numbers),
    HS_TEST(the_nth_pass_fails_once), HS_TEST(the_environment_arms),
    HS_TEST(a_mistyped_fault_stops_the_program))

#else

static void
a_release_has_no_faults(void)
{
	for (int id = 1; id < HS_FAULT_END; id++)
		CU_ASSERT_FALSE(hs_fault((enum hs_fault_id)id));
}

HS_SUITE(base_fault, HS_TEST(points_keep_their_numbers),
    HS_TEST(a_release_has_no_faults))

#endif
