/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What threads pay for being stopped for a checkpoint.
 *
 *	safepoint/poll		hssafepoint() in a registered thread
 *	safepoint/region	hsenter() and hsleave()
 *	safepoint/block		hsblock() and hsunblock()
 *	safepoint/mutex		lock and unlock, beside pthread_mutex_t's
 *	safepoint/rwlock	the same, to read
 *	safepoint/stop4/pN	until four running threads are stopped, beside
 *				the same done by hand
 */
#include <linux/futex.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/modes.h"

#define ROUNDS 31
#define CALLS 1000000
#define STOPS 100	/* in each of PHASES */
#define PHASES 4
#define NTHREAD 4

/* Keeps a loop that does nothing. */
#define TURN() __asm__ volatile("" : : : "memory")

static struct hs_mutex *ours;
static struct hs_rwlock *ours_rw;
static pthread_mutex_t libcs = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t libcs_rw = PTHREAD_RWLOCK_INITIALIZER;

static void
nothing(void)
{
	for (int i = 0; i < CALLS; i++)
		TURN();
}

static void
poll(void)
{
	for (int i = 0; i < CALLS; i++) {
		if (hssafepoint() < 0)
			bench_die("%s", hsmessage());
		TURN();
	}
}

static void
region(void)
{
	for (int i = 0; i < CALLS; i++) {
		if (hsenter() < 0)
			bench_die("%s", hsmessage());
		TURN();
		(void)hsleave();
	}
}

static void
block(void)
{
	for (int i = 0; i < CALLS; i++) {
		if (hsblock() < 0)
			bench_die("%s", hsmessage());
		TURN();
		(void)hsunblock();
	}
}

static void
lock_ours(void)
{
	for (int i = 0; i < CALLS; i++) {
		if (hsmutexlock(ours) < 0)
			bench_die("%s", hsmessage());
		TURN();
		(void)hsmutexunlock(ours);
	}
}

static void
lock_libcs(void)
{
	for (int i = 0; i < CALLS; i++) {
		(void)pthread_mutex_lock(&libcs);
		TURN();
		(void)pthread_mutex_unlock(&libcs);
	}
}

static void
read_ours(void)
{
	for (int i = 0; i < CALLS; i++) {
		if (hsrwlockrdlock(ours_rw) < 0)
			bench_die("%s", hsmessage());
		TURN();
		(void)hsrwlockunlock(ours_rw);
	}
}

static void
read_libcs(void)
{
	for (int i = 0; i < CALLS; i++) {
		(void)pthread_rwlock_rdlock(&libcs_rw);
		TURN();
		(void)pthread_rwlock_unlock(&libcs_rw);
	}
}

static double
time_loop(void loop(void))
{
	uint64_t t0 = bench_now_ns();

	loop();
	return (double)(bench_now_ns() - t0) / CALLS;
}

/* Nanoseconds of one turn, without the loop's. */
static double
measure(void loop(void))
{
	struct bench_samples with = { 0 }, without = { 0 };
	double ns;

	for (int i = 0; i < ROUNDS; i++) {
		bench_add(&without, time_loop(nothing));
		bench_add(&with, time_loop(loop));
	}
	ns = bench_quantile(&with, 0.5) - bench_quantile(&without, 0.5);
	bench_clear(&with);
	bench_clear(&without);
	return ns > 0 ? ns : 0;
}

/* A second thread: the C library's locks are cheaper in a process with one. */
static void *
sleep_on(void *arg)
{
	for (;;)
		(void)pause();
	return arg;
}

void
mode_safepoint(void)
{
	pthread_t t;

	(void)modes_init(16 * BENCH_MIB);
	ours = hscalloc(1, sizeof(*ours));
	ours_rw = hscalloc(1, sizeof(*ours_rw));
	if (ours == NULL || ours_rw == NULL ||
	    pthread_create(&t, NULL, sleep_on, NULL) != 0)
		bench_die("no memory");
	(void)bench_must(hsthreadreg("main", NULL, NULL), "register");
	bench_row(measure(poll), "ns", BENCH_NONE, "safepoint/poll");
	bench_row(measure(region), "ns", BENCH_NONE, "safepoint/region");
	bench_row(measure(block), "ns", BENCH_NONE, "safepoint/block");
	bench_row(measure(lock_ours), "ns", measure(lock_libcs),
	    "safepoint/mutex");
	bench_row(measure(read_ours), "ns", measure(read_libcs),
	    "safepoint/rwlock");
	exit(EXIT_SUCCESS);
}

/* ---- stops ---- */

/* The same by hand: no list, no fences but the least, nobody is late. */
static struct {
	unsigned stop;		/* the threads look at it */
	unsigned missing;	/* the stopper sleeps on it */
	unsigned parked;	/* have not seen the end of the stop yet */
	unsigned end;
} hand;

