/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/hook.h"

#include <pthread.h>
#include <string.h>

#include "base/why.h"

struct hook {
	enum hs_when when;
	int order;
	void (*fn)(void *);
	void *arg;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hook table[HS_HOOK_MOST];	/* by order (H1); guarded by lock */
static size_t nhook;			/* guarded by lock */

/* Occasions whose hooks this thread is in: a bit each. */
static _Thread_local unsigned inside;

static const char *const names[] = {
	[HS_BEFORE_CHECKPOINT] = "HS_BEFORE_CHECKPOINT",
	[HS_AFTER_RESTORE] = "HS_AFTER_RESTORE",
	[HS_AT_PROMOTION] = "HS_AT_PROMOTION",
	[HS_AT_DEMOTION] = "HS_AT_DEMOTION",
};

static int
insert_hook(const struct hook *h)
{
	size_t i = nhook;

	if (nhook == HS_HOOK_MOST)
		return -ENOSPC;
	while (i > 0 && table[i - 1].order > h->order)
		i--;
	memmove(&table[i + 1], &table[i], (nhook - i) * sizeof(*table));
	table[i] = *h;
	nhook++;
	return 0;
}

int
hs_hook_add(enum hs_when when, int order, void (*fn)(void *), void *arg)
{
	const struct hook h = { .when = when,
		.order = order,
		.fn = fn,
		.arg = arg };
	int rc;

	pthread_mutex_lock(&lock);
	rc = insert_hook(&h);
	pthread_mutex_unlock(&lock);
	if (rc < 0)
		return hs_why(rc,
		    "hshook: there are %d hooks already: let one function do "
		    "the work of several",
		    HS_HOOK_MOST);
	return 0;
}

int
hs_hook_del(enum hs_when when, void (*fn)(void *), void *arg)
{
	int rc = -ENOENT;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < nhook && rc < 0; i++) {
		const struct hook *h = &table[i];

		if (h->when != when || h->fn != fn || h->arg != arg)
			continue;
		nhook--;
		memmove(&table[i], &table[i + 1], (nhook - i) * sizeof(*table));
		rc = 0;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

void
hs_hook_run(enum hs_when when)
{
	const unsigned outside = inside;
	struct hook due[HS_HOOK_MOST];
	size_t n = 0;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < nhook; i++)
		if (table[i].when == when)
			due[n++] = table[i];
	pthread_mutex_unlock(&lock);				/* H2 */
	inside |= 1u << when;
	for (size_t i = 0; i < n; i++)
		due[i].fn(due[i].arg);
	inside = outside;
}

int
hs_hook_refuse(const char *call)
{
	if (inside == 0)
		return 0;
	return hs_why(HS_EMISUSE,
	    "%s: called in a hook of %s, where it would wait for itself: call "
	    "it when the hook has returned",
	    call, names[__builtin_ctz(inside)]);
}
