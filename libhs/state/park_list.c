/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/park_list.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"

#define LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

static struct {
	pthread_once_t once;
	pthread_key_t key;
	bool has_key;
	unsigned life;			/* constant once set up */
	pthread_mutex_t lock;		/* all that follows */
	struct hs_park_thread *threads;
	struct hs_park_thread *left;	/* have ended, with locks */
	unsigned is_abandoned;		/* a thread has ended with a lock: */
	char abandoned[HS_WHY_BYTES];	/* which; written before, once */
} list = {
	.once = PTHREAD_ONCE_INIT,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

unsigned
hs_park_list_life(void)
{
	return list.life;
}

struct hs_park_thread *
hs_park_list_lock(void)
{
	pthread_mutex_lock(&list.lock);
	return list.threads;
}

void
hs_park_list_unlock(void)
{
	pthread_mutex_unlock(&list.lock);
}

/* ---- a record begins and ends ---- */

static void end_thread(void *arg);

static void
set_up(void)
{
	/* Pids come again, and so may clocks; both together do not. */
	list.life = (unsigned)hs_clock_ns() * 2654435761u + (unsigned)getpid();
	if (list.life == 0)
		list.life = 1;
	list.has_key = pthread_key_create(&list.key, end_thread) == 0;
}

int
hs_park_list_join(void)
{
	struct hs_park_thread *t;

	(void)pthread_once(&list.once, set_up);
	t = calloc(1, sizeof(*t));
	if (t == NULL || !list.has_key ||
	    pthread_setspecific(list.key, t) != 0) {
		free(t);
		return hs_why(-ENOMEM, "no memory to know this thread by");
	}
	t->self = &hs_park_self;
	t->tid = gettid();
	pthread_mutex_lock(&list.lock);
	t->next = list.threads;
	t->prev = &list.threads;
	if (t->next != NULL)
		t->next->prev = &t->next;
	list.threads = t;
	pthread_mutex_unlock(&list.lock);
	hs_park_self.thread = t;
	return 0;
}

/* t ends in a region or with locks: every stop from now on is told. */
static void
leave_behind(struct hs_park_thread *t)
{
	char line[HS_WHY_BYTES];

	hs_park_tell_end(t, line);
	/* The kernel forgets its name. */
	if (t->name[0] == '\0')
		(void)prctl(PR_GET_NAME, t->name);
	pthread_mutex_lock(&list.lock);
	if (!list.is_abandoned)
		memcpy(list.abandoned, line, sizeof(line));
	STORE_RELEASE(&list.is_abandoned, 1);
	pthread_mutex_unlock(&list.lock);
}

/* The destructor: what the thread leaves behind is told, and it is no more. */
static void
end_thread(void *arg)
{
	struct hs_park_thread *t = arg;
	struct hs_park_self *self = &hs_park_self;

	if (t->end != NULL)
		t->end(t->end_arg);
	if (self->busy > self->base)
		leave_behind(t);
	t->nleft = self->locks;
	STORE(&self->reg, 0);
	self->base = self->locks = 0;
	STORE_RELEASE(&self->busy, 0);
	hs_park_arrive();
	pthread_mutex_lock(&list.lock);
	*t->prev = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	self->thread = NULL;
	if (t->nleft != 0) {
		/* It stays: who waits for one of its locks asks whose it is. */
		t->self = NULL;
		t->next = list.left;
		list.left = t;
		t = NULL;
	}
	pthread_mutex_unlock(&list.lock);
	free(t);
}

void
hs_park_list_forget(void)
{
	(void)pthread_mutex_init(&list.lock, NULL);
	list.threads = NULL;
	list.left = NULL;
	list.is_abandoned = 0;
	if (list.has_key)
		(void)pthread_setspecific(list.key, NULL);
}

/* ---- what is asked of it ---- */

int
hs_park_list_check(void)
{
	int rc;

	if (LOAD_ACQUIRE(&list.is_abandoned) == 0)
		return 0;
	pthread_mutex_lock(&list.lock);
	rc = hs_why(HS_ELOCK, "%s", list.abandoned);
	pthread_mutex_unlock(&list.lock);
	return rc;
}

bool
hs_park_list_lives(pid_t tid)
{
	const struct hs_park_thread *t;

	pthread_mutex_lock(&list.lock);
	for (t = list.threads; t != NULL && t->tid != tid;)
		t = t->next;
	pthread_mutex_unlock(&list.lock);
	return t != NULL;
}

bool
hs_park_list_left(const void *lock, char who[HS_PARK_TELL_BYTES])
{
	bool found = false;

	pthread_mutex_lock(&list.lock);
	for (const struct hs_park_thread *t = list.left; t != NULL && !found;
	     t = t->next) {
		for (unsigned i = 0; i < t->nleft; i++)
			found |= t->held[i].lock == lock;
		if (found)
			hs_park_tell_name(t, who);
	}
	pthread_mutex_unlock(&list.lock);
	return found;
}

unsigned
hs_park_list_registered(void)
{
	unsigned n = 0;

	pthread_mutex_lock(&list.lock);
	for (const struct hs_park_thread *t = list.threads; t != NULL;
	     t = t->next)
		n += LOAD(&t->self->reg);
	pthread_mutex_unlock(&list.lock);
	return n;
}
