/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/ckpt.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "ckpt/drive.h"
#include "ckpt/impl.h"
#include "ckpt/link.h"
#include "ckpt/start.h"
#include "ckpt/worker.h"
#include "state/park.h"
#include "state/thread.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
/* hsping() may be called in a loop; the agent needs no more than this. */
#define PING_NS (50 * NS_PER_MS)
#define FOREVER UINT64_MAX

/* hs.h's level and its flags. */
#define LEVEL_MASK 0xffu
#define FLAG_MASK ((unsigned)(HS_NOWAIT | HS_TRY | HS_NEEDSPARE))

/* Neither success nor error. */
#define NOT_YET 1
#define RETAKE 2

#define BIT(s) (1u << (s))

static const unsigned ckpt_next[] = {
	[HS_CKPT_OFF] = BIT(HS_CKPT_JOINING) | BIT(HS_CKPT_CLOSED),
	[HS_CKPT_JOINING] = BIT(HS_CKPT_FLOWING) | BIT(HS_CKPT_BROKEN) |
	    BIT(HS_CKPT_FENCED) | BIT(HS_CKPT_CLOSED),
	[HS_CKPT_FLOWING] =
	    BIT(HS_CKPT_BROKEN) | BIT(HS_CKPT_FENCED) | BIT(HS_CKPT_CLOSED),
	[HS_CKPT_BROKEN] =
	    BIT(HS_CKPT_JOINING) | BIT(HS_CKPT_FENCED) | BIT(HS_CKPT_CLOSED),
	[HS_CKPT_FENCED] = BIT(HS_CKPT_CLOSED),
	[HS_CKPT_CLOSED] = 0,
};

void
hs_ckpt_announce(struct hs_ckpt *c)
{
	const uint64_t one = 1;

	assert(c->role.base_epoch <= c->sent);			/* E1 */
	assert(c->held <= c->sent && c->sent <= c->sealed);	/* E1 */
	pthread_cond_broadcast(&c->changed);
	hs_drive_wake(c);
	/* Full means readable already. */
	if (c->event_used && write(c->event_fd, &one, sizeof(one)) < 0)
		return;
}

void
hs_ckpt_goto(struct hs_ckpt *c, enum hs_ckpt_state next)
{
	/* What comes in while it closes is of no account. */
	if (c->state == next || c->state == HS_CKPT_CLOSED)
		return;
	assert((ckpt_next[c->state] & BIT(next)) != 0);
	c->state = next;
	if (next == HS_CKPT_FENCED) {
		c->protection = HS_FENCED;
		hs_worker_nudge(c); /* it runs the hooks */
	}
	hs_ckpt_announce(c);
}

enum hs_ckpt_state
hs_ckpt_state_now(struct hs_ckpt *c)
{
	enum hs_ckpt_state s;

	pthread_mutex_lock(&c->lock);
	s = c->state;
	pthread_mutex_unlock(&c->lock);
	return s;
}

void
hs_ckpt_advance(struct hs_ckpt *c)
{
	uint64_t held;

	if (c->protection != HS_PROTECTED && c->protection != HS_UNPROTECTED)
		return;						/* E3 */
	held = hs_ack_held(&c->ack);
	if (held <= c->held)
		return;
	c->held = held;
	if (c->timed_epoch != 0 && held >= c->timed_epoch) {
		c->count.held_ns_last = hs_clock_ns() - c->timed_ns;
		c->timed_epoch = 0;
	}
	hs_ckpt_announce(c);
}

struct hs_arena *
hs_ckpt_arena(struct hs_ckpt *c)
{
	return c->arena;
}

/* c->lock is held.  0: epoch has the level; NOT_YET; or why it will not. */
static int
judge_level(const struct hs_ckpt *c, uint64_t epoch, unsigned how)
{
	const unsigned level = how & LEVEL_MASK;

	if (c->state == HS_CKPT_FENCED)
		return HS_EFENCED;
	if (c->state == HS_CKPT_CLOSED)
		return HS_ESTATE;
	if (level == HS_SEALED || (level == HS_SENT && epoch <= c->sent) ||
	    (level == HS_HELD && epoch <= c->held))
		return 0;
	if (c->agent_gone)
		return HS_EAGENT;
	if (level == HS_HELD && c->protection == HS_UNPROTECTED &&
	    (how & HS_NEEDSPARE) == 0)
		return HS_ENOSPARE;
	return NOT_YET;
}

static uint64_t
deadline_after(int timeout_ms)
{
	if (timeout_ms < 0)
		return FOREVER;
	return hs_clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
}

