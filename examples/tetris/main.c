/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tetris: the game over TCP.  When the process or its machine dies, the spare
 * goes on with the same board and score.
 *
 * The whole state is one struct game in checkpoint memory, named "tetris".
 * Each tick changes it and takes a checkpoint.  T1: nothing of a tick leaves
 * this process before a spare holds it, and the next tick waits for that; so
 * what a player has seen is never taken back.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <hotspare/hs.h>

#include "examples/common/net.h"
#include "examples/tetris/crowd.h"
#include "examples/tetris/draw.h"
#include "examples/tetris/game.h"

#define MS UINT64_C(1000000)
#define STATUS_AFTER_NS (500 * MS)	/* say that it waits, but not at once */

struct tetris {
	struct game *game;	/* in checkpoint memory; all else is not */
	struct net *net;
	struct crowd *crowd;
	int event_fd;
	uint64_t tick_ns;
	uint64_t due_ns;	/* of the next tick, CLOCK_MONOTONIC */
	bool waiting;		/* for epoch to be held */
	uint64_t epoch;
	uint64_t say_ns;	/* when to say that it waits */
	char node[65];
};

struct settings {
	uint16_t port;
	unsigned tick_ms;
	uint64_t seed;		/* 0: random */
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

static _Noreturn void
die(const char *what, int rc)
{
	(void)fprintf(stderr, "tetris: %s: %s\n", what, hsstrerror(rc));
	exit(EXIT_FAILURE);
}

static void
describe_protection(const struct tetris *t, char *out, size_t size)
{
	static const char *const text[] = {
		[HS_ALONE] = "no agent: nothing is protected",
		[HS_PROTECTED] = "held by a spare",
		[HS_UNPROTECTED] = "no spare: goes on unprotected",
		[HS_BLOCKED] = "waits for a spare or for quorum",
		[HS_FENCED] = "another node took over",
	};
	struct hs_status st = { .size = sizeof(st) };
	const char *why = "unknown";

	if (hsstatus(&st) == 0 && st.protection >= 0 &&
	    (size_t)st.protection < sizeof(text) / sizeof(text[0]))
		why = text[st.protection];
	(void)snprintf(out, size,
	    "%s: tick %" PRIu64 ", checkpoint %" PRIu64 " (%s)", t->node,
	    t->game->tick, t->epoch, why);
}

/*
 * A checkpoint that was on its way when the cluster's messaging broke is given
 * up, and the next one says all: while there is none to come, ask anew.
 */
static void
renew_tick(struct tetris *t)
{
	int rc = hscpt(HS_HELD | HS_NOWAIT | HS_TRY, &t->epoch);

	if (rc < 0 && rc != HS_EAGAIN && rc != HS_ENOSPARE)
		die("checkpoint", rc);
}

/* rc is what is known of t->epoch: 0 and HS_ENOSPARE let it out (T1). */
static void
settle_tick(struct tetris *t, int rc)
{
	char status[160];

	switch (rc) {
	case 0:
	case HS_ENOSPARE:	/* the administrator wants it to go on */
		t->waiting = false;
		describe_protection(t, status, sizeof(status));
		crowd_show(t->crowd, t->net, t->game, t->epoch, status);
		return;
	case HS_ETIMEDOUT:
		if (now_ns() >= t->say_ns) {
			t->say_ns = now_ns() + STATUS_AFTER_NS;
			renew_tick(t);
			describe_protection(t, status, sizeof(status));
			crowd_status(t->net, status);
		}
		return;
	default:
		die("checkpoint", rc);
	}
}

static void
take_tick(struct tetris *t)
{
	struct game_input in;
	uint64_t now = now_ns();
	int rc;

	/* After a long wait the game does not run to catch up. */
	t->due_ns += t->tick_ns;
	if (t->due_ns < now)
		t->due_ns = now + t->tick_ns;
	crowd_input(t->crowd, &in);
	game_tick(t->game, &in);
	rc = hscpt(HS_HELD | HS_NOWAIT, &t->epoch);
	if (rc < 0 && rc != HS_ENOSPARE)
		die("checkpoint", rc);
	t->waiting = true;
	t->say_ns = now + STATUS_AFTER_NS;
	settle_tick(t, rc == 0 ? hswait(t->epoch, HS_HELD, 0) : rc);
}

static int
ms_until(uint64_t when_ns)
{
	uint64_t now = now_ns();

	return when_ns <= now ? 0 : (int)((when_ns - now + MS - 1) / MS);
}

static _Noreturn void
serve(struct tetris *t)
{
	uint64_t count;
	int rc;

	t->due_ns = now_ns();
	for (;;) {
		rc = net_wait(t->net, t->event_fd, true,
		    ms_until(t->waiting ? t->say_ns : t->due_ns));
		if (rc < 0)
			die("poll", rc);
		if (rc == 1 && read(t->event_fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			die("event", -errno);
		if (t->waiting)
			settle_tick(t, hswait(t->epoch, HS_HELD, 0));
		if (!t->waiting && now_ns() >= t->due_ns)
			take_tick(t);
		(void)hsping();
	}
}

/* The game that goes on, or a new one. */
static struct game *
find_game(int origin, uint64_t seed)
{
	struct game *g;
	int rc;

	if (origin == HS_RESTORED) {
		g = hsfind("tetris");
		if (g == NULL)
			die("no game in the image", -errno);
		return g;
	}
	g = hscalloc(1, sizeof(*g));
	if (g == NULL)
		die("memory", -errno);
	if (seed == 0 && getrandom(&seed, sizeof(seed), 0) < 0)
		die("getrandom", -errno);
	game_init(g, seed);
	rc = hsroot("tetris", g);
	if (rc < 0)
		die("hsroot", rc);
	return g;
}

static _Noreturn void
usage(int status)
{
	(void)fprintf(status == 0 ? stdout : stderr,
	    "usage: tetris [-p port] [-t tick_ms] [-s seed]\n");
	exit(status);
}

static uint64_t
parse_number(const char *s, uint64_t min, uint64_t max)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno != 0 || end == s || *end != '\0' || *s == '-' || v < min ||
	    v > max) {
		(void)fprintf(stderr,
		    "tetris: %s: wanted is a number from %" PRIu64
		    " to %" PRIu64 "\n",
		    s, min, max);
		exit(2);
	}
	return v;
}

static struct settings
parse_options(int argc, char **argv)
{
	struct settings s = { .port = 4000, .tick_ms = 50 };
	int opt;

	while ((opt = getopt(argc, argv, "hp:s:t:")) != -1) {
		switch (opt) {
		case 'h':
			usage(0);
		case 'p':
			s.port = (uint16_t)parse_number(optarg, 1, 65535);
			break;
		case 's':
			s.seed = parse_number(optarg, 1, UINT64_MAX);
			break;
		case 't':
			s.tick_ms = (unsigned)parse_number(optarg, 5, 10000);
			break;
		default:
			usage(2);
		}
	}
	if (optind != argc)
		usage(2);
	return s;
}

int
main(int argc, char **argv)
{
	struct settings s = parse_options(argc, argv);
	struct tetris t = { .tick_ns = s.tick_ms * MS };
	int origin, rc;

	origin = hsinit(NULL);	/* on a spare: returns when it takes over */
	if (origin < 0) {
		(void)fprintf(stderr, "tetris: %s\n", hsmessage());
		return EXIT_FAILURE;
	}
	t.game = find_game(origin, s.seed);
	t.event_fd = hseventfd();
	t.crowd = crowd_create();
	if (t.crowd == NULL)
		die("memory", -ENOMEM);
	rc = net_create(&t.net, s.port, &crowd_ops, t.crowd);
	if (rc < 0)
		die("listen", rc);
	(void)gethostname(t.node, sizeof(t.node) - 1);
	serve(&t);
}
