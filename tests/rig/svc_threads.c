/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svc_threads REPORT [break]: eight threads beside the one of main(), four of
 * them registered, over three locks and a condition variable.  Whatever the
 * instant at which the process dies, the one that goes on finds all that the
 * locks guard whole, and all four registered threads, each once.
 *
 *	mover-0, mover-1   registered	move money; bank
 *	pusher, puller     registered	numbers through a ring; belt, moved
 *	mover-2		   not		as the others, and a region
 *	writer, reader	   not		two tables that are equal; book
 *	checkpointer	   not		hscpt(), while main() calls it, too
 *
 * With break, mover-0 comes to its safepoint with its lock in its hands: what
 * hscpt() answers and hsmessage() says is printed.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hs.h"
#include "tests/rig/turns.h"

#define ACCOUNTS 64
#define EACH 1000
#define RING 8
#define ROWS 100
#define STUCK_S 60	/* a spare may have to come first */

enum {
	MOVER_0,
	MOVER_1,
	PUSHER,
	PULLER,
	SEATS,			/* those registered */
	MOVER_2 = SEATS,
	WRITER,
	READER,
	CHECKPOINTER,
	THREADS
};

/* One a thread, and written by it alone. */
struct seat {
	unsigned who;
	uint64_t steps;
	uint64_t random;
	uint64_t x, y;	/* equal at each safepoint, or outside a region */
};

struct state {
	uint64_t turn;
	struct seat seat[THREADS];

	struct hs_mutex bank;
	int64_t account[ACCOUNTS];
	uint64_t moves;		/* the movers' steps, summed up */

	struct hs_mutex belt;
	struct hs_cond moved;
	uint64_t ring[RING];
	uint64_t pushed, pulled;
	uint64_t sum_in, sum_out;

	struct hs_rwlock book;
	uint64_t left[ROWS], right[ROWS];
};

static struct state *s;
static bool breaks;
/* Of this process: who has begun, and how far each is. */
static atomic_uint begun[THREADS];
static atomic_ulong beats[THREADS];

static void
must(int rc, const char *what)
{
	if (rc < 0)
		hs_turns_wrong("%s: %d: %s", what, rc, hsmessage());
}

static size_t
random_below(struct seat *me, size_t n)
{
	me->random = me->random * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(me->random >> 33) % n;
}

/* A thread of its own begins; twice would be one too many. */
static void
begin(const struct seat *me)
{
	if (atomic_fetch_add(&begun[me->who], 1) != 0)
		hs_turns_wrong("thread %u runs twice", me->who);
}

/* Half done for a while, with a system call in the middle now and then. */
static void
dawdle(struct seat *me)
{
	if (random_below(me, 8) == 0)
		(void)sched_yield();
}

/* ---- workers ---- */

static void
move_money(struct seat *me)
{
	const size_t a = random_below(me, ACCOUNTS);
	const size_t b = random_below(me, ACCOUNTS);
	const int64_t amount = (int64_t)random_below(me, 100);

	must(hsmutexlock(&s->bank), "hsmutexlock");
	s->account[a] -= amount;
	dawdle(me);
	s->moves++;
	if (breaks && me->who == MOVER_0 && me->steps > 100)
		(void)hssafepoint();
	s->account[b] += amount;
	me->steps++;
	must(hsmutexunlock(&s->bank), "hsmutexunlock");
	atomic_fetch_add(&beats[me->who], 1);
}

static void
work_mover(void *arg)
{
	struct seat *me = arg;

	begin(me);
	for (;;) {
		/* No lock guards these: the safepoint does. */
		me->x++;
		move_money(me);
		me->y++;
		must(hssafepoint(), "hssafepoint");
	}
}

static void
work_pusher(void *arg)
{
	struct seat *me = arg;

	begin(me);
	for (;;) {
		uint64_t v = random_below(me, 1000);

		must(hsmutexlock(&s->belt), "hsmutexlock");
		while (s->pushed - s->pulled == RING)
			must(hscondwait(&s->moved, &s->belt), "hscondwait");
		s->sum_in += v;
		dawdle(me);
		s->ring[s->pushed++ % RING] = v;
		must(hscondsignal(&s->moved), "hscondsignal");
		must(hsmutexunlock(&s->belt), "hsmutexunlock");
		atomic_fetch_add(&beats[me->who], 1);
		must(hssafepoint(), "hssafepoint");
	}
}

