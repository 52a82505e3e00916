/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long it takes until a change is held, beside a bare request and its
 * acknowledgement over the same ring, in turn.
 *
 *	lag answer GROUP	acknowledges each request
 *	lag idle GROUP		a member that receives and says nothing
 *	lag measure PORT PAIR TRIO
 *
 * PAIR is a group of requester and answerer; TRIO has an idle member besides,
 * on the requester's node: as the group of a service has, whose own agent
 * follows the stream, too.  PORT is the service's (answer.c).
 *
 *	held/SIZE/p50, p99	hscpt(HS_HELD) after SIZE bytes changed
 *	bare3/SIZE/p50, p99	TRIO, beside PAIR
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/ring.h"

#define ROUNDS 40
#define BATCH 25
#define WARM 2

static const struct size {
	const char *name;
	size_t bytes;
} sizes[] = {
	{ "64B", 64 },
	{ "4KiB", 4096 },
	{ "64KiB", 65536 },
};
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

struct series {
	struct bench_samples held, pair, trio;
};

static _Noreturn void
serve(const char *group, int answers)
{
	struct ring r;

	ring_join(&r, group, answers);
	for (;;)
		ring_serve(&r, -1);
}

static void
await_members(struct ring *r, size_t n)
{
	const uint64_t t0 = bench_now_ns();

	while (r->members != n) {
		ring_serve(r, 100);
		if (bench_now_ns() - t0 > UINT64_C(10000000000))
			bench_die("a bare group has %zu members, not %zu",
			    r->members, n);
	}
}

static void
ask_ring(struct ring *r, size_t bytes, struct bench_samples *s)
{
	static uint64_t number;

	for (int i = 0; i < BATCH; i++) {
		uint64_t ns = ring_ask(r, ++number, bytes);

		if (s != NULL)
			bench_add(s, (double)ns / 1000);
	}
}

static int
connect_service(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval limit = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) <
		0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		bench_die("no socket to the service");
	return fd;
}

/* The service makes a batch of checkpoints and answers what each took. */
static void
ask_service(int fd, size_t bytes, struct bench_samples *s)
{
	uint64_t ns[BATCH];
	char line[64];
	int len;

	len = snprintf(line, sizeof(line), "hold %zu %d", bytes, BATCH);
	if (send(fd, line, (size_t)len, 0) != len ||
	    recv(fd, ns, sizeof(ns), 0) != sizeof(ns))
		bench_die("the service does not answer");
	for (int i = 0; s != NULL && i < BATCH; i++)
		bench_add(s, (double)ns[i] / 1000);
}

static const struct {
	const char *name;
	double q;
} at[] = { { "p50", 0.5 }, { "p99", 0.99 } };

static void
report(struct series series[NSIZES])
{
	struct series *s = series;

	for (size_t i = 0; i < NSIZES; i++, s++) {
		for (size_t k = 0; k < 2; k++)
			bench_row(bench_quantile(&s->held, at[k].q), "us",
			    bench_quantile(&s->pair, at[k].q), "held/%s/%s",
			    sizes[i].name, at[k].name);
		bench_dump(&s->held, "held-%s", sizes[i].name);
		bench_dump(&s->pair, "held-%s-bare", sizes[i].name);
	}
	s = series;
	for (size_t i = 0; i < NSIZES; i++, s++) {
		for (size_t k = 0; k < 2; k++)
			bench_row(bench_quantile(&s->trio, at[k].q), "us",
			    bench_quantile(&s->pair, at[k].q), "bare3/%s/%s",
			    sizes[i].name, at[k].name);
		bench_dump(&s->trio, "held-%s-bare3", sizes[i].name);
	}
}

static void
measure(uint16_t port, const char *pair_name, const char *trio_name)
{
	static struct series series[NSIZES];
	struct ring pair, trio;
	int fd = connect_service(port);

	ring_join(&pair, pair_name, 0);
	ring_join(&trio, trio_name, 0);
	await_members(&pair, 2);
	await_members(&trio, 3);
	for (int round = -WARM; round < ROUNDS; round++) {
		for (size_t i = 0; i < NSIZES; i++) {
			struct series *s = round < 0 ? NULL : &series[i];
			/* A head has to be there in every message. */
			size_t bytes = sizes[i].bytes < RING_HEAD_BYTES
			    ? RING_HEAD_BYTES
			    : sizes[i].bytes;

			ask_ring(&pair, bytes, s != NULL ? &s->pair : NULL);
			ask_service(fd, bytes, s != NULL ? &s->held : NULL);
			ask_ring(&trio, bytes, s != NULL ? &s->trio : NULL);
		}
	}
	report(series);
}

int
main(int argc, char **argv)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc == 3 && strcmp(argv[1], "answer") == 0)
		serve(argv[2], 1);
	if (argc == 3 && strcmp(argv[1], "idle") == 0)
		serve(argv[2], 0);
	if (argc != 5 || strcmp(argv[1], "measure") != 0) {
		(void)fprintf(stderr,
		    "usage: lag answer|idle GROUP\n"
		    "       lag measure PORT PAIR TRIO\n");
		return 2;
	}
	measure((uint16_t)strtoul(argv[2], NULL, 0), argv[3], argv[4]);
	return 0;
}
