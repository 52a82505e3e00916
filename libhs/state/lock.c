/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/lock.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/why.h"
#include "state/held.h"
#include "state/park.h"
#include "state/park_list.h"

#define NS_PER_MS UINT64_C(1000000)
/* Between two looks whether the thread that has a lock lives. */
#define LOOK_NS (500 * NS_PER_MS)

/* A mutex's word: the holder's thread id, and somebody sleeps on it. */
#define WAITERS (1u << 31)
/* A read-write lock's: WAITERS, one who writes, or how many read. */
#define WRITER (1u << 30)

/* Neither success nor error: HS_PARK_MAX_HELD are held. */
#define TOO_MANY 1

#define LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

/* What a call works on, for its slow way. */
struct lock {
	unsigned *word;
	const char *kind;
	const char *name;
	const char *call;
};

/* ---- of all locks ---- */

static bool
swap(unsigned *word, unsigned from, unsigned to)
{
	return __atomic_compare_exchange_n(word, &from, to, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static int
refuse(int rc, const struct lock *l, const char *text)
{
	return hs_why(rc, "%s: %s %.*s%s(%p) %s", l->call, l->kind,
	    HS_LOCK_NAME_BYTES, l->name, l->name[0] != '\0' ? " " : "",
	    (const void *)l->word, text);
}

/* Before a lock is taken: from here on the thread is busy. */
static int
begin_taking(void)
{
	int rc;

	if (hs_park_self.locks < HS_PARK_MAX_HELD)
		return hs_park_raise();
	rc = hs_park_raise();
	return rc < 0 ? rc : TOO_MANY;
}

/* rc is 0, or why it was not taken. */
static int
end_taking(int rc, const struct lock *l, const void *place)
{
	if (rc == TOO_MANY)
		rc = refuse(HS_EMISUSE, l,
		    "is one too many: this thread holds HS_LOCK_MAX already");
	if (rc < 0)
		hs_park_lower();
	else
		hs_held_add(l->word, l->kind, l->name, place);
	return rc;
}

/*
 * Sleep while the word is value.  Where the thread has nothing else in its
 * hands, a checkpoint need not wait for it (L3).
 */
static int
sleep_on(const unsigned *word, unsigned value)
{
	const bool empty = hs_park_is_empty();
	int rc;

	if (empty)
		hs_park_lower();
	rc = hs_futex_wait(word, value, hs_clock_ns() + LOOK_NS);
	if (empty && !hs_park_try_raise()) {
		int again;

		/*
		 * The wake-up may be this thread's, which is held up now, while
		 * one that the checkpoint waits for sleeps on.
		 */
		hs_futex_wake(word, 1);
		again = hs_park_raise();
		assert(again == 0);	/* it has its record */
		(void)again;
	}
	return rc;
}

static int
refuse_dead(const struct lock *l)
{
	char who[HS_PARK_TELL_BYTES] = "a thread", text[HS_WHY_BYTES];

	(void)hs_park_list_left(l->word, who);
	(void)snprintf(text, sizeof(text),
	    "is held by %s, which has ended, and stays so: end the program, so "
	    "that the spare goes on",
	    who);
	return refuse(HS_ELOCK, l, text);
}

static int
refuse_own(const struct lock *l)
{
	return refuse(HS_EMISUSE, l,
	    "is held by this thread already: unlock it first");
}

/* ---- mutexes ---- */

static unsigned
own_tid(void)
{
	return (unsigned)hs_park_self.thread->tid;
}

static int
wait_mutex(const struct lock *l)
{
	unsigned mine = own_tid();

	for (;;) {
		unsigned v = LOAD(l->word);

		if (v == 0) {
			if (swap(l->word, 0, mine))
				return 0;
			continue;
		}
		if ((v & ~WAITERS) == own_tid())
			return refuse_own(l);
		if ((v & WAITERS) == 0 && !swap(l->word, v, v | WAITERS))
			continue;
		v |= WAITERS;
		if (sleep_on(l->word, v) == -ETIMEDOUT && LOAD(l->word) == v &&
		    !hs_park_list_lives((pid_t)(v & ~WAITERS)))
			return refuse_dead(l);
		/* Others may sleep still: who gives it back wakes one. */
		mine |= WAITERS;
	}
}

static const char mutex_kind[] = "mutex";

/* All but a free mutex. */
static __attribute__((noinline)) int
take_mutex(int rc, struct hs_mutex *m, const char *call, bool wait,
    const void *place)
{
	const struct lock l = { .word = &m->word,
		.kind = mutex_kind,
		.name = m->name,
		.call = call };

	/* Of -ENOMEM nothing is to be undone. */
	if (rc < 0)
		return rc;
	if (rc == 0)
		rc = wait ? wait_mutex(&l) : -EBUSY;
	return end_taking(rc, &l, place);
}

int
hs_lock_mutex(struct hs_mutex *m, const void *place)
{
	const int rc = begin_taking();

	if (rc != 0 || !swap(&m->word, 0, own_tid()))
		return take_mutex(rc, m, "hsmutexlock", true, place);
	hs_held_add(&m->word, mutex_kind, m->name, place);
	return 0;
}

int
hs_lock_mutex_try(struct hs_mutex *m, const void *place)
{
	const int rc = begin_taking();

	if (rc != 0 || !swap(&m->word, 0, own_tid()))
		return take_mutex(rc, m, "hsmutextrylock", false, place);
	hs_held_add(&m->word, mutex_kind, m->name, place);
	return 0;
}

static int
refuse_unlock(unsigned *word, const char *kind, const char *name,
    const char *call)
{
	const struct lock l = { .word = word,
		.kind = kind,
		.name = name,
		.call = call };

	return refuse(HS_EMISUSE, &l,
	    LOAD(word) == 0 ? "is not locked"
			    : "is not held by this thread: only the thread "
			      "that locked it may unlock it");
}

int
hs_lock_mutex_unlock(struct hs_mutex *m)
{
	if (!hs_held_drop(&m->word))
		return refuse_unlock(&m->word, "mutex", m->name,
		    "hsmutexunlock");
	if ((__atomic_exchange_n(&m->word, 0, __ATOMIC_RELEASE) & WAITERS) != 0)
		hs_futex_wake(&m->word, 1);
	hs_park_lower();
	return 0;
}

/* ---- read-write locks ---- */

static bool
try_read(unsigned *word)
{
	unsigned v = LOAD(word);

	while ((v & (WAITERS | WRITER)) == 0)
		if (__atomic_compare_exchange_n(word, &v, v + 1, true,
			__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

static bool
try_write(unsigned *word)
{
	return swap(word, 0, WRITER);
}

/* Has who writes ended, or one of those who read? */
static bool
has_dead_owner(struct hs_rwlock *rw, unsigned v)
{
	const unsigned owner = LOAD(&rw->owner);
	char who[HS_PARK_TELL_BYTES];

	if ((v & WRITER) == 0)
		return hs_park_list_left(&rw->word, who);
	return owner != 0 && LOAD(&rw->word) == v &&
	    !hs_park_list_lives((pid_t)owner);
}

/* One of the calls that take a read-write lock. */
struct rw_call {
	const char *name;
	const char *kind;
	bool (*take)(unsigned *word);
	bool wait;
};

static const struct rw_call read_call = { .name = "hsrwlockrdlock",
	.kind = "read lock",
	.take = try_read,
	.wait = true };
static const struct rw_call read_try_call = { .name = "hsrwlocktryrdlock",
	.kind = "read lock",
	.take = try_read };
static const struct rw_call write_call = { .name = "hsrwlockwrlock",
	.kind = "write lock",
	.take = try_write,
	.wait = true };
static const struct rw_call write_try_call = { .name = "hsrwlocktrywrlock",
	.kind = "write lock",
	.take = try_write };

static int
wait_rw(struct hs_rwlock *rw, const struct lock *l, const struct rw_call *call)
{
	while (!call->take(l->word)) {
		unsigned v = LOAD(l->word);

		if (v == 0)
			continue;
		if ((v & WAITERS) == 0 && !swap(l->word, v, v | WAITERS))
			continue;
		v |= WAITERS;
		if (sleep_on(l->word, v) == -ETIMEDOUT && has_dead_owner(rw, v))
			return refuse_dead(l);
	}
	return 0;
}

/* All but a lock that can be had at once. */
static __attribute__((noinline)) int
take_rw_slowly(int rc, struct hs_rwlock *rw, const struct rw_call *call,
    const void *place)
{
	const struct lock l = { .word = &rw->word,
		.kind = call->kind,
		.name = rw->name,
		.call = call->name };

	if (rc < 0)
		return rc;
	/* Read twice would be deadlock as soon as somebody wants to write. */
	if (rc == 0 && hs_held_has(l.word))
		rc = refuse_own(&l);
	else if (rc == 0)
		rc = call->wait ? wait_rw(rw, &l, call) : -EBUSY;
	if (rc == 0 && call->take == try_write)
		STORE(&rw->owner, own_tid());
	return end_taking(rc, &l, place);
}

/* call is constant where this is called: nothing of it is left. */
static inline __attribute__((always_inline)) int
take_rw(struct hs_rwlock *rw, const struct rw_call *call, const void *place)
{
	const int rc = begin_taking();

	if (rc != 0 || hs_held_has(&rw->word) || !call->take(&rw->word))
		return take_rw_slowly(rc, rw, call, place);
	if (call->take == try_write)
		STORE(&rw->owner, own_tid());
	hs_held_add(&rw->word, call->kind, rw->name, place);
	return 0;
}

int
hs_lock_read(struct hs_rwlock *l, const void *place)
{
	return take_rw(l, &read_call, place);
}

int
hs_lock_read_try(struct hs_rwlock *l, const void *place)
{
	return take_rw(l, &read_try_call, place);
}

int
hs_lock_write(struct hs_rwlock *l, const void *place)
{
	return take_rw(l, &write_call, place);
}

int
hs_lock_write_try(struct hs_rwlock *l, const void *place)
{
	return take_rw(l, &write_try_call, place);
}

/* The word without its writer or one reader; zero when it was the last (L1). */
static unsigned
without_one(unsigned v)
{
	if ((v & WRITER) != 0 || (v & ~WAITERS) == 1)
		return 0;
	return v - 1;
}

int
hs_lock_rw_unlock(struct hs_rwlock *l)
{
	unsigned v = LOAD(&l->word);

	if (!hs_held_drop(&l->word))
		return refuse_unlock(&l->word, "read-write lock", l->name,
		    "hsrwlockunlock");
	if ((v & WRITER) != 0)
		STORE(&l->owner, 0);
	while (!__atomic_compare_exchange_n(&l->word, &v, without_one(v), true,
	    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		continue;
	if ((v & WAITERS) != 0 && without_one(v) == 0)
		hs_futex_wake(&l->word, INT_MAX);
	hs_park_lower();
	return 0;
}

/* ---- condition variables ---- */

/* m is held: note one who waits, and what it waits to change. */
static unsigned
join_waiters(struct hs_cond *c)
{
	/* Whoever waited when the image was made is no more. */
	if (LOAD(&c->life) != hs_park_list_life()) {
		STORE(&c->waiters, 0);
		STORE(&c->life, hs_park_list_life());
	}
	STORE(&c->waiters, LOAD(&c->waiters) + 1);
	return LOAD(&c->signals);
}

int
hs_lock_wait(struct hs_cond *c, struct hs_mutex *m, int timeout_ms,
    const void *place)
{
	const struct hs_park_self *self = &hs_park_self;
	uint64_t until = HS_FUTEX_FOREVER;
	unsigned signals;
	int rc, woken, began;

	if (!hs_held_has(&m->word))
		return refuse_unlock(&m->word, "mutex", m->name, "hscondwait");
	if (self->locks != 1 || self->busy != self->base + 1)
		return hs_park_breach("hscondwait", &m->word);
	if (self->stops != 0)
		return hs_why(HS_EMISUSE,
		    "hscondwait: called from a hook of a checkpoint, while all "
		    "who might signal are stopped");
	if (timeout_ms >= 0)
		until = hs_clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	signals = join_waiters(c);
	rc = hs_lock_mutex_unlock(m);
	assert(rc == 0);
	began = hs_park_begin("hscondwait");
	assert(began >= 0);
	woken = hs_futex_wait(&c->signals, signals, until);
	hs_park_end(began);
	rc = hs_lock_mutex(m, place);
	if (rc < 0)
		return rc;
	STORE(&c->waiters, LOAD(&c->waiters) - 1);
	return woken == -ETIMEDOUT ? HS_ETIMEDOUT : 0;
}

static int
wake_waiters(struct hs_cond *c, unsigned n)
{
	(void)__atomic_fetch_add(&c->signals, 1, __ATOMIC_SEQ_CST);
	if (LOAD(&c->waiters) != 0)
		hs_futex_wake(&c->signals, n);
	return 0;
}

int
hs_lock_signal(struct hs_cond *c)
{
	return wake_waiters(c, 1);
}

int
hs_lock_broadcast(struct hs_cond *c)
{
	return wake_waiters(c, INT_MAX);
}