static void
work_puller(void *arg)
{
	struct seat *me = arg;

	begin(me);
	for (;;) {
		must(hsmutexlock(&s->belt), "hsmutexlock");
		while (s->pushed == s->pulled)
			must(hscondwait(&s->moved, &s->belt), "hscondwait");
		s->sum_out += s->ring[s->pulled % RING];
		dawdle(me);
		s->pulled++;
		must(hscondsignal(&s->moved), "hscondsignal");
		must(hsmutexunlock(&s->belt), "hsmutexunlock");
		atomic_fetch_add(&beats[me->who], 1);
		must(hsblock(), "hsblock");
		if (random_below(me, 4) == 0)
			usleep(100);
		must(hsunblock(), "hsunblock");
	}
}

/* ---- threads that are not registered ---- */

static void *
run_mover(void *arg)
{
	struct seat *me = arg;

	begin(me);
	for (;;) {
		must(hsenter(), "hsenter");
		me->x++;
		move_money(me);
		me->y++;
		must(hsleave(), "hsleave");
	}
	return NULL;
}

static void *
run_writer(void *arg)
{
	struct seat *me = arg;

	begin(me);
	for (;;) {
		const size_t i = random_below(me, ROWS);

		must(hsrwlockwrlock(&s->book), "hsrwlockwrlock");
		s->left[i]++;
		dawdle(me);
		s->right[i]++;
		must(hsrwlockunlock(&s->book), "hsrwlockunlock");
		atomic_fetch_add(&beats[me->who], 1);
		usleep(20);
	}
	return NULL;
}

static void *
run_reader(void *arg)
{
	struct seat *me = arg;
	struct seat mine = *me;		/* reading changes nothing */

	begin(me);
	for (;;) {
		const size_t i = random_below(&mine, ROWS);

		must(hsrwlockrdlock(&s->book), "hsrwlockrdlock");
		if (s->left[i] != s->right[i])
			hs_turns_wrong("row %zu: torn while it is read", i);
		must(hsrwlockunlock(&s->book), "hsrwlockunlock");
		atomic_fetch_add(&beats[me->who], 1);
		usleep(20);
	}
	return NULL;
}

static void *
run_checkpointer(void *arg)
{
	struct seat *me = arg;
	struct seat mine = *me;

	begin(me);
	for (;;) {
		int rc = hscpt(HS_SEALED, NULL);

		if (!breaks || rc != HS_ELOCK)
			must(rc, "hscpt");
		atomic_fetch_add(&beats[me->who], 1);
		usleep((useconds_t)random_below(&mine, 2000));
	}
	return NULL;
}

static void (*const workers[SEATS])(
    void *) = { work_mover, work_mover, work_pusher, work_puller };
static const char *const names[THREADS] = { "mover-0", "mover-1", "pusher",
	"puller", "mover-2", "writer", "reader", "checkpointer" };

/* The first start of a worker; the next ones are the library's. */
static void *
run_worker(void *arg)
{
	struct seat *me = arg;

	must(hsthreadreg(names[me->who], workers[me->who], me), "hsthreadreg");
	workers[me->who](me);
	return NULL;
}

/* ---- the state ---- */

static void
build(void)
{
	s = hscalloc(1, sizeof(*s));
	if (s == NULL || hsroot("state", s) < 0)
		hs_turns_wrong("no memory");
	memcpy(s->bank.name, "bank", 5);
	memcpy(s->belt.name, "belt", 5);
	memcpy(s->book.name, "book", 5);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		s->account[i] = EACH;
	for (unsigned i = 0; i < THREADS; i++)
		s->seat[i] = (struct seat){ .who = i, .random = i + 1 };
}

static void
check_bank(void)
{
	uint64_t steps = 0;
	int64_t sum = 0;

	for (unsigned i = 0; i < ACCOUNTS; i++)
		sum += s->account[i];
	for (unsigned i = 0; i < THREADS; i++)
		steps += s->seat[i].steps;
	if (sum != (int64_t)ACCOUNTS * EACH)
		hs_turns_wrong("the sum is %lld", (long long)sum);
	if (steps != s->moves)
		hs_turns_wrong("%llu steps, %llu moves",
		    (unsigned long long)steps, (unsigned long long)s->moves);
}

