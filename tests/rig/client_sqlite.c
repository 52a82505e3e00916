/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client_sqlite: moves money between accounts over several connections to
 * sqlited, each of which may break at any moment.  A transfer is a transaction
 * of five statements; it is on record in table done, by the client's number and
 * the transfer's.  Whenever a connection comes up it asks what is on record:
 * all that was answered must be, at most one more may be.  The first connection
 * to a database also asks for integrity_check, the sum of all accounts, and
 * that each account is what the record makes it.
 *
 * Ends at SIGTERM, or after -t seconds, with the same questions once more.  The
 * last line is one JSON object; the status is 1 if anything was wrong, with one
 * "breach:" line for each.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rig/client_link.h"
#include "tests/rig/client_load.h"

#define CONNS_MAX 16
#define ACCOUNTS 64
#define START 1000	/* in each account */
#define BUSY 5		/* SQLITE_BUSY, with its extended codes above it */
#define BREACHES_MAX 20

/* What a connection waits for the answer of. */
enum step {
	STEP_NONE,
	STEP_BUILD,	/* tables and accounts, if there are none */
	STEP_RECORD,	/* what is on record of this client */
	STEP_CHECK,	/* integrity_check */
	STEP_SUM,
	STEP_ACCOUNTS,
	STEP_BEGIN,
	STEP_MOVE,	/* the three changes */
	STEP_COMMIT,
	STEP_SETTLED,	/* the last questions are answered */
};

struct conn {
	struct client_link link;
	unsigned id;
	unsigned db;		/* which it uses */
	enum step step;
	unsigned to_come;	/* answers until the step is done */
	unsigned nrows;
	char row[256];		/* the last one */
	uint64_t answered;	/* transfers whose COMMIT was answered */
	uint64_t issued;	/* or sent at all */
	uint64_t moved;		/* the amounts of the answered ones */
	uint64_t due_ns;	/* of the next transfer */
	bool last;		/* these are the last questions */
};

struct load {
	struct conn conn[CONNS_MAX];
	struct client_load common;
	unsigned ndbs;		/* at ports one above the other */
	bool built[CONNS_MAX];	/* a database; its first connection has */
	uint64_t start_ns;
	uint64_t last_ns;	/* of the newest COMMIT's answer */
	uint64_t longest_ns;
	uint64_t answered, checks, unsure, breaches;
};

/* What transfer no of a client moves: a function of them and the seed. */
struct transfer {
	unsigned from, to, amount;
};

static struct transfer
plan_transfer(uint64_t seed, unsigned id, uint64_t no)
{
	uint64_t z = seed + (no * CONNS_MAX + id) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return (struct transfer){
		.from = (unsigned)(z % ACCOUNTS),
		.to = (unsigned)((z >> 16) % ACCOUNTS),
		.amount = (unsigned)((z >> 32) % 50 + 1),
	};
}

__attribute__((format(printf, 3, 4))) static void
breach(struct load *d, const struct conn *k, const char *fmt, ...)
{
	va_list ap;

	d->breaches++;
	(void)printf("breach: client %u: ", k->id);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)printf("\n");
	(void)fflush(stdout);
}

/* Send sql, which is answered in n lines of OK or ERR. */
__attribute__((format(printf, 4, 5))) static void
ask(struct conn *k, enum step step, unsigned n, const char *fmt, ...)
{
	char sql[1536];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(sql, sizeof(sql), fmt, ap);
	va_end(ap);
	if (k->link.state != LINK_UP || !link_put(&k->link, sql))
		return;
	k->link.heard_ns = link_now_ns();	/* the wait begins */
	k->step = step;
	k->to_come = n;
	k->nrows = 0;
	k->row[0] = '\0';
}

static void
ask_build(struct conn *k)
{
	ask(k, STEP_BUILD, 1,
	    "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS account("
	    "id INTEGER PRIMARY KEY, amount INTEGER NOT NULL);"
	    "CREATE TABLE IF NOT EXISTS done(client, no, src, dst, amount, "
	    "PRIMARY KEY(client, no)) WITHOUT ROWID;"
	    "WITH n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n WHERE i<%d) "
	    "INSERT OR IGNORE INTO account SELECT i, %d FROM n; COMMIT\n",
	    ACCOUNTS - 1, START);
}

static void
ask_record(struct conn *k)
{
	ask(k, STEP_RECORD, 1,
	    "SELECT count(*), coalesce(max(no),0), coalesce(sum(amount),0) "
	    "FROM done WHERE client=%u\n",
	    k->id);
}

static void
ask_accounts(struct conn *k)
{
	ask(k, STEP_ACCOUNTS, 1,
	    "SELECT count(*) FROM account LEFT JOIN "
	    "(SELECT dst, sum(amount) i FROM done GROUP BY dst) ON dst=id "
	    "LEFT JOIN (SELECT src, sum(amount) o FROM done GROUP BY src) "
	    "ON src=id WHERE amount<>%d+coalesce(i,0)-coalesce(o,0)\n",
	    START);
}

