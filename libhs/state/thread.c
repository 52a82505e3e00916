/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/thread.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/why.h"
#include "base/wr.h"
#include "state/code.h"

#define VERSION 1
#define MAX_SIGNAL 64
#define CPU_BITS ((size_t)HS_THREAD_CPU_BYTES * CHAR_BIT)

/* Written by hsinit() and hsthreadstart(), looked at by hscpt(). */
static atomic_uint pending;

unsigned
hs_thread_pending(void)
{
	return atomic_load(&pending);
}

void
hs_thread_all_started(void)
{
	atomic_store(&pending, 0);
}

/* ---- what a thread is ---- */

static int
describe_stack(struct hs_thread_plan *p)
{
	size_t stack = 0, guard = 0;
	pthread_attr_t attr;
	void *low;
	int e;

	e = pthread_getattr_np(pthread_self(), &attr);
	if (e != 0)
		return -e;
	e = pthread_attr_getstack(&attr, &low, &stack);
	if (e == 0)
		e = pthread_attr_getguardsize(&attr, &guard);
	(void)pthread_attr_destroy(&attr);
	p->stack_bytes = stack;
	p->guard_bytes = guard;
	return -e;
}

static void
describe_signals(struct hs_thread_plan *p)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &set);
	p->blocked = 0;
	for (int s = 1; s <= MAX_SIGNAL; s++)
		if (sigismember(&set, s) == 1)
			p->blocked |= UINT64_C(1) << (s - 1);
}

/* A thread that may run anywhere may do so on a larger machine, too. */
static void
describe_cpus(struct hs_thread_plan *p)
{
	const long online = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	_Static_assert(sizeof(set.__bits) == HS_THREAD_CPU_BYTES, "cpu_set_t");
	memset(p->cpus, 0, sizeof(p->cpus));
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) < 0 ||
	    CPU_COUNT(&set) >= online)
		return;
	for (size_t i = 0; i < CPU_BITS; i++)
		if (CPU_ISSET(i, &set))
			p->cpus[i / CHAR_BIT] |= (uint8_t)(1u << i % CHAR_BIT);
}

int
hs_thread_describe(struct hs_thread_plan *p)
{
	struct sched_param param;
	int policy, rc;

	rc = describe_stack(p);
	if (rc < 0)
		return rc;
	policy = sched_getscheduler(0);
	if (policy < 0 || sched_getparam(0, &param) < 0)
		return -errno;
	errno = 0;
	p->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	if (p->nice == -1 && errno != 0)
		return -errno;
	p->policy = (uint32_t)policy;
	p->priority = (uint32_t)param.sched_priority;
	describe_signals(p);
	describe_cpus(p);
	return 0;
}

/* ---- records ---- */

void
hs_thread_encode(const struct hs_thread_plan *p, uint8_t buf[HS_THREAD_BYTES])
{
	struct hs_wr w;

	hs_wr_init(&w, buf, HS_THREAD_BYTES);
	hs_wr_u8(&w, VERSION);
	hs_wr_zeros(&w, 3);
	hs_wr_u32(&w, p->policy);
	hs_wr_u32(&w, p->priority);
	hs_wr_u32(&w, (uint32_t)p->nice);
	hs_wr_u64(&w, p->stack_bytes);
	hs_wr_u64(&w, p->guard_bytes);
	hs_wr_u64(&w, p->arg);
	hs_wr_u64(&w, p->blocked);
	hs_wr_bytes(&w, p->cpus, sizeof(p->cpus));
	hs_wr_text(&w, p->name, sizeof(p->name));
	hs_code_encode(&w, &p->worker);
}

int
hs_thread_decode(const struct hs_store_rec *rec, struct hs_thread_plan *p)
{
	struct hs_thread_plan got;
	struct hs_rd r;

	hs_rd_init(&r, rec->bytes, rec->len);
	hs_rd_require(&r, hs_rd_u8(&r) == VERSION);
	hs_rd_zeros(&r, 3);
	got.policy = hs_rd_u32(&r);
	got.priority = hs_rd_u32(&r);
	got.nice = (int32_t)hs_rd_u32(&r);
	got.stack_bytes = hs_rd_u64(&r);
	got.guard_bytes = hs_rd_u64(&r);
	got.arg = hs_rd_u64(&r);
	got.blocked = hs_rd_u64(&r);
	hs_rd_copy(&r, got.cpus, sizeof(got.cpus));
	hs_rd_text(&r, got.name, sizeof(got.name));
	hs_code_decode(&r, &got.worker);
	if (hs_rd_end(&r) < 0)
		return hs_why(HS_ECORRUPT,
		    "the record of thread %llu is damaged or of another "
		    "release: run the same release of libhotspare on all nodes",
		    (unsigned long long)rec->key);
	*p = got;
	return 0;
}