static void
check_belt(void)
{
	uint64_t on = 0;

	if (s->pushed - s->pulled > RING)
		hs_turns_wrong("%llu are on the belt",
		    (unsigned long long)(s->pushed - s->pulled));
	for (uint64_t i = s->pulled; i < s->pushed; i++)
		on += s->ring[i % RING];
	if (s->sum_in != s->sum_out + on)
		hs_turns_wrong("the belt has lost something");
}

/* What was restored, before any thread runs. */
static void
check_all(void)
{
	if (s->bank.word != 0 || s->belt.word != 0 || s->book.word != 0 ||
	    s->book.owner != 0)
		hs_turns_wrong("a lock is held by nobody");
	check_bank();
	check_belt();
	for (unsigned i = 0; i < ROWS; i++)
		if (s->left[i] != s->right[i])
			hs_turns_wrong("row %u is torn", i);
	for (unsigned i = 0; i < THREADS; i++)
		if (s->seat[i].x != s->seat[i].y)
			hs_turns_wrong("thread %u was in the middle of a step",
			    i);
}

static void
start(void *run(void *), unsigned who)
{
	pthread_attr_t attr;
	pthread_t t;

	if (pthread_attr_init(&attr) != 0 ||
	    pthread_attr_setstacksize(&attr, 256 << 10) != 0 ||
	    pthread_create(&t, &attr, run, &s->seat[who]) != 0)
		hs_turns_wrong("no thread");
	(void)pthread_setname_np(t, names[who]);
	(void)pthread_attr_destroy(&attr);
}

static void
start_all(int rc)
{
	int n;

	for (unsigned i = 0; rc == HS_FRESH && i < SEATS; i++)
		start(run_worker, i);
	n = hsthreadstart();
	if (n != (rc == HS_RESTORED ? SEATS : 0))
		hs_turns_wrong("%d threads were started: %s", n, hsmessage());
	start(run_mover, MOVER_2);
	start(run_writer, WRITER);
	start(run_reader, READER);
	start(run_checkpointer, CHECKPOINTER);
	for (unsigned i = 0; i < THREADS; i++)
		while (atomic_load(&begun[i]) == 0)
			usleep(100);
}

/* Every thread gets on; called every two seconds. */
static void
check_beats(void)
{
	static unsigned long before[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		unsigned long now = atomic_load(&beats[i]);

		if (now == before[i])
			hs_turns_wrong("%s has done nothing for two seconds",
			    names[i]);
		before[i] = now;
	}
}

static void
tell_stuck(int signo)
{
	static const char text[] = "wrong: no turn for a minute\n";

	(void)signo;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* Until hscpt() says that the rule is broken. */
static void
expect_breach(void)
{
	int rc;

	while ((rc = hscpt(HS_SEALED, NULL)) >= 0)
		usleep(100);
	(void)printf("breach %d %s\n", rc, hsmessage());
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

int
main(int argc, char **argv)
{
	time_t checked;
	int rc;

	if (argc < 2)
		hs_turns_wrong("usage: svc_threads REPORT [break]");
	breaks = argc > 2;
	(void)signal(SIGALRM, tell_stuck);
	rc = hsinit(NULL);
	(void)alarm(STUCK_S);
	if (rc == HS_FRESH)
		build();
	else
		s = hsfind("state");
	if (rc < 0 || s == NULL)
		hs_turns_wrong("hsinit: %d: %s", rc, hsmessage());
	check_all();
	start_all(rc);
	must(hsthreadreg("main", NULL, NULL), "hsthreadreg");
	hs_turns_begin(argv[1], rc, s->turn);
	if (breaks)
		expect_breach();
	for (checked = time(NULL);;) {
		(void)alarm(STUCK_S);
		s->turn++;
		hs_turns_end(s->turn);
		must(hsmutexlock(&s->bank), "hsmutexlock");
		must(hsmutexlock(&s->belt), "hsmutexlock");
		check_bank();
		check_belt();
		must(hsmutexunlock(&s->belt), "hsmutexunlock");
		must(hsmutexunlock(&s->bank), "hsmutexunlock");
		if (time(NULL) - checked >= 2) {
			check_beats();
			checked = time(NULL);
		}
	}
}
