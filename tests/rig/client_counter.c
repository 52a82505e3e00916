/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client_counter: keeps the counter busy over connections that may break at
 * any moment, and checks every answer.  Ends at SIGTERM, SIGINT or after -t
 * seconds: then it waits for what is unanswered, asks for each account and
 * for the service's own check.  The last line of its output is one JSON object;
 * the status is 1 if anything was wrong, with one "breach:" line for each.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/rig/client_check.h"
#include "tests/rig/client_link.h"
#include "tests/rig/client_load.h"

#define CONNS_MAX 64
#define WINDOW_MAX 32	/* half of what the service remembers a client */
#define SENT_MAX 128	/* unanswered lines of a connection */
#define REPEAT_EVERY 32	/* one request in so many is sent again on purpose */
#define GAP_SAID_NS (150 * LINK_MS)
#define BREACHES_MAX 20	/* then it is clear enough */
#define BUCKETS 480	/* of latency: 16 for each doubling of a us */

enum phase {
	PHASE_LOAD,
	PHASE_DRAIN,	/* no new requests */
	PHASE_SHOW,	/* every connection asks for its account */
	PHASE_CHECK,	/* the first one asks for the service's check */
	PHASE_DONE,
};

struct conn {
	struct client_link link;
	struct check check;
	uint64_t issued;	/* highest request ever sent */
	uint64_t sent_upto;	/* on this connection */
	uint64_t due_ns;	/* of the next new request */
	uint64_t first_ns[CHECK_PAST];	/* when request no was first sent */
	unsigned head, nsent;
	uint64_t sent[SENT_MAX];	/* requests to be answered, in order */
	bool asked;		/* the question of this phase */
	bool settled;		/* and its answer is here */
};

struct load {
	struct client_load common;
	struct conn conn[CONNS_MAX];
	unsigned window;
	uint64_t rng;
	enum phase phase;
	uint64_t start_ns;
	uint64_t last_ns;	/* of the newest answer */
	uint64_t longest_ns;
	uint64_t answered, repeats, breaches;
	uint64_t latency[BUCKETS];
};

static uint64_t
next_random(struct load *d)
{
	d->rng ^= d->rng << 13;
	d->rng ^= d->rng >> 7;
	d->rng ^= d->rng << 17;
	return d->rng;
}

static uint64_t
real_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
breach(struct load *d, const struct conn *k, const char *what, const char *line)
{
	d->breaches++;
	(void)printf("breach: %s %s (after %" PRIu64 "): %s\n", k->check.id,
	    what, k->check.answered, line);
	(void)fflush(stdout);
}

/* 16 steps a doubling: within 5 % of the true value. */
static unsigned
bucket_of(uint64_t us)
{
	unsigned shift = 0;

	while (us >> shift >= 32)
		shift++;
	shift = shift * 16 + (unsigned)(us >> shift);
	return shift < BUCKETS ? shift : BUCKETS - 1;
}

static uint64_t
bucket_us(unsigned b)
{
	return b < 32 ? b : (uint64_t)(b % 16 + 16) << (b / 16 - 1);
}

static uint64_t
percentile_us(const struct load *d, unsigned percent)
{
	uint64_t n = 0, seen = 0;
	unsigned b;

	for (b = 0; b < BUCKETS; b++)
		n += d->latency[b];
	for (b = 0; b < BUCKETS; b++) {
		seen += d->latency[b];
		if (seen * 100 >= n * percent)
			break;
	}
	return n == 0 ? 0 : bucket_us(b < BUCKETS ? b : BUCKETS - 1);
}

static void
note_answer(struct load *d, struct conn *k, uint64_t no, uint64_t now)
{
	uint64_t gap = now - d->last_ns;

	d->latency[bucket_of((now - k->first_ns[no % CHECK_PAST]) / 1000)]++;
	d->answered++;
	if (gap > d->longest_ns)
		d->longest_ns = gap;
	if (gap >= GAP_SAID_NS) {
		(void)printf("gap %" PRIu64 " ms, over at %" PRIu64 "\n",
		    gap / LINK_MS, real_ms());
		(void)fflush(stdout);
	}
	d->last_ns = now;
}

static bool
send_request(struct conn *k, uint64_t no, uint64_t now)
{
	char line[128];

	if (k->nsent == SENT_MAX)
		return false;
	(void)snprintf(line, sizeof(line), "ADD %s %" PRIu64 " %" PRIu64 "\n",
	    k->check.id, no, check_amount(&k->check, no));
	if (!link_put(&k->link, line))
		return false;
	if (k->nsent == 0)
		k->link.heard_ns = now;	/* the wait for an answer begins */
	k->sent[(k->head + k->nsent++) % SENT_MAX] = no;
	return true;
}

