/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hotspare: hot-spare high availability by application-driven checkpointing.
 *
 * A program keeps its state in checkpoint memory (hsmalloc), names the
 * pointers from which it finds that state again (hsroot) and says when the
 * state is worth keeping (hscpt).  What changed since the last checkpoint goes
 * to the spare; when the primary dies, the spare returns from hsinit() with
 * HS_RESTORED and the same memory at the same addresses.
 *
 *	struct game *g;
 *
 *	if (hsinit(NULL) == HS_RESTORED)
 *		g = hsfind("game");
 *	else
 *		hsroot("game", g = hscalloc(1, sizeof(*g)));
 *	for (;;) {
 *		play(g);
 *		hscpt(HS_HELD, NULL);
 *	}
 *
 * Return codes: 0 or positive is success, negative is an error: HS_E* below or
 * -errno.  hsstrerror() explains both.  Calls that return a pointer return NULL
 * and set errno.
 *
 * Threads: every call here may be made from any thread once hsinit() has
 * returned, and several may run at once; hsinit() and hsfini() must run
 * alone.  A checkpoint is of the memory as it is while hscpt() copies it: a
 * thread that is neither stopped for it (hsthreadreg) nor kept out of it
 * (hsenter, locks) may have a write in this checkpoint or in the next, word by
 * word; it is never lost.
 *
 * Signals: only hsstrerror(), hsversion() and the calls of hsclock() are
 * async-signal-safe.
 *
 * fork: a child does not inherit the checkpointing; it must not call the
 * library, and what it writes stays its own.
 */
#ifndef HOTSPARE_HS_H
#define HOTSPARE_HS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HS_VERSION_MAJOR 0
#define HS_VERSION_MINOR 1
#define HS_VERSION_PATCH 0

/* Errors of the library; -errno is used where the kernel's word is exact. */
enum hs_error {
	HS_ESTATE = -5000,	/* called before hsinit() or after hsfini() */
	HS_EADDR = -5001,	/* the arena's address range is taken */
	HS_ETRACK = -5002,	/* no way to track dirty pages works here */
	HS_EARENA = -5003,	/* checkpoint memory is exhausted */
	HS_ECORRUPT = -5004,	/* checkpoint memory's records are damaged */
	HS_EMISUSE = -5005,	/* foreign or double free, or a bad argument */
	HS_ENOSPARE = -5006,	/* sealed and kept, but no spare holds it */
	HS_EAGAIN = -5007,	/* too much is in flight; nothing was taken */
	HS_ETIMEDOUT = -5008,	/* the level was not reached in time; go on */
	HS_EAGENT = -5009,	/* hs-agent is gone or speaks another version */
	HS_ETRANSPORT = -5010,	/* the cluster's messaging failed */
	HS_EFENCED = -5011,	/* another primary took over: stop now */
	HS_EINCOMPATIBLE = -5012, /* the image was made by another program */
	HS_EWIRE = -5013,	/* a message is damaged (agent and tools) */
	HS_EVERSION = -5014,	/* a message of another protocol version */
	HS_ESTALE = -5015,	/* a message of an older term or epoch */
	HS_EGAP = -5016,	/* an epoch that does not follow the last one */
	HS_EQUORUM = -5017,	/* no quorum: nothing is promoted or held */
	HS_ESTOP = -5018,	/* a thread came to no safepoint in time */
	HS_ELOCK = -5019,	/* a lock is held where none may be */
	HS_EFD = -5020,		/* a descriptor cannot be carried over */
	HS_ECODE = -5021,	/* code that a spare may not have */
};

/* What hsinit() returns on success. */
#define HS_FRESH 0	/* checkpoint memory is empty: build the state */
#define HS_RESTORED 1	/* checkpoint memory is as of the last checkpoint */

/*
 * What a checkpoint promises, in order.
 *
 * HS_SEALED	copied: later writes do not change this checkpoint.
 * HS_SENT	handed to the cluster's messaging in whole.
 * HS_HELD	verified and in memory at a spare: survives the loss of this
 *		process and of this node.
 */
enum hs_level {
	HS_SEALED = 1,
	HS_SENT = 2,
	HS_HELD = 3,
};

/* Or-ed to the level in hscpt(). */
#define HS_NOWAIT 0x100		/* return once sealed; see hswait() */
#define HS_TRY 0x200		/* HS_EAGAIN instead of waiting for memory */
#define HS_NEEDSPARE 0x400	/* wait for a spare; never HS_ENOSPARE */