static void
futex(unsigned *word, int op, unsigned value)
{
	(void)syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL,
	    NULL, 0);
}

static void *
run_by_hand(void *arg)
{
	while (!__atomic_load_n(&hand.end, __ATOMIC_RELAXED)) {
		if (!__atomic_load_n(&hand.stop, __ATOMIC_ACQUIRE))
			continue;
		(void)__atomic_add_fetch(&hand.parked, 1, __ATOMIC_RELAXED);
		if (__atomic_sub_fetch(&hand.missing, 1, __ATOMIC_ACQ_REL) == 0)
			futex(&hand.missing, FUTEX_WAKE, 1);
		while (__atomic_load_n(&hand.stop, __ATOMIC_ACQUIRE))
			futex(&hand.stop, FUTEX_WAIT, 1);
		(void)__atomic_sub_fetch(&hand.parked, 1, __ATOMIC_RELEASE);
	}
	return arg;
}

static double
stop_by_hand(void)
{
	uint64_t t0, ns;
	unsigned n;

	while (__atomic_load_n(&hand.parked, __ATOMIC_ACQUIRE) != 0)
		(void)usleep(1000);
	t0 = bench_now_ns();
	__atomic_store_n(&hand.missing, NTHREAD, __ATOMIC_RELAXED);
	__atomic_store_n(&hand.stop, 1, __ATOMIC_SEQ_CST);
	while ((n = __atomic_load_n(&hand.missing, __ATOMIC_ACQUIRE)) != 0)
		futex(&hand.missing, FUTEX_WAIT, n);
	ns = bench_now_ns() - t0;
	__atomic_store_n(&hand.stop, 0, __ATOMIC_RELEASE);
	futex(&hand.stop, FUTEX_WAKE, INT_MAX);
	return (double)ns / 1000;
}

static unsigned end_ours;
static unsigned ran[NTHREAD];	/* since it was last set to 0 */

static void *
run_ours(void *arg)
{
	unsigned *has_run = arg;

	(void)bench_must(hsthreadreg("runs", NULL, NULL), "register");
	while (!__atomic_load_n(&end_ours, __ATOMIC_RELAXED)) {
		(void)bench_must(hssafepoint(), "safepoint");
		__atomic_store_n(has_run, 1, __ATOMIC_RELAXED);
	}
	return arg;
}

static double
stop_ours(void)
{
	struct hs_status st;

	for (int i = 0; i < NTHREAD; i++) {
		__atomic_store_n(&ran[i], 0, __ATOMIC_RELAXED);
		while (!__atomic_load_n(&ran[i], __ATOMIC_RELAXED))
			(void)usleep(1000);
	}
	(void)bench_must(hscpt(HS_SEALED, NULL), "checkpoint");
	modes_status(&st);
	return (double)st.stop_ns_last / 1000;
}

/* Until all have begun, and the first round of all is over. */
#define WARM 5

static void
measure_stops(double stop(void), void *run(void *), unsigned *end,
    uint64_t *random, struct bench_samples *out)
{
	pthread_t t[NTHREAD];

	__atomic_store_n(end, 0, __ATOMIC_RELAXED);
	for (int i = 0; i < NTHREAD; i++)
		if (pthread_create(&t[i], NULL, run, &ran[i]) != 0)
			bench_die("no thread");
	for (int i = 0; i < WARM + STOPS; i++) {
		double us;

		/* All have run again, and are at it. */
		(void)usleep((useconds_t)(2000 + bench_random(random) % 4000));
		us = stop();
		if (i >= WARM)
			bench_add(out, us);
	}
	__atomic_store_n(end, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < NTHREAD; i++)
		(void)pthread_join(t[i], NULL);
}

void
mode_stops(uint64_t seed)
{
	struct bench_samples us = { 0 }, floor = { 0 };
	uint64_t random = seed;

	(void)modes_init(16 * BENCH_MIB);
	(void)modes_state("state", BENCH_MIB, &random);
	/* In turn, so that what disturbs one disturbs both. */
	for (int i = 0; i < PHASES; i++) {
		measure_stops(stop_by_hand, run_by_hand, &hand.end, &random,
		    &floor);
		measure_stops(stop_ours, run_ours, &end_ours, &random, &us);
	}
	bench_row(bench_quantile(&us, 0.5), "us", bench_quantile(&floor, 0.5),
	    "safepoint/stop4/p50");
	bench_row(bench_quantile(&us, 0.99), "us", bench_quantile(&floor, 0.99),
	    "safepoint/stop4/p99");
	bench_dump(&us, "safepoint-stop4");
	bench_dump(&floor, "safepoint-stop4-floor");
	exit(EXIT_SUCCESS);
}
