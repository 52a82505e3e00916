/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small TCP server around poll(2), for the example services: connections,
 * what they sent and what they are still to be sent.  Nothing here is
 * in checkpoint memory: a TCP connection ends with its process, and the client
 * connects again.
 *
 * Single-threaded.  Callbacks run inside net_wait() and may call net_send(),
 * net_owe() and net_close() on any connection.
 */
#ifndef EXAMPLES_COMMON_NET_H
#define EXAMPLES_COMMON_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_CONNS 256		  /* further ones wait in the backlog */
#define NET_IN_BYTES 2048	  /* longest line */
#define NET_OUT_BYTES (1u << 20) /* a reader this far behind is dropped */

struct net;
struct net_conn;

struct net_ops {
	void (*opened)(void *arg, struct net_conn *c);
	/* Input waits in c: take it with net_take() or net_line(). */
	void (*input)(void *arg, struct net_conn *c);
	/* c is gone when this returns. */
	void (*closed)(void *arg, struct net_conn *c);
};

/*
 * Listen at port on every address, IPv4 and, where the machine has it, IPv6.
 * 0 or -errno.  ops is borrowed for the server's life.
 */
int net_create(struct net **out, uint16_t port, const struct net_ops *ops,
    void *arg);
void net_destroy(struct net *n);

/*
 * Wait for up to timeout_ms, then serve all that is ready.  event_fd (or -1) is
 * watched too: 1 if it became readable, else 0; or -errno.  With reading
 * false nothing is read or accepted: what clients send waits in the kernel.
 */
int net_wait(struct net *n, int event_fd, bool reading, int timeout_ms);

/* Up to size bytes of what c sent; 0 if nothing is left. */
size_t net_take(struct net_conn *c, char *buf, size_t size);

/*
 * One line of what c sent, ended by CR, LF or both, which are not part of it;
 * nul-terminated.  Its length, or -EAGAIN if there is no whole line.
 * size must be above NET_IN_BYTES.
 */
ssize_t net_line(struct net_conn *c, char *buf, size_t size);

/* Queue and, as far as it goes without waiting, send. */
void net_send(struct net_conn *c, const void *buf, size_t len);

/* Bytes queued that the kernel has not taken. */
size_t net_queued(const struct net_conn *c);

/*
 * A client may end its sending side and still want answers: while n answers
 * are owed the connection stays.  n may be negative.
 */
void net_owe(struct net_conn *c, int n);

/* Send what is queued, then close; closed() follows within net_wait(). */
void net_close(struct net_conn *c);

/* What the service keeps for this connection; NULL at first. */
void *net_user(const struct net_conn *c);
void net_set_user(struct net_conn *c, void *user);

/* A name for c that is never used again, and the way back: NULL if gone. */
uint64_t net_id(const struct net_conn *c);
struct net_conn *net_find(struct net *n, uint64_t id);

/* Every open connection: c NULL starts, NULL ends. */
struct net_conn *net_next(struct net *n, struct net_conn *c);

#endif