/* c->lock is held.  0 or HS_ETIMEDOUT. */
static int
wait_change(struct hs_ckpt *c, uint64_t deadline_ns)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};
	int e;

	if (deadline_ns == FOREVER)
		e = pthread_cond_wait(&c->changed, &c->lock);
	else
		e = pthread_cond_timedwait(&c->changed, &c->lock, &ts);
	return e == 0 ? 0 : HS_ETIMEDOUT;
}

/*
 * Wait for epoch's level.  RETAKE, if retake: the stream broke or a full epoch
 * is wanted, so that epoch itself may never get there; a later one will.
 */
static int
wait_level(struct hs_ckpt *c, uint64_t epoch, unsigned how,
    uint64_t deadline_ns, bool retake)
{
	bool drives = false;
	int rc, waited = 0;

	/* Who only asks must not take the transport from the worker. */
	if (deadline_ns != FOREVER && hs_clock_ns() >= deadline_ns)
		waited = HS_ETIMEDOUT;
	pthread_mutex_lock(&c->lock);
	for (;;) {
		rc = judge_level(c, epoch, how);
		if (rc == NOT_YET && retake && (c->want_full || c->want_again))
			rc = RETAKE;
		if (rc != NOT_YET)
			break;
		if (waited == HS_ETIMEDOUT) {
			rc = HS_ETIMEDOUT;
			break;
		}
		if (!drives)
			drives = hs_drive_begin(c);
		if (drives)
			waited = hs_drive_turn(c, deadline_ns);
		else
			waited = wait_change(c, deadline_ns);
		if (waited == HS_ETRANSPORT) {
			hs_drive_end(c);
			drives = false;
		}
	}
	if (drives)
		hs_drive_end(c);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static bool
valid_how(unsigned how)
{
	const unsigned level = how & LEVEL_MASK;

	return level >= HS_SEALED && level <= HS_HELD &&
	    (how & ~(LEVEL_MASK | FLAG_MASK)) == 0;
}

/* Without an agent. */
static int
take_alone(unsigned how, uint64_t *epoch)
{
	if (epoch != NULL)
		*epoch = 0;
	if ((how & LEVEL_MASK) == HS_HELD && (how & HS_NOWAIT) == 0)
		return HS_ENOSPARE;
	return 0;
}

/* The first epoch in a row that is to be held: its time to held is told. */
static void
start_timing(struct hs_ckpt *c, uint64_t epoch, uint64_t t0)
{
	pthread_mutex_lock(&c->lock);
	if (c->timed_epoch == 0 && epoch > c->held) {
		c->timed_epoch = epoch;
		c->timed_ns = t0;
	}
	pthread_mutex_unlock(&c->lock);
}

static int
take_epoch(struct hs_ckpt *c, unsigned how, uint64_t *epoch)
{
	const uint64_t t0 = hs_clock_ns();
	uint64_t e = 0;
	int rc;

	do {
		rc = hs_seal_take(c, how, &e);
		if (rc < 0)
			return rc;
		if (epoch != NULL)
			*epoch = e;
		if ((how & LEVEL_MASK) == HS_HELD)
			start_timing(c, e, t0);
		if ((how & HS_NOWAIT) != 0 || (how & LEVEL_MASK) == HS_SEALED) {
			hs_worker_kick(c);
			return 0;
		}
		hs_drive_send(c);
		rc = wait_level(c, e, how, FOREVER, true);
	} while (rc == RETAKE);
	return rc;
}

int
hs_ckpt_take(struct hs_ckpt *c, unsigned how, uint64_t *epoch)
{
	int rc, cancel, began;

	if (!valid_how(how))
		return HS_EMISUSE;
	if (c->link_fd < 0) {
		/* What is wrong is wrong before there is a cluster. */
		rc = hs_park_check("hscpt");
		return rc < 0 ? rc : take_alone(how, epoch);
	}
	if (hs_thread_pending() != 0)
		return hs_why(HS_EMISUSE,
		    "hscpt: %u registered threads of the restored program are "
		    "not running yet: call hsthreadstart() first",
		    hs_thread_pending());
	began = hs_park_begin("hscpt");
	if (began < 0)
		return began;
	/* A thread that ended in here would leave its locks behind. */
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	rc = take_epoch(c, how, epoch);
	(void)pthread_setcancelstate(cancel, NULL);
	hs_park_end(began);
	return rc;
}

int
hs_ckpt_wait(struct hs_ckpt *c, uint64_t epoch, enum hs_level level,
    int timeout_ms)
{
	/* Nothing below waits then: no lock in there spans a stop. */
	const bool asks = timeout_ms == 0 && hs_park_is_inside();
	int rc, cancel, began;
	bool sealed;

	if (!valid_how((unsigned)level) || timeout_ms < -1)
		return HS_EMISUSE;
	rc = asks ? 0 : hs_park_check("hswait");
	if (rc < 0)
		return rc;
	if (c->link_fd < 0)
		return epoch == 0 ? take_alone((unsigned)level, NULL)
				  : HS_EMISUSE;
	pthread_mutex_lock(&c->lock);
	sealed = epoch <= c->sealed;
	pthread_mutex_unlock(&c->lock);
	if (!sealed)
		return HS_EMISUSE;
	began = asks ? 0 : hs_park_begin("hswait");
	if (began < 0)
		return began;
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	rc = wait_level(c, epoch, (unsigned)level, deadline_after(timeout_ms),
	    false);
	(void)pthread_setcancelstate(cancel, NULL);
	hs_park_end(began);
	return rc;
}

int
hs_ckpt_eventfd(struct hs_ckpt *c)
{
	pthread_mutex_lock(&c->lock);
	if (!c->event_used) {
		/* What happened before this call is news to the caller. */
		c->event_used = true;
		hs_ckpt_announce(c);
	}
	pthread_mutex_unlock(&c->lock);
	return c->event_fd;
}

int
hs_ckpt_ping(struct hs_ckpt *c)
{
	uint64_t now, last;
	int rc;

	if (c->link_fd < 0)
		return 0;
	pthread_mutex_lock(&c->lock);
	rc = c->state == HS_CKPT_FENCED ? HS_EFENCED : 0;
	if (rc == 0 && c->agent_gone)
		rc = HS_EAGENT;
	pthread_mutex_unlock(&c->lock);
	if (rc < 0)
		return rc;
	now = hs_clock_ns();
	last = atomic_load(&c->ping_ns);
	if (now - last < PING_NS ||
	    !atomic_compare_exchange_strong(&c->ping_ns, &last, now))
		return 0;
	rc = hs_link_ping(c->link_fd, c->role.term);
	/* The agent is slow: it has unread messages of a live program. */
	return rc == -EAGAIN ? 0 : rc;
}

static const char *
transport_name(const struct hs_ckpt *c)
{
	if (c->link_fd < 0)
		return "none";
	return c->role.transport == HS_TRANSPORT_CPG ? "cpg" : "unix";
}

static void
copy_name(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len >= size)
		len = size - 1;
	memcpy(dst, src, len);
	dst[len] = '\0';
}