static void
ask_move(const struct load *d, struct conn *k)
{
	struct transfer t =
	    plan_transfer(d->common.seed, k->id, k->answered + 1);

	ask(k, STEP_MOVE, 3,
	    "UPDATE account SET amount=amount-%u WHERE id=%u\n"
	    "UPDATE account SET amount=amount+%u WHERE id=%u\n"
	    "INSERT INTO done VALUES(%u,%" PRIu64 ",%u,%u,%u)\n",
	    t.amount, t.from, t.amount, t.to, k->id, k->answered + 1, t.from,
	    t.to, t.amount);
}

static void
count_answer(struct load *d, struct conn *k, uint64_t now)
{
	k->answered++;
	k->moved += plan_transfer(d->common.seed, k->id, k->answered).amount;
	d->answered++;
	if (now - d->last_ns > d->longest_ns)
		d->longest_ns = now - d->last_ns;
	d->last_ns = now;
}

/* Three numbers: how many transfers, the highest, what they moved in all. */
static void
take_record(struct load *d, struct conn *k, uint64_t now)
{
	uint64_t n, max, sum;

	if (sscanf(k->row,		/* NOLINT(cert-err34-c): our own */
		"ROW\t%" SCNu64 "\t%" SCNu64 "\t%" SCNu64, &n, &max,
		&sum) != 3) {
		breach(d, k, "no record: %s", k->row);
		return;
	}
	if (n != max)
		breach(d, k,
		    "%" PRIu64 " transfers, the last is number %" PRIu64, n,
		    max);
	if (max < k->answered)
		breach(d, k, "%" PRIu64 " answered, %" PRIu64 " on record",
		    k->answered, max);
	if (max > k->issued)
		breach(d, k, "%" PRIu64 " on record, %" PRIu64 " sent", max,
		    k->issued);
	/* Not answered, but done. */
	if (max == k->answered + 1) {
		d->unsure++;
		count_answer(d, k, now);
	}
	if (max == k->answered && sum != k->moved)
		breach(d, k, "moved %" PRIu64 ", on record %" PRIu64, k->moved,
		    sum);
}

/* The next question, after one that was answered by OK. */
static void
take_ok(struct load *d, struct conn *k, uint64_t now)
{
	enum step was = k->step;

	k->step = STEP_NONE;
	switch (was) {
	case STEP_BUILD:
		d->built[k->db] = true;
		ask_record(k);
		break;
	case STEP_RECORD:
		take_record(d, k, now);
		if (k->id == k->db)
			ask(k, STEP_CHECK, 1, "PRAGMA integrity_check\n");
		else if (k->last)
			k->step = STEP_SETTLED;
		break;
	case STEP_CHECK:
		if (k->nrows != 1 || strcmp(k->row, "ROW\tok") != 0)
			breach(d, k, "integrity_check: %u rows, %s", k->nrows,
			    k->row);
		ask(k, STEP_SUM, 1, "SELECT sum(amount) FROM account\n");
		break;
	case STEP_SUM:
		if (strtoull(k->row + 4, NULL, 10) != ACCOUNTS * START)
			breach(d, k, "the sum is %s", k->row);
		ask_accounts(k);
		break;
	case STEP_ACCOUNTS:
		if (strcmp(k->row, "ROW\t0") != 0)
			breach(d, k, "accounts against the record: %s", k->row);
		d->checks++;
		if (k->last)
			k->step = STEP_SETTLED;
		break;
	case STEP_BEGIN:
		ask_move(d, k);
		break;
	case STEP_MOVE:
		k->issued = k->answered + 1;
		ask(k, STEP_COMMIT, 1, "COMMIT\n");
		break;
	case STEP_COMMIT:
		count_answer(d, k, now);
		break;
	case STEP_NONE:
	case STEP_SETTLED:
		breach(d, k, "an answer to nothing");
		break;
	}
}

/* Busy at BEGIN is no news; all else leaves the answer open: ask the record. */
static void
take_error(struct conn *k, const char *line, uint64_t now)
{
	unsigned long code = strtoul(line + 4, NULL, 10);

	if (k->step == STEP_BEGIN && (code & 0xff) == BUSY) {
		k->step = STEP_NONE;
		return;
	}
	(void)printf("client %u: %s\n", k->id, line);
	(void)fflush(stdout);
	link_break(&k->link, now);
}

static void
take_line(struct load *d, struct conn *k, const char *line, uint64_t now)
{
	if (strncmp(line, "ROW\t", 4) == 0) {
		k->nrows++;
		(void)snprintf(k->row, sizeof(k->row), "%s", line);
	} else if (strncmp(line, "ERR ", 4) == 0) {
		take_error(k, line, now);
	} else if (strncmp(line, "OK ", 3) != 0) {
		breach(d, k, "answered by: %s", line);
		link_break(&k->link, now);
	} else if (k->to_come > 1) {
		k->to_come--;
	} else {
		take_ok(d, k, now);
	}
}

static bool
is_over(const struct load *d, uint64_t now)
{
	return load_is_over(&d->common, now);
}