/* What was unanswered when the connection broke goes first, then new ones. */
static void
send_requests(struct load *d, struct conn *k, uint64_t now)
{
	uint64_t no;

	while (k->sent_upto < k->check.answered + d->window) {
		no = k->sent_upto + 1;
		if (no > k->issued &&
		    (d->phase != PHASE_LOAD || now < k->due_ns))
			return;
		if (!send_request(k, no, now))
			return;
		k->sent_upto = no;
		if (no <= k->issued)
			continue;
		k->issued = no;
		k->first_ns[no % CHECK_PAST] = now;
		k->due_ns += d->common.interval_ns;
		if (k->due_ns < now)
			k->due_ns = now;
	}
}

/* Now and then a client forgets that it was answered. */
static void
repeat_request(struct load *d, struct conn *k, uint64_t now)
{
	uint64_t r = next_random(d), back = (r >> 8) % 16;

	if (r % REPEAT_EVERY != 0 || back >= k->check.answered)
		return;
	if (send_request(k, k->check.answered - back, now))
		d->repeats++;
}

static void
take_answer(struct load *d, struct conn *k, const char *line, uint64_t now)
{
	uint64_t before = k->check.answered, expect;
	const char *wrong;

	if (k->nsent == 0) {
		breach(d, k, "an answer to nothing", line);
		return;
	}
	expect = k->sent[k->head];
	k->head = (k->head + 1) % SENT_MAX;
	k->nsent--;
	wrong = check_answer(&k->check, line, expect);
	if (wrong != NULL) {
		breach(d, k, wrong, line);
		/* Nothing after this is in step: start from what is known. */
		link_break(&k->link, now);
		return;
	}
	if (k->check.answered == before)
		return;
	note_answer(d, k, k->check.answered, now);
	if (d->phase == PHASE_LOAD)
		repeat_request(d, k, now);
}

static void
take_last_word(struct load *d, struct conn *k, const char *line, uint64_t now)
{
	const char *wrong = NULL;

	if (d->phase == PHASE_SHOW)
		wrong = check_last(&k->check, line);
	else if (strcmp(line, "CHECK ok") != 0)
		wrong = "the service's state is inconsistent";
	if (wrong != NULL)
		breach(d, k, wrong, line);
	k->settled = true;
	d->last_ns = now;
}

static void
ask_last_word(const struct load *d, struct conn *k)
{
	char line[64];

	if (k->asked || k->settled)
		return;
	(void)snprintf(line, sizeof(line), "%s %s\n",
	    d->phase == PHASE_SHOW ? "SHOW" : "CHECK",
	    d->phase == PHASE_SHOW ? k->check.id : "");
	k->asked = link_put(&k->link, line);
}

static void
start_over(struct conn *k)
{
	k->head = 0;
	k->nsent = 0;
	k->sent_upto = k->check.answered;
	k->asked = false;
}

static void
serve_conn(struct load *d, struct conn *k, short revents, uint64_t now)
{
	char line[256];

	if (link_step(&k->link, revents, now))
		start_over(k);
	while (k->link.state == LINK_UP &&
	    link_line(&k->link, line, sizeof(line))) {
		if (d->phase <= PHASE_DRAIN)
			take_answer(d, k, line, now);
		else
			take_last_word(d, k, line, now);
	}
	if (k->link.state != LINK_UP)
		return;
	if (d->phase > PHASE_DRAIN)
		ask_last_word(d, k);
	else
		send_requests(d, k, now);
	link_flush(&k->link, now);
	if ((k->nsent > 0 || k->asked) && !k->settled &&
	    now - k->link.heard_ns > d->common.answer_ns)
		link_break(&k->link, now);
}

static bool
phase_over(const struct load *d, uint64_t now)
{
	unsigned i;

	if (d->phase == PHASE_LOAD)
		return load_is_over(&d->common, now);
	for (i = 0; i < d->common.nconns; i++) {
		if (d->phase == PHASE_DRAIN &&
		    (d->conn[i].check.answered < d->conn[i].issued ||
			d->conn[i].nsent > 0))
			return false;
		if (d->phase > PHASE_DRAIN && !d->conn[i].settled)
			return false;
	}
	return true;
}

