/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/threads.h"

#include <stdio.h>
#include <time.h>

#include <CUnit/CUnit.h>

#include "base/why.h"
#include "state/park.h"

void
sleep_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) < 0)
		continue;
}

bool
await_value(const uint64_t *p, uint64_t v)
{
	for (int i = 0; i < 10000; i++) {
		if (LOAD(p) >= v)
			return true;
		sleep_ms(1);
	}
	return false;
}

static void *
run(void *arg)
{
	struct worker *w = arg;

	if (w->name != NULL)
		CU_ASSERT_EQUAL(hs_park_register(w->name, NULL, NULL), 0);
	STORE(&w->ready, true);
	do {
		w->turn(w);
		STORE(&w->turns, w->turns + 1);
	} while (!w->once && !LOAD(&w->stop));
	return NULL;
}

void
worker_start(struct worker *w)
{
	CU_ASSERT_EQUAL_FATAL(pthread_create(&w->thread, NULL, run, w), 0);
	while (!LOAD(&w->ready))
		sleep_ms(1);
}

void
worker_join(struct worker *w)
{
	CU_ASSERT_EQUAL(pthread_join(w->thread, NULL), 0);
}

void
worker_stop(struct worker *w)
{
	STORE(&w->stop, true);
	worker_join(w);
}

void
worker_keep(struct worker *w, int rc)
{
	w->rc = rc;
	(void)snprintf(w->message, sizeof(w->message), "%s", hs_why_line());
}
