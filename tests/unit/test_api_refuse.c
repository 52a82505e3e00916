/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each call that registers something, made where or how it must not be: the
 * message names the call and says what to do.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hs.h"
#include "state/hook.h"
#include "tests/unit/api_life.h"
#include "tests/unit/api_says.h"
#include "tests/unit/suite.h"

static void
expect(int rc, int want, const char *text)
{
	CU_ASSERT_EQUAL(rc, want);
	CU_ASSERT(says(text));
}

static void
do_nothing(void *arg)
{
	(void)arg;
}

/* ---- all of them, at the wrong time ---- */

/* The ith call, with what it would take; false: there are no more. */
static bool
call_next(unsigned i, int *rc, const char **name)
{
	static timer_t slot;
	static char area[16];
	struct hs_mem_area query = HS_MEM_AREA;

	switch (i) {
#define CALL(number, call, ...)          \
	case number:                     \
		*name = #call;           \
		*rc = call(__VA_ARGS__); \
		return true
		CALL(0, hsfdreg, 0, 0);
		CALL(1, hsfdunreg, 0);
		CALL(2, hsfdwatch, 0, "/", 1);
		CALL(3, hssigreg, SIGUSR1);
		CALL(4, hssigunreg, SIGUSR1);
		CALL(5, hsitimerreg, ITIMER_REAL);
		CALL(6, hsitimerunreg, ITIMER_REAL);
		CALL(7, hstimerreg, &slot, CLOCK_MONOTONIC, NULL);
		CALL(8, hstimerunreg, &slot);
		CALL(9, hsctxreg, HS_CTX_CWD);
		CALL(10, hsthreadreg, "t", do_nothing, NULL);
		CALL(11, hsthreadstart);
		CALL(12, hscpt, HS_SEALED, NULL);
		/* The next ones may be made before hsinit(). */
		CALL(13, hsmemreg, "area", area, sizeof(area));
		CALL(14, hsmemunreg, "area");
		CALL(15, hsmemquery, 0, &query);
#undef CALL
	default:
		return false;
	}
}

#define BEFORE_HSINIT 13

/* That many of them say it, after their names. */
static void
expect_all(unsigned n, int want, const char *text)
{
	const char *name = NULL;
	char line[128];
	int rc = 0;

	for (unsigned i = 0; i < n && call_next(i, &rc, &name); i++) {
		(void)snprintf(line, sizeof(line), "%s: %s", name, text);
		expect(rc, want, line);
	}
}

static void
before_hsinit_all_want_it(void)
{
	expect_all(BEFORE_HSINIT, HS_ESTATE, "call hsinit() first");
}

