/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rogue: joins the group of a resource as anybody could who may speak to
 * corosync, and says what should have no effect.
 *
 *	rogue RESOURCE KIND...
 *
 * It waits for the primary's next epoch and answers it, for each KIND, with
 *
 *	cut	the first half of its first chunk
 *	flip	the same with one bit flipped
 *	version	the same in another version of the protocol
 *	sender	the same as it is, and the rest of the epoch: a replay
 *	forge	the next epoch, complete and right, with other content
 *	old	a chunk of the term before
 *	term	a TERM that makes this process the primary
 *	ack	an ACK of an epoch far ahead
 *	image	an IMAGE to everybody, complete and right
 *	noise	bytes without meaning
 *
 * and ends once all was delivered: 0.  1: no epoch came, or no corosync.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "net/xport.h"
#include "wire/rec.h"

#define WAIT_NS 10000000000ull
#define NOISE_BYTES 3000

struct rogue {
	struct hs_xport *x;
	uint8_t *first; /* the epoch's first chunk */
	size_t len;
	struct hs_msg_head head;
	struct hs_rec_begin begin;
	uint8_t lineage[HS_MSG_DIGEST_BYTES];
	bool whole, joined;
	unsigned own; /* own messages delivered */
	unsigned said;
	uint32_t others[HS_XPORT_MAX_MEMBERS];
	size_t nother;
	uint8_t out[HS_MSG_MAX_BYTES];
};

static struct rogue rogue;

static _Noreturn void
die(const char *what)
{
	(void)fprintf(stderr, "rogue: %s\n", what);
	exit(1);
}

/* The first epoch that begins and ends while this looks. */
static void
look(struct rogue *r, const struct hs_msg_head *h, const uint8_t *buf,
    size_t len, const uint8_t *body, size_t body_len)
{
	struct hs_rec_rd rd;
	struct hs_rec rec;

	if (h->seq == 0) {
		free(r->first);
		r->first = malloc(len);
		if (r->first == NULL)
			die("no memory");
		memcpy(r->first, buf, len);
		r->len = len;
		r->head = *h;
	}
	if (r->first == NULL)
		return;
	hs_rec_read(&rd, h, body, body_len);
	while (hs_rec_next(&rd, &rec) == 1) {
		if (rec.kind == HS_REC_BEGIN)
			r->begin = rec.begin;
		if (rec.kind == HS_REC_END) {
			memcpy(r->lineage, rec.end.digest, sizeof(r->lineage));
			r->whole = true;
		}
	}
}

static void
deliver(void *arg, const struct hs_xport_addr *from, const uint8_t *buf,
    size_t len)
{
	struct rogue *r = arg;
	struct hs_msg_head h;
	const uint8_t *body;
	size_t body_len;

	if (from->nodeid == r->x->self.nodeid && from->pid == r->x->self.pid)
		r->own++;
	else if (!r->whole &&
	    hs_msg_open(buf, len, &h, &body, &body_len) == 0 &&
	    h.type == HS_MSG_DATA)
		look(r, &h, buf, len, body, body_len);
}

static void
view(void *arg, const struct hs_xport_view *v)
{
	struct rogue *r = arg;

	r->joined = true;
	r->nother = 0;
	for (size_t i = 0; i < v->nmember; i++)
		r->others[r->nother++] = v->member[i].nodeid;
}

static const struct hs_xport_events events = {
	.deliver = deliver,
	.view = view,
};

static void
turn(struct rogue *r)
{
	struct pollfd p = { .fd = hs_xport_fd(r->x), .events = POLLIN };

	(void)poll(&p, 1, 100);
	if (hs_xport_dispatch(r->x, 1 << 20) < 0)
		die("the transport is lost");
}

static void
say(struct rogue *r, const uint8_t *buf, size_t len)
{
	int rc;

	while ((rc = hs_xport_send(r->x, buf, len)) == -EAGAIN)
		(void)usleep(200);
	if (rc < 0)
		die("cannot send");
	r->said++;
}

