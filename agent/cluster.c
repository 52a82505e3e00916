/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * K1  At most one attrd_updater of ours runs.
 * K2  An entry is pending iff Pacemaker is not known to have what is wanted.
 *     At first that is so for whatever is asked: an agent before us may have
 *     left anything.
 * K3  With an entry pending, the tool runs or the retry timer does.
 * K4  Nothing is deleted that is in the configuration and wanted: Pacemaker
 *     would demote a primary without a score.
 *
 * Deleting and setting to "" are one thing to Pacemaker's attribute daemon, and
 * so they are here.
 */
#include "agent/cluster.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <qb/qblog.h>

#include "agent/tool.h"

#define TOOL "attrd_updater"
#define TOOL_MS 10000u		/* far above its 17 ms; a hung one ends */
#define RETRY_NS 1000000000u	/* Pacemaker's own restart takes about that */
#define CLEAR_NS 5000000000u	/* what hs_cluster_clear() promises */
#define LOOK "cibadmin"
#define LOOK_AGAIN 3		/* part of the period, after a first miss */
#define NO_SUCH 105		/* its exit status: nothing matches */
#define MAX_ENTRIES 8
#define NAME_BYTES 128
#define VALUE_BYTES 64

struct entry {
	char name[NAME_BYTES];
	char want[VALUE_BYTES];		/* "": no attribute */
	char have[VALUE_BYTES];		/* meaningful when known */
	bool used;			/* ever wanted */
	bool known;			/* Pacemaker confirmed have */
	bool lost;			/* to be deleted before it is set */
};

struct hs_cluster {
	qb_loop_t *loop;
	char resource[NAME_BYTES];
	/* Entry 0 is the score, so it goes first. */
	struct entry entries[MAX_ENTRIES];
	unsigned n;
	struct hs_tool *tool;		/* K1 */
	struct entry *sending;
	char sent[VALUE_BYTES];
	bool failing;			/* logged; until the next success */
	bool retrying;
	qb_loop_timer_handle retry;
	void (*done)(void *arg);	/* hs_cluster_clear() is under way */
	void *done_arg;
	qb_loop_timer_handle deadline;
	uint32_t nodeid;		/* hs_cluster_watch() */
	unsigned period_ms;
	struct hs_tool *look;
	char looked_for[VALUE_BYTES];	/* the score when it began */
	unsigned misses;		/* in a row */
	bool looking;
	qb_loop_timer_handle next_look;
};

static void send_next(struct hs_cluster *c);

static bool
is_pending(const struct entry *e)
{
	return e->used && (!e->known || strcmp(e->have, e->want) != 0);
}

static void
retry_send(void *data)
{
	struct hs_cluster *c = data;

	c->retrying = false;
	send_next(c);
}

static void
fail_send(struct hs_cluster *c, int status, const char *text)
{
	if (!c->failing)
		qb_log(LOG_WARNING,
		    "Pacemaker does not take %s=%s (%s; status %d): trying "
		    "again each second",
		    c->sending->name, c->sent,
		    *text != '\0' ? text
				  : hs_err_text(status < 0 ? status : -EIO),
		    status);
	c->failing = true;
	if (c->retrying)
		return;
	if (qb_loop_timer_add(c->loop, QB_LOOP_MED, RETRY_NS, c, retry_send,
		&c->retry) == 0)
		c->retrying = true;
	else
		qb_log(LOG_CRIT,
		    "no memory for a timer: %s is not told to "
		    "Pacemaker",
		    c->sending->name);
}

static void
tool_done(void *arg, int status, const char *text)
{
	struct hs_cluster *c = arg;

	c->tool = NULL;
	if (status == 0) {
		if (c->failing)
			qb_log(LOG_NOTICE, "Pacemaker takes attributes again");
		c->failing = false;
		memcpy(c->sending->have, c->sent, sizeof(c->sent));
		c->sending->known = true;
		c->sending->lost = false;
	} else {
		/* It may or may not have arrived: K2. */
		c->sending->known = false;
		fail_send(c, status, text);
	}
	send_next(c);
}

