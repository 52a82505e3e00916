/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/xport.h"
#include "tests/unit/suite.h"

#define LOG_LINES 64
#define DISPATCH 1000000

/* What one end was told, in order, one character an event. */
struct end {
	struct hs_xport *x;
	char log[LOG_LINES + 1];
	size_t n;
	size_t bytes;
	struct hs_xport_change change[2];
	const char *reply;	/* sent from inside the next deliver() */
};

static const struct hs_xport_addr a_addr = { 1, 11 }, b_addr = { 2, 22 };

static void
note(struct end *e, char what)
{
	if (e->n < LOG_LINES)
		e->log[e->n++] = what;
}

static void
on_deliver(void *arg, const struct hs_xport_addr *from, const uint8_t *buf,
    size_t len)
{
	struct end *e = arg;
	const char *reply = e->reply;

	CU_ASSERT(from->nodeid == 1 || from->nodeid == 2);
	note(e, (char)buf[0]);
	e->bytes += len;
	e->reply = NULL;
	if (reply != NULL)
		CU_ASSERT_EQUAL(hs_xport_send(e->x, reply, 1), 0);
}

static void
on_view(void *arg, const struct hs_xport_view *v)
{
	struct end *e = arg;

	note(e, v->nmember == 2 ? '2' : '1');
	CU_ASSERT(v->nchange >= 1 && v->nchange <= 2);
	memcpy(e->change, v->change, v->nchange * sizeof(v->change[0]));
}

static const struct hs_xport_events events = { on_deliver, on_view };

static void
make_pair(struct end *a, struct end *b)
{
	int fd[2];

	memset(a, 0, sizeof(*a));
	memset(b, 0, sizeof(*b));
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	CU_ASSERT_EQUAL_FATAL(hs_xport_unix_open(&a->x, fd[0], a_addr, b_addr,
				  &events, a),
	    0);
	CU_ASSERT_EQUAL_FATAL(hs_xport_unix_open(&b->x, fd[1], b_addr, a_addr,
				  &events, b),
	    0);
}

/* A program may give low numbers a meaning: dup2(fd, 3). */
static void
low_numbers_stay_free(void)
{
	const int free_before = dup(0);
	struct end a, b;
	int fd;

	(void)close(free_before);
	make_pair(&a, &b);
	/* The pair's own two are the caller's. */
	fd = dup(0);
	CU_ASSERT_EQUAL(fd, free_before + 2);
	(void)close(fd);
	hs_xport_close(&a.x);
	hs_xport_close(&b.x);
}

static int
readable(const struct end *e)
{
	struct pollfd p = { .fd = hs_xport_fd(e->x), .events = POLLIN };

	return poll(&p, 1, 0);
}

static void
both_see_the_view_then_the_messages(void)
{
	struct end a, b;

	make_pair(&a, &b);
	CU_ASSERT_EQUAL(hs_xport_send(a.x, "x", 1), 0);
	CU_ASSERT_EQUAL(hs_xport_send(a.x, "y", 1), 0);
	CU_ASSERT_EQUAL(readable(&a), 1);
	CU_ASSERT_EQUAL(readable(&b), 1);
	CU_ASSERT_EQUAL(hs_xport_dispatch(a.x, DISPATCH), 0);
	CU_ASSERT_EQUAL(hs_xport_dispatch(b.x, DISPATCH), 0);
	CU_ASSERT_STRING_EQUAL(a.log, "2xy");
	CU_ASSERT_STRING_EQUAL(b.log, "2xy");
	CU_ASSERT_EQUAL(b.change[0].why, HS_XPORT_JOIN);
	CU_ASSERT_EQUAL(readable(&a), 0);
	CU_ASSERT_EQUAL(readable(&b), 0);
	hs_xport_close(&a.x);
	CU_ASSERT_PTR_NULL(a.x);
	hs_xport_close(&a.x);
	hs_xport_close(&b.x);
}

static void
callback_may_send(void)
{
	struct end a, b;

	make_pair(&a, &b);
	b.reply = "r";
	CU_ASSERT_EQUAL(hs_xport_send(a.x, "q", 1), 0);
	CU_ASSERT_EQUAL(hs_xport_dispatch(b.x, DISPATCH), 0);
	CU_ASSERT_EQUAL(hs_xport_dispatch(a.x, DISPATCH), 0);
	CU_ASSERT_STRING_EQUAL(b.log, "2qr");
	CU_ASSERT_STRING_EQUAL(a.log, "2qr");
	hs_xport_close(&a.x);
	hs_xport_close(&b.x);
}

