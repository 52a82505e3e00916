/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's connection to a service that may move: lines out, lines in, and a
 * new connection whenever the old one breaks.  Single-threaded, around poll(2).
 */
#ifndef TESTS_RIG_CLIENT_LINK_H
#define TESTS_RIG_CLIENT_LINK_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_MS UINT64_C(1000000)
#define LINK_CONNECT_NS (50 * LINK_MS)	/* then it is tried anew */
#define LINK_RETRY_NS (20 * LINK_MS)	/* between two tries */
#define LINK_IN_BYTES 8192
#define LINK_OUT_BYTES 8192

enum link_state {
	LINK_DOWN,
	LINK_CONNECTING,
	LINK_UP,
};

struct client_link {
	struct sockaddr_in to;
	enum link_state state;
	int fd;			/* -1 while down */
	uint64_t try_ns;	/* next try, or when this one ends */
	uint64_t heard_ns;	/* came up, or newest input */
	uint64_t ups;		/* connections made so far */
	size_t in_len;
	size_t out_len;
	char in[LINK_IN_BYTES];
	char out[LINK_OUT_BYTES];
};

uint64_t link_now_ns(void);

/* false: address or port cannot be read. */
bool link_init(struct client_link *l, const char *address, const char *port);

/* What to poll(2) for, and what to do when it returned.  True: just came up. */
struct pollfd link_pollfd(const struct client_link *l);
bool link_step(struct client_link *l, short revents, uint64_t now_ns);

/*
 * Queue text; what is not flushed goes out in the next link_step().
 * false: no room now, nothing was queued.
 */
bool link_put(struct client_link *l, const char *text);
void link_flush(struct client_link *l, uint64_t now_ns);

/* The next whole line, nul-terminated, without its end. */
bool link_line(struct client_link *l, char *out, size_t size);

/* Forget what came in, line or not. */
void link_discard(struct client_link *l);

/* Give the connection up; a new one is tried for at once. */
void link_break(struct client_link *l, uint64_t now_ns);

#endif