/* What to find the program's settings in; all zero means the defaults. */
struct hs_options {
	/*
	 * Size of this struct as the program was compiled: set by HS_OPTIONS.
	 * Members added later read as zero for older programs.
	 */
	size_t size;
	/*
	 * Checkpoint memory in bytes, address space only until used; rounded
	 * up to 2 MiB.  Default 1 GiB.  The same on every node.
	 */
	size_t arena_bytes;
	/*
	 * Fixed address of checkpoint memory, multiple of 2 MiB; the same on
	 * every node.  Default 0x200000000000.
	 */
	uintptr_t arena_base;
	/*
	 * Bound in bytes for checkpoints in flight.  Default 64 MiB; a single
	 * checkpoint larger than it is still taken, alone.
	 */
	size_t inflight_bytes;
	/*
	 * How to find dirty pages: NULL or "auto", "kmod" (memory of
	 * /dev/hscpt, see docs/KERNEL.md), "wpa" (userfaultfd
	 * write-protection), "full" (every page, each time).
	 */
	const char *tracker;
};
#define HS_OPTIONS { .size = sizeof(struct hs_options) }

/*
 * Prepare checkpoint memory and, below hs-agent, wait for this process's turn:
 * on the primary it returns HS_FRESH at once; on a spare it returns once
 * the spare is promoted, with HS_RESTORED, or HS_FRESH if the old primary never
 * took a checkpoint.  Without hs-agent it returns HS_FRESH and the program runs
 * unprotected.  opt may be NULL.  Call it before the program opens
 * sockets or starts threads that it would not want on an idle spare.
 *
 * Errors: HS_EADDR, HS_ETRACK, HS_EAGENT, HS_EINCOMPATIBLE, HS_ECORRUPT,
 * HS_EMISUSE, HS_ESTATE, -ENOMEM, and where what was registered cannot be
 * brought back, HS_EFD, HS_ECODE or -errno.  One line that says what to do next
 * is kept for hsmessage() and told to the agent.
 */
int hsinit(const struct hs_options *opt);

/*
 * Flush what is in flight (for up to timeout_ms), end the checkpointing
 * and unmap checkpoint memory.  For orderly ends; a program need not call it.
 * HS_ELOCK: the thread holds a lock, which would be gone with the memory, or is
 * in a region; nothing is done.
 */
int hsfini(int timeout_ms);

/*
 * Checkpoint memory.  As malloc(3) and its kin; alignment is 16 bytes.  NULL
 * with errno ENOMEM when the arena is full, EINVAL for a bad alignment.
 * Freeing what is not an allocation, or twice, is detected: hsfree() then
 * returns HS_EMISUSE and changes nothing; hsrealloc() returns NULL with errno
 * EINVAL.  hsfree(NULL) is 0.
 */
void *hsmalloc(size_t len);
void *hscalloc(size_t n, size_t len);
void *hsrealloc(void *ptr, size_t len);
void *hsmemalign(size_t align, size_t len);
int hsfree(void *ptr);

/* Usable bytes of an allocation; 0 if ptr is none. */
size_t hsusable(const void *ptr);

/*
 * Name a pointer into checkpoint memory, so that the restored program finds it.
 * A name is 1 to 31 bytes; up to 64 names.  ptr NULL removes the name.
 * HS_EMISUSE: bad name, or ptr is not in checkpoint memory; HS_EARENA: no room.
 */
int hsroot(const char *name, void *ptr);

/* The pointer named so, or NULL with errno ENOENT. */
void *hsfind(const char *name);

/*
 * Take a checkpoint.  how is one level, or-ed with flags.  Waits until the
 * level is reached, unless HS_NOWAIT.  *epoch (if epoch is not NULL) receives
 * the checkpoint's number, for hswait(), also where the return is HS_ENOSPARE.
 *
 * 0: the level is reached (with HS_NOWAIT: sealed).  HS_ENOSPARE: sealed, and
 * it will be held once there is a spare again, but now there is none and the
 * administrator allows the service to go on without.  While it is unknown
 * whether a vanished spare may take over, the call waits.  HS_EAGAIN: only with
 * HS_TRY.  HS_EFENCED: another node is primary; whatever this process says now
 * may contradict it.  HS_ESTOP, HS_ELOCK: a thread did not come to a safepoint
 * in time, or the lock rule is broken (see Threads, below); nothing was taken,
 * and hsmessage() has a line.
 *
 * With HS_NOWAIT, should the cluster's messaging break, or with tracker "kmod"
 * memory run out meanwhile, what was on its way is given up, and the next
 * checkpoint says all of it: so take one again when an
 * earlier one is overdue.
 *
 * Without an agent: returns 0 for HS_SEALED and HS_SENT and HS_ENOSPARE for
 * HS_HELD, at the cost of a function call.
 */
int hscpt(unsigned how, uint64_t *epoch);

/*
 * Wait until checkpoint epoch has reached level, for up to timeout_ms
 * (-1: for ever, 0: only ask).  Returns as hscpt() does, or HS_ETIMEDOUT.  Who
 * only asks waits for nothing, and may hold locks or be in a region.
 */
