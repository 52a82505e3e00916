/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/api_notes.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/suite.h"

struct api_notes notes;

void
note_signal(int signo)
{
	(void)signo;
	atomic_fetch_add(&notes.came, 1);
	if (!atomic_load(&notes.hooked))
		atomic_store(&notes.before_hook, true);
}

void
note_value(int signo, siginfo_t *si, void *context)
{
	(void)context;
	atomic_store(&notes.value, si->si_value.sival_int);
	atomic_fetch_add(&notes.overrun, si->si_overrun);
	note_signal(signo);
}

void
note_hook(void *arg)
{
	(void)arg;
	(void)usleep(2000);
	atomic_store(&notes.hooked, true);
}

void
note_forget(void)
{
	atomic_store(&notes.came, 0);
	atomic_store(&notes.value, 0);
	atomic_store(&notes.overrun, 0);
	atomic_store(&notes.hooked, false);
	atomic_store(&notes.before_hook, false);
}

void
sig_handle(int signo, void (*fn)(int))
{
	struct sigaction sa = { .sa_handler = fn };

	CU_ASSERT_EQUAL(sigaction(signo, &sa, NULL), 0);
}

void
sig_handle_value(int signo)
{
	struct sigaction sa = { .sa_sigaction = note_value,
		.sa_flags = SA_SIGINFO };

	CU_ASSERT_EQUAL(sigaction(signo, &sa, NULL), 0);
}

void
sig_block(int signo, bool on)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	CU_ASSERT_EQUAL(pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set,
			    NULL),
	    0);
}

bool
sig_is_blocked(int signo)
{
	sigset_t set;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, signo) == 1;
}

bool
sig_is_pending(int signo)
{
	sigset_t set;

	(void)sigpending(&set);
	return sigismember(&set, signo) == 1;
}

bool
sig_take(int signo, siginfo_t *si)
{
	const struct timespec at_once = { .tv_sec = 0 };
	sigset_t set;
	int rc;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	/* The C library's says SI_USER for SI_TKILL. */
	rc = (int)syscall(SYS_rt_sigtimedwait, &set, si, &at_once, 8);
	return rc == signo;
}

void
sig_clean(int signo)
{
	siginfo_t si;

	while (sig_take(signo, &si))
		;
	sig_block(signo, false);
	sig_handle(signo, SIG_DFL);
}

void
sig_queue(int signo, int v)
{
	const union sigval sv = { .sival_int = v };

	CU_ASSERT_EQUAL(sigqueue(getpid(), signo, sv), 0);
}
