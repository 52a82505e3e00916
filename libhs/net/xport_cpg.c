/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A closed process group of Corosync.
 *
 * C1  After the first error that is not TRY_AGAIN every call returns
 *     HS_ETRANSPORT: what was in flight then is of unknown fate.
 * C2  cpg_dispatch() keeps a message buffer of 1 MiB on the stack: the thread
 *     that dispatches needs HS_XPORT_STACK_BYTES.
 *
 * CPG_TYPE_AGREED is the strongest order that corosync implements; it says
 * nothing about who has a message (CPG_TYPE_SAFE is accepted and ignored).
 */
#include "net/xport.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <corosync/cpg.h>
#include <corosync/corotypes.h>

#include "base/clock.h"

/* Connect and join: corosync says TRY_AGAIN while a membership forms. */
#define CPG_OPEN_NS (5 * UINT64_C(1000000000))
#define CPG_RETRY_NS 10000000

struct cpg_xport {
	struct hs_xport x;
	cpg_handle_t handle;
	int fd;
	int lost;		/* C1: 0 or HS_ETRANSPORT */
	size_t delivered;	/* bytes, in the dispatch() that runs */
};

static void say(char *why, size_t why_size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
say(char *why, size_t why_size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, why_size, fmt, ap);
	va_end(ap);
}

static struct cpg_xport *
self_of(cpg_handle_t handle)
{
	void *ctx = NULL;

	return cpg_context_get(handle, &ctx) == CS_OK ? ctx : NULL;
}

static void
on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid,
    uint32_t pid, void *msg, size_t len)
{
	const struct hs_xport_addr from = { .nodeid = nodeid, .pid = pid };
	struct cpg_xport *c = self_of(handle);

	(void)group;
	if (c == NULL)
		return;
	c->delivered += len;
	c->x.ev->deliver(c->x.arg, &from, msg, len);
}

static enum hs_xport_why
why_left(uint32_t reason)
{
	switch (reason) {
	case CPG_REASON_LEAVE:
		return HS_XPORT_LEAVE;
	case CPG_REASON_PROCDOWN:
		return HS_XPORT_PROCDOWN;
	default:
		/* The unknown is taken for the worst: it may still run. */
		return HS_XPORT_NODEDOWN;
	}
}

static void /* libcpg's: NOLINTNEXTLINE(readability-function-size) */
on_confchg(cpg_handle_t handle, const struct cpg_name *group,
    const struct cpg_address *member, size_t nmember,
    const struct cpg_address *left, size_t nleft,
    const struct cpg_address *joined, size_t njoined)
{
	struct hs_xport_addr m[HS_XPORT_MAX_MEMBERS];
	struct hs_xport_change ch[HS_XPORT_MAX_MEMBERS];
	struct hs_xport_view v = { .member = m, .change = ch };
	struct cpg_xport *c = self_of(handle);

	(void)group;
	if (c == NULL)
		return;
	if (nmember > HS_XPORT_MAX_MEMBERS) {
		c->lost = HS_ETRANSPORT;
		return;
	}
	for (size_t i = 0; i < nmember; i++)
		m[v.nmember++] =
		    (struct hs_xport_addr){ .nodeid = member[i].nodeid,
			    .pid = member[i].pid };
	/* Hints, so those beyond the bound are not missed. */
	for (size_t i = 0; i < nleft && v.nchange < HS_XPORT_MAX_MEMBERS; i++)
		ch[v.nchange++] =
		    (struct hs_xport_change){ .addr = { left[i].nodeid,
						  left[i].pid },
			    .why = why_left(left[i].reason) };
	for (size_t i = 0; i < njoined && v.nchange < HS_XPORT_MAX_MEMBERS; i++)
		ch[v.nchange++] =
		    (struct hs_xport_change){ .addr = { joined[i].nodeid,
						  joined[i].pid },
			    .why = HS_XPORT_JOIN };
	c->x.ev->view(c->x.arg, &v);
}

static int
cpg_send(struct hs_xport *x, const void *buf, size_t len)
{
	struct cpg_xport *c = (struct cpg_xport *)x;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf,
		.iov_len = len };
	cs_error_t e;

	if (c->lost != 0)
		return c->lost;
	if (len == 0 || len > x->max_bytes)
		return -EMSGSIZE;
	e = cpg_mcast_joined(c->handle, CPG_TYPE_AGREED, &iov, 1);
	if (e == CS_OK) {
		x->sends++;
		return 0;
	}
	if (e == CS_ERR_TRY_AGAIN) {
		x->again++;
		return -EAGAIN;
	}
	c->lost = HS_ETRANSPORT;
	return c->lost;
}

