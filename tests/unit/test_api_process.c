/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Process context, hooks and time over a restore: state before is state
 * after, and what cannot be brought back is refused with what to do.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hs.h"
#include "tests/unit/api_life.h"
#include "tests/unit/api_says.h"
#include "tests/unit/suite.h"

#define S UINT64_C(1000000000)

static char dir[64];

static void
make_dir(void)
{
	(void)strcpy(dir, "/tmp/hotspare-unit.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static mode_t
mask_now(void)
{
	const mode_t mask = umask(0);

	(void)umask(mask);
	return mask;
}

static void
directory_umask_and_limits_come_back(void)
{
	char *home = getcwd(NULL, 0), *now;
	const mode_t mask = mask_now();
	struct rlimit core, l;

	make_dir();
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_CORE, &core), 0);
	life_begin();
	CU_ASSERT_EQUAL(hsctxreg(HS_CTX_CWD | HS_CTX_UMASK | HS_CTX_LIMITS |
			    HS_CTX_ARGV | HS_CTX_ENV),
	    0);
	/* What is true at the checkpoint counts, not at the registration. */
	CU_ASSERT_EQUAL(chdir(dir), 0);
	(void)umask(0135);
	l = (struct rlimit){ .rlim_cur = 4096, .rlim_max = core.rlim_max };
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_CORE, &l), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	CU_ASSERT_EQUAL(chdir("/"), 0);
	(void)umask(0);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_CORE, &core), 0);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	now = getcwd(NULL, 0);
	CU_ASSERT_STRING_EQUAL(now, dir);
	free(now);
	CU_ASSERT_EQUAL(mask_now(), 0135);
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_CORE, &l), 0);
	CU_ASSERT_EQUAL(l.rlim_cur, 4096);
	/* The next life carries over the same, until told otherwise. */
	(void)umask(0022);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	(void)umask(0077);
	life_stop();
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_EQUAL(mask_now(), 0022);
	CU_ASSERT_EQUAL(hsctxreg(0), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	CU_ASSERT_EQUAL(chdir(home), 0);
	life_stop();
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	now = getcwd(NULL, 0);
	CU_ASSERT_STRING_EQUAL(now, home);
	free(now);
	life_stop();
	life_end();
	(void)umask(mask);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_CORE, &core), 0);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	free(home);
}

static void
directory_that_is_gone_is_told(void)
{
	char *home = getcwd(NULL, 0);

	make_dir();
	life_begin();
	CU_ASSERT_EQUAL(chdir(dir), 0);
	CU_ASSERT_EQUAL(hsctxreg(HS_CTX_CWD), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	/* Gone before the checkpoint: nothing is taken, it goes on. */
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), -ENOENT);
	CU_ASSERT(says("working directory cannot be named"));
	CU_ASSERT(says("chdir() to one that exists on all nodes"));
	CU_ASSERT_EQUAL(hsctxreg(0), 0);
	CU_ASSERT_EQUAL(hsctxreg(HS_CTX_UMASK | HS_CTX_CWD), -ENOENT);
	CU_ASSERT_EQUAL(chdir(home), 0);
	life_stop();
	/* Gone on the spare. */
	CU_ASSERT_EQUAL(life_restore(), -ENOENT);
	CU_ASSERT(says(dir));
	CU_ASSERT(says("create it on this node"));
	CU_ASSERT_PTR_NOT_NULL(strstr(life_peer.failed, dir));
	life_end();
	free(home);
}

/* In a process without root's privileges, whose limits can only fall. */
static void
restore_low_limit(void)
{
	struct rlimit l = { .rlim_cur = 64, .rlim_max = 64 };

	life_begin();
	CU_ASSERT_EQUAL(hsctxreg(HS_CTX_LIMITS), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NPROC, &l), 0);
	CU_ASSERT_EQUAL(setgid(65534), 0);
	CU_ASSERT_EQUAL(setuid(65534), 0);
	CU_ASSERT_EQUAL(prctl(PR_SET_DUMPABLE, 1), 0);
	CU_ASSERT_EQUAL(life_restore(), -EPERM);
	CU_ASSERT(says("RLIMIT_NPROC is "));
	CU_ASSERT(says("at most 64 here: raise the limit"));
	life_end();
}

/* fn in a child; what fails there is printed there, and counted here. */
static void
in_child(void (*fn)(void))
{
	int status = 1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		fn();
		fflush(NULL);
		_exit(CU_get_number_of_failures() != 0);
	}
	CU_ASSERT_FATAL(pid > 0);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
}

static void
limit_that_cannot_be_is_told(void)
{
	if (geteuid() == 0)
		in_child(restore_low_limit);
}