int hswait(uint64_t epoch, enum hs_level level, int timeout_ms);

/*
 * A descriptor for poll(2), readable when a level was reached or the
 * protection changed since it was last read (read 8 bytes to re-arm it).
 * Owned by the library.  Negative: HS_ESTATE.
 */
int hseventfd(void);

/*
 * Say that the program is alive.  Once a program has called this, the agent
 * takes it for hung when no call came for the resource's ping_timeout.
 */
int hsping(void);

/* How the service stands; numbers since hsinit(). */
struct hs_status {
	size_t size;		/* in: sizeof(struct hs_status) */
	int protection;		/* enum hs_protection */
	int spares;		/* spares that hold the last held checkpoint */
	uint64_t term;
	uint64_t epoch_sealed;	/* newest of each level */
	uint64_t epoch_sent;
	uint64_t epoch_held;
	uint64_t pages_dirty;	/* collected, sum */
	uint64_t bytes_sent;	/* encoded, sum */
	uint64_t pause_ns_last;	/* collect + copy */
	uint64_t pause_ns_max;
	char tracker[16];
	char transport[16];
	uint64_t stop_ns_last;	/* until all threads were at safepoints */
	uint64_t stop_ns_max;
	int64_t rolled_back;	/* pages that hsinit() copied, memory of a
				   process that died here being there still;
				   -1: it was not */
};

enum hs_protection {
	HS_ALONE = 0,		/* no agent: nothing is protected */
	HS_PROTECTED = 1,	/* a spare holds what is reported held */
	HS_UNPROTECTED = 2,	/* no spare, known and allowed */
	HS_BLOCKED = 3,		/* no spare or no quorum; held waits */
	HS_FENCED = 4,		/* another node is primary */
};

int hsstatus(struct hs_status *st);

/* ---- Memory that exists already ---- */

/*
 * Keep memory that is not checkpoint memory: static data, what another
 * allocator gave.  Each checkpoint compares it with a copy in checkpoint memory
 * (some 20 us a MiB, and len bytes of room there) and takes what changed, with
 * the promise of "Threads" above.
 *
 * HS_FRESH: it is part of the checkpoints from now on.  HS_RESTORED: so it is,
 * and its content is as of the last checkpoint.  name (1 to 31 bytes) is how a
 * restored program finds it, at whatever address: pointers in it are good
 * if what they point to has the same address, as checkpoint memory has.
 *
 * An area that is registered before hsinit() is filled when hsinit() returns
 * HS_RESTORED.  One that the restored program does not register is kept, and
 * goes on to the next spare, until hsmemunreg().
 *
 * Errors: HS_EMISUSE (bad name, no or read-only or checkpoint memory, an area
 * that overlaps another, a 257th one), HS_EINCOMPATIBLE (the area has another
 * length in the checkpoint; hsinit() says so of one that was registered
 * before it), HS_EARENA, HS_ELOCK (the thread holds a lock or is in a region),
 * -ENOMEM; hsmessage() says what to do.
 */
int hsmemreg(const char *name, void *ptr, size_t len);

/*
 * Keep it no longer; to be called before the memory is freed.  -ENOENT: there
 * is no such area, neither of this process nor in the checkpoint.
 */
int hsmemunreg(const char *name);

struct hs_mem_area {
	size_t size;		/* in: sizeof(struct hs_mem_area) */
	char name[32];
	void *ptr;		/* NULL: in the checkpoint, not registered */
	size_t len;
	size_t dirty_bytes;	/* that differ from the last checkpoint now */
};
#define HS_MEM_AREA { .size = sizeof(struct hs_mem_area) }

/*
 * What is registered: the i-th area, from 0, in the order of registration.
 * -ENOENT: there are not so many.  It compares as a checkpoint does.
 */
int hsmemquery(size_t i, struct hs_mem_area *out);

/* ---- Code pointers ---- */

/*
 * A pointer to a function, as it may be kept in checkpoint memory: a spare's
 * kernel puts program and libraries at other addresses (unless hs-agent has
 * --no-aslr), but the module has the same build-id there.  All zeros: NULL.
 */
struct hs_code {
	uint8_t build_id[32];	/* cut, or padded with zeros */
	uint64_t off;		/* address as in the module's file */
};

/*
 * Refer to the code at fn, which may be NULL.  HS_ECODE: it is in no module, or
 * in one that was linked without a build-id; HS_EMISUSE: out is NULL.
 * hsmessage() says what to do.  May be called before hsinit().
 */
int hscoderef(const void *fn, struct hs_code *out);

