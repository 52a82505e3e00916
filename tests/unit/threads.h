/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads for tests of safepoints and locks.
 */
#ifndef HS_TESTS_UNIT_THREADS_H
#define HS_TESTS_UNIT_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct worker {
	pthread_t thread;
	const char *name;	/* registered so; NULL: not registered */
	/* Called in a loop until `stop', or once with `once'. */
	void (*turn)(struct worker *w);
	void *arg;
	bool once;
	bool stop;
	bool ready;		/* the loop has begun */
	uint64_t turns;
	int rc;			/* of the turn's choice */
	char message[512];	/* likewise */
};

#define LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* Start it and wait until it is ready. */
void worker_start(struct worker *w);
/* Let the loop end, and join. */
void worker_stop(struct worker *w);
void worker_join(struct worker *w);
/* Keep rc, and hsmessage() of this thread. */
void worker_keep(struct worker *w, int rc);

void sleep_ms(unsigned ms);
/* Wait, for up to 10 s, until *p is at least v. */
bool await_value(const uint64_t *p, uint64_t v);

#endif