static void
context_refusals_say_what_to_do(void)
{
	CU_ASSERT_EQUAL(hsctxreg(HS_CTX_CWD), HS_ESTATE);
	life_begin();
	CU_ASSERT_EQUAL(hsctxreg(HS_CTX_CWD | 0x40), HS_EMISUSE);
	CU_ASSERT(says("unknown part 0x40: see enum hs_ctx"));
	life_stop();
	life_end();
}

/* ---- hooks ---- */

static char trail[64];

static void
note_hook(void *arg)
{
	const char c[2] = { *(const char *)arg, '\0' };

	if (strlen(trail) + 1 < sizeof(trail))
		(void)strcat(trail, c);
}

static void
hook_all(void)
{
	CU_ASSERT_EQUAL(hshook(HS_AT_DEMOTION, 0, note_hook, "d"), 0);
	CU_ASSERT_EQUAL(hshook(HS_BEFORE_CHECKPOINT, 7, note_hook, "C"), 0);
	CU_ASSERT_EQUAL(hshook(HS_AT_PROMOTION, -9, note_hook, "p"), 0);
	CU_ASSERT_EQUAL(hshook(HS_AFTER_RESTORE, 5, note_hook, "s"), 0);
	CU_ASSERT_EQUAL(hshook(HS_BEFORE_CHECKPOINT, -1, note_hook, "A"), 0);
	CU_ASSERT_EQUAL(hshook(HS_AFTER_RESTORE, 5, note_hook, "t"), 0);
	CU_ASSERT_EQUAL(hshook(HS_BEFORE_CHECKPOINT, 0, note_hook, "B"), 0);
	CU_ASSERT_EQUAL(hshook(HS_AFTER_RESTORE, -5, note_hook, "r"), 0);
}

static void
unhook_all(void)
{
	CU_ASSERT_EQUAL(hsunhook(HS_AT_DEMOTION, note_hook, "d"), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_BEFORE_CHECKPOINT, note_hook, "C"), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_AT_PROMOTION, note_hook, "p"), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_AFTER_RESTORE, note_hook, "s"), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_BEFORE_CHECKPOINT, note_hook, "A"), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_AFTER_RESTORE, note_hook, "t"), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_BEFORE_CHECKPOINT, note_hook, "B"), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_AFTER_RESTORE, note_hook, "r"), 0);
}

static void
hooks_run_in_order(void)
{
	trail[0] = '\0';
	hook_all();
	life_begin();
	CU_ASSERT_STRING_EQUAL(trail, "p");
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	CU_ASSERT_STRING_EQUAL(trail, "pABC");
	life_stop();
	CU_ASSERT_STRING_EQUAL(trail, "pABCd");
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_STRING_EQUAL(trail, "pABCdrstp");
	unhook_all();
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	CU_ASSERT_STRING_EQUAL(trail, "pABCdrstp");
	life_end();
	/* Without an agent nobody takes a checkpoint. */
	trail[0] = '\0';
	hook_all();
	CU_ASSERT_EQUAL_FATAL(hsinit(NULL), HS_FRESH);
	CU_ASSERT_EQUAL(hscpt(HS_SEALED, NULL), 0);
	CU_ASSERT_EQUAL(hsfini(0), 0);
	CU_ASSERT_STRING_EQUAL(trail, "pd");
	unhook_all();
}

static void
bring_in(void *arg)
{
	int *p = hsmalloc(sizeof(*p));

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	*p = *(int *)arg;
	CU_ASSERT_EQUAL(hsfree(hsfind("kept")), 0);
	CU_ASSERT_EQUAL(hsroot("kept", p), 0);
	CU_ASSERT_EQUAL(hscpt(HS_SEALED, NULL), HS_EMISUSE);
	CU_ASSERT(says("hscpt: called from a hook of a checkpoint"));
	CU_ASSERT_EQUAL(hswait(0, HS_HELD, 0), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsctxreg(HS_CTX_CWD), HS_EMISUSE);
	CU_ASSERT_EQUAL(hsfini(0), HS_EMISUSE);
}

static void
use_all(void *arg)
{
	*(int *)arg = *(int *)hsfind("kept");
	CU_ASSERT_EQUAL(hscpt(HS_SENT, NULL), 0);
	CU_ASSERT_EQUAL(hsctxreg(HS_CTX_CWD), 0);
	CU_ASSERT_EQUAL(hsinit(NULL), HS_ESTATE);
	CU_ASSERT_EQUAL(hsfini(0), HS_EMISUSE);
	CU_ASSERT(says("hsfini: called in a hook of HS_AFTER_RESTORE"));
}

static void
hooks_may_use_the_library(void)
{
	int outside = 42, seen = 0;

	CU_ASSERT_EQUAL(hshook(HS_BEFORE_CHECKPOINT, 0, bring_in, &outside), 0);
	CU_ASSERT_EQUAL(hshook(HS_AFTER_RESTORE, 0, use_all, &seen), 0);
	life_begin();
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	outside = 43;
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	outside = 44; /* in no checkpoint */
	life_stop();
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_EQUAL(seen, 43);
	life_stop();
	life_end();
	CU_ASSERT_EQUAL(hsunhook(HS_BEFORE_CHECKPOINT, bring_in, &outside), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_AFTER_RESTORE, use_all, &seen), 0);
}

