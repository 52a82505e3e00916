/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each public call: before hsinit(), after it and without an agent, in a child
 * of fork(), and after hsfini().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hs.h"
#include "tests/unit/suite.h"

static void
check_no_state(void)
{
	struct hs_status st = { .size = sizeof(st) };
	int here = 0;

	errno = 0;
	CU_ASSERT_PTR_NULL(hsmalloc(1));
	CU_ASSERT_EQUAL(errno, ENXIO);
	CU_ASSERT_PTR_NULL(hscalloc(1, 1));
	CU_ASSERT_PTR_NULL(hsmemalign(64, 1));
	errno = 0;
	CU_ASSERT_PTR_NULL(hsrealloc(&here, 1));
	CU_ASSERT_EQUAL(errno, ENXIO);
	CU_ASSERT_EQUAL(hsfree(&here), HS_ESTATE);
	CU_ASSERT_EQUAL(hsusable(&here), 0);
	CU_ASSERT_EQUAL(hsroot("a", NULL), HS_ESTATE);
	CU_ASSERT_PTR_NULL(hsfind("a"));
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), HS_ESTATE);
	CU_ASSERT_EQUAL(hswait(1, HS_HELD, -1), HS_ESTATE);
	CU_ASSERT_EQUAL(hseventfd(), HS_ESTATE);
	CU_ASSERT_EQUAL(hsping(), HS_ESTATE);
	CU_ASSERT_EQUAL(hsstatus(&st), HS_ESTATE);
	CU_ASSERT_EQUAL(hsfdreg(0, 0), HS_ESTATE);
	CU_ASSERT_EQUAL(hsfdunreg(0), HS_ESTATE);
	CU_ASSERT_EQUAL(hsthreadreg("t", NULL, NULL), HS_ESTATE);
	CU_ASSERT_EQUAL(hsthreadunreg(), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsthreadstart(), HS_ESTATE);
	CU_ASSERT_EQUAL(hsfdwatch(0, "/", 1), HS_ESTATE);
	CU_ASSERT_EQUAL(hsfini(-1), HS_ESTATE);
}

static void
calls_before_hsinit_and_after_hsfini(void)
{
	check_no_state();
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsfini(-1), 0);
	check_no_state();
	/* And all over again. */
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
watches_are_of_a_registered_inotify(void)
{
	const int fd = inotify_init1(IN_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsfdwatch(fd, "/", IN_CREATE), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "call hsfdreg("));
	CU_ASSERT_EQUAL(hsfdreg(fd, 0), 0);
	CU_ASSERT_EQUAL(hsfdwatch(fd, NULL, IN_CREATE), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfdwatch(fd, "/", IN_CREATE), 1);
	CU_ASSERT_EQUAL(hsfdwatch(fd, "/", IN_DELETE), 1);
	CU_ASSERT_EQUAL(hsfdwatch(fd, "/tmp", IN_CREATE), 2);
	CU_ASSERT_EQUAL(hsfini(0), 0);
	(void)close(fd);
}

static void
descriptors_are_registered_once(void)
{
	struct hs_fd_kind kind = HS_FD_KIND;
	int end[2];

	CU_ASSERT_EQUAL(hsfdkind(NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfdkind(&kind), HS_EMISUSE);
	CU_ASSERT_EQUAL_FATAL(pipe(end), 0);
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsfdkind(&kind), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "before hsinit()"));
	CU_ASSERT_EQUAL(hsfdreg(end[0], 0), 0);
	CU_ASSERT_EQUAL(hsfdreg(end[0], 0), HS_EMISUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "is registered"));
	CU_ASSERT_EQUAL(hsfdreg(end[1], 0x80), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfdreg(-1, 0), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfdreg(999, 0), HS_EFD);
	CU_ASSERT_EQUAL(hsfdunreg(end[1]), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfdunreg(end[0]), 0);
	/* hsfini() forgets what is registered. */
	CU_ASSERT_EQUAL(hsfdreg(end[1], 0), 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsfdunreg(end[1]), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfini(0), 0);
	(void)close(end[0]);
	(void)close(end[1]);
}

