/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/signal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/why.h"
#include "base/wr.h"
#include "state/code.h"
#include "state/procfile.h"
#include "state/sigqueue.h"

#define VERSION 1
#define HEAD_BYTES 64
#define INFO HS_SIGQUEUE_INFO_BYTES
#define LAST_SIGNAL 64
#define BIT_OF(signo) (UINT64_C(1) << ((signo) - 1))

#define BIT_BLOCKED 1u
#define BIT_PENDING 2u

#define KEPT_FLAGS                                                             \
	((unsigned)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK |    \
	     SA_RESTART | SA_NODEFER) |                                        \
	    (unsigned)SA_RESETHAND)

/* From an instruction of the program: it would be executed again. */
#define FAULTS                                                                 \
	(BIT_OF(SIGSEGV) | BIT_OF(SIGBUS) | BIT_OF(SIGFPE) | BIT_OF(SIGILL) |  \
	    BIT_OF(SIGTRAP) | BIT_OF(SIGSYS))

/* More than /proc/PID/status has. */
#define STATUS_BYTES 3072

enum disposition {
	TO_DEFAULT,
	TO_IGNORE,
	TO_HANDLER,
};

/* A record, but for its queue. */
struct sig {
	uint8_t disposition;
	uint8_t bits;
	uint32_t flags;
	uint64_t mask;
	struct hs_code handler;
	uint32_t n;
	const uint8_t *queue;	/* borrowed */
};

/* What the kernel says of the home thread: bit n - 1 for signal n. */
struct view {
	uint64_t blocked;
	uint64_t pending;
};

/* Set by hsinit(), which runs alone; then guarded by the seal lock. */
static pid_t home;
/* G1: to be unblocked by hs_signal_release(). */
static uint64_t held_back;
/* To refer to code costs a walk over all modules: once for each handler. */
static struct {
	void *fn;
	struct hs_code code;
} known[LAST_SIGNAL + 1];

/* The kernel's part of a set: sigaddset() refuses the C library's signals. */
static uint64_t
bits_of(const sigset_t *set)
{
	uint64_t bits;

	memcpy(&bits, set, sizeof(bits));
	return bits;
}

static sigset_t
set_of(uint64_t bits)
{
	sigset_t set;

	(void)sigemptyset(&set);
	memcpy(&set, &bits, sizeof(bits));
	return set;
}

void
hs_signal_home(void)
{
	home = gettid();
}

void
hs_signal_release(void)
{
	const sigset_t set = set_of(held_back);

	held_back = 0;
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool
hs_signal_is_kept(const struct hs_store *s, int signo)
{
	struct hs_store_rec rec;

	return hs_store_get(s, HS_STORE_SIGNAL, (uint64_t)signo, &rec) == 0;
}

/* ---- asking ---- */

static int
read_line(const char *status, const char *name, uint64_t *bits)
{
	const char *line = strstr(status, name);
	char *end;

	if (line == NULL)
		return -ENODATA;
	line += strlen(name);
	*bits = strtoull(line, &end, 16);
	return end == line ? -ENODATA : 0;
}

/* Of another thread, its own pending signals and the process's. */
static int
ask_proc(struct view *v)
{
	char path[64], status[STATUS_BYTES];
	uint64_t own = 0, all = 0;
	int rc;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/status",
	    (int)home);
	rc = hs_procfile_head(path, status, sizeof(status));
	if (rc < 0)
		return hs_why(rc,
		    "the thread that called hsinit() has ended, or there is no "
		    "/proc: its signal mask is what is kept; let it live");
	rc = read_line(status, "\nSigBlk:", &v->blocked);
	if (rc == 0)
		rc = read_line(status, "\nSigPnd:", &own);
	if (rc == 0)
		rc = read_line(status, "\nShdPnd:", &all);
	if (rc < 0)
		return hs_why(rc, "%s does not tell its signals", path);
	v->pending = own | all;
	return 0;
}

static int
ask_home(struct view *v)
{
	sigset_t set;
	int rc = 0;

	if (gettid() == home) {
		(void)pthread_sigmask(SIG_SETMASK, NULL, &set);
		v->blocked = bits_of(&set);
		(void)sigpending(&set);
		v->pending = bits_of(&set);
	} else {
		rc = ask_proc(v);
	}
	v->blocked &= ~held_back;
	return rc;
}