static void
send_entry(struct hs_cluster *c, struct entry *e)
{
	const char *set[] = { TOOL, "-n", e->name, "-U", e->want, NULL };
	const char *del[] = { TOOL, "-n", e->name, "-D", NULL };
	const bool is_set = *e->want != '\0' && !e->lost;
	int rc;

	c->sending = e;
	memcpy(c->sent, is_set ? e->want : "", is_set ? sizeof(c->sent) : 1);
	rc = hs_tool_run(&c->tool, c->loop, is_set ? set : del, TOOL_MS,
	    tool_done, c);
	if (rc < 0) {
		c->tool = NULL;
		fail_send(c, rc, rc == -ENOENT ? TOOL " is not in PATH" : "");
	}
}

/* K3: called whenever an entry changes, a tool ends or a retry is due. */
static void
send_next(struct hs_cluster *c)
{
	void (*done)(void *) = c->done;

	if (c->tool != NULL || c->retrying)
		return;
	for (unsigned i = 0; i < c->n; i++) {
		if (is_pending(&c->entries[i])) {
			send_entry(c, &c->entries[i]);
			return;
		}
	}
	if (done != NULL) {
		c->done = NULL;
		(void)qb_loop_timer_del(c->loop, c->deadline);
		done(c->done_arg);
	}
}

static void
set_entry(struct hs_cluster *c, struct entry *e, const char *value)
{
	if (snprintf(e->want, sizeof(e->want), "%s", value) >=
	    (int)sizeof(e->want))
		qb_log(LOG_WARNING, "%s is cut to \"%s\"", e->name, e->want);
	e->used = true;
	/* A fresh score is worth an attempt at once. */
	if (e == &c->entries[0] && c->retrying && is_pending(e)) {
		(void)qb_loop_timer_del(c->loop, c->retry);
		c->retrying = false;
	}
	send_next(c);
}

int
hs_cluster_create(struct hs_cluster **out, qb_loop_t *loop,
    const char *resource)
{
	struct hs_cluster *c = calloc(1, sizeof(*c));
	struct entry *score;

	if (c == NULL)
		return -ENOMEM;
	c->loop = loop;
	score = &c->entries[0];
	if (snprintf(c->resource, NAME_BYTES, "%s", resource) >= NAME_BYTES ||
	    snprintf(score->name, NAME_BYTES, "master-%s", resource) >=
		NAME_BYTES) {
		free(c);
		return -ENAMETOOLONG;
	}
	c->n = 1;
	*out = c;
	return 0;
}

/* ---- what a restarted Pacemaker has lost ---- */

static void look(void *data);

static void
look_in(struct hs_cluster *c, unsigned ms)
{
	c->looking = qb_loop_timer_add(c->loop, QB_LOOP_LOW,
			 (uint64_t)ms * 1000000, c, look, &c->next_look) == 0;
}

static void
say_again(struct hs_cluster *c)
{
	qb_log(LOG_NOTICE,
	    "Pacemaker has lost %s=%s of this node: saying it again",
	    c->entries[0].name, c->entries[0].want);
	for (unsigned i = 0; i < c->n; i++) {
		c->entries[i].lost = *c->entries[i].want != '\0';
		c->entries[i].known &= !c->entries[i].lost;
	}
	send_next(c);
}

static void
look_done(void *arg, int status, const char *text)
{
	struct hs_cluster *c = arg;
	const struct entry *score = &c->entries[0];

	(void)text;
	c->look = NULL;
	/* Anything else is a Pacemaker that does not run, or is busy. */
	if (status == NO_SUCH && !is_pending(score) &&
	    strcmp(score->want, c->looked_for) == 0)
		c->misses++;
	else
		c->misses = 0;
	if (c->misses == 2) {
		c->misses = 0;
		if (c->done == NULL)
			say_again(c);				/* K4 */
	}
	look_in(c, c->misses == 0 ? c->period_ms : c->period_ms / LOOK_AGAIN);
}