static void
end_of_the_peer_is_a_view(void)
{
	struct end a, b;

	make_pair(&a, &b);
	CU_ASSERT_EQUAL(hs_xport_dispatch(a.x, DISPATCH), 0);
	CU_ASSERT_EQUAL(hs_xport_send(b.x, "z", 1), 0);
	hs_xport_close(&b.x);
	/* What it sent before comes first. */
	CU_ASSERT_EQUAL(hs_xport_dispatch(a.x, DISPATCH), 0);
	CU_ASSERT_STRING_EQUAL(a.log, "2z1");
	CU_ASSERT_EQUAL(a.change[0].why, HS_XPORT_PROCDOWN);
	CU_ASSERT_EQUAL(a.change[0].addr.pid, b_addr.pid);
	CU_ASSERT_EQUAL(readable(&a), 0);	/* nor is it for ever */
	CU_ASSERT_EQUAL(hs_xport_send(a.x, "s", 1), 0);
	CU_ASSERT_EQUAL(hs_xport_dispatch(a.x, DISPATCH), 0);
	CU_ASSERT_STRING_EQUAL(a.log, "2z1s");
	hs_xport_close(&a.x);
}

static void
full_socket_says_again_and_loses_nothing(void)
{
	static uint8_t big[64 << 10];
	struct end a, b;
	size_t sent = 0;
	int rc;

	make_pair(&a, &b);
	CU_ASSERT_EQUAL(a.x->max_bytes, sizeof(big));
	memset(big, 'B', sizeof(big));
	while ((rc = hs_xport_send(a.x, big, sizeof(big))) == 0)
		sent += sizeof(big);
	CU_ASSERT_EQUAL(rc, -EAGAIN);
	CU_ASSERT(sent > 0);
	CU_ASSERT(a.x->again > 0);
	CU_ASSERT_EQUAL(hs_xport_dispatch(b.x, 100 * DISPATCH), 0);
	CU_ASSERT_EQUAL(b.bytes, sent);
	CU_ASSERT_EQUAL(hs_xport_dispatch(a.x, 100 * DISPATCH), 0);
	CU_ASSERT_EQUAL(a.bytes, sent);
	CU_ASSERT_EQUAL(hs_xport_send(a.x, big, sizeof(big)), 0);
	hs_xport_close(&a.x);
	hs_xport_close(&b.x);
}

static void
dispatch_keeps_to_its_bound(void)
{
	static uint8_t big[10000];
	struct end a, b;

	make_pair(&a, &b);
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(hs_xport_send(a.x, big, sizeof(big)), 0);
	CU_ASSERT_EQUAL(hs_xport_dispatch(b.x, 15000), 0);
	CU_ASSERT_EQUAL(b.bytes, 20000);
	CU_ASSERT_EQUAL(readable(&b), 1);
	CU_ASSERT_EQUAL(hs_xport_dispatch(b.x, 15000), 0);
	CU_ASSERT_EQUAL(b.bytes, 40000);
	hs_xport_close(&a.x);
	hs_xport_close(&b.x);
}

static void
bad_lengths_are_refused(void)
{
	static uint8_t big[(64 << 10) + 1];
	struct end a, b;

	make_pair(&a, &b);
	CU_ASSERT_EQUAL(hs_xport_send(a.x, big, 0), -EMSGSIZE);
	CU_ASSERT_EQUAL(hs_xport_send(a.x, big, sizeof(big)), -EMSGSIZE);
	CU_ASSERT_EQUAL(hs_xport_dispatch(b.x, DISPATCH), 0);
	CU_ASSERT_STRING_EQUAL(b.log, "2");
	hs_xport_close(&a.x);
	hs_xport_close(&b.x);
}

static void
no_corosync_is_told(void)
{
	struct hs_xport *x = NULL;
	char why[256] = "", name[200];
	struct end e = { .n = 0 };

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CU_ASSERT_EQUAL(hs_xport_cpg_open(&x, name, &events, &e, why,
			    sizeof(why)),
	    -EINVAL);
	CU_ASSERT(strstr(why, "199") != NULL);
	CU_ASSERT_EQUAL(hs_xport_cpg_open(&x, "", &events, &e, why,
			    sizeof(why)),
	    -EINVAL);
	CU_ASSERT_PTR_NULL(x);
}

HS_SUITE(net_unix, HS_TEST(low_numbers_stay_free),
    HS_TEST(both_see_the_view_then_the_messages), HS_TEST(callback_may_send),
    HS_TEST(end_of_the_peer_is_a_view),
    HS_TEST(full_socket_says_again_and_loses_nothing),
    HS_TEST(dispatch_keeps_to_its_bound), HS_TEST(bad_lengths_are_refused),
    HS_TEST(no_corosync_is_told))