/* A whole epoch or image of one page, right in itself, after the real one. */
static void
forge(struct rogue *r, uint8_t type, uint32_t to)
{
	struct hs_msg_head h = { .type = type,
		.flags = HS_MSG_LAST,
		.term = r->head.term,
		.epoch = r->head.epoch + (type == HS_MSG_DATA),
		.to = to };
	struct hs_rec_begin b = r->begin;
	struct hs_rec_end e = { .nchunk = 1, .npage = 1 };
	uint8_t *body = r->out + HS_MSG_HEAD_BYTES;
	struct hs_rec_wr w = { body, sizeof(r->out) - HS_MSG_HEAD_BYTES };
	static uint8_t page[HS_MSG_PAGE_BYTES];
	struct hs_digest *d;

	memset(page, 0xbd, sizeof(page));
	b.flags = type == HS_MSG_IMAGE ? HS_REC_FULL : 0;
	b.base_epoch = type == HS_MSG_IMAGE ? 0 : r->head.epoch;
	memcpy(b.base_digest, r->lineage, sizeof(b.base_digest));
	if (hs_rec_put_begin(&w, &b) < 0 || hs_rec_put_page(&w, 0, page) < 0 ||
	    hs_digest_create(&d) < 0)
		die("no memory");
	hs_digest_reset(d);
	hs_digest_add(d, b.base_digest, sizeof(b.base_digest));
	hs_digest_add(d, body, (size_t)(w.p - body));
	hs_digest_get(d, e.digest);
	hs_digest_destroy(d);
	if (hs_rec_put_end(&w, &e) < 0)
		die("no room");
	say(r, r->out, hs_msg_seal(r->out, &h, (size_t)(w.p - body)));
}

static void
claim_term(struct rogue *r)
{
	struct hs_msg_head h = { .term = r->head.term + 1,
		.epoch = r->head.epoch };
	struct hs_msg_term m = { .nodeid = r->x->self.nodeid,
		.pid = r->x->self.pid };
	int len;

	memcpy(m.digest, r->lineage, sizeof(m.digest));
	len = hs_msg_encode_term(r->out, sizeof(r->out), &h, &m);
	if (len > 0)
		say(r, r->out, (size_t)len);
}

static void
claim_ack(struct rogue *r)
{
	struct hs_msg_head h = { .term = r->head.term,
		.epoch = r->head.epoch + 1000000 };
	struct hs_msg_ack m = { .digest = { 1 } };
	int len = hs_msg_encode_ack(r->out, sizeof(r->out), &h, &m);

	if (len > 0)
		say(r, r->out, (size_t)len);
}

/* The real first chunk, changed and sealed again. */
static void
again(struct rogue *r, uint64_t term)
{
	struct hs_msg_head h = r->head;

	h.term = term;
	memcpy(r->out, r->first, r->len);
	say(r, r->out, hs_msg_seal(r->out, &h, r->len - HS_MSG_HEAD_BYTES));
}

static void
make_noise(struct rogue *r)
{
	for (size_t i = 0; i < NOISE_BYTES; i++)
		r->out[i] = (uint8_t)(i * i + 7);
	say(r, r->out, NOISE_BYTES);
}

static void
act(struct rogue *r, const char *kind)
{
	memcpy(r->out, r->first, r->len);
	if (strcmp(kind, "cut") == 0) {
		say(r, r->out, r->len / 2);
	} else if (strcmp(kind, "flip") == 0) {
		r->out[r->len / 2] ^= 4;
		say(r, r->out, r->len);
	} else if (strcmp(kind, "version") == 0) {
		r->out[4]++;
		say(r, r->out, r->len);
	} else if (strcmp(kind, "sender") == 0) {
		say(r, r->out, r->len);
	} else if (strcmp(kind, "forge") == 0) {
		forge(r, HS_MSG_DATA, 0);
	} else if (strcmp(kind, "old") == 0) {
		again(r, r->head.term - 1);
	} else if (strcmp(kind, "term") == 0) {
		claim_term(r);
	} else if (strcmp(kind, "ack") == 0) {
		claim_ack(r);
	} else if (strcmp(kind, "image") == 0) {
		for (size_t i = 0; i < r->nother; i++)
			forge(r, HS_MSG_IMAGE, r->others[i]);
	} else if (strcmp(kind, "noise") == 0) {
		make_noise(r);
	} else {
		die("no such kind");
	}
}

int
main(int argc, char **argv)
{
	struct rogue *r = &rogue;
	char why[256] = "", group[HS_MSG_GROUP_BYTES];
	uint64_t end;

	if (argc < 3)
		die("usage: rogue RESOURCE KIND...");
	(void)snprintf(group, sizeof(group), "hs:%s", argv[1]);
	if (hs_xport_cpg_open(&r->x, group, &events, r, why, sizeof(why)) < 0)
		die(why);
	end = hs_clock_ns() + WAIT_NS;
	while (!r->whole && hs_clock_ns() < end)
		turn(r);
	if (!r->whole)
		die("no epoch came by");
	for (int i = 2; i < argc; i++)
		act(r, argv[i]);
	while (r->own < r->said && hs_clock_ns() < end)
		turn(r);
	(void)printf("term %llu epoch %llu: said %u\n",
	    (unsigned long long)r->head.term, (unsigned long long)r->head.epoch,
	    r->said);
	return r->own == r->said ? 0 : 1;
}
