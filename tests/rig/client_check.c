/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rig/client_check.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void
check_init(struct check *c, uint64_t seed, unsigned k)
{
	memset(c, 0, sizeof(*c));
	c->seed = seed;
	(void)snprintf(c->id, sizeof(c->id), "c%" PRIu64 "-%u", seed, k);
}

uint64_t
check_amount(const struct check *c, uint64_t no)
{
	uint64_t x = (c->seed ^ no * UINT64_C(0x9e3779b97f4a7c15)) + no;
	const char *s;

	for (s = c->id; *s != '\0'; s++)
		x = (x ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return (x >> 20) % 1000 + 1;
}

/* Exactly "VERB ID NO TOTAL". */
static bool
parse_line(const struct check *c, const char *verb, const char *line,
    uint64_t *no, uint64_t *total)
{
	char want[160];

	if (sscanf(line, "%*s %*s %" SCNu64 " %" SCNu64, no, total) != 2)
		return false;
	(void)snprintf(want, sizeof(want), "%s %s %" PRIu64 " %" PRIu64, verb,
	    c->id, *no, *total);
	return strcmp(want, line) == 0;
}

const char *
check_answer(struct check *c, const char *line, uint64_t expect)
{
	uint64_t no, total;

	if (!parse_line(c, "OK", line, &no, &total))
		return "refused: a request is lost, or no answer";
	if (no != expect)
		return "out of order: another request is answered";
	if (no <= c->answered) {
		if (no + CHECK_PAST <= c->answered ||
		    c->past[no % CHECK_PAST] != total)
			return "answered twice, with another result";
		return NULL;
	}
	if (no != c->answered + 1)
		return "out of order: a request is skipped";
	if (total != c->total + check_amount(c, no))
		return "wrong total: an effect is lost or doubled";
	c->answered = no;
	c->total = total;
	c->past[no % CHECK_PAST] = total;
	return NULL;
}

const char *
check_last(const struct check *c, const char *line)
{
	uint64_t no, total;

	if (!parse_line(c, "LAST", line, &no, &total))
		return "no answer to SHOW";
	if (no < c->answered)
		return "an answered request is missing";
	if (no > c->answered)
		return "a request is there that was never sent";
	return total == c->total ? NULL : "wrong total at the end";
}

/* Each line is fed to a client that has seen requests 1 to 3 answered. */
static const struct {
	const char *name;
	bool last;		/* check_last(), not check_answer() */
	uint64_t expect;	/* request that the line should answer */
	const char *verb;
	uint64_t no;
	int off;		/* added to the right total */
	bool right;
} cases[] = {
	{ "next answer", false, 4, "OK", 4, 0, true },
	{ "repeated answer", false, 2, "OK", 2, 0, true },
	{ "lost effect", false, 4, "OK", 4, -1, false },
	{ "doubled effect", false, 4, "OK", 4, 1, false },
	{ "repeat with another result", false, 2, "OK", 2, 5, false },
	{ "answer of a later request", false, 4, "OK", 5, 0, false },
	{ "answer of an earlier request", false, 4, "OK", 3, 0, false },
	{ "skipped request", false, 5, "OK", 5, 0, false },
	{ "refusal", false, 4, "ERR", 4, 0, false },
	{ "right end", true, 0, "LAST", 3, 0, true },
	{ "missing at the end", true, 0, "LAST", 2, 0, false },
	{ "too much at the end", true, 0, "LAST", 4, 0, false },
	{ "wrong total at the end", true, 0, "LAST", 3, 7, false },
	{ "end of another kind", true, 0, "OK", 3, 0, false },
};

static uint64_t
right_total(const struct check *c, uint64_t no)
{
	uint64_t i, total = 0;

	for (i = 1; i <= no; i++)
		total += check_amount(c, i);
	return total;
}

static bool
try_case(size_t i)
{
	const char *wrong = NULL;
	struct check c;
	char line[128];
	uint64_t no;

	check_init(&c, 7, 0);
	for (no = 1; no <= 3 && wrong == NULL; no++) {
		(void)snprintf(line, sizeof(line),
		    "OK c7-0 %" PRIu64 " %" PRIu64, no, right_total(&c, no));
		wrong = check_answer(&c, line, no);
	}
	if (wrong != NULL)
		return false;
	(void)snprintf(line, sizeof(line), "%s c7-0 %" PRIu64 " %" PRIu64,
	    cases[i].verb, cases[i].no,
	    right_total(&c, cases[i].no) + (uint64_t)cases[i].off);
	wrong = cases[i].last ? check_last(&c, line)
			      : check_answer(&c, line, cases[i].expect);
	return (wrong == NULL) == cases[i].right;
}

/* The right number and total, but not the one way to write it. */
static bool
refuses_foreign(void)
{
	static const char *const head[] = { "", "OK", "OK c7-1 1", "OK c7-0",
		"OK  c7-0 1", "OK c7-0 01", "ok c7-0 1", "OK c7-0 1 1" };
	struct check c;
	char line[128];
	size_t i;

	check_init(&c, 7, 0);
	for (i = 0; i < sizeof(head) / sizeof(head[0]); i++) {
		(void)snprintf(line, sizeof(line), "%s %" PRIu64, head[i],
		    right_total(&c, 1));
		if (check_answer(&c, line, 1) == NULL)
			return false;
	}
	return true;
}

int
check_self_test(void)
{
	size_t i, n = sizeof(cases) / sizeof(cases[0]);
	bool ok;
	int rc = 0;

	(void)printf("1..%zu\n", n + 1);
	for (i = 0; i < n; i++) {
		ok = try_case(i);
		rc |= !ok;
		(void)printf("%s %zu - %s\n", ok ? "ok" : "not ok", i + 1,
		    cases[i].name);
	}
	ok = refuses_foreign();
	(void)printf("%s %zu - lines that are no answers\n",
	    ok ? "ok" : "not ok", n + 1);
	return rc | !ok;
}