/*
 * What was referred to, in this process: NULL for a reference to NULL, else
 * NULL with errno ENOENT if no module that is loaded now has the code, EINVAL
 * if code is NULL; hsmessage() says what to do.
 */
void *hscodeptr(const struct hs_code *code);

/* ---- time ---- */

/*
 * The service's own clock: nanoseconds since it first started, on whichever
 * machine; 0 before hsinit().  It never goes backwards: after HS_RESTORED it is
 * not below what the program was told before the checkpoint, and goes on, so
 * that deadlines in checkpoint memory stay good.  (CLOCK_MONOTONIC of another
 * machine counts from when that one was started.)
 *
 * How much time passed from the checkpoint to the takeover is what
 * CLOCK_REALTIME here says, less what it said there.  Where the machines'
 * clocks do not agree, this is wrong by their difference, and bounded: less
 * than nothing counts as nothing, more than an hour counts as an hour.  The
 * clock may be 15 ms ahead after a takeover that is quicker than that.  A
 * service that is idle for hours calls hscpt() now and then, at least where
 * an hour matters.
 *
 * Costs some nanoseconds more than clock_gettime(2).  Async-signal-safe, as
 * hsclockms() and hsclockts() are.
 */
uint64_t hsclock(void);

/*
 * How much time the takeover took for passed since the last checkpoint, in
 * nanoseconds; 0 on a fresh start.  For programs with leases and sessions to
 * prolong.
 */
uint64_t hsclockgap(void);

/*
 * Milliseconds until hsclock() is deadline, for poll(2): rounded up, 0 if that
 * has passed; -1 (for ever) for UINT64_MAX.
 */
int hsclockms(uint64_t deadline);

/*
 * What CLOCK_MONOTONIC is in this process when hsclock() is deadline, for
 * clock_nanosleep(2) with TIMER_ABSTIME and its like.
 */
struct timespec;
void hsclockts(uint64_t deadline, struct timespec *ts);

/* ---- descriptors ---- */

/*
 * A registered descriptor comes back on the spare: the same number, the same
 * kind of open file, in the state that it had at the checkpoint.  What is
 * kept of each kind, and what is not, stands in hsfdreg(3).  Several numbers
 * that share one open file (dup) share it again if all are registered.
 *
 * Numbers are kept, so a spare must not have open, when hsinit() is called,
 * what the service registered: hsinit() fails with HS_EFD where a number is
 * taken.  Register after hsinit(), close after hsfdunreg().
 */
#define HS_FD_CONTENT 0x1	/* of a file: its content travels, too */
#define HS_FD_SAME 0x2		/* of a file: the spare's must be equal */
#define HS_FD_EMPTY 0x4		/* of a UDP socket: unread datagrams stay */

/*
 * Register fd; how is 0 or what goes with its kind.  It is asked for its state
 * at each checkpoint from the next one on.  0; HS_EFD: this descriptor cannot
 * be carried over, and hsmessage() says why and what to do instead; HS_EMISUSE:
 * it is registered already, or a bad how; HS_ESTATE; HS_EARENA; -ENOMEM.
 *
 * From then on hscpt() fails with HS_EFD, and takes nothing, where a registered
 * number was closed or became another file, where the other end of a registered
 * pipe or socket pair is open and not registered, or where an epoll watches
 * what is not registered.  hsmessage() says which and why.
 */
int hsfdreg(int fd, unsigned how);

/* The opposite; it must come before close(2).  HS_EMISUSE: not registered. */
int hsfdunreg(int fd);

/*
 * As inotify_add_watch(2), on a registered inotify; the path, which the kernel
 * does not tell, is kept with the watch.  A path that is not on the spare is as
 * one that was deleted: IN_IGNORED is read for it.  Events that were not read
 * are lost with the machine: after HS_RESTORED, look at what is watched once,
 * as after IN_Q_OVERFLOW.  The watch, 1 or more; HS_EMISUSE: fd is no
 * registered inotify, or path is NULL; HS_ESTATE; -errno.  hsmessage() says
 * why.
 */
int hsfdwatch(int fd, const char *path, uint32_t mask);

/*
 * A kind of descriptor of the program's own, asked before the built-in ones.
 * The callbacks run inside library calls: query in the pause of hscpt(), where
 * it must not wait; none may call the library.
 */
struct hs_fd_kind {
	size_t size;		/* set by HS_FD_KIND */
	/* 1 to 31 printable bytes, in images: never change its meaning. */
	const char *name;
	/* Is fd of this kind?  1 yes, 0 no, -errno: yes, and refused. */
	int (*probe)(int fd, void *arg);
	/*
	 * Write the state of fd into buf.  Bytes written, or, where they
	 * are more than size, bytes needed: then it is asked again.  -errno
	 * fails the checkpoint.
	 */
	long (*query)(int fd, void *buf, size_t size, void *arg);
	/* A descriptor of any number in the state of these bytes, or -errno. */
	int (*restore)(const void *buf, size_t len, void *arg);
	void *arg;		/* given to all three */
};
#define HS_FD_KIND { .size = sizeof(struct hs_fd_kind) }

