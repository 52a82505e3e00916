/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client_tetris: plays by random keys, and proves that the game goes on.  One
 * connection plays, another watches.  The watcher checks that
 *
 *	C1  each line's hash follows from its own words and from prev;
 *	C2  ticks come one by one, each one's prev is the hash before it;
 *	C3  whoever serves after a break knows the last tick seen, unchanged.
 *
 * So board and score are those of the last tick seen, and no tick is lost.
 * Ends at SIGTERM, SIGINT or after -t seconds; the last line is a JSON object,
 * the status is 1 if anything was wrong.  -o keeps a log, one event a
 * line, behind the time of day in ms: UP, DOWN, and the lines as they came.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/rig/client_link.h"

#define SILENT_NS (300 * LINK_MS)
#define KEY_NS (60 * LINK_MS)
#define BREACHES_MAX 20
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct tick {
	uint64_t epoch, tick, score, lines, hash, prev, board;
};

struct watch {
	struct tick last;	/* tick 0: none yet */
	bool resumed;		/* the next line must be the last one again */
	uint64_t seen;
};

struct session {
	struct client_link player, watcher;
	struct watch watch;
	FILE *log;		/* or NULL */
	uint64_t rng, seed;
	uint64_t key_ns;	/* of the next key */
	uint64_t end_ns;
	uint64_t last_ns, longest_ns;
	uint64_t breaches;
	bool was_up;
};

static volatile sig_atomic_t stopped;

static void
on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static uint64_t
hash_word(uint64_t h, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++)
		h = (h ^ ((v >> (8 * i)) & 0xff)) * FNV_PRIME;
	return h;
}

static uint64_t
hash_tick(const struct tick *t)
{
	uint64_t h = FNV_BASIS;

	h = hash_word(h, t->prev);
	h = hash_word(h, t->tick);
	h = hash_word(h, t->score);
	h = hash_word(h, t->lines);
	return hash_word(h, t->board);
}

static bool
parse_tick(const char *line, struct tick *t)
{
	return sscanf(line,
		   "STATE epoch=%" SCNu64 " tick=%" SCNu64 " score=%" SCNu64
		   " lines=%" SCNu64 " hash=%" SCNx64 " prev=%" SCNx64
		   " board=%" SCNx64,
		   &t->epoch, &t->tick, &t->score, &t->lines, &t->hash,
		   &t->prev, &t->board) == 7;
}

/* NULL if the line is right; else what is wrong. */
static const char *
check_line(struct watch *w, const char *line)
{
	struct tick t;

	if (!parse_tick(line, &t))
		return "the last tick seen is unknown here, or no line";
	if (hash_tick(&t) != t.hash)
		return "C1: the hash does not follow";
	if (w->resumed) {
		w->resumed = false;
		if (t.tick != w->last.tick || t.hash != w->last.hash)
			return "C3: the last tick seen is another one here";
		return NULL;
	}
	if (w->last.tick != 0 &&
	    (t.tick != w->last.tick + 1 || t.prev != w->last.hash))
		return "C2: does not follow the tick before";
	w->last = t;
	w->seen++;
	return NULL;
}

static uint64_t
real_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
log_event(struct session *s, const char *text)
{
	if (s->log == NULL)
		return;
	(void)fprintf(s->log, "%" PRIu64 " %s\n", real_ms(), text);
	(void)fflush(s->log);
}

static void
watch_line(struct session *s, const char *line, uint64_t now)
{
	const char *wrong;

	log_event(s, line);
	if (s->last_ns != 0 && now - s->last_ns > s->longest_ns)
		s->longest_ns = now - s->last_ns;
	s->last_ns = now;
	wrong = check_line(&s->watch, line);
	if (wrong == NULL)
		return;
	s->breaches++;
	(void)printf("breach: %s (after tick %" PRIu64 "): %s\n", wrong,
	    s->watch.last.tick, line);
	(void)fflush(stdout);
}

