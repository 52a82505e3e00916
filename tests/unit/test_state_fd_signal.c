/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

#define ROUNDS 50

static int
open_signal(const sigset_t *set)
{
	const int fd = signalfd(-1, set, SFD_NONBLOCK);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	return fd;
}

static void
a_mask_comes_back(void)
{
	struct signalfd_siginfo info;
	sigset_t set, old;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	CU_ASSERT_EQUAL(sigprocmask(SIG_BLOCK, &set, &old), 0);
	state_begin();
	fd = open_signal(&set);
	state_takeover();
	CU_ASSERT_EQUAL(read(fd, &info, sizeof(info)), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(raise(SIGRTMIN + 3), 0);
	CU_ASSERT_EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
	CU_ASSERT_EQUAL(info.ssi_signo, (uint32_t)SIGRTMIN + 3);
	state_end();
	CU_ASSERT_EQUAL(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void
any_mask_comes_back(void)
{
	struct hs_random rnd;
	sigset_t set;
	int fd;

	hs_random_init(&rnd);
	sigemptyset(&set);
	state_begin();
	fd = open_signal(&set);
	for (int round = 0; round < ROUNDS; round++) {
		sigemptyset(&set);
		for (int signo = 1; signo <= SIGRTMAX; signo++)
			if (hs_random_below(&rnd, 2) == 0)
				(void)sigaddset(&set, signo);
		CU_ASSERT_EQUAL(signalfd(fd, &set, 0), fd);
		state_takeover();
	}
	state_end();
}

static void
a_how_is_refused(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	fd = signalfd(-1, &set, 0);
	state_begin();
	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_SAME), HS_EMISUSE);
	CU_ASSERT(state_says("how is 0 for a signalfd"));
	state_end();
	(void)close(fd);
}

static void
damage_is_found(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	state_begin();
	fd = open_signal(&set);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_damage(fd, 1, 1);		/* SIGKILL */
	state_die();
	CU_ASSERT_EQUAL(state_restore(), HS_ECORRUPT);
	CU_ASSERT(state_says("signalfd"));
	state_forget(fd);
	state_end();
}

HS_SUITE(state_fd_signal, HS_TEST(a_mask_comes_back),
    HS_TEST(any_mask_comes_back), HS_TEST(a_how_is_refused),
    HS_TEST(damage_is_found))
