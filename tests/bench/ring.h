/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One bare closed process group: nothing but libcpg and poll(2).
 *
 * A request is RING_REQUEST and any bytes; an acknowledgement is RING_ACK and
 * the request's number.  Both begin with struct ring_head, in host order: all
 * members are processes of one build on one machine.
 */
#ifndef HS_BENCH_RING_H
#define HS_BENCH_RING_H

#include <stddef.h>
#include <stdint.h>

#include <corosync/cpg.h>

#define RING_HEAD_BYTES 16
#define RING_MOST_BYTES (64u << 10)

enum ring_kind {
	RING_REQUEST = 1,
	RING_ACK = 2,
};

struct ring {
	cpg_handle_t handle;
	int fd;
	size_t members;
	uint64_t acked;		/* the newest number that an ack named */
	int answers;		/* acknowledge requests? */
};

void ring_join(struct ring *r, const char *group, int answers);
/* Send a request of bytes, head included, and wait for its ack; in ns. */
uint64_t ring_ask(struct ring *r, uint64_t number, size_t bytes);
/* Deliver for up to timeout_ms; -1: until something came. */
void ring_serve(struct ring *r, int timeout_ms);

#endif
