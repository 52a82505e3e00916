/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"

#include <pthread.h>
#include <stddef.h>

#include "base/why.h"
#include "ckpt/ckpt.h"
#include "state/park.h"

/*
 * Written by hsinit(), hsfini() and in a child of fork() only, where no other
 * thread is in the library: hs.h says so.
 */
static struct hs_ckpt *self;
static bool forked;
static bool watched;

struct hs_ckpt *
hs_self_ckpt(void)
{
	return self;
}

int
hs_self_find(const char *call, struct hs_ckpt **c)
{
	if (forked)
		return hs_why(HS_ESTATE,
		    "%s: called in a child of fork(): the checkpointing is its "
		    "parent's",
		    call);
	if (self == NULL)
		return hs_why(HS_ESTATE, "%s: call hsinit() first", call);
	*c = self;
	return 0;
}

struct hs_arena *
hs_self_arena(void)
{
	return self != NULL ? hs_ckpt_arena(self) : NULL;
}

void
hs_self_set(struct hs_ckpt *c)
{
	self = c;
}

bool
hs_self_forked(void)
{
	return forked;
}

/* Locks may be held by threads that the child does not have: touch nothing. */
static void
disown_self(void)
{
	forked = self != NULL;
	self = NULL;
	hs_park_forget();
}

int
hs_self_watch_fork(void)
{
	if (watched)
		return 0;
	if (pthread_atfork(NULL, NULL, disown_self) != 0)
		return -ENOMEM;
	watched = true;
	return 0;
}