/* Nothing is on its way: what next? */
static void
go_on(struct load *d, struct conn *k, uint64_t now)
{
	if (k->link.state != LINK_UP || k->step != STEP_NONE)
		return;
	if (is_over(d, now)) {
		k->last = true;
		ask_record(k);
	} else if (d->built[k->db] && now >= k->due_ns) {
		k->due_ns += d->common.interval_ns;
		if (k->due_ns < now)
			k->due_ns = now;
		ask(k, STEP_BEGIN, 1, "BEGIN IMMEDIATE\n");
	}
}

static void
serve_conn(struct load *d, struct conn *k, short revents, uint64_t now)
{
	char line[256];

	if (link_step(&k->link, revents, now)) {
		k->step = STEP_NONE;
		if (d->built[k->db])
			ask_record(k);
		else if (k->id == k->db)
			ask_build(k);
	}
	while (
	    k->link.state == LINK_UP && link_line(&k->link, line, sizeof(line)))
		take_line(d, k, line, now);
	go_on(d, k, now);
	link_flush(&k->link, now);
	if (k->link.state == LINK_UP && k->step != STEP_NONE &&
	    k->step != STEP_SETTLED && now > k->link.heard_ns &&
	    now - k->link.heard_ns > d->common.answer_ns)
		link_break(&k->link, now);
}

static bool
all_settled(const struct load *d)
{
	unsigned i;

	for (i = 0; i < d->common.nconns; i++)
		if (d->conn[i].step != STEP_SETTLED)
			return false;
	return true;
}

static void
write_report(struct load *d, uint64_t now)
{
	load_report(&d->common, now,
	    "answered=%" PRIu64 " breaches=%" PRIu64 " checks=%" PRIu64 "\n",
	    d->answered, d->breaches, d->checks);
}

static void
run_load(struct load *d)
{
	struct pollfd p[CONNS_MAX];
	uint64_t now = link_now_ns();
	unsigned i;

	d->start_ns = d->last_ns = now;
	while (!all_settled(d)) {
		for (i = 0; i < d->common.nconns; i++)
			p[i] = link_pollfd(&d->conn[i].link);
		if (poll(p, d->common.nconns, 5) < 0)
			memset(p, 0, sizeof(p));
		now = link_now_ns();
		for (i = 0; i < d->common.nconns; i++)
			serve_conn(d, &d->conn[i], p[i].revents, now);
		if (now - d->last_ns > d->common.give_up_ns) {
			breach(d, &d->conn[0], "no answer for too long");
			break;
		}
		if (d->breaches >= BREACHES_MAX)
			break;
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
		     ", \"checks\": %" PRIu64 ", \"unsure\": %" PRIu64
		     ", \"longest_gap_ms\": %" PRIu64
		     ", \"transfers_per_s\": %" PRIu64
		     ", \"connections\": %" PRIu64 ", \"seed\": %" PRIu64 "}\n",
	    d->answered, d->breaches, d->checks, d->unsure,
	    d->longest_ns / LINK_MS, ms == 0 ? 0 : d->answered * 1000 / ms, ups,
	    d->common.seed);
}

static _Noreturn void
usage(int status)
{
	(void)fprintf(status == 0 ? stdout : stderr,
	    "usage: client_sqlite [-k conns] [-d databases] [-r rate] [-t s]\n"
	    "           [-a answer_ms] [-g give_up_s] [-s seed] [-o report]\n"
	    "           ADDRESS PORT\n"
	    "  -d  shared by the connections in turn, at PORT and those above\n"
	    "  -r  transfers a second and connection; 0 is as many as can be\n"
	    "  -a  a connection silent for so long is replaced\n");
	exit(status);
}

static void
parse_options(struct load *d, int argc, char **argv)
{
	uint64_t ndbs = d->ndbs;
	int o;

	while ((o = getopt(argc, argv, LOAD_OPTIONS "d:")) != -1)
		if (o == 'd' ? load_number(optarg, 1, CONNS_MAX, &ndbs) < 0
			     : load_option(&d->common, o, optarg) < 0)
			usage(o == 'h' ? 0 : 2);
	if (argc - optind != 2 || ndbs > d->common.nconns)
		usage(2);
	d->ndbs = (unsigned)ndbs;
}

int
main(int argc, char **argv)
{
	static struct load d = {
		.common = { .nconns = 4,
		    .conns_max = CONNS_MAX,
		    .interval_ns = 1000 * LINK_MS / LOAD_RATE,
		    .answer_ns = 8000 * LINK_MS,
		    .give_up_ns = 60000 * LINK_MS },
		.ndbs = 1,
	};
	char port[16];
	unsigned i;

	d.common.seed = link_now_ns();
	parse_options(&d, argc, argv);
	for (i = 0; i < d.common.nconns; i++) {
		d.conn[i].id = i;
		d.conn[i].db = i % d.ndbs;
		(void)snprintf(port, sizeof(port), "%lu",
		    strtoul(argv[optind + 1], NULL, 10) + d.conn[i].db);
		if (!link_init(&d.conn[i].link, argv[optind], port))
			usage(2);
	}
	load_catch();
	run_load(&d);
	print_summary(&d);
	return d.breaches != 0;
}
