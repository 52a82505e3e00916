/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks: where they are taken is what a message tells.
 */
#include "hs.h"
#include "state/lock.h"

#define HERE __builtin_return_address(0)

int
hsmutexlock(struct hs_mutex *m)
{
	return hs_lock_mutex(m, HERE);
}

int
hsmutextrylock(struct hs_mutex *m)
{
	return hs_lock_mutex_try(m, HERE);
}

int
hsmutexunlock(struct hs_mutex *m)
{
	return hs_lock_mutex_unlock(m);
}

int
hscondwait(struct hs_cond *c, struct hs_mutex *m)
{
	return hs_lock_wait(c, m, -1, HERE);
}

int
hscondtimedwait(struct hs_cond *c, struct hs_mutex *m, int timeout_ms)
{
	return hs_lock_wait(c, m, timeout_ms, HERE);
}

int
hscondsignal(struct hs_cond *c)
{
	return hs_lock_signal(c);
}

int
hscondbroadcast(struct hs_cond *c)
{
	return hs_lock_broadcast(c);
}

int
hsrwlockrdlock(struct hs_rwlock *l)
{
	return hs_lock_read(l, HERE);
}

int
hsrwlockwrlock(struct hs_rwlock *l)
{
	return hs_lock_write(l, HERE);
}

int
hsrwlocktryrdlock(struct hs_rwlock *l)
{
	return hs_lock_read_try(l, HERE);
}

int
hsrwlocktrywrlock(struct hs_rwlock *l)
{
	return hs_lock_write_try(l, HERE);
}

int
hsrwlockunlock(struct hs_rwlock *l)
{
	return hs_lock_rw_unlock(l);
}
