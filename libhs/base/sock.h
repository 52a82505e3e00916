/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages and descriptors over a SOCK_SEQPACKET UNIX socket: the link between
 * hs-agent and the service.
 */
#ifndef HS_BASE_SOCK_H
#define HS_BASE_SOCK_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define HS_SOCK_MAX_FDS 8	/* in one message */

/*
 * Send len (>= 1) bytes and nfd descriptors as one message, whole or not at
 * all.  0 or -errno: -EAGAIN if fd is non-blocking and full, -EPIPE (and
 * no SIGPIPE) if the peer is gone, -EINVAL if nfd > HS_SOCK_MAX_FDS.  The
 * descriptors stay the caller's.
 */
HS_MUST_CHECK int hs_sock_send(int fd, const void *buf, size_t len,
    const int *fds, int nfd);

/*
 * Receive one message: its length, 0 when the peer is gone, or -errno.  *nfd is
 * the room in fds and, on return, how much of it is used: the first descriptors
 * that came along are the caller's, close-on-exec; the others are closed, and
 * with nfd NULL all are.  flags are recv(2)'s.  A message longer than size is
 * lost: -EMSGSIZE, and its descriptors are closed.
 */
HS_MUST_CHECK ssize_t hs_sock_recv(int fd, void *buf, size_t size, int *fds,
    int *nfd, int flags);

#endif