static int
ask_handler(int signo, const struct sigaction *sa, struct sig *g)
{
	/* The union of both kinds of handler. */
	void *fn = (void *)sa->sa_sigaction;
	int rc;

	g->flags = (uint32_t)sa->sa_flags & KEPT_FLAGS;
	g->mask = bits_of(&sa->sa_mask);
	if (sa->sa_handler == SIG_DFL || sa->sa_handler == SIG_IGN) {
		g->disposition =
		    sa->sa_handler == SIG_DFL ? TO_DEFAULT : TO_IGNORE;
		return 0;
	}
	g->disposition = TO_HANDLER;
	if (known[signo].fn != fn) {
		rc = hs_code_ref(fn, &known[signo].code);
		known[signo].fn = rc < 0 ? NULL : fn;
		if (rc < 0)
			return rc;
	}
	g->handler = known[signo].code;
	return 0;
}

static int
put_sig(struct hs_store *s, int signo, const struct sig *g, uint8_t *buf,
    size_t len)
{
	struct hs_wr w;

	hs_wr_init(&w, buf, HEAD_BYTES);
	hs_wr_u8(&w, VERSION);
	hs_wr_u8(&w, g->disposition);
	hs_wr_u8(&w, g->bits);
	hs_wr_zeros(&w, 1);
	hs_wr_u32(&w, g->flags);
	hs_wr_u64(&w, g->mask);
	hs_code_encode(&w, &g->handler);
	hs_wr_u32(&w, (uint32_t)((len - HEAD_BYTES) / INFO));
	hs_wr_zeros(&w, 4);
	if (hs_wr_end(&w) != HEAD_BYTES)
		return -EMSGSIZE;
	return hs_store_put(s, HS_STORE_SIGNAL, (uint64_t)signo, buf, len);
}

static int
query_queued(struct hs_store *s, int signo, const struct sig *g)
{
	uint8_t *buf = malloc(HEAD_BYTES);
	size_t len = HEAD_BYTES;
	int rc;

	if (buf == NULL)
		return hs_why(-ENOMEM, "no memory to ask for signal %d", signo);
	rc = hs_sigqueue_peek(signo, &buf, &len);
	if (rc == 0)
		rc = put_sig(s, signo, g, buf, len);
	free(buf);
	return rc;
}

static int
query_one(struct hs_store *s, int signo, const struct view *v)
{
	const uint64_t bit = BIT_OF(signo);
	struct sig g = { .disposition = TO_DEFAULT };
	uint8_t buf[HEAD_BYTES];
	struct sigaction sa;
	int rc;

	if (sigaction(signo, NULL, &sa) < 0)
		return -errno;
	rc = ask_handler(signo, &sa, &g);
	if (rc < 0)
		return rc;
	if ((v->pending & bit & FAULTS) != 0)
		return hs_why(HS_EMISUSE,
		    "SIG%s is pending, which belongs to an instruction of the "
		    "program: unblock it, or do not send it by kill()",
		    sigabbrev_np(signo));
	if ((v->blocked & bit) != 0)
		g.bits |= BIT_BLOCKED;
	if ((v->pending & bit) != 0) {
		if (signo >= SIGRTMIN)
			return query_queued(s, signo, &g);
		g.bits |= BIT_PENDING;
	}
	return put_sig(s, signo, &g, buf, sizeof(buf));
}

static int
query_signals(struct hs_store *s)
{
	struct hs_store_rec rec;
	struct view v = { .blocked = 0 };
	int rc;

	rc = hs_store_next(s, HS_STORE_SIGNAL, 0, &rec);
	if (rc <= 0)
		return rc;
	rc = ask_home(&v);
	for (int n = 1; n <= LAST_SIGNAL && rc == 0; n++)
		if (hs_signal_is_kept(s, n))
			rc = query_one(s, n, &v);
	return rc;
}

/* ---- registering ---- */

int
hs_signal_add(struct hs_store *s, int signo)
{
	struct view v = { .blocked = 0 };
	int rc;

	if (signo < 1 || signo > LAST_SIGNAL ||
	    (signo > SIGSYS && signo < SIGRTMIN))
		return hs_why(HS_EMISUSE,
		    "hssigreg: %d is no signal of a program: 1 to %d, and "
		    "SIGRTMIN to SIGRTMAX",
		    signo, SIGSYS);
	if (signo == SIGKILL || signo == SIGSTOP)
		return hs_why(HS_EMISUSE,
		    "hssigreg: SIG%s can be neither handled nor blocked, so "
		    "there is nothing to carry over: leave it out",
		    sigabbrev_np(signo));
	rc = ask_home(&v);
	return rc < 0 ? rc : query_one(s, signo, &v);
}

