/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's side of the link and of the stream, for tests: a thread that
 * reads the stream of epochs, builds the image that they say, and acks them as
 * it was told to.  It believes nothing: every record is checked as an agent
 * checks it, and the first breach is kept in `wrong'.
 */
#ifndef HS_TESTS_UNIT_CKPT_PEER_H
#define HS_TESTS_UNIT_CKPT_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "ckpt/ckpt.h"
#include "net/xport.h"
#include "wire/msg.h"
#include "wire/rec.h"

#define PEER_TERM 7
#define PEER_NODE 1
#define PEER_ARENA_BYTES ((size_t)32 << 20)

enum peer_ack {
	PEER_ACK_NONE,		/* silent */
	PEER_ACK_GOOD,
	PEER_ACK_BAD,		/* of another digest */
	PEER_ACK_PROGRESS,	/* of the stream only */
};

struct peer {
	pthread_t thread;
	int link[2];		/* [0] the service's end, until it has it */
	int data[2];
	int image_fd;
	uint8_t *image;
	int wake;

	pthread_mutex_t lock;	/* all below */
	pthread_cond_t changed;
	bool stop;
	bool running;		/* RUNNING came */
	bool restore;		/* GO hands over the image */
	char failed[HS_MSG_TEXT_BYTES];
	struct hs_msg_hello hello;
	struct hs_xport *x;
	enum peer_ack ack;
	uint64_t epoch;		/* of the image */
	uint8_t digest[HS_DIGEST_BYTES];
	uint64_t used_bytes;
	uint64_t off;		/* stream bytes received */
	unsigned epochs, fulls, pings, stats, messages;
	char wrong[160];

	/* The epoch that is coming in. */
	uint64_t coming;
	uint32_t seq;
	struct hs_rec_begin begin;
	struct hs_rec_rd reader;
	struct hs_digest *running_digest;
	uint8_t *stage;
	bool *staged;
};

/* A number of *p, as of now. */
#define PEER_GET(p, member)                                                    \
	({                                                                     \
		pthread_mutex_lock(&(p)->lock);                                \
		__typeof__((p)->member) value = (p)->member;                   \
		pthread_mutex_unlock(&(p)->lock);                              \
		value;                                                         \
	})

/* Makes the sockets, and HOTSPARE_FD for hsinit(); nothing runs yet. */
void peer_init(struct peer *p);
/* From here on it answers. */
void peer_run(struct peer *p);
/* The service has gone; keep the image for another run with restore. */
void peer_stop(struct peer *p);
void peer_fini(struct peer *p);
/* Sockets and thread of a new run that restores the image. */
void peer_again(struct peer *p);

void peer_policy(struct peer *p, enum hs_protection pr, bool full);
/* Ask for a full epoch if there is none yet; false: there is. */
bool peer_wish_first(struct peer *p);
void peer_set_ack(struct peer *p, enum peer_ack ack);
/* Ack what the image is now; digest NULL: the true one. */
void peer_send_ack(struct peer *p, const uint8_t *digest);
void peer_send_progress(struct peer *p);
void peer_send_term(struct peer *p, uint64_t term);
/* Send these bytes into the group as they are. */
void peer_send_raw(struct peer *p, const void *buf, size_t len);
/* Wait, for up to 10 s, until it has epoch; false: it has not. */
bool peer_await(struct peer *p, uint64_t epoch);

/* hs_start_run() over the peer with an arena of PEER_ARENA_BYTES. */
struct hs_ckpt *peer_start(struct peer *p, size_t inflight_bytes);
/* The image is what the arena is, byte by byte. */
bool peer_equals(struct peer *p, struct hs_ckpt *c);

#endif