/*
 * Add a kind, before hsinit() and on each node; *k is copied, the name is not.
 * HS_EMISUSE: a bad argument, or after hsinit(); -ENOSPC: there are 16.
 */
int hsfdkind(const struct hs_fd_kind *k);

/* ---- signals and timers ---- */

/*
 * Carry over a signal: its disposition (sigaction(2): the handler by build-id
 * and offset, flags, mask), whether it is blocked in the thread that called
 * hsinit(), and what is pending; asked for at each checkpoint.  It is
 * registered once; a restored process keeps on carrying it over.
 *
 * On the spare it is blocked until the hooks of HS_AFTER_RESTORE and
 * HS_AT_PROMOTION have run; what was pending then comes as it would have.  A
 * handler runs as soon as hsinit() is about to return: what it needs is set in
 * a hook.
 *
 * Of a realtime signal all that is queued for the process is kept, with its
 * values; of another one that it is pending.  (Who sent it, and that it was for
 * one thread, is not.)  To see what is queued, hscpt() takes it out and puts it
 * back: a signal that comes at that very moment may come before them.  An
 * alternate stack is not kept: call sigaltstack(2) in a hook.
 *
 * Errors, with hsmessage(): HS_EMISUSE, a signal that cannot be handled or is
 * the C library's; HS_ECODE, a handler that a spare may not have; HS_EARENA,
 * HS_ESTATE.  hscpt() returns HS_ECODE where a new handler is such a one, and
 * HS_EMISUSE where SIGSEGV or another signal of a faulting instruction is
 * pending: nothing is taken.
 */
int hssigreg(int signo);
/* The opposite.  HS_EMISUSE: not registered, or a registered timer sends it. */
int hssigunreg(int signo);

/*
 * Carry over an interval timer of setitimer(2): ITIMER_REAL, ITIMER_VIRTUAL or
 * ITIMER_PROF; its signal is registered before.  It goes on by hsclock(): what
 * expired while no node served is one signal, when hsinit() is about to return.
 * ITIMER_VIRTUAL and ITIMER_PROF go on with what was left of them.
 */
int hsitimerreg(int which);
int hsitimerunreg(int which);

/*
 * Carry over a POSIX timer, made by timer_create(clock, ev, slot): slot is a
 * timer_t in checkpoint memory, into which the restore writes the new id.  ev
 * is NULL or SIGEV_NONE, SIGEV_SIGNAL with a registered signal, or SIGEV_THREAD
 * without attributes; its value is kept as it is.  Timers of CLOCK_MONOTONIC
 * and CLOCK_BOOTTIME go on by hsclock(); of CLOCK_REALTIME and CLOCK_TAI the
 * date is kept, of CLOCK_PROCESS_CPUTIME_ID what is left.  One that expired
 * while no node served expires when hsinit() is about to return, once, and
 * timer_getoverrun(2) says how often it would have.
 *
 * Errors of all four, with hsmessage(): HS_EMISUSE, a timer that cannot be
 * carried over or is not registered; HS_ECODE; HS_EARENA; HS_ESTATE.  hscpt()
 * returns HS_EMISUSE, and takes nothing, where slot has another timer, or one
 * that was deleted: call hstimerunreg() first.
 */
struct sigevent;
int hstimerreg(void *slot, int clock, const struct sigevent *ev);
int hstimerunreg(void *slot);

/* ---- the process itself ---- */

/* What of the process hsctxreg() carries over. */
enum hs_ctx {
	HS_CTX_CWD = 1,		/* working directory: entered on the spare */
	HS_CTX_UMASK = 2,	/* set on the spare */
	HS_CTX_LIMITS = 4,	/* getrlimit(2), all: set on the spare */
	HS_CTX_ARGV = 8,	/* arguments: must be the same on the spare */
	HS_CTX_ENV = 16,	/* environment: must be the same on the spare */
};