int
hs_signal_del(struct hs_store *s, int signo)
{
	if (hs_store_del(s, HS_STORE_SIGNAL, (uint64_t)signo) == 0)
		return 0;
	return hs_why(HS_EMISUSE, "hssigunreg: signal %d is not registered",
	    signo);
}

/* ---- restoring ---- */

static int
decode_sig(const struct hs_store_rec *rec, struct sig *g)
{
	const bool realtime = rec->key > SIGSYS;
	struct hs_rd r;

	hs_rd_init(&r, rec->bytes, rec->len);
	hs_rd_require(&r, hs_rd_u8(&r) == VERSION);
	g->disposition = hs_rd_u8(&r);
	g->bits = hs_rd_u8(&r);
	hs_rd_zeros(&r, 1);
	g->flags = hs_rd_u32(&r);
	g->mask = hs_rd_u64(&r);
	hs_code_decode(&r, &g->handler);
	g->n = hs_rd_u32(&r);
	hs_rd_zeros(&r, 4);
	g->queue = g->n > 0 ? hs_rd_array(&r, g->n, INFO) : NULL;
	hs_rd_require(&r,
	    g->disposition <= TO_HANDLER && (g->flags & ~KEPT_FLAGS) == 0 &&
		(g->bits & ~(BIT_BLOCKED | BIT_PENDING)) == 0 &&
		(realtime ? (g->bits & BIT_PENDING) == 0 : g->n == 0));
	hs_rd_require(&r,
	    rec->key >= 1 && rec->key <= LAST_SIGNAL && rec->key != SIGKILL &&
		rec->key != SIGSTOP);
	if (hs_rd_end(&r) == 0)
		return 0;
	return hs_why(HS_ECORRUPT,
	    "the record of signal %llu is not valid: it was written by another "
	    "version of libhotspare, or damaged",
	    (unsigned long long)rec->key);
}

static int
set_handler(int signo, const struct sig *g)
{
	struct sigaction sa = { .sa_flags = (int)g->flags };
	void *fn = NULL;
	int rc;

	sa.sa_mask = set_of(g->mask);
	sa.sa_handler = g->disposition == TO_IGNORE ? SIG_IGN : SIG_DFL;
	if (g->disposition == TO_HANDLER) {
		rc = hs_code_ptr(&g->handler, &fn);
		if (rc < 0)
			return rc;
		/* The union of both kinds of handler. */
		memcpy(&sa.sa_handler, &fn, sizeof(fn));
	}
	if (sigaction(signo, &sa, NULL) == 0)
		return 0;
	return hs_why(-errno, "signal %d cannot be handled here: %s", signo,
	    strerrordesc_np(errno));
}

static int
restore_one(const struct hs_store_rec *rec)
{
	const int signo = (int)rec->key;
	struct sig g = { .disposition = TO_DEFAULT };
	sigset_t set;
	int rc;

	rc = decode_sig(rec, &g);
	if (rc < 0 || signo < 1)
		return rc;
	set = set_of(BIT_OF(signo));
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);		/* G1 */
	if ((g.bits & BIT_BLOCKED) == 0)
		held_back |= BIT_OF(signo);
	rc = set_handler(signo, &g);
	if (rc == 0 && (g.bits & BIT_PENDING) != 0 && kill(getpid(), signo) < 0)
		rc = -errno;
	if (rc == 0)
		rc = hs_sigqueue_put(signo, g.queue, g.n);
	return rc;
}

static int
restore_signals(struct hs_store *s)
{
	struct hs_store_rec rec;
	uint64_t key = 0;
	int rc;

	while ((rc = hs_store_next(s, HS_STORE_SIGNAL, key, &rec)) == 1) {
		rc = restore_one(&rec);
		if (rc < 0)
			break;
		key = rec.key + 1;
	}
	return rc;
}

const struct hs_section_ops hs_signal_section = {
	.abi = HS_SECTION_ABI,
	.name = "signal",
	.query = query_signals,
	.restore = restore_signals,
};
