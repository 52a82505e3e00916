/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/test_ckpt_peer.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/sock.h"
#include "ckpt/start.h"
#include "mem/arena.h"

#define PAGE HS_MSG_PAGE_BYTES
#define NPAGES (PEER_ARENA_BYTES / PAGE)
#define AWAIT_S 10

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}
#define MUST(x) must(x, #x)

/* The first thing that an agent would not have let pass. */
static void
blame(struct peer *p, const char *what)
{
	if (p->wrong[0] == '\0')
		(void)snprintf(p->wrong, sizeof(p->wrong), "%s (epoch %llu)",
		    what, (unsigned long long)p->coming);
}

static void
send_in_group(struct peer *p, const uint8_t *buf, int len)
{
	int rc;

	MUST(len > 0);
	/* The service takes in what is there even when it cannot send. */
	while ((rc = hs_xport_send(p->x, buf, (size_t)len)) == -EAGAIN)
		(void)poll(NULL, 0, 1);
	MUST(rc == 0);
}

static void
ack_image(struct peer *p, const uint8_t *digest)
{
	const struct hs_msg_head h = { .type = HS_MSG_ACK,
		.term = PEER_TERM,
		.epoch = p->epoch,
		.off = p->off };
	struct hs_msg_ack m;
	uint8_t buf[256];

	memcpy(m.digest, digest, sizeof(m.digest));
	send_in_group(p, buf, hs_msg_encode_ack(buf, sizeof(buf), &h, &m));
}

static void
tell_progress(struct peer *p)
{
	const struct hs_msg_head h = { .type = HS_MSG_PROGRESS,
		.term = PEER_TERM,
		.epoch = p->epoch,
		.off = p->off };
	uint8_t buf[256];

	send_in_group(p, buf, hs_msg_encode_bare(buf, sizeof(buf), &h));
}

static void
answer_epoch(struct peer *p)
{
	uint8_t other[HS_DIGEST_BYTES];

	memcpy(other, p->digest, sizeof(other));
	other[5] ^= 1;
	if (p->ack == PEER_ACK_GOOD)
		ack_image(p, p->digest);
	else if (p->ack == PEER_ACK_BAD)
		ack_image(p, other);
}

static void
stage_record(struct peer *p, const struct hs_rec *r)
{
	uint8_t *at = p->stage + (size_t)r->page * PAGE;

	switch (r->kind) {
	case HS_REC_ZERO:
		memset(at, 0, (size_t)r->count * PAGE);
		for (uint32_t i = 0; i < r->count; i++)
			p->staged[r->page + i] = true;
		return;
	case HS_REC_DELTA:
		memcpy(at, p->image + (size_t)r->page * PAGE, PAGE);
		/* FALLTHROUGH */
	case HS_REC_PAGE:
		hs_rec_apply(r, at);
		p->staged[r->page] = true;
		return;
	default:
		return;
	}
}

static void
check_begin(struct peer *p, const struct hs_rec_begin *b)
{
	p->begin = *b;
	hs_digest_reset(p->running_digest);
	hs_digest_add(p->running_digest, b->base_digest, HS_DIGEST_BYTES);
	memset(p->staged, 0, NPAGES * sizeof(*p->staged));
	if ((b->flags & HS_REC_FULL) != 0)
		return;
	if (b->base_epoch != p->epoch)
		blame(p, "delta on another epoch");
	if (memcmp(b->base_digest, p->digest, sizeof(p->digest)) != 0)
		blame(p, "delta on another lineage");
}

static void
commit_epoch(struct peer *p, const struct hs_rec_end *e)
{
	uint8_t digest[HS_DIGEST_BYTES];

	hs_digest_get(p->running_digest, digest);
	if (memcmp(digest, e->digest, sizeof(digest)) != 0)
		blame(p, "digest of the epoch");
	if (p->coming <= p->epoch)
		blame(p, "epoch does not grow");
	if ((p->begin.flags & HS_REC_FULL) != 0) {
		memset(p->image, 0, PEER_ARENA_BYTES);
		p->fulls++;
	}
	for (size_t i = 0; i < NPAGES; i++)
		if (p->staged[i])
			memcpy(p->image + i * PAGE, p->stage + i * PAGE, PAGE);
	memcpy(p->digest, digest, sizeof(digest));
	p->epoch = p->coming;
	p->used_bytes = p->begin.used_bytes;
	p->epochs++;
	answer_epoch(p);
	pthread_cond_broadcast(&p->changed);
}

