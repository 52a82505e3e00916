/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is in flight to a UNIX socket.
 *
 * queue: chunks, each what one read gives
 * off len field
 *   0   4 length
 *   4   - name		of the sender (fd_unix.h)
 *   -   - bytes
 *
 * A message without bytes is seen at one checkpoint only: the kernel shows it
 * once (MSG_PEEK with SO_PEEK_OFF).
 */
#ifndef HS_STATE_FD_UNIX_PEEK_H
#define HS_STATE_FD_UNIX_PEEK_H

#include "base/err.h"
#include "state/fd_unix.h"

/*
 * The queue of fd into the body; it stays where it is.  shutdown is fd's.
 * HS_EFD with hs_why(): descriptors are in flight.
 */
HS_MUST_CHECK int hs_fd_unix_peek(int fd, uint8_t shutdown,
    struct hs_fd_out *out);

/* The next chunk of r: 1 and both; 0 at the end; HS_ECORRUPT. */
HS_MUST_CHECK int hs_fd_unix_peek_next(struct hs_rd *r,
    struct hs_fd_unix_name *from, const uint8_t **bytes, size_t *len);

#endif
