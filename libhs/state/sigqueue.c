/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/sigqueue.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/why.h"

#define INFO ((size_t)HS_SIGQUEUE_INFO_BYTES)
#define FIRST_BYTES ((size_t)16 * INFO)
/* The kernel's sigset_t. */
#define SET_BYTES 8
/*
 * The user's limit of queued signals may be met by others while ours are out:
 * a turn of another process is all there is to wait for.
 */
#define TRIES 1000

_Static_assert(sizeof(siginfo_t) >= INFO, "a siginfo_t has less");

/* What tgkill(2) sent to this thread goes there again, all else to any. */
static int
send_info(int signo, siginfo_t *si)
{
	const long rc = si->si_code == SI_TKILL
	    ? syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signo, si)
	    : syscall(SYS_rt_sigqueueinfo, getpid(), signo, si);

	return rc < 0 ? errno : 0;
}

/* 0 or an errno. */
static int
put_one(int signo, const uint8_t *info)
{
	union {
		siginfo_t si;
		uint8_t bytes[sizeof(siginfo_t)];
	} u = { .bytes = { 0 } };
	int e = EAGAIN;

	memcpy(u.bytes, info, INFO);
	u.si.si_signo = signo;
	for (int i = 0; i < TRIES && e == EAGAIN; i++) {
		if (i > 0)
			(void)sched_yield();
		e = send_info(signo, &u.si);
		/*
		 * Only the first thread may say that it was kill(2); the
		 * rest of what is told is laid out alike.
		 */
		if (e == EPERM && u.si.si_code != SI_QUEUE) {
			u.si.si_code = SI_QUEUE;
			e = EAGAIN;
		}
	}
	return e;
}

int
hs_sigqueue_put(int signo, const uint8_t *info, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const int e = put_one(signo, info + i * INFO);

		if (e != 0)
			return hs_why(-e,
			    "signal %d cannot be queued (%s): raise the "
			    "service's limit of pending signals (ulimit -i)",
			    signo, strerrordesc_np(e));
	}
	return 0;
}

static int
grow_buf(uint8_t **buf, size_t *size)
{
	const size_t more = *size == 0 ? FIRST_BYTES : *size * 2;
	uint8_t *p = realloc(*buf, more);

	if (p == NULL)
		return -ENOMEM;
	*buf = p;
	*size = more;
	return 0;
}

int
hs_sigqueue_peek(int signo, uint8_t **buf, size_t *len)
{
	const struct timespec at_once = { .tv_sec = 0 };
	size_t at = *len, size = *len;
	siginfo_t si;
	sigset_t set;
	int rc = 0, put;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	/* Room first: what is taken out is put back. */
	for (;;) {
		if (at + INFO > size)
			rc = grow_buf(buf, &size);
		/* The C library's says SI_USER for SI_TKILL. */
		if (rc < 0 ||
		    syscall(SYS_rt_sigtimedwait, &set, &si, &at_once,
			SET_BYTES) != signo)
			break;
		memcpy(*buf + at, &si, INFO);
		at += INFO;
	}
	put = hs_sigqueue_put(signo, *buf + *len, (at - *len) / INFO);
	if (put < 0)
		return put;
	if (rc < 0)
		return hs_why(rc, "no memory to look at signal %d's queue",
		    signo);
	*len = at;
	return 0;
}
