/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/crew.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/futex.h"
#include "base/why.h"
#include "ckpt/extra.h"
#include "ckpt/impl.h"
#include "state/code.h"
#include "state/park.h"
#include "state/store.h"
#include "state/thread.h"

/* ---- registering ---- */

static int
check_name(const char *name)
{
	size_t len = name != NULL ? strnlen(name, HS_THREAD_NAME_BYTES) : 0;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			len = 0;
	if (len == 0 || len == HS_THREAD_NAME_BYTES)
		return hs_why(HS_EMISUSE,
		    "hsthreadreg: a thread's name has 1 to %d bytes, and no "
		    "control characters",
		    HS_THREAD_NAME_BYTES - 1);
	return 0;
}

static int
make_plan(struct hs_ckpt *c, const char *name, hs_crew_fn *fn, void *arg,
    struct hs_thread_plan *p)
{
	int rc;

	if (arg != NULL && !hs_arena_has(c->arena, arg, 1))
		return hs_why(HS_EMISUSE,
		    "hsthreadreg: arg of \"%s\" (%p) is not in checkpoint "
		    "memory, and so means nothing on a spare: allocate it with "
		    "hsmalloc()",
		    name, arg);
	*p = (struct hs_thread_plan){ .arg = (uintptr_t)arg };
	strncpy(p->name, name, sizeof(p->name) - 1);
	rc = hs_code_ref((void *)fn, &p->worker);
	if (rc < 0)
		return rc;
	rc = hs_thread_describe(p);
	return rc == 0 ? 0
		       : hs_why(rc,
			     "hsthreadreg: cannot tell what \"%s\" is "
			     "made of: %s",
			     name, hs_err_text(rc));
}

/* The first number that no record has had since the restore. */
static int
next_key(const struct hs_store *s, uint64_t *key)
{
	struct hs_store_rec rec;
	int rc;

	*key = 1;
	while ((rc = hs_store_next(s, HS_STORE_THREAD, *key, &rec)) > 0)
		*key = rec.key + 1;
	return rc;
}

/* Record and registration: no checkpoint sees one without the other (W1). */
static int
enlist(struct hs_ckpt *c, const struct hs_thread_plan *p, hs_crew_fn *end)
{
	uint8_t buf[HS_THREAD_BYTES];
	struct hs_store *s;
	uint64_t key;
	int rc;

	hs_thread_encode(p, buf);
	rc = hs_extra_lock(c, "hsthreadreg", &s);
	if (rc < 0)
		return rc;
	rc = next_key(s, &key);
	if (rc == 0)
		rc = hs_store_put(s, HS_STORE_THREAD, key, buf, sizeof(buf));
	if (rc == 0) {
		rc = hs_park_register(p->name, end, (void *)(uintptr_t)key);
		if (rc < 0)
			(void)hs_store_del(s, HS_STORE_THREAD, key);
	}
	hs_extra_unlock(c);
	return rc;
}

static uint64_t
own_key(void)
{
	return (uintptr_t)hs_park_self.thread->end_arg;
}

/* A worker that registers itself does so again when it came back. */
static int
reenlist(struct hs_ckpt *c, const struct hs_thread_plan *p)
{
	struct hs_thread_plan is;
	struct hs_store_rec rec;
	struct hs_store *s = NULL;
	bool same;
	int rc;

	rc = hs_extra_lock(c, "hsthreadreg", &s);
	if (rc < 0)
		return rc;
	same = hs_store_get(s, HS_STORE_THREAD, own_key(), &rec) == 0 &&
	    hs_thread_decode(&rec, &is) == 0 && strcmp(is.name, p->name) == 0 &&
	    is.arg == p->arg &&
	    memcmp(&is.worker, &p->worker, sizeof(is.worker)) == 0;
	hs_extra_unlock(c);
	if (same)
		return 0;
	return hs_why(HS_EMISUSE,
	    "hsthreadreg: this thread is registered already, as another one: "
	    "call hsthreadunreg() first");
}

int
hs_crew_reg(struct hs_ckpt *c, const char *name, hs_crew_fn *fn, void *arg,
    hs_crew_fn *end)
{
	struct hs_thread_plan p = { .arg = 0 };
	int rc;

	rc = check_name(name);
	if (rc < 0)
		return rc;
	if (fn == NULL)
		return hs_park_register(name, end, NULL);
	if (hs_thread_pending() != 0)
		return hs_why(HS_EMISUSE,
		    "hsthreadreg: the registered threads of the restored "
		    "program come back by hsthreadstart(): call it first, and "
		    "start none of them yourself");
	rc = hs_park_check("hsthreadreg");
	if (rc == 0)
		rc = make_plan(c, name, fn, arg, &p);
	if (rc < 0)
		return rc;
	return hs_park_self.reg != 0 ? reenlist(c, &p) : enlist(c, &p, end);
}

int
hs_crew_unreg(struct hs_ckpt *c)
{
	const struct hs_park_self *self = &hs_park_self;
	uint64_t key = 0;
	struct hs_store *s = NULL;
	int rc;

	if (self->reg != 0)
		key = own_key();
	if (key == 0)
		return hs_park_unregister();
	rc = hs_park_check("hsthreadunreg");
	if (rc == 0)
		rc = hs_extra_lock(c, "hsthreadunreg", &s);
	if (rc < 0)
		return rc;
	(void)hs_store_del(s, HS_STORE_THREAD, key);
	rc = hs_park_unregister();
	hs_extra_unlock(c);
	return rc;
}

/* ---- starting ---- */

