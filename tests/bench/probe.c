/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who answers behind an address, and from when on somebody else does.
 *
 *	probe watch [die] ADDRESS PORT SECONDS
 *		asks "who" every 2 ms.  Prints three lines, with times in ns
 *		since the epoch of CLOCK_REALTIME:
 *			from NODE PID
 *			last NS		the last answer of that one; with die,
 *					it is told to kill itself right then
 *			to NODE PID NS RUNNING_NS	the first of another
 *		Counts must not go back: what was answered must be known.
 *	probe answer NODE PORT
 *		answers "who" on a node, whoever owns the address
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define EVERY_MS 2
#define QUIET_MS 200
#define WHO_BYTES 128

struct who {
	char node[64];
	int pid;
	uint64_t count;
	uint64_t running_ns;
};

static uint64_t
wall_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int
open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		bench_die("socket: %s", strerrordesc_np(errno));
	return fd;
}

static bool
read_answer(int fd, struct who *w)
{
	char line[WHO_BYTES];
	ssize_t n = recv(fd, line, sizeof(line) - 1, 0);

	if (n < 0)
		return false;
	line[n] = '\0';
	return sscanf(line, "%63s %d %" SCNu64 " %" SCNu64, w->node, &w->pid,
		   &w->count, &w->running_ns) == 4;
}

/*
 * Ask until an answer comes, in any order, for an unanswered question may be
 * answered late; false after deadline.
 */
static bool
ask(int fd, const struct sockaddr_in *to, uint64_t deadline_ns, struct who *w)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (bench_now_ns() < deadline_ns) {
		/* Nobody has the address, or nobody listens: ask again. */
		(void)sendto(fd, "who", 3, 0, (const struct sockaddr *)to,
		    sizeof(*to));
		if (poll(&p, 1, EVERY_MS) > 0 && read_answer(fd, w))
			return true;
	}
	return false;
}

/*
 * Until no answer has come for a while: what was asked too often has been
 * answered, and the next question is the only one in the queue.
 */
static void
drain(int fd, struct who *w)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, QUIET_MS) > 0)
		(void)read_answer(fd, w);
}

static bool
is_other(const struct who *a, const struct who *b)
{
	return strcmp(a->node, b->node) != 0 || a->pid != b->pid;
}

static void
watch(const struct sockaddr_in *to, bool die, unsigned seconds)
{
	const uint64_t deadline =
	    bench_now_ns() + (uint64_t)seconds * 1000000000;
	struct who first, now;
	uint64_t last_ns;
	int fd = open_socket();

	if (!ask(fd, to, deadline, &first))
		bench_die("nobody answers");
	drain(fd, &first);
	(void)printf("from %s %d\n", first.node, first.pid);
	(void)fflush(stdout);
	last_ns = wall_ns();
	if (die)
		(void)sendto(fd, "die", 3, 0, (const struct sockaddr *)to,
		    sizeof(*to));
	for (;;) {
		if (!ask(fd, to, deadline, &now))
			bench_die("nobody else answers");
		if (is_other(&first, &now))
			break;
		if (now.count < first.count)
			bench_die("an answered question is forgotten");
		first.count = now.count;
		if (!die)
			last_ns = wall_ns();
		/* It answers: no need to ask as fast as it can. */
		bench_sleep_ms(EVERY_MS);
	}
	if (now.count < first.count)
		bench_die("an answered question is forgotten");
	(void)printf("last %" PRIu64 "\nto %s %d %" PRIu64 " %" PRIu64 "\n",
	    last_ns, now.node, now.pid, wall_ns(), now.running_ns);
}

static _Noreturn void
answer(const char *node, const struct sockaddr_in *at)
{
	struct sockaddr_in from;
	char line[WHO_BYTES];
	int fd = open_socket();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0)
		bench_die("bind: %s", strerrordesc_np(errno));
	for (;;) {
		socklen_t len = sizeof(from);

		(void)poll(&p, 1, -1);
		if (recvfrom(fd, line, sizeof(line), 0,
			(struct sockaddr *)&from, &len) < 0)
			continue;
		(void)snprintf(line, sizeof(line), "%s 0 0 0", node);
		(void)sendto(fd, line, strlen(line), 0,
		    (struct sockaddr *)&from, len);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	bool die = argc == 6 && strcmp(argv[2], "die") == 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc == 4 && strcmp(argv[1], "answer") == 0) {
		at.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 0));
		answer(argv[2], &at);
	}
	if ((argc != 5 && !die) || strcmp(argv[1], "watch") != 0 ||
	    inet_pton(AF_INET, argv[argc - 3], &at.sin_addr) != 1) {
		(void)fprintf(stderr,
		    "usage: probe watch [die] ADDRESS PORT SECONDS\n"
		    "       probe answer NODE PORT\n");
		return 2;
	}
	at.sin_port = htons((uint16_t)strtoul(argv[argc - 2], NULL, 0));
	watch(&at, die, (unsigned)strtoul(argv[argc - 1], NULL, 0));
	return 0;
}