static void
start_watch(struct session *s)
{
	char text[64];

	log_event(s, "UP");
	s->was_up = true;
	s->watch.resumed = s->watch.last.tick != 0;
	if (s->watch.resumed)
		(void)snprintf(text, sizeof(text), "watch %" PRIu64 "\n",
		    s->watch.last.tick);
	else
		(void)snprintf(text, sizeof(text), "watch\n");
	(void)link_put(&s->watcher, text);
}

/* What a person would read before the first STATE line. */
static bool
is_greeting(const char *line)
{
	return strncmp(line, "STATE ", 6) != 0 &&
	    strncmp(line, "name: STATE ", 12) != 0 &&
	    strncmp(line, "NONE ", 5) != 0 &&
	    strncmp(line, "name: NONE ", 11) != 0;
}

static void
step_watcher(struct session *s, short revents, uint64_t now)
{
	struct client_link *l = &s->watcher;
	char line[512], *text;

	if (link_step(l, revents, now))
		start_watch(s);
	while (l->state == LINK_UP && link_line(l, line, sizeof(line))) {
		if (is_greeting(line))
			continue;
		text = strncmp(line, "name: ", 6) == 0 ? line + 6 : line;
		watch_line(s, text, now);
	}
	link_flush(l, now);
	if (l->state == LINK_UP && now - l->heard_ns > SILENT_NS)
		link_break(l, now);
	if (l->state != LINK_UP && s->was_up) {
		s->was_up = false;
		log_event(s, "DOWN");
	}
}

static void
step_player(struct session *s, short revents, uint64_t now)
{
	/* Once a piece has landed it would pile up: so mostly sideways. */
	static const char keys[] = "aaaadddddwwws n";
	struct client_link *l = &s->player;
	char key[2] = { 0 };

	if (link_step(l, revents, now))
		(void)link_put(l, "demo\n");
	link_discard(l);
	if (l->state == LINK_UP && now >= s->key_ns) {
		s->key_ns = now + KEY_NS;
		s->rng ^= s->rng << 13;
		s->rng ^= s->rng >> 7;
		s->rng ^= s->rng << 17;
		key[0] = keys[s->rng % (sizeof(keys) - 1)];
		(void)link_put(l, key);
	}
	link_flush(l, now);
	if (l->state == LINK_UP && now - l->heard_ns > SILENT_NS)
		link_break(l, now);
}

static void
run_session(struct session *s)
{
	uint64_t now = link_now_ns();
	struct pollfd p[2];

	while (!stopped && (s->end_ns == 0 || now < s->end_ns) &&
	    s->breaches < BREACHES_MAX) {
		p[0] = link_pollfd(&s->player);
		p[1] = link_pollfd(&s->watcher);
		if (poll(p, 2, 5) < 0)
			memset(p, 0, sizeof(p));
		now = link_now_ns();
		step_player(s, p[0].revents, now);
		step_watcher(s, p[1].revents, now);
	}
}

/* A line whose hash is right, that follows *t. */
static void
make_line(char *out, size_t size, struct tick *t, uint64_t tick, uint64_t score)
{
	t->prev = t->hash;
	t->tick = tick;
	t->score = score;
	t->board = tick * 77;
	t->hash = hash_tick(t);
	(void)snprintf(out, size,
	    "STATE epoch=1 tick=%" PRIu64 " score=%" PRIu64
	    " lines=0 hash=%016" PRIx64 " prev=%016" PRIx64
	    " board=%016" PRIx64,
	    t->tick, t->score, t->hash, t->prev, t->board);
}

enum damage {
	DAMAGE_NONE,
	DAMAGE_SKIP,	/* a tick is left out */
	DAMAGE_FORK,	/* another history, right in itself */
	DAMAGE_SCORE,	/* the score is changed, the hash is not */
	DAMAGE_BACK,	/* after a break: an older tick */
	DAMAGE_NAMELESS,
};

