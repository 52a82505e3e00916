/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checkpointing's own state, shared by the files of ckpt/ and nobody else.
 *
 * Locks, in the order in which they are taken:
 *
 *   seal   one hscpt() at a time collects and copies: set.  Whoever registers
 *          something waits for it: store.
 *   arena  (hs_arena_lock) no allocator call is in its middle.
 *
 *   io     the transport, the encoder and the link's receiving end: x, send,
 *          twin (whose buffers may be taken and given without it).
 *
 *   cut    cut_snap and its copying; its owner may have seal or io.
 *
 *   lock   all the rest that changes; held for a few instructions, never
 *          across a system call that may wait.  Innermost.
 *
 * io is never taken with seal held, nor the reverse.
 */
#ifndef HS_CKPT_IMPL_H
#define HS_CKPT_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ckpt/ack.h"
#include "ckpt/ckpt.h"
#include "ckpt/seal.h"
#include "ckpt/send.h"
#include "mem/arena.h"
#include "mem/dirty.h"
#include "mem/pageset.h"
#include "mem/twin.h"
#include "net/xport.h"
#include "state/store.h"
#include "wire/msg.h"

/*
 * Stream bytes that may be sent and not yet received: corosync buffers for
 * a slow receiver without bound, at 100 MB/s this is 80 ms of the ring.
 */
#define HS_CKPT_WINDOW_BYTES (8u << 20)

/* What GO said; constant once the worker runs. */
struct hs_ckpt_role {
	uint64_t term;
	uint64_t base_epoch;	/* of the image this tenure began with */
	uint8_t base_digest[HS_DIGEST_BYTES];
	uint32_t nodeid;
	uint8_t min_spares;
	uint8_t transport;	/* enum hs_msg_transport */
	int data_fd;		/* UNIX: until the transport took it; else -1 */
	uint32_t peer_pid;	/* UNIX: the agent */
	char group[HS_MSG_GROUP_BYTES];
};

struct hs_ckpt_counters {
	uint64_t pages_dirty;
	uint64_t bytes_sent;
	uint64_t pause_ns_last;
	uint64_t pause_ns_max;
	uint64_t stop_ns_last;
	uint64_t stop_ns_max;
	uint64_t held_ns_last;
};

struct hs_ckpt {
	/* Constant once hsinit() has returned. */
	struct hs_arena *arena;
	struct hs_dirty *dirty;	/* its calls exclude each other */
	struct hs_ckpt_role role;
	size_t inflight_bound;
	int link_fd;		/* -1: no agent, and nothing below is used */
	int wake_fd;		/* eventfd: the worker has something to do */
	int event_fd;		/* eventfd: the service's, see hseventfd() */
	int drive_fd;		/* eventfd: a driver has something to see */
	pthread_t worker;
	bool worker_runs;

	/* seal */
	pthread_mutex_t seal;
	struct hs_store *store;	/* NULL: nothing was registered */
	struct hs_pageset *set;	/* collected, and not copied yet */

	/* cut */
	pthread_mutex_t cut;
	struct hs_seal_snap *cut_snap;	/* sealed, to be copied; or NULL */

	/* io */
	pthread_mutex_t io;
	struct hs_xport *x;
	struct hs_twin *twin;
	struct hs_send send;

	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum hs_ckpt_state state;
	bool stop;
	bool agent_gone;
	bool want_full;		/* the next epoch must say everything */
	bool want_again;	/* the newest was given up (cut.h, U3) */
	uint64_t full_epoch;	/* newest full one sealed */
	uint64_t full_off;	/* stream bytes up to the end of one, sent */
	uint64_t sealed;
	uint64_t sent;
	uint64_t held;
	enum hs_protection protection;	/* the agent's word, or FENCED */
	struct hs_ack ack;
	struct hs_seal_snap *queue;	/* sealed, in order, not begun */
	struct hs_seal_snap **queue_tail;
	struct hs_seal_snap *idle;	/* snapshots to be used again */
	size_t inflight_bytes;		/* E5 */
	uint64_t timed_epoch;		/* its way to held is timed; 0: none */
	uint64_t timed_ns;		/* when its hscpt() began */
	size_t last_pages;		/* of the newest delta */
	struct hs_ckpt_counters count;
	bool event_used;
	int xport_fd;			/* x's, for waiting; -1: none */
	bool driving;			/* a thread drives: drive.h */
	bool parked;			/* the worker waits for its end */
	bool watching;			/* the worker waits for x's fd, too */
	uint64_t drives;		/* begun so far */
	pthread_t driver;

	atomic_bool wanted;		/* the worker is, driver or not */
	atomic_bool ended;		/* hs_extra_end() was */
	atomic_uint_fast64_t ping_ns;	/* of the last one sent */
};

#endif
