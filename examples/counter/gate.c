/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/counter/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hotspare/hs.h>

/* Longer than held takes; then it is asked for anew. */
#define RENEW_S 2

struct answer {
	uint64_t conn_id;
	size_t len;
};

struct batch {
	uint64_t epoch;
	int known;		/* what hscpt() said: 0 is "ask hswait()" */
	size_t nanswers;
	size_t answers_size;
	struct answer *answer;
	size_t text_len;
	size_t text_size;
	char *text;		/* the answers, one behind the other */
};

/* A ring: [first, first + sealed) are on their way, the next one is open. */
struct gate {
	time_t asked;		/* CLOCK_MONOTONIC s: of the newest hscpt() */
	unsigned first;
	unsigned sealed;
	struct batch batch[GATE_BATCHES + 1];
};

int
gate_create(struct gate **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? -ENOMEM : 0;
}

void
gate_destroy(struct gate *g)
{
	unsigned i;

	if (g == NULL)
		return;
	for (i = 0; i <= GATE_BATCHES; i++) {
		free(g->batch[i].answer);
		free(g->batch[i].text);
	}
	free(g);
}

static struct batch *
nth_batch(const struct gate *g, unsigned n)
{
	return (struct batch *)&g->batch[(g->first + n) % (GATE_BATCHES + 1)];
}

static bool
grow(void **p, size_t *size, size_t need, size_t elem_bytes)
{
	size_t n = *size == 0 ? 64 : *size;
	void *q;

	if (need <= *size)
		return true;
	while (n < need)
		n *= 2;
	q = reallocarray(*p, n, elem_bytes);
	if (q == NULL)
		return false;
	*p = q;
	*size = n;
	return true;
}

bool
gate_put(struct gate *g, struct net_conn *c, const char *text, size_t len)
{
	struct batch *b = nth_batch(g, g->sealed);

	if (!grow((void **)&b->answer, &b->answers_size, b->nanswers + 1,
		sizeof(b->answer[0])) ||
	    !grow((void **)&b->text, &b->text_size, b->text_len + len, 1))
		return false;
	b->answer[b->nanswers++] =
	    (struct answer){ .conn_id = net_id(c), .len = len };
	memcpy(b->text + b->text_len, text, len);
	b->text_len += len;
	net_owe(c, 1);
	return true;
}

bool
gate_open(const struct gate *g)
{
	return nth_batch(g, g->sealed)->nanswers > 0;
}

bool
gate_full(const struct gate *g)
{
	return g->sealed == GATE_BATCHES;
}

static time_t
now(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/*
 * Checkpoints that were on their way when the cluster's messaging broke are
 * given up, and the next one says all: so one has to be taken, even while
 * there is no room for more answers.
 */
static void
renew(struct gate *g)
{
	if (now() - g->asked < RENEW_S)
		return;
	g->asked = now();
	(void)hscpt(HS_HELD | HS_NOWAIT | HS_TRY, NULL);
}

int
gate_seal(struct gate *g)
{
	struct batch *b = nth_batch(g, g->sealed);

	if (gate_full(g) || !gate_open(g))
		return 0;
	g->asked = now();
	b->known = hscpt(HS_HELD | HS_NOWAIT | HS_TRY, &b->epoch);
	if (b->known < 0 && b->known != HS_ENOSPARE)
		return b->known;
	g->sealed++;
	return 0;
}

static void
send_batch(struct batch *b, struct net *n)
{
	const char *text = b->text;
	struct net_conn *c;
	size_t i;

	for (i = 0; i < b->nanswers; i++) {
		c = net_find(n, b->answer[i].conn_id);
		if (c != NULL) {
			net_owe(c, -1);
			net_send(c, text, b->answer[i].len);
		}
		text += b->answer[i].len;
	}
	b->nanswers = 0;
	b->text_len = 0;
}

int
gate_release(struct gate *g, struct net *n)
{
	struct batch *b;
	int rc;

	while (g->sealed > 0) {
		b = nth_batch(g, 0);
		rc = b->known;
		if (rc == 0)
			rc = hswait(b->epoch, HS_HELD, 0);
		if (rc == HS_ETIMEDOUT) {
			renew(g);
			return 0;
		}
		if (rc < 0 && rc != HS_ENOSPARE)
			return rc;
		send_batch(b, n);
		g->first = (g->first + 1) % (GATE_BATCHES + 1);
		g->sealed--;
	}
	return 0;
}