enum verdict {
	WAIT,
	GO,
	GIVE_UP,
};

/* Shared by who starts and who is started; the last one frees it. */
struct launch {
	unsigned users;
	unsigned ready;		/* threads that have come to the gate */
	unsigned verdict;
	int rc;			/* of the first that failed */
	char why[HS_WHY_BYTES];
	pthread_mutex_t lock;	/* rc, why */
};

/* A thread to be. */
struct recruit {
	struct launch *launch;
	struct hs_thread_plan plan;
	hs_crew_fn *fn;
	hs_crew_fn *end;
	uint64_t key;
};

static void
put_launch(struct launch *l)
{
	if (__atomic_fetch_sub(&l->users, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

static void
keep_failure(struct launch *l, int rc)
{
	pthread_mutex_lock(&l->lock);
	if (l->rc == 0) {
		l->rc = rc;
		memcpy(l->why, hs_why_line(), sizeof(l->why));
	}
	pthread_mutex_unlock(&l->lock);
}

/* At the gate: all are there and become what they were, or none runs. */
static bool
pass_gate(struct recruit *r)
{
	struct launch *l = r->launch;
	unsigned v;
	int rc;

	rc = hs_thread_become(&r->plan);
	if (rc == 0)
		rc = hs_park_register(r->plan.name, r->end,
		    (void *)(uintptr_t)r->key);
	if (rc < 0)
		keep_failure(l, rc);
	(void)__atomic_fetch_add(&l->ready, 1, __ATOMIC_SEQ_CST);
	hs_futex_wake(&l->ready, 1);
	while ((v = __atomic_load_n(&l->verdict, __ATOMIC_ACQUIRE)) == WAIT)
		(void)hs_futex_wait(&l->verdict, WAIT, HS_FUTEX_FOREVER);
	put_launch(l);
	if (v == GO)
		return true;
	/* Its record stays: it was not started. */
	if (rc == 0 && hs_park_unregister() < 0)
		return false;
	return false;
}

static void *
run_recruit(void *arg)
{
	struct recruit r = *(struct recruit *)arg;

	free(arg);
	if (pass_gate(&r))
		r.fn((void *)(uintptr_t)r.plan.arg);
	return NULL;
}

static int
create_recruit(struct recruit *r)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t t;
	int rc;

	rc = hs_thread_attr(&r->plan, &attr);
	if (rc < 0)
		return rc;
	/* It takes no signal before it has its own mask. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	(void)__atomic_fetch_add(&r->launch->users, 1, __ATOMIC_RELAXED);
	rc = -pthread_create(&t, &attr, run_recruit, r);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	if (rc < 0)
		put_launch(r->launch);
	return rc;
}

/* The thread of one record, up to the gate. */
static int
start_one(struct launch *l, const struct hs_store_rec *rec, hs_crew_fn *end)
{
	struct recruit *r;
	void *fn = NULL;
	int rc;

	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	*r = (struct recruit){ .launch = l, .end = end, .key = rec->key };
	rc = hs_thread_decode(rec, &r->plan);
	if (rc == 0)
		rc = hs_code_ptr(&r->plan.worker, &fn);
	r->fn = (hs_crew_fn *)fn;
	if (rc == 0) {
		rc = create_recruit(r);
		if (rc < 0)
			(void)hs_why(rc,
			    "hsthreadstart: thread \"%s\" cannot be made: %s; "
			    "see the limits of threads and memory (ulimit -u, "
			    "pids.max)",
			    r->plan.name, hs_err_text(rc));
	}
	if (rc < 0)
		free(r);
	return rc;
}

/* *n: how many have been made. */
static int
start_each(struct launch *l, struct hs_store *s, hs_crew_fn *end, unsigned *n)
{
	struct hs_store_rec rec;
	uint64_t key = 0;
	int rc;

	while ((rc = hs_store_next(s, HS_STORE_THREAD, key, &rec)) > 0) {
		rc = start_one(l, &rec, end);
		if (rc < 0)
			return rc;
		key = rec.key + 1;
		++*n;
	}
	return rc;
}

static int
decide(struct launch *l, unsigned n, int rc)
{
	unsigned ready;

	while ((ready = __atomic_load_n(&l->ready, __ATOMIC_ACQUIRE)) < n)
		(void)hs_futex_wait(&l->ready, ready, HS_FUTEX_FOREVER);
	pthread_mutex_lock(&l->lock);
	if (rc == 0 && l->rc < 0)
		rc = hs_why(l->rc, "hsthreadstart: %s", l->why);
	pthread_mutex_unlock(&l->lock);
	if (rc == 0)
		hs_thread_all_started();
	__atomic_store_n(&l->verdict, rc == 0 ? GO : GIVE_UP, __ATOMIC_RELEASE);
	hs_futex_wake(&l->verdict, INT_MAX);
	return rc;
}

int
hs_crew_start(struct hs_ckpt *c, hs_crew_fn *end)
{
	struct hs_store *s;
	struct launch *l;
	unsigned n = 0;
	int rc;

	rc = hs_park_check("hsthreadstart");
	if (rc < 0 || hs_thread_pending() == 0)
		return rc;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return hs_why(-ENOMEM, "hsthreadstart: no memory");
	l->users = 1;
	(void)pthread_mutex_init(&l->lock, NULL);
	rc = hs_extra_lock(c, "hsthreadstart", &s);
	if (rc == 0) {
		rc = start_each(l, s, end, &n);
		hs_extra_unlock(c);
		rc = decide(l, n, rc);
	}
	put_launch(l);
	return rc < 0 ? rc : (int)n;
}