static void
take_data(struct peer *p, const struct hs_msg_head *h, const uint8_t *body,
    size_t len)
{
	const struct hs_rec_rd before = p->reader;
	struct hs_rec_end end = { .nchunk = 0 };
	size_t digested = len;
	struct hs_rec r;
	int rc;

	if (h->off != p->off)
		blame(p, "off is not the sum of what was sent");
	p->off = h->off + h->len;
	p->messages++;
	if (h->seq == 0)
		p->coming = h->epoch;
	else if (h->epoch != p->coming || h->seq != p->seq + 1)
		blame(p, "a chunk out of order");
	p->seq = h->seq;
	if ((h->flags & HS_MSG_LAST) != 0)
		digested -= HS_REC_END_BYTES;
	hs_rec_read(&p->reader, h, body, len);
	if (h->seq > 0)
		hs_rec_carry(&p->reader, &before);
	while ((rc = hs_rec_next(&p->reader, &r)) == 1) {
		if (r.kind == HS_REC_BEGIN)
			check_begin(p, &r.begin);
		else if (r.kind == HS_REC_END)
			end = r.end;
		else
			stage_record(p, &r);
	}
	if (rc < 0)
		blame(p, "a record breaks the rules");
	hs_digest_add(p->running_digest, body, digested);
	if (p->ack == PEER_ACK_PROGRESS || p->ack == PEER_ACK_GOOD)
		tell_progress(p);
	if (end.nchunk != 0)
		commit_epoch(p, &end);
}

static void
on_deliver(void *arg, const struct hs_xport_addr *from, const uint8_t *buf,
    size_t len)
{
	struct peer *p = arg;
	struct hs_msg_head h;
	const uint8_t *body;
	size_t n;

	if (from->nodeid == p->x->self.nodeid)
		return;
	if (hs_msg_open(buf, len, &h, &body, &n) < 0)
		blame(p, "a damaged message");
	else if (h.type != HS_MSG_DATA || h.term != PEER_TERM)
		blame(p, "a message of another type or term");
	else
		take_data(p, &h, body, n);
}

static void
on_view(void *arg, const struct hs_xport_view *v)
{
	(void)arg;
	(void)v;
}

static const struct hs_xport_events events = { on_deliver, on_view };

static void
send_go(struct peer *p)
{
	const struct hs_msg_head h = { .type = HS_MSG_GO,
		.term = PEER_TERM,
		.epoch = p->epoch };
	struct hs_msg_go m = { .restored = p->restore,
		.transport = HS_TRANSPORT_UNIX,
		.nodeid = PEER_NODE,
		.used_bytes = p->used_bytes };
	int fds[2], n = 0, len;
	uint8_t buf[512];

	memcpy(m.digest, p->digest, sizeof(m.digest));
	if (p->restore)
		fds[n++] = p->image_fd;
	fds[n++] = p->data[0];
	len = hs_msg_encode_go(buf, sizeof(buf), &h, &m);
	MUST(len > 0);
	MUST(hs_sock_send(p->link[1], buf, (size_t)len, fds, n) == 0);
	MUST(close(p->data[0]) == 0);
	p->data[0] = -1;
}

/* False: the service has closed the link. */
static bool
take_link(struct peer *p)
{
	struct hs_msg_text text;
	struct hs_msg_head h;
	const uint8_t *body;
	uint8_t buf[1024];
	ssize_t n;
	size_t len;

	n = hs_sock_recv(p->link[1], buf, sizeof(buf), NULL, NULL,
	    MSG_DONTWAIT);
	if (n == -EAGAIN)
		return true;
	if (n <= 0)
		return false;
	MUST(hs_msg_open(buf, (size_t)n, &h, &body, &len) == 0);
	if (h.type == HS_MSG_HELLO) {
		MUST(hs_msg_decode_hello(body, len, &p->hello) == 0);
		send_go(p);
	} else if (h.type == HS_MSG_RUNNING) {
		p->running = true;
	} else if (h.type == HS_MSG_FAILED) {
		MUST(hs_msg_decode_text(body, len, &text) == 0);
		memcpy(p->failed, text.text, sizeof(p->failed));
	} else if (h.type == HS_MSG_PING) {
		p->pings++;
	} else if (h.type == HS_MSG_STATS) {
		p->stats++;
	}
	pthread_cond_broadcast(&p->changed);
	return true;
}