/*
 * Carry over these parts of the process, or-ed from enum hs_ctx, and no others;
 * 0 for none.  The first three are asked for at each checkpoint.  What is
 * restored or found different is so before hsinit() returns HS_RESTORED.
 *
 * Arguments and environment are those with which the process was started, as
 * /proc shows them: call this before the program writes over its arguments to
 * change its title.  Of the environment what the cluster, systemd or the shell
 * set for each start is not compared: HOTSPARE_*, OCF_*, HA_*, PCMK_*,
 * LISTEN_*, SSH_*, SYSTEMD_*, WATCHDOG_*, XDG_*, _, HOSTNAME, INVOCATION_ID,
 * JOURNAL_STREAM, MAINPID, MANAGERPID, NOTIFY_SOCKET, OLDPWD, PWD, SHLVL.  Its
 * values are kept as digests only.
 *
 * On the spare hsinit() fails with -errno where the directory cannot be
 * entered or a soft limit is above what may be set there, and with
 * HS_EINCOMPATIBLE where arguments or environment differ; hsmessage() names
 * the first difference.  (A hard limit that may not be raised stays.)
 *
 * Errors, with hsmessage(): HS_EMISUSE, an unknown part; -E2BIG, more than
 * 1 MiB; -errno, a part cannot be told; HS_EARENA, HS_ESTATE.  Then it is as
 * it was before.
 */
int hsctxreg(unsigned what);

/* When hooks are called. */
enum hs_when {
	HS_BEFORE_CHECKPOINT = 0,
	HS_AFTER_RESTORE = 1,
	HS_AT_PROMOTION = 2,
	HS_AT_DEMOTION = 3,
};

/*
 * Have fn(arg) called:
 *
 * HS_BEFORE_CHECKPOINT
 *	in each hscpt() below an agent, in its thread, registered threads
 *	stopped, before the state is asked for and copied: to bring into
 *	checkpoint memory what is kept elsewhere.  It lengthens the pause.  It
 *	may allocate checkpoint memory; hscpt(), hswait() and calls that
 *	register something are refused (HS_EMISUSE).  Called again where the
 *	checkpoint must be begun again.
 * HS_AFTER_RESTORE
 *	in hsinit() that returns HS_RESTORED, when all is back and every call
 *	is allowed but hsinit() and hsfini(); registered signals come only
 *	after the hooks.  Threads that a hook starts inherit that these are
 *	blocked: better start them after hsinit().
 * HS_AT_PROMOTION
 *	in hsinit(), after those, also on a fresh start and without an agent:
 *	this process serves now.
 * HS_AT_DEMOTION
 *	when it does no longer, once: in hsfini(), before anything is flushed,
 *	in that thread; or, when another node became the primary, in a thread
 *	of the library with all signals blocked, while hscpt() returns
 *	HS_EFENCED everywhere.  Then hs-agent kills the process as soon as it
 *	knows: there may be some milliseconds or none.  In an orderly demotion
 *	hs-agent sends SIGTERM, and waits for the program to end for its
 *	--stop-grace: call hsfini() then.
 *
 * Those of one occasion are called one after another by ascending order; of
 * equal order, as they were registered; at a demotion as at a restore.  What
 * depends on another has the higher order.  Hooks are the process's own, in no
 * image: register those for restore and promotion before hsinit(), in each
 * process.  There may be 64.
 *
 * Errors, with hsmessage(): HS_EMISUSE, -ENOSPC.
 */
int hshook(enum hs_when when, int order, void (*fn)(void *), void *arg);

/*
 * No longer; the first that was registered so.  If it is being called by
 * another thread, that call goes on.  -ENOENT: there is none.
 */
int hsunhook(enum hs_when when, void (*fn)(void *), void *arg);

/* Static text for a return code, 0 and positive ones included. */
const char *hsstrerror(int rc);

/*
 * One line about this thread's last failure of a call that promises one
 * (hsinit(), hscpt() and the calls that register something): what is wrong and
 * what to do.  Empty if none.  Valid until the thread's next such call.
 */
const char *hsmessage(void);

/* "0.1.0", of the library that is loaded. */
const char *hsversion(void);

/* ---- threads ---- */

/*
 * A checkpoint of a program with several threads is taken when none of them is
 * in the middle of something.  What that is, they say themselves:
 *
 * - A registered thread (hsthreadreg) is in the middle of something unless it
 *   is at a safepoint: in hssafepoint(), between hsblock() and hsunblock(), in
 *   hscpt() or hswait(), or waiting in hscondwait().  hscpt() waits for it.
 * - Any other thread is where it holds a lock of this library, or is between
 *   hsenter() and hsleave().  hscpt() waits for that to end.
 *
 * While the copy is made, a registered thread stays at its safepoint, and no
 * other one takes a lock or enters a region.  hscpt() may be called by any
 * thread, by several at once, and waits as long as hsthreadtimeout() says.
 *
 * The lock rule: at a safepoint a thread holds no lock of this library and is
 * in no region.  So in each checkpoint all locks are free, and nothing that
 * they guard is half done.  A breach is found: the call returns HS_ELOCK and
 * hsmessage() names lock, thread and place.  An hscpt() that waits for the
 * thread returns HS_ELOCK, too, with the same line: nothing was taken.
 *
 * None of these calls is async-signal-safe.
 */

