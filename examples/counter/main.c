/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counter: numbered requests over TCP, each answered only once a spare holds
 * its effect.
 *
 *	ADD <client> <no> <amount>	OK <client> <no> <total>
 *	SHOW <client>			LAST <client> <no> <total>
 *	TOTAL				TOTAL <no> <total> <order> <writes>
 *	CHECK				CHECK ok, or CHECK broken <invariant>
 *
 * A client numbers its requests from 1 and may have up to 64 unanswered; total
 * is the client's own.  After a break it connects again and sends the
 * unanswered ones again: those that were counted get the answer they had.  What
 * cannot be done is answered by ERR <client> <no> <reason>.
 *
 * Answers that come while there is no spare, where the administrator
 * allows that, are as good as this process is: min_spares=1 forbids them.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hotspare/hs.h>

#include "examples/common/net.h"
#include "examples/counter/gate.h"
#include "examples/counter/ledger.h"

#define ANSWER_BYTES 192
#define IDLE_MS 200	/* how often hsping() is called at least */
#define RETRY_MS 2	/* after HS_EAGAIN */
#define MIB ((size_t)1 << 20)

struct counter {
	struct ledger *ledger;	/* in checkpoint memory; all else is not */
	struct net *net;
	struct gate *gate;
	int event_fd;
	unsigned dirty_pages;
};

struct settings {
	uint16_t port;
	size_t ballast_bytes;
	unsigned dirty_pages;
	const char *tracker;
};

static _Noreturn void
die(const char *what, int rc)
{
	(void)fprintf(stderr, "counter: %s: %s\n", what, hsstrerror(rc));
	exit(EXIT_FAILURE);
}