static int
cpg_dispatch_some(struct hs_xport *x, size_t max_bytes)
{
	struct cpg_xport *c = (struct cpg_xport *)x;
	cs_error_t e = CS_OK;

	c->delivered = 0;
	while (c->lost == 0 && c->delivered < max_bytes) {
		e = cpg_dispatch(c->handle, CS_DISPATCH_ONE_NONBLOCKING);
		if (e != CS_OK)
			break;
	}
	/* TRY_AGAIN: there was nothing to deliver. */
	if (e != CS_OK && e != CS_ERR_TRY_AGAIN)
		c->lost = HS_ETRANSPORT;
	return c->lost;
}

static int
cpg_fd(const struct hs_xport *x)
{
	return ((const struct cpg_xport *)x)->fd;
}

static void
cpg_close(struct hs_xport *x)
{
	struct cpg_xport *c = (struct cpg_xport *)x;

	/* Corosync takes a vanished connection for a leave, too. */
	(void)cpg_finalize(c->handle);
	free(c);
}

static const struct hs_xport_ops cpg_ops = {
	.abi = HS_XPORT_ABI,
	.name = "cpg",
	.send = cpg_send,
	.dispatch = cpg_dispatch_some,
	.fd = cpg_fd,
	.close = cpg_close,
};

static bool
pause_until(uint64_t deadline_ns)
{
	const struct timespec ts = { .tv_nsec = CPG_RETRY_NS };

	if (hs_clock_ns() >= deadline_ns)
		return false;
	(void)nanosleep(&ts, NULL);
	return true;
}

static cs_error_t
connect_cpg(struct cpg_xport *c, uint64_t deadline_ns)
{
	cpg_model_v1_data_t model = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg,
	};
	cs_error_t e;

	do
		e = cpg_model_initialize(&c->handle, CPG_MODEL_V1,
		    (cpg_model_data_t *)&model, c);
	while (e == CS_ERR_TRY_AGAIN && pause_until(deadline_ns));
	return e;
}

static cs_error_t
join_group(struct cpg_xport *c, const char *group, uint64_t deadline_ns)
{
	struct cpg_name name = { .length = (uint32_t)strlen(group) };
	cs_error_t e;

	memcpy(name.value, group, name.length);
	do
		e = cpg_join(c->handle, &name);
	while (e == CS_ERR_TRY_AGAIN && pause_until(deadline_ns));
	return e;
}

static int
explain_open(cs_error_t e, char *why, size_t why_size)
{
	switch (e) {
	case CS_ERR_ACCESS:
		say(why, why_size,
		    "corosync refuses uid %u gid %u: name them "
		    "in /etc/corosync/uidgid.d and run corosync-cfgtool -R",
		    (unsigned)geteuid(), (unsigned)getegid());
		return -EACCES;
	case CS_ERR_NO_SPACE:
	case CS_ERR_NO_MEMORY:
		say(why, why_size,
		    "no room for corosync's buffers (error %d): "
		    "free some of /dev/shm",
		    (int)e);
		return -ENOSPC;
	case CS_ERR_TRY_AGAIN:
		say(why, why_size,
		    "corosync did not answer for 5 s: "
		    "see its log, is the membership forming?");
		return HS_ETRANSPORT;
	default:
		say(why, why_size,
		    "no connection to corosync (error %d): "
		    "is it running? try corosync-cfgtool -s",
		    (int)e);
		return HS_ETRANSPORT;
	}
}

static size_t
message_bytes(cpg_handle_t handle)
{
	uint32_t atomic = 0;

	if (cpg_max_atomic_msgsize_get(handle, &atomic) != CS_OK ||
	    atomic > HS_XPORT_MAX_BYTES)
		return HS_XPORT_MAX_BYTES;
	return atomic;
}

int
hs_xport_cpg_open(struct hs_xport **out, const char *group,
    const struct hs_xport_events *ev, void *arg, char *why, size_t why_size)
{
	const uint64_t deadline_ns = hs_clock_ns() + CPG_OPEN_NS;
	struct cpg_xport *c;
	unsigned nodeid = 0;
	cs_error_t e;

	if (group[0] == '\0' || strlen(group) > CPG_MAX_NAME_LENGTH) {
		say(why, why_size,
		    "the name of the group has %zu bytes: 1 to "
		    "%d are allowed; shorten the resource's name",
		    strlen(group), CPG_MAX_NAME_LENGTH);
		return -EINVAL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		say(why, why_size, "out of memory");
		return -ENOMEM;
	}
	e = connect_cpg(c, deadline_ns);
	if (e != CS_OK) {
		free(c);
		return explain_open(e, why, why_size);
	}
	e = cpg_local_get(c->handle, &nodeid);
	if (e == CS_OK)
		e = cpg_fd_get(c->handle, &c->fd);
	if (e == CS_OK)
		e = join_group(c, group, deadline_ns);
	if (e != CS_OK) {
		(void)cpg_finalize(c->handle);
		free(c);
		return explain_open(e, why, why_size);
	}
	c->x = (struct hs_xport){ .ops = &cpg_ops,
		.ev = ev,
		.arg = arg,
		.self = { nodeid, (uint32_t)getpid() },
		.max_bytes = message_bytes(c->handle) };
	*out = &c->x;
	return 0;
}