static void *
run_peer(void *arg)
{
	struct peer *p = arg;
	bool linked = true;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct pollfd fds[] = {
			{ .fd = p->wake, .events = POLLIN },
			{ .fd = linked ? p->link[1] : -1, .events = POLLIN },
			{ .fd = hs_xport_fd(p->x), .events = POLLIN },
		};

		pthread_mutex_unlock(&p->lock);
		(void)poll(fds, 3, -1);
		pthread_mutex_lock(&p->lock);
		if (linked && fds[1].revents != 0)
			linked = take_link(p);
		MUST(hs_xport_dispatch(p->x, 1 << 20) == 0);
	}
	/* What the service said before it ended. */
	for (int i = 0; i < 100 && linked; i++)
		linked = take_link(p);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void
make_sockets(struct peer *p)
{
	const struct hs_xport_addr self = { 99, 1 }, service = { 98, 2 };
	char text[16];

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->link) ==
	    0);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->data) ==
	    0);
	MUST(hs_xport_unix_open(&p->x, p->data[1], self, service, &events, p) ==
	    0);
	(void)snprintf(text, sizeof(text), "%d", p->link[0]);
	MUST(setenv("HOTSPARE_FD", text, 1) == 0);
}

void
peer_init(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	MUST(pthread_mutex_init(&p->lock, NULL) == 0);
	MUST(pthread_cond_init(&p->changed, NULL) == 0);
	p->image_fd = memfd_create("peer-image", MFD_CLOEXEC);
	MUST(p->image_fd >= 0);
	MUST(ftruncate(p->image_fd, (off_t)PEER_ARENA_BYTES) == 0);
	p->image = mmap(NULL, PEER_ARENA_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED, p->image_fd, 0);
	MUST(p->image != MAP_FAILED);
	p->stage = malloc(PEER_ARENA_BYTES);
	p->staged = calloc(NPAGES, sizeof(*p->staged));
	MUST(p->stage != NULL && p->staged != NULL);
	MUST(hs_digest_create(&p->running_digest) == 0);
	p->wake = eventfd(0, EFD_CLOEXEC);
	MUST(p->wake >= 0);
	p->ack = PEER_ACK_GOOD;
	make_sockets(p);
}

void
peer_run(struct peer *p)
{
	sigset_t all, old;

	/* As another process's: signals are for the service's threads. */
	(void)sigfillset(&all);
	MUST(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
	MUST(pthread_create(&p->thread, NULL, run_peer, p) == 0);
	MUST(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
}

void
peer_stop(struct peer *p)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	MUST(write(p->wake, &one, sizeof(one)) == sizeof(one));
	MUST(pthread_join(p->thread, NULL) == 0);
	MUST(close(p->link[1]) == 0);
	if (p->data[0] >= 0)
		MUST(close(p->data[0]) == 0);
	hs_xport_close(&p->x);
}

void
peer_again(struct peer *p)
{
	uint64_t n;

	MUST(read(p->wake, &n, sizeof(n)) == sizeof(n));
	p->stop = p->running = false;
	p->restore = true;
	p->off = 0;
	make_sockets(p);
}

void
peer_fini(struct peer *p)
{
	MUST(munmap(p->image, PEER_ARENA_BYTES) == 0);
	MUST(close(p->image_fd) == 0);
	MUST(close(p->wake) == 0);
	free(p->stage);
	free(p->staged);
	hs_digest_destroy(p->running_digest);
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->changed);
	MUST(unsetenv("HOTSPARE_FD") == 0);
}