static void
look(void *data)
{
	struct hs_cluster *c = data;
	const struct entry *score = &c->entries[0];
	char xpath[NAME_BYTES + 128];
	const char *argv[] = { LOOK, "--local", "--query", "--xpath", xpath,
		NULL };

	c->looking = false;
	(void)snprintf(xpath, sizeof(xpath),
	    "//node_state[@id='%u']/transient_attributes//nvpair[@name='%s']",
	    c->nodeid, score->name);
	memcpy(c->looked_for, score->want, sizeof(c->looked_for));
	if (*score->want == '\0' || is_pending(score) || c->done != NULL ||
	    hs_tool_run(&c->look, c->loop, argv, TOOL_MS, look_done, c) < 0) {
		c->look = NULL;
		c->misses = 0;
		look_in(c, c->period_ms);
	}
}

void
hs_cluster_watch(struct hs_cluster *c, uint32_t nodeid, unsigned period_ms)
{
	c->nodeid = nodeid;
	c->period_ms = period_ms;
	if (!c->looking && c->look == NULL)
		look_in(c, period_ms);
}

void
hs_cluster_destroy(struct hs_cluster *c)
{
	if (c == NULL)
		return;
	hs_tool_cancel(c->tool);
	hs_tool_cancel(c->look);
	if (c->looking)
		(void)qb_loop_timer_del(c->loop, c->next_look);
	if (c->retrying)
		(void)qb_loop_timer_del(c->loop, c->retry);
	if (c->done != NULL)
		(void)qb_loop_timer_del(c->loop, c->deadline);
	free(c);
}

void
hs_cluster_score(struct hs_cluster *c, int score)
{
	struct entry *e = &c->entries[0];
	char text[VALUE_BYTES];

	if (score == HS_SCORE_NONE)
		text[0] = '\0';
	else if (score <= HS_SCORE_NEVER)
		(void)snprintf(text, sizeof(text), "-INFINITY");
	else
		(void)snprintf(text, sizeof(text), "%d", score);
	set_entry(c, e, text);
}

static struct entry *
find_entry(struct hs_cluster *c, const char *name)
{
	struct entry *e;

	for (unsigned i = 1; i < c->n; i++)
		if (strcmp(c->entries[i].name, name) == 0)
			return &c->entries[i];
	if (c->n == MAX_ENTRIES)
		return NULL;
	e = &c->entries[c->n++];
	(void)snprintf(e->name, sizeof(e->name), "%s", name);
	return e;
}

void
hs_cluster_attr(struct hs_cluster *c, const char *key, const char *value)
{
	char name[NAME_BYTES];
	struct entry *e = NULL;

	if (snprintf(name, sizeof(name), "hs-%s-%s", c->resource, key) <
	    (int)sizeof(name))
		e = find_entry(c, name);
	if (e == NULL) {
		qb_log(LOG_ERR, "no room for the attribute %s", key);
		return;
	}
	set_entry(c, e, value != NULL ? value : "");
}

static void
clear_late(void *data)
{
	struct hs_cluster *c = data;
	void (*done)(void *) = c->done;

	qb_log(LOG_WARNING,
	    "Pacemaker did not take the last attributes in "
	    "time: some of %s stay in crm_mon",
	    c->resource);
	c->done = NULL;
	done(c->done_arg);
}

void
hs_cluster_clear(struct hs_cluster *c, void (*done)(void *arg), void *arg)
{
	if (c->retrying)
		(void)qb_loop_timer_del(c->loop, c->retry);
	c->retrying = false;
	for (unsigned i = 0; i < c->n; i++)
		c->entries[i].want[0] = '\0';
	if (c->done != NULL)
		(void)qb_loop_timer_del(c->loop, c->deadline);
	c->done = done;
	c->done_arg = arg;
	if (qb_loop_timer_add(c->loop, QB_LOOP_MED, CLEAR_NS, c, clear_late,
		&c->deadline) != 0)
		qb_log(LOG_ERR,
		    "no memory for a timer: the end waits for "
		    "Pacemaker");
	/* From the loop: done() is never called from within this call. */
	if (qb_loop_timer_add(c->loop, QB_LOOP_MED, 1, c, retry_send,
		&c->retry) == 0)
		c->retrying = true;
}
