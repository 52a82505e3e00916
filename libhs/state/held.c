/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/held.h"

#include <stddef.h>

#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

static void
write_held(struct hs_park_held *to, const struct hs_park_held *h)
{
	STORE(&to->lock, h->lock);
	STORE(&to->kind, h->kind);
	STORE(&to->name, h->name);
	STORE(&to->place, h->place);
}

/* Its place among them, or -1. */
static int
find_held(const void *lock)
{
	const struct hs_park_self *self = &hs_park_self;

	/* The one that was taken last, mostly. */
	for (int i = (int)self->locks - 1; i >= 0; i--)
		if (self->thread->held[i].lock == lock)
			return i;
	return -1;
}

bool
hs_held_find(const void *lock)
{
	return find_held(lock) >= 0;
}

bool
hs_held_drop_below(const void *lock)
{
	struct hs_park_self *self = &hs_park_self;
	int i = find_held(lock);

	if (i < 0)
		return false;
	for (; (unsigned)i + 1 < self->locks; i++)
		write_held(&self->thread->held[i], &self->thread->held[i + 1]);
	STORE_RELEASE(&self->locks, self->locks - 1);
	return true;
}

const struct hs_park_held *
hs_held_last(const void *but)
{
	const struct hs_park_self *self = &hs_park_self;

	for (unsigned i = self->locks; i > 0; i--)
		if (self->thread->held[i - 1].lock != but)
			return &self->thread->held[i - 1];
	return NULL;
}
