/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/ring.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "tests/bench/bench.h"

#define ASK_NS UINT64_C(10000000000)
/* Corosync's queue is full: it drains in some 100 us. */
#define AGAIN_NS 100000

struct ring_head {
	uint64_t kind;
	uint64_t number;
};
_Static_assert(sizeof(struct ring_head) == RING_HEAD_BYTES, "head");

static void
send_message(struct ring *r, const void *buf, size_t len)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf,
		.iov_len = len };
	const struct timespec again = { .tv_nsec = AGAIN_NS };
	cs_error_t e;

	while ((e = cpg_mcast_joined(r->handle, CPG_TYPE_AGREED, &iov, 1)) ==
	    CS_ERR_TRY_AGAIN)
		(void)nanosleep(&again, NULL);
	if (e != CS_OK)
		bench_die("cpg_mcast_joined: error %d", (int)e);
}

static void
on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid,
    uint32_t pid, void *msg, size_t len)
{
	struct ring_head h;
	void *ctx = NULL;
	struct ring *r;

	(void)group;
	(void)nodeid;
	(void)pid;
	if (len < sizeof(h) || cpg_context_get(handle, &ctx) != CS_OK)
		return;
	r = ctx;
	memcpy(&h, msg, sizeof(h));
	if (h.kind == RING_ACK) {
		r->acked = h.number;
	} else if (h.kind == RING_REQUEST && r->answers) {
		h.kind = RING_ACK;
		send_message(r, &h, sizeof(h));
	}
}

static void
on_confchg(cpg_handle_t handle, const struct cpg_name *group,
    const struct cpg_address *member, size_t nmember,
    const struct cpg_address *left, size_t nleft,
    const struct cpg_address *joined, size_t njoined)
{
	void *ctx = NULL;

	(void)group;
	(void)member;
	(void)left;
	(void)nleft;
	(void)joined;
	(void)njoined;
	if (cpg_context_get(handle, &ctx) == CS_OK)
		((struct ring *)ctx)->members = nmember;
}

void
ring_join(struct ring *r, const char *group, int answers)
{
	cpg_model_v1_data_t model = { .model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg };
	struct cpg_name name = { .length = (uint32_t)strlen(group) };
	cs_error_t e;

	*r = (struct ring){ .answers = answers };
	memcpy(name.value, group, name.length);
	e = cpg_model_initialize(&r->handle, CPG_MODEL_V1,
	    (cpg_model_data_t *)&model, r);
	if (e == CS_OK)
		e = cpg_fd_get(r->handle, &r->fd);
	if (e == CS_OK)
		e = cpg_join(r->handle, &name);
	if (e != CS_OK)
		bench_die("cannot join group %s: error %d", group, (int)e);
}

void
ring_serve(struct ring *r, int timeout_ms)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	cs_error_t e;

	if (poll(&p, 1, timeout_ms) < 0 && errno != EINTR)
		bench_die("poll: %s", strerrordesc_np(errno));
	e = cpg_dispatch(r->handle, CS_DISPATCH_ALL);
	if (e != CS_OK && e != CS_ERR_TRY_AGAIN)
		bench_die("cpg_dispatch: error %d", (int)e);
}

uint64_t
ring_ask(struct ring *r, uint64_t number, size_t bytes)
{
	static uint8_t buf[RING_MOST_BYTES + RING_HEAD_BYTES];
	const struct ring_head h = { .kind = RING_REQUEST, .number = number };
	uint64_t t0;

	memcpy(buf, &h, sizeof(h));
	t0 = bench_now_ns();
	send_message(r, buf, bytes);
	while (r->acked != number) {
		ring_serve(r, 1000);
		if (bench_now_ns() - t0 > ASK_NS)
			bench_die("request %llu is not acknowledged",
			    (unsigned long long)number);
	}
	return bench_now_ns() - t0;
}