void
hs_ckpt_status(struct hs_ckpt *c, struct hs_status *st)
{
	*st = (struct hs_status){ .size = sizeof(*st) };
	copy_name(st->transport, sizeof(st->transport), transport_name(c));
	copy_name(st->tracker, sizeof(st->tracker),
	    c->dirty != NULL ? hs_dirty_name(c->dirty) : "none");
	st->rolled_back = c->dirty != NULL ? hs_dirty_warm(c->dirty) : -1;
	if (c->link_fd < 0)
		return;
	pthread_mutex_lock(&c->lock);
	st->protection = (int)c->protection;
	st->spares = (int)hs_ack_holders(&c->ack, c->held);
	st->term = c->role.term;
	st->epoch_sealed = c->sealed;
	st->epoch_sent = c->sent;
	st->epoch_held = c->held;
	st->pages_dirty = c->count.pages_dirty;
	st->bytes_sent = c->count.bytes_sent;
	st->pause_ns_last = c->count.pause_ns_last;
	st->pause_ns_max = c->count.pause_ns_max;
	st->stop_ns_last = c->count.stop_ns_last;
	st->stop_ns_max = c->count.stop_ns_max;
	pthread_mutex_unlock(&c->lock);
}

/* All that was sealed is sent, and held if there is anybody to hold it. */
static int
flush_stream(struct hs_ckpt *c, int timeout_ms)
{
	const uint64_t deadline_ns = deadline_after(timeout_ms);
	uint64_t epoch;
	int rc;

	pthread_mutex_lock(&c->lock);
	epoch = c->sealed;
	pthread_mutex_unlock(&c->lock);
	if (epoch == c->role.base_epoch)
		return 0;
	hs_worker_kick(c);
	rc = wait_level(c, epoch, HS_SENT, deadline_ns, false);
	if (rc == 0)
		rc = wait_level(c, epoch, HS_HELD, deadline_ns, false);
	return rc;
}

int
hs_ckpt_close(struct hs_ckpt **c, int timeout_ms)
{
	int rc = 0;

	if ((*c)->link_fd >= 0)
		rc = flush_stream(*c, timeout_ms);
	pthread_mutex_lock(&(*c)->lock);
	hs_ckpt_goto(*c, HS_CKPT_CLOSED);
	pthread_mutex_unlock(&(*c)->lock);
	hs_worker_stop(*c);
	hs_start_undo(c);
	return rc;
}