/* The last word of the first connection only: one look is enough. */
static void
next_phase(struct load *d)
{
	unsigned i;

	d->phase++;
	for (i = 0; i < d->common.nconns; i++) {
		d->conn[i].asked = false;
		d->conn[i].settled = d->phase == PHASE_CHECK && i > 0;
	}
}

static void
write_report(struct load *d, uint64_t now)
{
	load_report(&d->common, now,
	    "answered=%" PRIu64 " breaches=%" PRIu64 " silent_ms=%" PRIu64 "\n",
	    d->answered, d->breaches, (now - d->last_ns) / LINK_MS);
}

static void
run_load(struct load *d)
{
	struct pollfd p[CONNS_MAX];
	uint64_t now = link_now_ns();
	unsigned i;

	d->start_ns = d->last_ns = now;
	while (d->phase != PHASE_DONE) {
		for (i = 0; i < d->common.nconns; i++)
			p[i] = link_pollfd(&d->conn[i].link);
		if (poll(p, d->common.nconns, 5) < 0)
			memset(p, 0, sizeof(p));
		now = link_now_ns();
		for (i = 0; i < d->common.nconns; i++)
			serve_conn(d, &d->conn[i], p[i].revents, now);
		if (now - d->last_ns > d->common.give_up_ns) {
			breach(d, &d->conn[0], "no answer for too long", "");
			break;
		}
		if (d->breaches >= BREACHES_MAX)
			break;
		while (d->phase != PHASE_DONE && phase_over(d, now))
			next_phase(d);
		if (now >= d->common.report_ns)
			write_report(d, now);
	}
	write_report(d, now);
}

static void
print_summary(const struct load *d)
{
	uint64_t ms = (link_now_ns() - d->start_ns) / LINK_MS, ups = 0;
	unsigned i;

	for (i = 0; i < d->common.nconns; i++)
		ups += d->conn[i].link.ups;
	(void)printf("{\"answered\": %" PRIu64 ", \"breaches\": %" PRIu64
		     ", \"longest_gap_ms\": %" PRIu64
		     ", \"requests_per_s\": %" PRIu64 ", \"p50_us\": %" PRIu64
		     ", \"p99_us\": %" PRIu64 ", \"connections\": %" PRIu64
		     ", \"repeats\": %" PRIu64 ", \"seed\": %" PRIu64 "}\n",
	    d->answered, d->breaches, d->longest_ns / LINK_MS,
	    ms == 0 ? 0 : d->answered * 1000 / ms, percentile_us(d, 50),
	    percentile_us(d, 99), ups, d->repeats, d->common.seed);
}

static _Noreturn void
usage(int status)
{
	(void)fprintf(status == 0 ? stdout : stderr,
	    "usage: client_counter [-k conns] [-w window] [-r rate] [-t s]\n"
	    "           [-a answer_ms] [-g give_up_s] [-s seed] [-o report]\n"
	    "           ADDRESS PORT\n"
	    "       client_counter --self-test\n"
	    "  -r  requests a second and connection; 0 is as many as can be\n"
	    "  -a  a connection silent for so long is replaced\n");
	exit(status);
}

static void
parse_options(struct load *d, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "self-test", no_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t window = d->window;
	int o;

	while ((o = getopt_long(argc, argv, LOAD_OPTIONS "w:", longs, NULL)) !=
	    -1) {
		if (o == 'S')
			exit(check_self_test());
		if (o == 'w' ? load_number(optarg, 1, WINDOW_MAX, &window) < 0
			     : load_option(&d->common, o, optarg) < 0)
			usage(o == 'h' ? 0 : 2);
	}
	if (argc - optind != 2)
		usage(2);
	d->window = (unsigned)window;
}

int
main(int argc, char **argv)
{
	static struct load d = {
		.common = { .nconns = 8,
		    .conns_max = CONNS_MAX,
		    .interval_ns = 1000 * LINK_MS / LOAD_RATE,
		    .answer_ns = 500 * LINK_MS,
		    .give_up_ns = 60000 * LINK_MS },
		.window = 4,
	};
	unsigned i;

	d.common.seed = link_now_ns() ^ (uint64_t)getpid() << 32;
	parse_options(&d, argc, argv);
	d.rng = d.common.seed | 1;
	for (i = 0; i < d.common.nconns; i++) {
		check_init(&d.conn[i].check, d.common.seed, i);
		if (!link_init(&d.conn[i].link, argv[optind], argv[optind + 1]))
			usage(2);
	}
	load_catch();
	run_load(&d);
	print_summary(&d);
	return d.breaches != 0;
}