/*
 * Register the calling thread: from now on checkpoints wait for it to come to a
 * safepoint, and it is part of them.  In a restored program hsthreadstart()
 * makes it anew, with the name, stack size, blocked signals, scheduling and
 * CPUs that it has now; it begins with fn(arg), and finds in checkpoint memory
 * how far it was.  name has 1 to 15 bytes, and no control characters.  arg is
 * NULL or in checkpoint memory; fn is in the program or a shared object that
 * has a build-id.  The thread is unregistered when it ends, or by
 * hsthreadunreg(), which is due before hsfini().  In one that is registered as
 * the same already, as those are that hsthreadstart() made, nothing happens: 0.
 *
 * fn NULL: only wait for the thread (say, the one that runs main()); whoever
 * makes it in a restored program registers it again.
 *
 * With a line in hsmessage(): HS_EMISUSE: a bad name, arg is elsewhere, the
 * thread is registered as another, or hsthreadstart() is due; HS_ECODE: fn
 * cannot be found on a spare; HS_ELOCK: it holds a lock or is in a region;
 * HS_EARENA, -ENOMEM, HS_ESTATE.
 */
int hsthreadreg(const char *name, void (*fn)(void *), void *arg);
/* HS_EMISUSE: it is not registered; HS_ELOCK. */
int hsthreadunreg(void);

/*
 * After HS_RESTORED, once the program is ready for its threads: make those that
 * were registered, detached and registered again, all or none.  Returns how
 * many.  Until then hscpt() returns HS_EMISUSE, for what it took would be a
 * program without them.  Nothing after HS_FRESH, or the second time: 0.
 *
 * -EPERM: a thread's scheduling is not allowed here; -EAGAIN, -ENOMEM: no more
 * threads; hsmessage() says which.  HS_ELOCK; HS_ESTATE.
 */
int hsthreadstart(void);

/*
 * A safepoint: if a checkpoint is being taken, wait until its copy is made.
 * Costs less than a nanosecond if not.  Nothing in threads that are not
 * registered, and in a region.  0 or HS_ELOCK.
 */
int hssafepoint(void);

/*
 * Around what waits (a system call, a lock of another library) in a registered
 * thread: in between it counts as parked, and must not touch checkpoint memory,
 * unless under a lock of this library.  hsunblock() waits for a checkpoint to
 * be copied.  Pairs do not nest.  HS_ELOCK: the thread holds a lock or is in a
 * region, and goes on to be waited for.  HS_EMISUSE of hsunblock(): it is a
 * registered thread that is not in hsblock().
 */
int hsblock(void);
int hsunblock(void);

/*
 * A region of which no checkpoint may be taken, in any thread.  Regions nest.
 * hsenter() waits for a checkpoint to be copied.  -ENOMEM: the thread's first
 * call found no memory to remember it, and it is not in the region.  hsleave()
 * without hsenter(): HS_EMISUSE.
 */
int hsenter(void);
int hsleave(void);

/*
 * How long, in milliseconds, a checkpoint waits for threads to come to their
 * safepoints; -1: for ever.  At first 1000.  Then hscpt() returns HS_ESTOP,
 * hsmessage() names a thread that has not come and says what it does, and the
 * program goes on with nothing taken and no change forgotten.  Returns the
 * value before; below -1: HS_EMISUSE.
 */
int hsthreadtimeout(int ms);

/* ---- locks ---- */

/*
 * Locks for checkpoint memory; all zero is free, needs no other initialisation
 * and is what a lock is in every checkpoint: so after a restore all are free.
 * They may also be used elsewhere.  A lock is held by a thread; at most
 * HS_LOCK_MAX at a time.
 *
 * name, if it is set before the first use, is what messages call it.
 *
 * 0 or, with a line in hsmessage(): HS_EMISUSE: taken again by the thread that
 * has it (which would wait for itself for ever), or given back by one that has
 * not, or more than HS_LOCK_MAX; HS_ELOCK: it will never come free, because
 * the thread that has it has ended; -ENOMEM as in hsenter().  Nothing else
 * fails.
 */
#define HS_LOCK_MAX 32
#define HS_LOCK_NAME_BYTES 12

struct hs_mutex {
	unsigned word;
	char name[HS_LOCK_NAME_BYTES];
};

int hsmutexlock(struct hs_mutex *m);
/* -EBUSY: it is taken. */
int hsmutextrylock(struct hs_mutex *m);
int hsmutexunlock(struct hs_mutex *m);

