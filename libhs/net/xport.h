/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transport: totally ordered messages between the members of a group, and the
 * group's membership in the same order.  Used by libhs and by hs-agent.
 *
 * X1  All members deliver the same messages in the same order, their own too.
 * X2  A view is delivered between the same two messages everywhere.
 * X3  What was not delivered to its own sender may be lost without a word.
 *
 * One thread at a time may use a transport; the caller sees to it.  Buffers
 * given to send() and got in deliver() are borrowed for the call.  Callbacks
 * run inside dispatch() only, and may call send() but not close() or
 * dispatch().
 */
#ifndef HS_NET_XPORT_H
#define HS_NET_XPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

#define HS_XPORT_ABI 1
#define HS_XPORT_MAX_MEMBERS 64
#define HS_XPORT_MAX_BYTES 1000000	/* below corosync's 1,047,552 */
/* Stack of a thread that calls dispatch(): libcpg puts 1 MiB on it. */
#define HS_XPORT_STACK_BYTES (2u << 20)

struct hs_xport;

struct hs_xport_addr {
	uint32_t nodeid;
	uint32_t pid;
};

enum hs_xport_why {
	HS_XPORT_JOIN,
	HS_XPORT_LEAVE,		/* left in good order */
	HS_XPORT_PROCDOWN,	/* process ended, its node lives */
	HS_XPORT_NODEDOWN,	/* node out of reach: dead or cut off */
};

struct hs_xport_change {
	struct hs_xport_addr addr;
	enum hs_xport_why why;
};

struct hs_xport_view {
	const struct hs_xport_addr *member;	/* trust this list */
	size_t nmember;
	const struct hs_xport_change *change;	/* joined and left: hints */
	size_t nchange;
};

struct hs_xport_events {
	void (*deliver)(void *arg, const struct hs_xport_addr *from,
	    const uint8_t *buf, size_t len);
	void (*view)(void *arg, const struct hs_xport_view *v);
};

struct hs_xport_ops {
	uint32_t abi;
	const char *name;
	/* 0; -EAGAIN: full, try again in 50-500 us; else it is lost. */
	int (*send)(struct hs_xport *x, const void *buf, size_t len);
	/* Deliver what is there, up to about max_bytes; never waits. */
	int (*dispatch)(struct hs_xport *x, size_t max_bytes);
	/* Readable when dispatch() has work. */
	int (*fd)(const struct hs_xport *x);
	void (*close)(struct hs_xport *x);	/* frees x */
};

/* First member of each transport's own struct. */
struct hs_xport {
	const struct hs_xport_ops *ops;
	const struct hs_xport_events *ev;
	void *arg;
	struct hs_xport_addr self;
	size_t max_bytes;	/* largest message */
	uint64_t sends, again;	/* for statistics */
};

/*
 * Closed process group `group` of Corosync: connect and ask to join; the join
 * is done when the first view names self.  why gets one line that says what to
 * do: corosync not running, no permission (uidgid.d), /dev/shm full, group name
 * too long.  Returns HS_ETRANSPORT, -EACCES, -ENOSPC, -EINVAL.
 */
HS_MUST_CHECK int hs_xport_cpg_open(struct hs_xport **out, const char *group,
    const struct hs_xport_events *ev, void *arg, char *why, size_t why_size);

/*
 * One end of a SEQPACKET pair: two members, self and peer.  Takes fd on
 * success.
 * The view of both is delivered at the first dispatch; the peer's end is
 * a view with PROCDOWN.  A sender's own messages are delivered to it too, from
 * memory; nobody orders the two ends' messages, so X1 holds for each sender's
 * alone.
 */
HS_MUST_CHECK int hs_xport_unix_open(struct hs_xport **out, int fd,
    struct hs_xport_addr self, struct hs_xport_addr peer,
    const struct hs_xport_events *ev, void *arg);

static inline int
hs_xport_send(struct hs_xport *x, const void *buf, size_t len)
{
	return x->ops->send(x, buf, len);
}

static inline int
hs_xport_dispatch(struct hs_xport *x, size_t max_bytes)
{
	return x->ops->dispatch(x, max_bytes);
}

static inline int
hs_xport_fd(const struct hs_xport *x)
{
	return x->ops->fd(x);
}

void hs_xport_close(struct hs_xport **x);

#endif