static void
memory_is_like_mallocs(void)
{
	uint8_t *p, *q;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	p = hsmalloc(100);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL((uintptr_t)p % 16, 0);
	CU_ASSERT(hsusable(p) >= 100);
	memset(p, 0x5a, 100);
	p = hsrealloc(p, 100000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (size_t i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(p[i], 0x5a);
	CU_ASSERT_EQUAL(hsfree(p), 0);
	CU_ASSERT_EQUAL(hsfree(p), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfree(&p), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfree(NULL), 0);
	errno = 0;
	CU_ASSERT_PTR_NULL(hsrealloc(&p, 10));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(hsusable(&p), 0);
	q = hscalloc(300, 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(q);
	for (size_t i = 0; i < 2100; i++)
		CU_ASSERT_EQUAL(q[i], 0);
	errno = 0;
	CU_ASSERT_PTR_NULL(hscalloc(SIZE_MAX, 2));
	CU_ASSERT_EQUAL(errno, ENOMEM);
	errno = 0;
	CU_ASSERT_PTR_NULL(hsmalloc((size_t)1 << 40));
	CU_ASSERT_EQUAL(errno, ENOMEM);
	p = hsmemalign(4096, 10);
	CU_ASSERT_PTR_NOT_NULL(p);
	CU_ASSERT_EQUAL((uintptr_t)p % 4096, 0);
	errno = 0;
	CU_ASSERT_PTR_NULL(hsmemalign(48, 10));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(hsmemalign(0, 10));
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
roots_are_found_by_name(void)
{
	int *p, outside;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	p = hsmalloc(sizeof(*p));
	CU_ASSERT_EQUAL(hsroot("state", p), 0);
	CU_ASSERT_PTR_EQUAL(hsfind("state"), p);
	errno = 0;
	CU_ASSERT_PTR_NULL(hsfind("other"));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_PTR_NULL(hsfind(NULL));
	CU_ASSERT_EQUAL(hsroot("state", &outside), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsroot("", p), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsroot(NULL, p), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsroot("state", NULL), 0);
	CU_ASSERT_PTR_NULL(hsfind("state"));
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
alone_checkpoints_cost_a_call(void)
{
	uint64_t epoch = 1;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hscpt(HS_SENT, &epoch), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, &epoch), HS_ENOSPARE);
	CU_ASSERT_EQUAL(hscpt(HS_HELD | HS_NOWAIT, &epoch), 0);
	CU_ASSERT_EQUAL(hscpt(77, &epoch), HS_EMISUSE);
	CU_ASSERT_EQUAL(hswait(epoch, HS_HELD, -1), HS_ENOSPARE);
	CU_ASSERT_EQUAL(hsping(), 0);
	CU_ASSERT(hseventfd() >= 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
status_speaks_to_older_and_newer_programs(void)
{
	struct {
		struct hs_status st;
		uint64_t later;
	} newer = { .st = { .size = sizeof(newer) }, .later = 5 };
	struct hs_status st = { .size = offsetof(struct hs_status, spares),
		.spares = 77 };

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsstatus(&newer.st), 0);
	CU_ASSERT_EQUAL(newer.later, 0);
	CU_ASSERT_EQUAL(newer.st.size, sizeof(newer));
	CU_ASSERT_EQUAL(newer.st.protection, HS_ALONE);
	CU_ASSERT_EQUAL(hsstatus(&st), 0);
	CU_ASSERT_EQUAL(st.spares, 77);		/* it has no such member */
	st.size = 0;
	CU_ASSERT_EQUAL(hsstatus(&st), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsstatus(NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
failure_leaves_a_message(void)
{
	struct hs_options o = { .size = 0 };

	CU_ASSERT_EQUAL(hsinit(&o), HS_EMISUSE);
	CU_ASSERT(strlen(hsmessage()) > 0);
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_STRING_EQUAL(hsmessage(), "");
	CU_ASSERT_EQUAL(hsinit(NULL), HS_ESTATE);
	CU_ASSERT(strlen(hsmessage()) > 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
every_code_has_a_text(void)
{
	for (int rc = HS_ESTATE; rc >= HS_EQUORUM; rc--)
		CU_ASSERT(strlen(hsstrerror(rc)) > 5);
	CU_ASSERT(strlen(hsstrerror(0)) > 0);
	CU_ASSERT(strlen(hsstrerror(-EACCES)) > 0);
	CU_ASSERT_STRING_EQUAL(hsversion(), "0.1.0");
}

/* The exit status of a child that fails a check is not 0. */
static int
child_checks(int *p)
{
	int bad = 0;

	bad |= hscpt(HS_SEALED, NULL) != HS_ESTATE;
	bad |= hsping() != HS_ESTATE;
	bad |= hsfree(p) != HS_ESTATE;
	bad |= hsmalloc(1) != NULL;
	bad |= hsinit(NULL) != HS_ESTATE;
	bad |= hsfini(0) != HS_ESTATE;
	*p = 2;				/* its own copy */
	return bad;
}

static void
child_of_fork_has_no_part_in_it(void)
{
	int status = 1, *p;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	p = hsmalloc(sizeof(*p));
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	*p = 1;
	pid = fork();
	if (pid == 0)
		_exit(child_checks(p));
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(*p, 1);
	CU_ASSERT_EQUAL(hsfree(p), 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

HS_SUITE(api_calls, HS_TEST(calls_before_hsinit_and_after_hsfini),
    HS_TEST(watches_are_of_a_registered_inotify),
    HS_TEST(descriptors_are_registered_once), HS_TEST(memory_is_like_mallocs),
    HS_TEST(roots_are_found_by_name), HS_TEST(alone_checkpoints_cost_a_call),
    HS_TEST(status_speaks_to_older_and_newer_programs),
    HS_TEST(failure_leaves_a_message), HS_TEST(every_code_has_a_text),
    HS_TEST(child_of_fork_has_no_part_in_it))