/* p->lock is held. */
static void
tell_policy(struct peer *p, enum hs_protection pr, bool full)
{
	const struct hs_msg_head h = { .type = HS_MSG_POLICY,
		.term = PEER_TERM,
		.off = p->off };
	const struct hs_msg_policy m = { .protection = (uint8_t)pr,
		.spares = pr == HS_PROTECTED,
		.full = full };
	uint8_t buf[256];
	int len;

	len = hs_msg_encode_policy(buf, sizeof(buf), &h, &m);
	MUST(len > 0);
	MUST(hs_sock_send(p->link[1], buf, (size_t)len, NULL, 0) == 0);
}

void
peer_policy(struct peer *p, enum hs_protection pr, bool full)
{
	pthread_mutex_lock(&p->lock);
	tell_policy(p, pr, full);
	pthread_mutex_unlock(&p->lock);
}

bool
peer_wish_first(struct peer *p)
{
	bool wish;

	pthread_mutex_lock(&p->lock);
	wish = p->epoch == 0;
	if (wish)
		tell_policy(p, HS_PROTECTED, true);
	pthread_mutex_unlock(&p->lock);
	return wish;
}

void
peer_set_ack(struct peer *p, enum peer_ack ack)
{
	pthread_mutex_lock(&p->lock);
	p->ack = ack;
	pthread_mutex_unlock(&p->lock);
}

void
peer_send_ack(struct peer *p, const uint8_t *digest)
{
	pthread_mutex_lock(&p->lock);
	ack_image(p, digest != NULL ? digest : p->digest);
	pthread_mutex_unlock(&p->lock);
}

void
peer_send_progress(struct peer *p)
{
	pthread_mutex_lock(&p->lock);
	tell_progress(p);
	pthread_mutex_unlock(&p->lock);
}

void
peer_send_term(struct peer *p, uint64_t term)
{
	const struct hs_msg_head h = { .type = HS_MSG_TERM, .term = term };
	const struct hs_msg_term m = { .nodeid = 2, .pid = 3 };
	uint8_t buf[256];

	pthread_mutex_lock(&p->lock);
	send_in_group(p, buf, hs_msg_encode_term(buf, sizeof(buf), &h, &m));
	pthread_mutex_unlock(&p->lock);
}

void
peer_send_raw(struct peer *p, const void *buf, size_t len)
{
	pthread_mutex_lock(&p->lock);
	MUST(hs_xport_send(p->x, buf, len) == 0);
	pthread_mutex_unlock(&p->lock);
}

bool
peer_await(struct peer *p, uint64_t epoch)
{
	struct timespec ts;
	int rc = 0;
	bool has;

	MUST(clock_gettime(CLOCK_REALTIME, &ts) == 0);
	ts.tv_sec += AWAIT_S;
	pthread_mutex_lock(&p->lock);
	while (p->epoch < epoch && rc == 0)
		rc = pthread_cond_timedwait(&p->changed, &p->lock, &ts);
	has = p->epoch >= epoch;
	pthread_mutex_unlock(&p->lock);
	return has;
}

struct hs_ckpt *
peer_start(struct peer *p, size_t inflight_bytes)
{
	struct hs_options o = HS_OPTIONS;
	struct hs_ckpt *c = NULL;
	char why[256];
	int rc;

	o.arena_bytes = PEER_ARENA_BYTES;
	o.inflight_bytes = inflight_bytes;
	peer_run(p);
	rc = hs_start_run(&c, &o, why, sizeof(why));
	if (rc != (p->restore ? HS_RESTORED : HS_FRESH)) {
		fprintf(stderr, "hs_start_run: %d %s\n", rc, why);
		abort();
	}
	return c;
}

bool
peer_equals(struct peer *p, struct hs_ckpt *c)
{
	const struct hs_arena *a = hs_ckpt_arena(c);
	size_t used = hs_arena_used(a);
	bool same;

	pthread_mutex_lock(&p->lock);
	same = p->used_bytes == used &&
	    memcmp(p->image, hs_arena_base(a), used) == 0;
	if (p->wrong[0] != '\0') {
		fprintf(stderr, "peer: %s\n", p->wrong);
		same = false;
	}
	pthread_mutex_unlock(&p->lock);
	return same;
}