/* The whole string is a number up to max. */
static bool
read_number(const char *s, uint64_t max, uint64_t *out)
{
	char *end;

	if (s == NULL || *s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoull(s, &end, 10);
	return errno == 0 && *end == '\0' && *out <= max;
}

static bool
valid_id(const char *s)
{
	return s != NULL && strlen(s) <= LEDGER_ID;
}

static int
answer_add(struct counter *k, char **save, char *out)
{
	const char *id = strtok_r(NULL, " ", save);
	const char *no_text = strtok_r(NULL, " ", save);
	uint64_t no, amount, value;

	if (!valid_id(id) || !read_number(no_text, UINT64_MAX, &no) ||
	    !read_number(strtok_r(NULL, " ", save), LEDGER_AMOUNT_MAX, &amount))
		return snprintf(out, ANSWER_BYTES, "ERR - - syntax\n");
	switch (ledger_add(k->ledger, id, no, amount, &value)) {
	case LEDGER_OK:
		ledger_dirty(k->ledger, k->dirty_pages);
		__attribute__((fallthrough));
	case LEDGER_REPEAT:
		return snprintf(out, ANSWER_BYTES,
		    "OK %s %" PRIu64 " %" PRIu64 "\n", id, no, value);
	case LEDGER_GAP:
		return snprintf(out, ANSWER_BYTES,
		    "ERR %s %" PRIu64 " gap after %" PRIu64 "\n", id, no,
		    value);
	case LEDGER_OLD:
		return snprintf(out, ANSWER_BYTES, "ERR %s %" PRIu64 " old\n",
		    id, no);
	case LEDGER_FULL:
		break;
	}
	return snprintf(out, ANSWER_BYTES, "ERR %s %" PRIu64 " full\n", id, no);
}

static int
answer_show(const struct counter *k, char **save, char *out)
{
	const char *id = strtok_r(NULL, " ", save);
	uint64_t no, total;

	if (!valid_id(id))
		return snprintf(out, ANSWER_BYTES, "ERR - - syntax\n");
	ledger_show(k->ledger, id, &no, &total);
	return snprintf(out, ANSWER_BYTES, "LAST %s %" PRIu64 " %" PRIu64 "\n",
	    id, no, total);
}

static int
answer_total(const struct counter *k, char *out)
{
	struct ledger_sum s;

	ledger_sum(k->ledger, &s);
	return snprintf(out, ANSWER_BYTES,
	    "TOTAL %" PRIu64 " %" PRIu64 " %016" PRIx64 " %" PRIu64 "\n",
	    s.requests, s.total, s.order, s.page_writes);
}

static int
answer_check(const struct counter *k, char *out)
{
	int broken = ledger_check(k->ledger);

	if (broken == 0)
		return snprintf(out, ANSWER_BYTES, "CHECK ok\n");
	return snprintf(out, ANSWER_BYTES, "CHECK broken L%d\n", broken);
}

static int
answer_line(struct counter *k, char *line, char *out)
{
	char *save = NULL;
	const char *verb = strtok_r(line, " ", &save);

	if (verb != NULL && strcmp(verb, "ADD") == 0)
		return answer_add(k, &save, out);
	if (verb != NULL && strcmp(verb, "SHOW") == 0)
		return answer_show(k, &save, out);
	if (verb != NULL && strcmp(verb, "TOTAL") == 0)
		return answer_total(k, out);
	if (verb != NULL && strcmp(verb, "CHECK") == 0)
		return answer_check(k, out);
	return snprintf(out, ANSWER_BYTES, "ERR - - syntax\n");
}

static void
conn_opened(void *arg, struct net_conn *c)
{
	(void)arg;
	(void)c;
}

/*
 * Even an answer that changes nothing waits at the gate: it may tell of an
 * effect that no spare holds yet.
 */
static void
conn_input(void *arg, struct net_conn *c)
{
	struct counter *k = arg;
	char line[NET_IN_BYTES + 1], out[ANSWER_BYTES];
	int len;

	while (net_line(c, line, sizeof(line)) >= 0) {
		len = answer_line(k, line, out);
		if (!gate_put(k->gate, c, out, (size_t)len)) {
			net_close(c);
			return;
		}
	}
}

static void
conn_closed(void *arg, struct net_conn *c)
{
	(void)arg;
	(void)c;
}

static const struct net_ops ops = {
	.opened = conn_opened,
	.input = conn_input,
	.closed = conn_closed,
};

static _Noreturn void
serve(struct counter *k)
{
	uint64_t count;
	int rc, wait_ms = IDLE_MS;

	for (;;) {
		rc =
		    net_wait(k->net, k->event_fd, !gate_full(k->gate), wait_ms);
		if (rc < 0)
			die("poll", rc);
		if (rc == 1 && read(k->event_fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			die("event", -errno);
		rc = gate_seal(k->gate);
		if (rc < 0 && rc != HS_EAGAIN)
			die("checkpoint", rc);
		wait_ms = rc == HS_EAGAIN ? RETRY_MS : IDLE_MS;
		rc = gate_release(k->gate, k->net);
		if (rc < 0)
			die("checkpoint", rc);
		(void)hsping();
	}
}

static _Noreturn void
usage(int status)
{
	(void)fprintf(status == 0 ? stdout : stderr,
	    "usage: counter [-p port] [-m bytes] [-d pages] [-T tracker]\n"
	    "  -m  bytes of extra state; K, M and G are understood\n"
	    "  -d  pages of it that each request writes to\n"
	    "  -T  how to find dirty pages: auto, wpa, full\n");
	exit(status);
}

static uint64_t
parse_size(const char *s, uint64_t max)
{
	static const char units[] = "KMG";
	uint64_t v = 0;
	const char *u;
	char *end = NULL;

	errno = 0;
	if (*s >= '0' && *s <= '9')
		v = strtoull(s, &end, 10);
	if (end != NULL && *end != '\0' && (u = strchr(units, *end)) != NULL &&
	    v <= max) {
		v <<= 10 * (u - units + 1);
		end++;
	}
	if (end == NULL || *end != '\0' || errno != 0 || v > max) {
		(void)fprintf(stderr,
		    "counter: %s: wanted is a number up to %" PRIu64 "\n", s,
		    max);
		exit(2);
	}
	return v;
}

static struct settings
parse_options(int argc, char **argv)
{
	struct settings s = { .port = 4001 };
	int opt;

	while ((opt = getopt(argc, argv, "d:hm:p:T:")) != -1) {
		switch (opt) {
		case 'd':
			s.dirty_pages = (unsigned)parse_size(optarg, 1 << 20);
			break;
		case 'h':
			usage(0);
		case 'm':
			s.ballast_bytes = parse_size(optarg, (uint64_t)1 << 40);
			break;
		case 'p':
			s.port = (uint16_t)parse_size(optarg, 65535);
			break;
		case 'T':
			s.tracker = optarg;
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
	struct counter k = { .dirty_pages = s.dirty_pages };
	struct hs_options opt = HS_OPTIONS;
	int rc;

	/* Address space only: it costs nothing until it is used. */
	opt.arena_bytes = s.ballast_bytes + s.ballast_bytes / 8 + 1024 * MIB;
	opt.tracker = s.tracker;
	rc = hsinit(&opt);	/* on a spare: returns when it takes over */
	if (rc < 0) {
		(void)fprintf(stderr, "counter: %s\n", hsmessage());
		return EXIT_FAILURE;
	}
	if (rc == HS_RESTORED) {
		k.ledger = ledger_find();
		if (k.ledger == NULL)
			die("no ledger in the image", -ENOENT);
	} else {
		rc = ledger_create(&k.ledger, s.ballast_bytes);
		if (rc < 0)
			die("memory", rc);
	}
	k.event_fd = hseventfd();
	rc = gate_create(&k.gate);
	if (rc == 0)
		rc = net_create(&k.net, s.port, &ops, &k);
	if (rc < 0)
		die("start", rc);
	serve(&k);
}