static int
query_threads(struct hs_store *s)
{
	(void)s;
	return 0;	/* a thread is told once, when it registers */
}

/* What can fail at hsthreadstart() fails here, if that can be known. */
static int
restore_threads(struct hs_store *s)
{
	struct hs_thread_plan p;
	struct hs_store_rec rec;
	uint64_t key = 0;
	unsigned n = 0;
	void *worker;
	int rc;

	while ((rc = hs_store_next(s, HS_STORE_THREAD, key, &rec)) > 0) {
		rc = hs_thread_decode(&rec, &p);
		if (rc == 0)
			rc = hs_code_ptr(&p.worker, &worker);
		if (rc < 0)
			return rc;
		key = rec.key + 1;
		n++;
	}
	if (rc == 0)
		atomic_store(&pending, n);
	return rc;
}

const struct hs_section_ops hs_thread_section = {
	.abi = HS_SECTION_ABI,
	.name = "threads",
	.query = query_threads,
	.restore = restore_threads,
};

/* ---- a thread like it ---- */

int
hs_thread_attr(const struct hs_thread_plan *p, pthread_attr_t *attr)
{
	const size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
	size_t stack = (size_t)p->stack_bytes;
	int e;

	e = pthread_attr_init(attr);
	if (e != 0)
		return -e;
	if (stack < least)
		stack = least;
	e = pthread_attr_setstacksize(attr, stack);
	if (e == 0)
		e = pthread_attr_setguardsize(attr, (size_t)p->guard_bytes);
	if (e == 0)
		e = pthread_attr_setdetachstate(attr, PTHREAD_CREATE_DETACHED);
	if (e != 0)
		(void)pthread_attr_destroy(attr);
	return -e;
}

static void
set_cpus(const struct hs_thread_plan *p)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (size_t i = 0; i < CPU_BITS; i++)
		if ((p->cpus[i / CHAR_BIT] & 1u << i % CHAR_BIT) != 0)
			CPU_SET(i, &set);
	/* This machine may have none of them: then any is as good. */
	if (CPU_COUNT(&set) != 0 && sched_setaffinity(0, sizeof(set), &set) < 0)
		return;
}

static int
set_scheduling(const struct hs_thread_plan *p)
{
	const struct sched_param param = { .sched_priority = (int)p->priority };
	const int policy = (int)p->policy;

	if (sched_getscheduler(0) != policy || param.sched_priority != 0)
		if (sched_setscheduler(0, policy, &param) < 0)
			return hs_why(-errno,
			    "thread \"%s\" cannot have scheduling policy %d, "
			    "priority %d, here: %s; give the service the "
			    "right to it (CAP_SYS_NICE, ulimit -r) on all "
			    "nodes",
			    p->name, policy, param.sched_priority,
			    strerrordesc_np(errno));
	if (getpriority(PRIO_PROCESS, (id_t)gettid()) != p->nice &&
	    setpriority(PRIO_PROCESS, (id_t)gettid(), p->nice) < 0)
		return hs_why(-errno,
		    "thread \"%s\" cannot be at nice %d here: %s; give the "
		    "service the right to it (CAP_SYS_NICE, ulimit -e) on all "
		    "nodes",
		    p->name, p->nice, strerrordesc_np(errno));
	return 0;
}

int
hs_thread_become(const struct hs_thread_plan *p)
{
	sigset_t set;
	int rc;

	(void)pthread_setname_np(pthread_self(), p->name);
	set_cpus(p);
	rc = set_scheduling(p);
	if (rc < 0)
		return rc;
	(void)sigemptyset(&set);
	for (int s = 1; s <= MAX_SIGNAL; s++)
		if ((p->blocked & UINT64_C(1) << (s - 1)) != 0)
			(void)sigaddset(&set, s);
	(void)pthread_sigmask(SIG_SETMASK, &set, NULL);
	return 0;
}
