/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service in a cluster that answers datagrams:
 *
 *	who		NODE PID COUNT RUNNING_NS: where it runs, how many
 *			times it was asked, and when hsinit() returned, by
 *			CLOCK_REALTIME.  Answered once the count is held, or
 *			there is no spare and that is known.
 *	hold BYTES N	N times: BYTES change, and the checkpoint is held; the
 *			answer is N times 8 bytes: the ns that each took
 *	die		no answer: it kills itself
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/modes.h"

#define STATE_BYTES (16 * BENCH_MIB)
#define MOST_TIMES 1024

struct answer {
	uint64_t *count;	/* in checkpoint memory, as state is */
	uint8_t *state;
	uint64_t random;
	uint64_t running_ns;
	char node[64];
};

static void
keep(void)
{
	int rc = hscpt(HS_HELD, NULL);

	if (rc != HS_ENOSPARE)
		(void)bench_must(rc, "checkpoint");
}

static size_t
answer_who(struct answer *a, char *out, size_t size)
{
	++*a->count;
	keep();
	return (size_t)snprintf(out, size, "%s %d %" PRIu64 " %" PRIu64,
	    a->node, (int)getpid(), *a->count, a->running_ns);
}

/* bytes in a row, from the start of a page where there is room for no more. */
static void
change(struct answer *a, size_t bytes)
{
	size_t pages = (bytes + BENCH_PAGE - 1) / BENCH_PAGE;
	size_t last = STATE_BYTES / BENCH_PAGE - pages;
	size_t off = bench_random(&a->random) % last * BENCH_PAGE;

	bench_fill(a->state + off, bytes, &a->random);
}

static size_t
answer_hold(struct answer *a, size_t bytes, size_t times, uint64_t *out)
{
	if (times > MOST_TIMES || bytes > STATE_BYTES / 2)
		return 0;
	for (size_t i = 0; i < times; i++) {
		uint64_t t0;

		change(a, bytes);
		t0 = bench_now_ns();
		(void)modes_hold();
		out[i] = bench_now_ns() - t0;
	}
	return times * sizeof(*out);
}

static _Noreturn void
serve(struct answer *a, int fd)
{
	static uint64_t out[MOST_TIMES];

	for (;;) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		char line[128];
		size_t bytes, times, len = 0;
		ssize_t n = recvfrom(fd, line, sizeof(line) - 1, 0,
		    (struct sockaddr *)&from, &from_len);

		if (n < 0) {
			if (errno == EINTR || errno == ECONNREFUSED)
				continue;
			bench_die("recvfrom: %s", strerrordesc_np(errno));
		}
		line[n] = '\0';
		if (strcmp(line, "die") == 0)
			(void)kill(getpid(), SIGKILL);
		else if (strcmp(line, "who") == 0)
			len = answer_who(a, (char *)out, sizeof(out));
		else if (sscanf(line, "hold %zu %zu", &bytes, &times) == 2)
			len = answer_hold(a, bytes, times, out);
		/* Whoever asked may be gone, or its node. */
		if (len > 0)
			(void)sendto(fd, out, len, 0, (struct sockaddr *)&from,
			    from_len);
	}
}

static uint64_t
wall_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
find_state(struct answer *a)
{
	a->count = hsfind("count");
	a->state = hsfind("state");
	if (a->count == NULL || a->state == NULL)
		bench_die("the image lacks the state");
}

static void
build_state(struct answer *a)
{
	a->count = hscalloc(1, sizeof(*a->count));
	a->state = hsmemalign(BENCH_PAGE, STATE_BYTES);
	if (a->count == NULL || a->state == NULL ||
	    hsroot("count", a->count) < 0 || hsroot("state", a->state) < 0)
		bench_die("no checkpoint memory");
	/* No spare yet: a service must not wait for one to begin. */
	bench_fill(a->state, STATE_BYTES, &a->random);
}

void
mode_answer(uint16_t port, uint64_t seed)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct answer a = { .random = seed };
	int fd, how = modes_init(STATE_BYTES);

	a.running_ns = wall_ns();
	if (how == HS_RESTORED)
		find_state(&a);
	else
		build_state(&a);
	(void)gethostname(a.node, sizeof(a.node) - 1);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		bench_die("port %u: %s", port, strerrordesc_np(errno));
	serve(&a, fd);
}
