/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ckpt/extra.h"

#include <assert.h>

#include "base/why.h"
#include "ckpt/impl.h"
#include "state/clock.h"
#include "state/context.h"
#include "state/fd.h"
#include "state/fd_epoll.h"
#include "state/hook.h"
#include "state/memreg.h"
#include "state/park.h"
#include "state/section.h"
#include "state/signal.h"
#include "state/store.h"
#include "state/thread.h"
#include "state/timer.h"

/* In the order of their restore; they are queried in the reverse order. */
static const struct hs_section_ops *const sections[] = {
	&hs_memreg_section,	/* what the others may point to */
	&hs_context_section,
	&hs_clock_section,	/* before what keeps times of its clock */
	&hs_fd_section,
	&hs_signal_section,	/* before the timers that send them */
	&hs_timer_section,
	&hs_thread_section,
	NULL,
};

static int
lend_memory(void *arg, size_t len, void **out)
{
	return hs_arena_alloc(arg, 16, len, false, out);
}

static void
take_memory(void *arg, void *p)
{
	int rc = hs_arena_free(arg, p);

	assert(rc == 0);	/* the store frees what it was lent, once */
	(void)rc;
}

static bool
is_memory(void *arg, const void *p, size_t len)
{
	return hs_arena_has(arg, p, len);
}

static struct hs_store_mem
lender(struct hs_ckpt *c)
{
	return (struct hs_store_mem){ .arg = c->arena,
		.alloc = lend_memory,
		.free = take_memory,
		.has = is_memory };
}

static int
create_store(struct hs_ckpt *c)
{
	const struct hs_store_mem mem = lender(c);
	int rc;

	hs_fd_epoll_own(c->event_fd);
	rc = hs_store_create(&c->store, &mem);
	if (rc == 0)
		hs_arena_state_set(c->arena, hs_store_dir(c->store));
	return rc;
}

int
hs_extra_lock(struct hs_ckpt *c, const char *call, struct hs_store **out)
{
	int rc = 0, began;

	/* Who has the seal lock may wait for this thread. */
	began = hs_park_begin(call);
	if (began < 0)
		return began;
	pthread_mutex_lock(&c->seal);
	hs_park_end(began);
	if (c->store == NULL)
		rc = create_store(c);
	if (rc == 0) {
		*out = c->store;
		return 0;
	}
	pthread_mutex_unlock(&c->seal);
	return hs_why(rc,
	    "%s: no memory to note what is registered: raise arena_bytes",
	    call);
}

void
hs_extra_unlock(struct hs_ckpt *c)
{
	pthread_mutex_unlock(&c->seal);
}

int
hs_extra_query(struct hs_ckpt *c)
{
	size_t n = sizeof(sections) / sizeof(sections[0]) - 1;
	int rc = 0;

	hs_hook_run(HS_BEFORE_CHECKPOINT);
	if (c->store == NULL && hs_clock_needed())
		rc = create_store(c);
	if (c->store == NULL)
		return rc;
	while (rc == 0 && n-- > 0)
		rc = sections[n]->query(c->store);
	return rc;
}

int
hs_extra_restore(struct hs_ckpt *c)
{
	const struct hs_store_mem mem = lender(c);
	void *dir = hs_arena_state(c->arena);
	int rc;

	if (dir == NULL)
		return 0;
	hs_fd_epoll_own(c->event_fd);
	rc = hs_store_attach(&c->store, &mem, dir);
	for (size_t i = 0; rc == 0 && sections[i] != NULL; i++)
		rc = sections[i]->restore(c->store);
	return rc;						/* X2 */
}

int
hs_extra_begin(struct hs_ckpt *c)
{
	int rc = 0;

	if (!hs_memreg_waits())
		return 0;
	if (c->store == NULL)
		rc = create_store(c);
	return rc < 0 ? rc : hs_memreg_bind(c->store);
}

void
hs_extra_serve(struct hs_ckpt *c, bool restored)
{
	if (restored)
		hs_hook_run(HS_AFTER_RESTORE);
	hs_hook_run(HS_AT_PROMOTION);
	pthread_mutex_lock(&c->seal);
	hs_timer_arm(c->store);
	pthread_mutex_unlock(&c->seal);
	hs_signal_release();
}

void
hs_extra_end(struct hs_ckpt *c)
{
	if (!atomic_exchange(&c->ended, true))
		hs_hook_run(HS_AT_DEMOTION);
}

void
hs_extra_fini(struct hs_ckpt *c)
{
	for (size_t i = 0; sections[i] != NULL; i++)
		if (sections[i]->forget != NULL)
			sections[i]->forget();
	hs_fd_epoll_own(-1);
	hs_store_destroy(c->store);
	c->store = NULL;
}