static void
with_a_lock_all_name_it(void)
{
	static struct hs_mutex m = { .name = "theirs" };

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hsmutexlock(&m), 0);
	expect_all(UINT32_MAX, HS_ELOCK, "thread \"");
	expect(hsfdreg(0, 0), HS_ELOCK, "holds mutex \"theirs\" (0x");
	expect(hsfdreg(0, 0), HS_ELOCK, "; unlock it first");
	expect(hsfini(0), HS_ELOCK, "hsfini: thread \"");
	CU_ASSERT_EQUAL(hsmutexunlock(&m), 0);
	CU_ASSERT_EQUAL(hsenter(), 0);
	expect(hsfdreg(0, 0), HS_ELOCK, "call hsleave() first");
	CU_ASSERT_EQUAL(hsleave(), 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
call_all(void *arg)
{
	++*(unsigned *)arg;
	expect_all(UINT32_MAX, HS_EMISUSE,
	    "called from a hook of a checkpoint");
}

static void
in_a_hook_all_say_so(void)
{
	unsigned n = 0;

	life_begin();
	CU_ASSERT_EQUAL(hshook(HS_BEFORE_CHECKPOINT, 0, call_all, &n), 0);
	CU_ASSERT_EQUAL(hscpt(HS_SEALED, NULL), 0);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(hsunhook(HS_BEFORE_CHECKPOINT, call_all, &n), 0);
	life_stop();
	life_end();
}

/* 0, or which call did not refuse or did not say it. */
static int
call_in_child(void)
{
	const char *name = NULL;
	char line[128];
	int rc = 0;

	for (unsigned i = 0; call_next(i, &rc, &name); i++) {
		(void)snprintf(line, sizeof(line),
		    "%s: called in a child of fork()", name);
		if (rc != HS_ESTATE || strstr(hsmessage(), line) == NULL)
			return (int)i + 1;
	}
	return 0;
}

static void
in_a_child_of_fork_all_say_so(void)
{
	int status = -1;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	pid = fork();
	if (pid == 0)
		_exit(call_in_child());
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

/* ---- each of them, with the wrong arguments ---- */

static void
descriptors(void)
{
	const int fd = eventfd(0, EFD_CLOEXEC);

	expect(hsfdreg(-1, 0), HS_EMISUSE, "hsfdreg(-1): no descriptor");
	expect(hsfdreg(99999, 0), HS_EFD,
	    "hsfdreg(99999): Bad file descriptor");
	expect(hsfdreg(fd, 0x80), HS_EMISUSE,
	    "none of HS_FD_CONTENT, HS_FD_SAME, HS_FD_EMPTY");
	expect(hsfdunreg(fd), HS_EMISUSE, "it is not registered");
	CU_ASSERT_EQUAL(hsfdreg(fd, 0), 0);
	expect(hsfdreg(fd, 0), HS_EMISUSE, "it is registered: call hsfdunreg(");
	expect(hsfdwatch(fd, NULL, 1), HS_EMISUSE, "path is NULL");
	expect(hsfdwatch(fd, "/", 1), HS_EMISUSE,
	    "it is no registered inotify");
	expect(hsfdkind(NULL), HS_EMISUSE, "call it before hsinit()");
	CU_ASSERT_EQUAL(hsfdunreg(fd), 0);
	(void)close(fd);
}

static void
hooks(void)
{
	int n = 0;

	expect(hshook(HS_AT_PROMOTION, 0, NULL, NULL), HS_EMISUSE,
	    "hshook: no function given");
	expect(hshook((enum hs_when)9, 0, do_nothing, NULL), HS_EMISUSE,
	    "no occasion 9: use HS_BEFORE_CHECKPOINT, HS_AFTER_RESTORE, ");
	expect(hsunhook(HS_AT_DEMOTION, do_nothing, NULL), -ENOENT,
	    "give the occasion, function and argument of hshook()");
	for (; n < HS_HOOK_MOST; n++)
		CU_ASSERT_EQUAL(hshook(HS_AT_PROMOTION, 0, do_nothing, NULL),
		    0);
	expect(hshook(HS_AT_PROMOTION, 0, do_nothing, NULL), -ENOSPC,
	    "let one function do the work of several");
	while (n-- > 0)
		CU_ASSERT_EQUAL(hsunhook(HS_AT_PROMOTION, do_nothing, NULL), 0);
}

static void
memory(void)
{
	struct hs_mem_area query = { .size = 0 };

	expect(hsmemquery(0, &query), HS_EMISUSE,
	    "begin with struct hs_mem_area a = HS_MEM_AREA");
	expect(hsmemquery(0, NULL), HS_EMISUSE, "hsmemquery: ");
	expect(hsmemreg("a", hsmalloc(16), 16), HS_EMISUSE,
	    "in checkpoint memory, which needs no registration");
}

static void
the_rest(void)
{
	struct hs_code code;

	expect(hsinit(NULL), HS_ESTATE, "hsinit: called twice: call hsfini()");
	expect(hscpt(~0u, NULL), HS_EMISUSE, "hscpt: misuse: ");
	expect(hsctxreg(0x100), HS_EMISUSE,
	    "unknown part 0x100: see enum hs_ctx");
	expect(hscoderef((const void *)do_nothing, NULL), HS_EMISUSE,
	    "hscoderef: no place for the answer");
	expect(hscoderef(&code, &code), HS_ECODE, "is no code of the program");
	expect(hssigreg(0), HS_EMISUSE, "0 is no signal of a program: 1 to ");
	expect(hssigreg(SIGKILL), HS_EMISUSE, "leave it out");
	expect(hssigunreg(SIGUSR1), HS_EMISUSE,
	    "hssigunreg: signal 10 is not registered");
	expect(hsitimerunreg(ITIMER_REAL), HS_EMISUSE,
	    "hsitimerunreg: ITIMER_REAL is not registered");
	expect(hsthreadunreg(), HS_EMISUSE,
	    "hsthreadunreg: this thread is not registered");
	expect(hsthreadreg("sixteen bytes ..", NULL, NULL), HS_EMISUSE,
	    "a thread's name has 1 to 15 bytes");
	expect(hsthreadreg("a\nb", NULL, NULL), HS_EMISUSE,
	    "and no control characters");
	expect(hsthreadreg("t", do_nothing, &code), HS_EMISUSE,
	    "allocate it with hsmalloc()");
}

static void
wrong_arguments_are_told(void)
{
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	descriptors();
	hooks();
	memory();
	the_rest();
	CU_ASSERT_EQUAL(hsfini(0), 0);
}

static void
wrong_options_are_told(void)
{
	struct hs_options o = HS_OPTIONS;
	struct {
		struct hs_options o;
		uint64_t more;
	} later = { .o = HS_OPTIONS, .more = 1 };

	o.size = 0;
	expect(hsinit(&o), HS_EMISUSE,
	    "begin with struct hs_options o = HS_OPTIONS");
	o = (struct hs_options)HS_OPTIONS;
	o.arena_bytes = (size_t)17 << 40;
	expect(hsinit(&o), HS_EMISUSE, "arena_bytes is above 16 TiB");
	o = (struct hs_options)HS_OPTIONS;
	o.arena_base = 4096;
	expect(hsinit(&o), HS_EMISUSE,
	    "arena_base must be a multiple of 2 MiB");
	later.o.size = sizeof(later);
	expect(hsinit(&later.o), HS_EMISUSE,
	    "install the one that it was built with");
}

HS_SUITE(api_refuse, HS_TEST(before_hsinit_all_want_it),
    HS_TEST(with_a_lock_all_name_it), HS_TEST(in_a_hook_all_say_so),
    HS_TEST(in_a_child_of_fork_all_say_so), HS_TEST(wrong_arguments_are_told),
    HS_TEST(wrong_options_are_told))
