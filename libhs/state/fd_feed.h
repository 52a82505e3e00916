/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Datagrams back into the queue of a new UDP socket, so that the program reads
 * them with any call, source and all (docs/adr/0011).
 *
 * While it is fed, the socket has a port of its own, of all addresses; packets
 * made here go to that port through the loopback interface, each with the
 * source that the datagram had.  Afterwards the socket is without a name again,
 * and what it holds stays.
 */
#ifndef HS_STATE_FD_FEED_H
#define HS_STATE_FD_FEED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct hs_fd_feed {
	int fd;
	int family;		/* of fd */
	uint16_t port;
	int raw[2];		/* IPv4, IPv6; -1: not open */
	int rcvbuf;		/* what it was */
	uint8_t *packet;
};

struct hs_fd_datagram {
	struct sockaddr_storage from;
	struct sockaddr_storage to;	/* family 0: not known */
	const uint8_t *data;
	size_t len;
};

/* Is that allowed to this process?  0 or -EPERM. */
HS_MUST_CHECK int hs_fd_feed_may(void);

/* fd is new; n datagrams of so many bytes.  0: hs_fd_feed_end() is due. */
HS_MUST_CHECK int hs_fd_feed_begin(struct hs_fd_feed *f, int fd, size_t n,
    size_t bytes);
/* 0 once it is in the queue; -errno, and it is not. */
HS_MUST_CHECK int hs_fd_feed_put(struct hs_fd_feed *f,
    const struct hs_fd_datagram *g);
/* fd can be bound after it. */
void hs_fd_feed_end(struct hs_fd_feed *f);

#endif