/*
 * Condition variables, each of one mutex.  hscondwait() gives the mutex back,
 * waits to be signalled and takes it again; it may return for no reason, so
 * look at the condition in a loop.  It is a safepoint: HS_ELOCK if the thread
 * holds another lock or is in a region; HS_EMISUSE if it does not hold m.  Then
 * m stays as it is.  A thread that waits is not in a restored program: its
 * successor looks at the condition anew.
 *
 * hscondtimedwait() waits for up to timeout_ms, then returns HS_ETIMEDOUT.
 */
struct hs_cond {
	unsigned signals;
	unsigned waiters;
	unsigned life;
	char name[HS_LOCK_NAME_BYTES];
};

int hscondwait(struct hs_cond *c, struct hs_mutex *m);
int hscondtimedwait(struct hs_cond *c, struct hs_mutex *m, int timeout_ms);
int hscondsignal(struct hs_cond *c);
int hscondbroadcast(struct hs_cond *c);

/*
 * Read-write locks.  A thread that waits to write lets no more readers in, so a
 * reader must not take the lock once more: HS_EMISUSE.
 */
struct hs_rwlock {
	unsigned word;
	unsigned owner;
	char name[HS_LOCK_NAME_BYTES];
};

int hsrwlockrdlock(struct hs_rwlock *l);
int hsrwlockwrlock(struct hs_rwlock *l);
/* -EBUSY: it is taken. */
int hsrwlocktryrdlock(struct hs_rwlock *l);
int hsrwlocktrywrlock(struct hs_rwlock *l);
int hsrwlockunlock(struct hs_rwlock *l);

/*
 * What follows is what some of the calls above are made of where the compiler
 * can see it.  It is not for programs to use, and does not change: programs are
 * compiled with it.
 */
#pragma GCC visibility push(default)

/* Of each thread; libhs/state/park.h says what it means. */
struct hs_park_self {
	unsigned busy;
	unsigned base;
	unsigned reg;
	unsigned locks;
	unsigned stops;
	unsigned waits;
	struct hs_park_thread *thread;
};

extern __thread struct hs_park_self hs_park_self
    __attribute__((__tls_model__("initial-exec")));
extern unsigned hs_park_stop;

int hs_park_poll(void);
int hs_park_enter(void);
void hs_park_arrive(void);
int hs_park_refuse_block(void);
int hs_park_refuse_unblock(void);
int hs_park_refuse_leave(void);

#pragma GCC visibility pop

#ifndef HS_PARK_INLINE
#define HS_PARK_INLINE extern __inline __attribute__((__gnu_inline__))
#endif

HS_PARK_INLINE int
hssafepoint(void)
{
	const struct hs_park_self *self = &hs_park_self;
	const unsigned stop = __atomic_load_n(&hs_park_stop, __ATOMIC_RELAXED);

	if (__builtin_expect((stop | (self->busy ^ self->base)) != 0, 0))
		return hs_park_poll();
	return 0;
}

HS_PARK_INLINE int
hsblock(void)
{
	struct hs_park_self *self = &hs_park_self;
	unsigned stop;

	if (__builtin_expect(self->busy != self->base, 0))
		return hs_park_refuse_block();
	self->base = 0;
	__atomic_store_n(&self->busy, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	stop = __atomic_load_n(&hs_park_stop, __ATOMIC_RELAXED);
	if (__builtin_expect(stop != 0, 0))
		hs_park_arrive();
	return 0;
}

HS_PARK_INLINE int
hsunblock(void)
{
	struct hs_park_self *self = &hs_park_self;
	unsigned stop;

	if (__builtin_expect(self->busy != 0, 0))
		return hs_park_refuse_unblock();
	self->base = self->reg;
	__atomic_store_n(&self->busy, self->reg, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	stop = __atomic_load_n(&hs_park_stop, __ATOMIC_ACQUIRE);
	if (__builtin_expect(stop != 0, 0))
		return hs_park_poll();
	return 0;
}

HS_PARK_INLINE int
hsenter(void)
{
	struct hs_park_self *self = &hs_park_self;
	const unsigned n = self->busy;
	unsigned stop;

	if (__builtin_expect(self->thread == NULL, 0))
		return hs_park_enter();
	__atomic_store_n(&self->busy, n + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	stop = n == 0 ? __atomic_load_n(&hs_park_stop, __ATOMIC_ACQUIRE) : 0;
	if (__builtin_expect(stop != 0, 0))
		return hs_park_enter();
	return 0;
}

HS_PARK_INLINE int
hsleave(void)
{
	struct hs_park_self *self = &hs_park_self;
	const unsigned n = self->busy;
	unsigned stop;

	if (__builtin_expect(n <= self->base + self->locks, 0))
		return hs_park_refuse_leave();
	__atomic_store_n(&self->busy, n - 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	stop = __atomic_load_n(&hs_park_stop, __ATOMIC_RELAXED);
	if (__builtin_expect(stop != 0, 0))
		hs_park_arrive();
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif
