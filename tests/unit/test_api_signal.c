/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals over a restore, each life of the service ended by changing all that
 * the next one has to find again.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hs.h"
#include "tests/unit/api_life.h"
#include "tests/unit/api_notes.h"
#include "tests/unit/api_says.h"
#include "tests/unit/suite.h"

#define RT (SIGRTMIN + 3)
/* A flag of the C library's own. */
#define RESTORER 0x04000000

static void
dispositions_come_back(void)
{
	struct sigaction sa = { .sa_sigaction = note_value,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER };
	struct sigaction now;

	life_begin();
	(void)sigaddset(&sa.sa_mask, SIGHUP);
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, &sa, NULL), 0);
	sig_handle(SIGUSR2, SIG_IGN);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR2), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGHUP), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGSEGV), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	sig_handle(SIGUSR1, SIG_IGN);
	sig_handle(SIGUSR2, note_signal);
	sig_handle(SIGHUP, note_signal);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, NULL, &now), 0);
	CU_ASSERT_PTR_EQUAL((void *)now.sa_sigaction, (void *)note_value);
	CU_ASSERT_EQUAL(now.sa_flags & ~RESTORER, sa.sa_flags);
	CU_ASSERT_EQUAL(sigismember(&now.sa_mask, SIGHUP), 1);
	CU_ASSERT_EQUAL(sigismember(&now.sa_mask, SIGTERM), 0);
	CU_ASSERT_EQUAL(sigaction(SIGUSR2, NULL, &now), 0);
	CU_ASSERT(now.sa_handler == SIG_IGN);
	CU_ASSERT_EQUAL(sigaction(SIGHUP, NULL, &now), 0);
	CU_ASSERT(now.sa_handler == SIG_DFL);
	/* What is no longer registered is left alone, and stays so. */
	CU_ASSERT_EQUAL(hssigunreg(SIGUSR2), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	sig_handle(SIGUSR2, note_signal);
	life_stop();
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_EQUAL(sigaction(SIGUSR2, NULL, &now), 0);
	CU_ASSERT(now.sa_handler == note_signal);
	life_stop();
	life_end();
	sig_clean(SIGUSR1);
	sig_clean(SIGUSR2);
	sig_clean(SIGHUP);
}

static void
pending_signals_come_back(void)
{
	siginfo_t si;

	life_begin();
	sig_block(SIGUSR1, true);
	sig_block(RT, true);
	sig_handle(SIGUSR2, note_signal);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR2), 0);
	CU_ASSERT_EQUAL(hssigreg(RT), 0);
	CU_ASSERT_EQUAL(kill(getpid(), SIGUSR1), 0);
	for (int i = 0; i < 100; i++)
		sig_queue(RT, i * 7);
	CU_ASSERT_EQUAL(kill(getpid(), RT), 0);
	CU_ASSERT_EQUAL(raise(RT), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	/* It is as it was before anybody looked: first what is the thread's. */
	CU_ASSERT_TRUE_FATAL(sig_take(RT, &si));
	CU_ASSERT_EQUAL(si.si_code, SI_TKILL);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_TRUE_FATAL(sig_take(RT, &si));
		CU_ASSERT_EQUAL(si.si_value.sival_int, i * 7);
		CU_ASSERT_EQUAL(si.si_code, SI_QUEUE);
		CU_ASSERT_EQUAL(si.si_pid, getpid());
	}
	CU_ASSERT_TRUE_FATAL(sig_take(RT, &si));
	CU_ASSERT_EQUAL(si.si_code, SI_USER);
	CU_ASSERT_TRUE(sig_is_pending(SIGUSR1));
	life_stop();
	sig_clean(SIGUSR1);
	sig_clean(RT);
	sig_block(SIGUSR2, true);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_TRUE(sig_is_blocked(SIGUSR1));
	CU_ASSERT_FALSE(sig_is_blocked(SIGUSR2));
	CU_ASSERT_TRUE(sig_is_pending(SIGUSR1));
	CU_ASSERT_FALSE(sig_is_pending(SIGUSR2));
	CU_ASSERT_TRUE_FATAL(sig_take(RT, &si));
	CU_ASSERT_EQUAL(si.si_code, SI_TKILL);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_TRUE_FATAL(sig_take(RT, &si));
		CU_ASSERT_EQUAL(si.si_value.sival_int, i * 7);
	}
	CU_ASSERT_TRUE(sig_take(RT, &si));
	CU_ASSERT_FALSE(sig_take(RT, &si));
	life_stop();
	life_end();
	sig_clean(SIGUSR1);
	sig_clean(SIGUSR2);
	sig_clean(RT);
}

static void *
take_checkpoint(void *arg)
{
	*(int *)arg = hscpt(HS_HELD, NULL);
	return NULL;
}

static void
another_threads_checkpoint_keeps_the_masters_mask(void)
{
	pthread_t thread;
	siginfo_t si;
	int rc = 1;

	life_begin();
	/* The thread inherits neither. */
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR2), 0);
	CU_ASSERT_EQUAL(hssigreg(RT), 0);
	sig_block(RT, true);
	sig_block(SIGUSR2, true);
	CU_ASSERT_EQUAL(pthread_create(&thread, NULL, take_checkpoint, &rc), 0);
	CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
	CU_ASSERT_EQUAL(rc, 0);
	sig_block(SIGUSR1, true);
	sig_queue(RT, 5);
	CU_ASSERT_EQUAL(kill(getpid(), RT), 0);
	CU_ASSERT_EQUAL(kill(getpid(), SIGUSR1), 0);
	CU_ASSERT_EQUAL(pthread_create(&thread, NULL, take_checkpoint, &rc), 0);
	CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
	CU_ASSERT_EQUAL(rc, 0);
	life_stop();
	sig_clean(SIGUSR1);
	sig_clean(SIGUSR2);
	sig_clean(RT);
	CU_ASSERT_EQUAL_FATAL(life_restore(), HS_RESTORED);
	CU_ASSERT_TRUE(sig_is_blocked(SIGUSR1));
	CU_ASSERT_TRUE(sig_is_blocked(SIGUSR2));
	CU_ASSERT_TRUE(sig_is_pending(SIGUSR1));
	CU_ASSERT_TRUE(sig_take(RT, &si));
	CU_ASSERT_EQUAL(si.si_value.sival_int, 5);
	CU_ASSERT_TRUE(sig_take(RT, &si));
	CU_ASSERT_FALSE(sig_take(RT, &si));
	life_stop();
	life_end();
	sig_clean(SIGUSR1);
	sig_clean(SIGUSR2);
	sig_clean(RT);
}

static void
signal_refusals_say_what_to_do(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), HS_ESTATE);
	CU_ASSERT_EQUAL(hssigunreg(SIGUSR1), HS_ESTATE);
	life_begin();
	CU_ASSERT_EQUAL(hssigreg(SIGKILL), HS_EMISUSE);
	CU_ASSERT(says("SIGKILL can be neither handled nor blocked"));
	CU_ASSERT_EQUAL(hssigreg(SIGSTOP), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssigreg(0), HS_EMISUSE);
	CU_ASSERT(says("0 is no signal of a program"));
	CU_ASSERT_EQUAL(hssigreg(-3), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssigreg(SIGRTMIN - 1), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssigreg(SIGRTMAX + 1), HS_EMISUSE);
	CU_ASSERT_EQUAL(hssigunreg(SIGUSR1), HS_EMISUSE);
	CU_ASSERT(says("signal 10 is not registered"));
	/* A handler of no file, at the registration and later. */
	CU_ASSERT_FATAL(page != MAP_FAILED);
	sig_handle(SIGUSR1, (void (*)(int))page);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), HS_ECODE);
	CU_ASSERT(says("made at run time"));
	sig_handle(SIGUSR1, note_signal);
	CU_ASSERT_EQUAL(hssigreg(SIGUSR1), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	sig_handle(SIGUSR1, (void (*)(int))page);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), HS_ECODE);
	sig_handle(SIGUSR1, SIG_DFL);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	CU_ASSERT_EQUAL(hssigreg(SIGSEGV), 0);
	sig_block(SIGSEGV, true);
	CU_ASSERT_EQUAL(kill(getpid(), SIGSEGV), 0);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), HS_EMISUSE);
	CU_ASSERT(says("SIGSEGV is pending"));
	CU_ASSERT(says("unblock it, or do not send it by kill()"));
	sig_clean(SIGSEGV);
	CU_ASSERT_EQUAL(hscpt(HS_HELD, NULL), 0);
	life_stop();
	life_end();
	CU_ASSERT_EQUAL(munmap(page, 4096), 0);
}

HS_SUITE(api_signal, HS_TEST(dispositions_come_back),
    HS_TEST(pending_signals_come_back),
    HS_TEST(another_threads_checkpoint_keeps_the_masters_mask),
    HS_TEST(signal_refusals_say_what_to_do))
