/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The link to hs-agent: a SEQPACKET socket that the service inherits.
 *
 *	service			agent
 *	HELLO      ---->			in hsinit(): here I am
 *	           <----  GO			you are the primary
 *	RUNNING    ---->			hsinit() returns
 *	  or FAILED ---->			it does not, and why
 *	PING STATS ---->  <----  POLICY		from then on
 *
 * The end of the link says that the agent is gone.
 */
#ifndef HS_CKPT_LINK_H
#define HS_CKPT_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/msg.h"

struct hs_ckpt;

/*
 * The link's descriptor as HOTSPARE_FD names it, now ours alone: close-on-exec,
 * non-blocking, and the variable is gone.  -1: there is no agent.  HS_EAGENT
 * and a line in why if the variable does not name a link.
 */
int hs_link_inherit(char *why, size_t why_size);

HS_MUST_CHECK int hs_link_hello(int fd, const struct hs_msg_hello *m);
/*
 * Wait for GO.  Its descriptors, if any, are the caller's: fds[i] is -1 where
 * there is none.  HS_EAGENT and a line in why: the agent is gone, or breaks the
 * protocol.
 */
HS_MUST_CHECK int hs_link_await_go(int fd, struct hs_msg_head *h,
    struct hs_msg_go *go, int fds[2], char *why, size_t why_size);
HS_MUST_CHECK int hs_link_running(int fd, uint64_t term);
/* A line for the operator; best effort.  What keeps the service from going: */
void hs_link_failed(int fd, const char *text);
/* What is good to know: */
void hs_link_note(int fd, const char *text);
/* 0, HS_EAGENT, or -EAGAIN when the agent does not read. */
HS_MUST_CHECK int hs_link_ping(int fd, uint64_t term);

/* Take what came over the link.  io is held, c->lock is not. */
void hs_link_drain(struct hs_ckpt *c);
/* Send STATS; best effort. */
void hs_link_stats(struct hs_ckpt *c);

#endif
