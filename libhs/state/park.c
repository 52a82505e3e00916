/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/park.h"

#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/futex.h"
#include "state/held.h"
#include "state/park_impl.h"
#include "state/park_list.h"
#include "state/park_tell.h"

__thread struct hs_park_self hs_park_self;
unsigned hs_park_stop;
struct hs_park_shared hs_park = { .once = PTHREAD_ONCE_INIT };

/* ---- fences ---- */

static long
membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

void
hs_park_use_fences(bool on)
{
	const unsigned off = hs_park.has_membarrier ? HS_PARK_FENCED : 0;

	if (on)
		(void)__atomic_fetch_or(&hs_park_stop, HS_PARK_FENCED,
		    __ATOMIC_SEQ_CST);
	else
		(void)__atomic_fetch_and(&hs_park_stop, ~off, __ATOMIC_SEQ_CST);
}

void
hs_park_fence_all(void)
{
	fence();
	if ((LOAD(&hs_park_stop) & HS_PARK_FENCED) == 0 &&
	    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) < 0)
		abort();		/* it was registered: cannot be */
}

/* ---- the process ---- */

static void
set_up(void)
{
	hs_park.has_membarrier =
	    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
	hs_park_use_fences(!hs_park.has_membarrier);
}

static int
create_record(void)
{
	(void)pthread_once(&hs_park.once, set_up);
	return hs_park_list_join();
}

void
hs_park_forget(void)
{
	hs_park_list_forget();
	hs_park.sleepers = 0;
	hs_park_self = (struct hs_park_self){ .busy = 0 };
	/* Whether the kernel knows this process is not known. */
	hs_park.has_membarrier = false;
	hs_park_stop = HS_PARK_FENCED;
}

/* ---- threads ---- */