static bool
finds_damage(enum damage what)
{
	struct watch w = { 0 };
	struct tick t = { 0 }, other;
	char line[512];

	make_line(line, sizeof(line), &t, 1, 10);
	if (check_line(&w, line) != NULL)
		return false;
	other = t;
	make_line(line, sizeof(line), &t, 2, 20);
	if (check_line(&w, line) != NULL)
		return false;
	switch (what) {
	case DAMAGE_NONE:
		w.resumed = true;
		if (check_line(&w, line) != NULL)
			return false;
		make_line(line, sizeof(line), &t, 3, 30);
		return check_line(&w, line) == NULL;
	case DAMAGE_SKIP:
		make_line(line, sizeof(line), &t, 4, 30);
		break;
	case DAMAGE_FORK:
		make_line(line, sizeof(line), &other, 2, 21);
		make_line(line, sizeof(line), &other, 3, 30);
		break;
	case DAMAGE_SCORE:
		make_line(line, sizeof(line), &t, 3, 30);
		strstr(line, "score=3")[6] = '4';
		break;
	case DAMAGE_BACK:
		w.resumed = true;
		make_line(line, sizeof(line), &other, 1, 10);
		break;
	case DAMAGE_NAMELESS:
		(void)snprintf(line, sizeof(line), "NONE asked=2 tick=1");
		break;
	}
	return check_line(&w, line) != NULL;
}

static int
self_test(void)
{
	static const char *const name[] = {
		[DAMAGE_NONE] = "a right history passes",
		[DAMAGE_SKIP] = "a skipped tick is found",
		[DAMAGE_FORK] = "another history is found",
		[DAMAGE_SCORE] = "a changed line is found",
		[DAMAGE_BACK] = "a step back is found",
		[DAMAGE_NAMELESS] = "a server that does not know is found",
	};
	unsigned i, n = sizeof(name) / sizeof(name[0]);
	int rc = 0;

	(void)printf("1..%u\n", n);
	for (i = 0; i < n; i++) {
		bool ok = finds_damage((enum damage)i);

		rc |= !ok;
		(void)printf("%s %u - %s\n", ok ? "ok" : "not ok", i + 1,
		    name[i]);
	}
	return rc;
}

static _Noreturn void
usage(int status)
{
	(void)fprintf(status == 0 ? stdout : stderr,
	    "usage: client_tetris [-t s] [-s seed] [-o log] ADDRESS PORT\n"
	    "       client_tetris --self-test\n");
	exit(status);
}

static void
parse_options(struct session *s, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "self-test", no_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "ho:s:t:", longs, NULL)) != -1) {
		if (o == 'S')
			exit(self_test());
		else if (o == 's')
			s->seed = strtoull(optarg, NULL, 10);
		else if (o == 't')
			s->end_ns = link_now_ns() +
			    strtoull(optarg, NULL, 10) * 1000 * LINK_MS;
		else if (o == 'o') {
			s->log = fopen(optarg, "a");
			if (s->log == NULL) {
				(void)fprintf(stderr, "client_tetris: %s: %s\n",
				    optarg, strerror(errno));
				exit(2);
			}
		} else
			usage(o == 'h' ? 0 : 2);
	}
	if (argc - optind != 2 ||
	    !link_init(&s->player, argv[optind], argv[optind + 1]) ||
	    !link_init(&s->watcher, argv[optind], argv[optind + 1]))
		usage(2);
}

int
main(int argc, char **argv)
{
	static struct session s;
	struct sigaction sa = { .sa_handler = on_signal };

	s.seed = link_now_ns() ^ (uint64_t)getpid() << 32;
	parse_options(&s, argc, argv);
	s.rng = s.seed | 1;
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	run_session(&s);
	(void)printf("{\"ticks\": %" PRIu64 ", \"breaches\": %" PRIu64
		     ", \"tick\": %" PRIu64 ", \"score\": %" PRIu64
		     ", \"lines\": %" PRIu64 ", \"connections\": %" PRIu64
		     ", \"longest_gap_ms\": %" PRIu64 ", \"seed\": %" PRIu64
		     "}\n",
	    s.watch.seen, s.breaches, s.watch.last.tick, s.watch.last.score,
	    s.watch.last.lines, s.watcher.ups, s.longest_ns / LINK_MS, s.seed);
	return s.breaches != 0 || s.watch.seen == 0;
}