static pthread_t hook_thread;
static atomic_int demotions;

static void
note_demotion(void *arg)
{
	sigset_t mask;

	(void)arg;
	hook_thread = pthread_self();
	CU_ASSERT_EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	CU_ASSERT_EQUAL(sigismember(&mask, SIGTERM), 1);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), HS_EFENCED);
	atomic_fetch_add(&demotions, 1);
}

static void
fenced_process_is_told_once(void)
{
	atomic_store(&demotions, 0);
	CU_ASSERT_EQUAL(hshook(HS_AT_DEMOTION, 0, note_demotion, NULL), 0);
	life_begin();
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	peer_send_term(&life_peer, PEER_TERM + 1);
	for (int i = 0; i < 500 && atomic_load(&demotions) == 0; i++)
		(void)usleep(10000);
	CU_ASSERT_EQUAL(atomic_load(&demotions), 1);
	CU_ASSERT_FALSE(pthread_equal(hook_thread, pthread_self()));
	CU_ASSERT_EQUAL(hsfini(0), HS_EFENCED);
	CU_ASSERT_EQUAL(atomic_load(&demotions), 1);
	peer_stop(&life_peer);
	life_end();
	CU_ASSERT_EQUAL(hsunhook(HS_AT_DEMOTION, note_demotion, NULL), 0);
}

static void
hook_refusals_say_what_to_do(void)
{
	int i, n = 0;

	CU_ASSERT_EQUAL(hshook(HS_AT_DEMOTION, 0, NULL, NULL), HS_EMISUSE);
	CU_ASSERT(says("hshook: no function given"));
	CU_ASSERT_EQUAL(hshook((enum hs_when)9, 0, note_hook, NULL),
	    HS_EMISUSE);
	CU_ASSERT(says("no occasion 9: use HS_BEFORE_CHECKPOINT"));
	CU_ASSERT_EQUAL(hsunhook((enum hs_when) - 1, note_hook, NULL),
	    HS_EMISUSE);
	CU_ASSERT_EQUAL(hsunhook(HS_AT_DEMOTION, note_hook, &n), -ENOENT);
	CU_ASSERT(says("give the occasion, function and argument"));
	while (hshook(HS_AT_DEMOTION, 0, note_hook, &n) == 0)
		n++;
	CU_ASSERT_EQUAL(n, 64);
	CU_ASSERT(says("there are 64 hooks already"));
	CU_ASSERT_EQUAL(hshook(HS_AT_DEMOTION, 0, note_hook, &n), -ENOSPC);
	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(hsunhook(HS_AT_DEMOTION, note_hook, &n), 0);
	CU_ASSERT_EQUAL(hsunhook(HS_AT_DEMOTION, note_hook, &n), -ENOENT);
}

/* ---- time ---- */

static void
clock_goes_on_over_a_restore(void)
{
	uint64_t *told, before;

	life_begin();
	told = hsmalloc(sizeof(*told));
	CU_ASSERT_EQUAL(hsroot("told", told), 0);
	for (int i = 0; i < 50; i++) {
		*told = hsclock();
		CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
		before = *told;
		life_stop();
		CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
		told = hsfind("told");
		CU_ASSERT_EQUAL(*told, before);
		CU_ASSERT(hsclock() >= before);
		CU_ASSERT(hsclock() < before + 10 * S);
		CU_ASSERT(hsclockgap() < 10 * S);
	}
	life_stop();
	life_end();
}

static void
unread_clock_costs_no_checkpoint(void)
{
	uint64_t first = 0, then = 1;

	life_begin();
	(void)hsclock();
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	/* Unless a second went by, on a machine that is busy. */
	for (int i = 0; i < 10 && first != then; i++) {
		CU_ASSERT_EQUAL(hscpt(HS_HELD, &first), 0);
		CU_ASSERT_EQUAL(hscpt(HS_HELD, &then), 0);
	}
	CU_ASSERT_EQUAL(first, then);
	life_stop();
	life_end();
}

HS_SUITE(api_process, HS_TEST(directory_umask_and_limits_come_back),
    HS_TEST(directory_that_is_gone_is_told),
    HS_TEST(limit_that_cannot_be_is_told),
    HS_TEST(context_refusals_say_what_to_do), HS_TEST(hooks_run_in_order),
    HS_TEST(hooks_may_use_the_library), HS_TEST(fenced_process_is_told_once),
    HS_TEST(hook_refusals_say_what_to_do),
    HS_TEST(clock_goes_on_over_a_restore),
    HS_TEST(unread_clock_costs_no_checkpoint))