void
hs_park_count_in(unsigned ticket)
{
	uint64_t now = LOAD(&hs_park.pending);

	do {
		if (ticket_of(now) != ticket)
			return;
	} while (!__atomic_compare_exchange_n(&hs_park.pending, &now, now - 1,
	    true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (count_of(now - 1) == 0)
		hs_futex_wake(count_word(), 1);
}

void
hs_park_arrive(void)
{
	struct hs_park_thread *t = hs_park_self.thread;
	unsigned ticket;

	if (t == NULL || hs_park_self.busy != 0)
		return;
	fence();
	ticket = __atomic_exchange_n(&t->awaited, 0, __ATOMIC_ACQ_REL);
	if (ticket != 0)
		hs_park_count_in(ticket);
}

/* busy is n: may it be? */
static bool
may_be_busy(unsigned n)
{
	STORE(&hs_park_self.busy, n);
	fence();
	return (LOAD_ACQUIRE(&hs_park_stop) & HS_PARK_STOP) == 0 ||
	    hs_park_self.stops != 0;
}

/* Raise busy from 0 to n once no checkpoint is being taken. */
static void
raise_busy(unsigned n)
{
	unsigned stop;

	if (may_be_busy(n))
		return;
	/* Until it is busy it is one that may be starved. */
	(void)__atomic_fetch_add(&hs_park.sleepers, 1, __ATOMIC_SEQ_CST);
	STORE_RELEASE(&hs_park_self.waits, 1);
	do {
		STORE_RELEASE(&hs_park_self.busy, 0);
		hs_park_arrive();
		stop = LOAD_ACQUIRE(&hs_park_stop);
		if ((stop & HS_PARK_STOP) != 0)
			(void)hs_futex_wait(&hs_park_stop, stop,
			    HS_FUTEX_FOREVER);
	} while (!may_be_busy(n));
	STORE_RELEASE(&hs_park_self.waits, 0);
	if (__atomic_fetch_sub(&hs_park.sleepers, 1, __ATOMIC_SEQ_CST) == 1)
		hs_futex_wake(&hs_park.sleepers, 1);
}

/* Tell a stop that is under way, if one is, that it waits in vain. */
static int
break_stop(int rc)
{
	if ((LOAD_ACQUIRE(&hs_park_stop) & HS_PARK_STOP) == 0)
		return rc;
	(void)hs_park_list_lock();
	if (hs_park.breach[0] == '\0')
		memcpy(hs_park.breach, hs_why_line(), HS_WHY_BYTES);
	/* Locked still: a stop that begins takes both away, or has both. */
	(void)__atomic_fetch_or(&hs_park.pending, HURRY, __ATOMIC_SEQ_CST);
	hs_park_list_unlock();
	hs_futex_wake(count_word(), 1);
	return rc;
}

int
hs_park_refuse_busy(const char *call, const void *but)
{
	const struct hs_park_held *h = hs_held_last(but);
	char who[HS_PARK_TELL_BYTES], what[HS_PARK_TELL_BYTES];

	hs_park_tell_name(hs_park_self.thread, who);
	if (h == NULL)
		return hs_why(HS_ELOCK,
		    "%s: %s is between hsenter() and hsleave(), where no "
		    "checkpoint may be taken: call hsleave() first",
		    call, who);
	hs_park_tell_lock(h, what);
	return hs_why(HS_ELOCK, "%s: %s holds %s; unlock it first", call, who,
	    what);
}

int
hs_park_breach(const char *call, const void *but)
{
	return break_stop(hs_park_refuse_busy(call, but));
}

int
hs_park_poll(void)
{
	const struct hs_park_self *self = &hs_park_self;

	if (self->locks != 0)
		return hs_park_breach("hssafepoint", NULL);
	if (self->busy == 1 && self->base == 1 && self->stops == 0)
		raise_busy(1);
	return 0;
}

int
hs_park_enter(void)
{
	int rc;

	if (hs_park_self.thread == NULL) {
		rc = create_record();
		if (rc < 0)
			return rc;
	}
	raise_busy(1);
	return 0;
}

bool
hs_park_try_raise(void)
{
	if (may_be_busy(1))
		return true;
	STORE_RELEASE(&hs_park_self.busy, 0);
	hs_park_arrive();
	return false;
}

int
hs_park_refuse_block(void)
{
	return hs_park_breach("hsblock", NULL);
}

int
hs_park_refuse_unblock(void)
{
	return hs_why(HS_EMISUSE,
	    "hsunblock: this thread is not in hsblock(), or took a lock or "
	    "entered a region there and has not left it");
}

int
hs_park_refuse_leave(void)
{
	return hs_why(HS_EMISUSE,
	    "hsleave: this thread is not between hsenter() and hsleave()");
}

/* ---- registration, and calls that may wait for a checkpoint ---- */

static void
become_idle(void)
{
	struct hs_park_self *self = &hs_park_self;

	self->base = 0;
	STORE_RELEASE(&self->busy, 0);
	hs_park_arrive();
}

int
hs_park_check(const char *call)
{
	const struct hs_park_self *self = &hs_park_self;

	if (self->stops != 0)
		return hs_why(HS_EMISUSE,
		    "%s: called from a hook of a checkpoint, which would wait "
		    "for itself",
		    call);
	return self->busy == self->base ? 0 : hs_park_refuse_busy(call, NULL);
}

int
hs_park_begin(const char *call)
{
	int rc = hs_park_check(call);

	if (rc < 0 || hs_park_self.busy == 0)
		return rc;
	become_idle();
	return 1;
}

void
hs_park_end(int began)
{
	struct hs_park_self *self = &hs_park_self;

	if (began <= 0)
		return;
	self->base = 1;
	/* A hook may have kept a lock: it was told, and is counted on. */
	if (self->busy != 0)
		STORE(&self->busy, self->busy + 1);
	else
		raise_busy(1);
}

int
hs_park_register(const char *name, void (*end)(void *), void *arg)
{
	struct hs_park_self *self = &hs_park_self;
	struct hs_park_thread *t;
	int rc;

	rc = hs_park_check("hsthreadreg");
	if (rc < 0)
		return rc;
	if (self->reg != 0)
		return hs_why(HS_EMISUSE,
		    "hsthreadreg: this thread is registered already");
	rc = self->thread != NULL ? 0 : create_record();
	if (rc < 0)
		return rc;
	t = self->thread;
	(void)hs_park_list_lock();
	strncpy(t->name, name, sizeof(t->name) - 1);
	hs_park_list_unlock();
	t->end = end;
	t->end_arg = arg;
	STORE(&self->reg, 1);
	self->base = 1;
	raise_busy(1);
	return 0;
}

int
hs_park_unregister(void)
{
	struct hs_park_self *self = &hs_park_self;
	int rc;

	if (self->reg == 0)
		return hs_why(HS_EMISUSE,
		    "hsthreadunreg: this thread is not registered");
	rc = hs_park_check("hsthreadunreg");
	if (rc < 0)
		return rc;
	self->thread->end = NULL;
	STORE(&self->reg, 0);
	become_idle();
	return 0;
}
