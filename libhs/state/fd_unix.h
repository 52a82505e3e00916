/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kinds of UNIX sockets share.
 *
 * options, 32 bytes
 * off len field	rule
 *   0   4 passcred	0, 1
 *   4   4 sndbuf	as getsockopt() said
 *   8   4 rcvbuf
 *  12   4 peekoff	0xffffffff: none
 *  16   8 rcvtimeo	microseconds; 0: none
 *  24   8 sndtimeo
 *
 * name
 *   0   1 length	0 to 108; 0: none
 *   1   1 abstract	0, 1
 *   2   - bytes	the path without NUL, or the abstract name without its
 *			leading one
 */
#ifndef HS_STATE_FD_UNIX_H
#define HS_STATE_FD_UNIX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "state/fd_ops.h"

struct hs_fd_unix_name {
	socklen_t len;		/* of a; of no name that of the family */
	struct sockaddr_un a;
};

/* What the kernel's unix_diag tells. */
struct hs_fd_unix_diag {
	uint32_t peer_ino;	/* 0: none, or closed */
	uint32_t backlog;	/* of one that listens */
	uint32_t file_ino;	/* of the path it is bound to; 0 */
	uint8_t shutdown;	/* 1 receive, 2 send */
};

/* SOCK_* of a UNIX socket; 0: it is none. */
int hs_fd_unix_type(int fd, const struct stat *st);
bool hs_fd_unix_listens(int fd);
/* A kind's check of what all of them refuse. */
HS_MUST_CHECK int hs_fd_unix_check(const struct hs_fd_reg *d);
/* HS_EFD with hs_why(). */
HS_MUST_CHECK int hs_fd_unix_ask(const struct hs_fd_reg *d,
    struct hs_fd_unix_diag *out);
/* The connection to unix_diag, if there is one. */
void hs_fd_unix_hangup(void);

void hs_fd_unix_write_options(struct hs_wr *w, int fd);
/* On a new socket; 0 or HS_EFD. */
HS_MUST_CHECK int hs_fd_unix_read_options(struct hs_rd *r, int fd, int number);

/*
 * While a queue is refilled through fd: a send buffer for whatever went into
 * it, for the program may have made it smaller since.  What it was goes to
 * hs_fd_unix_lower().
 */
int hs_fd_unix_raise(int fd, size_t queue_bytes);
void hs_fd_unix_lower(int fd, int was);

/* own: getsockname(), else getpeername(), which fails where there is none. */
HS_MUST_CHECK int hs_fd_unix_name(int fd, bool own, struct hs_fd_unix_name *n);
bool hs_fd_unix_is_path(const struct hs_fd_unix_name *n);
void hs_fd_unix_write_name(struct hs_wr *w, const struct hs_fd_unix_name *n);
void hs_fd_unix_read_name(struct hs_rd *r, struct hs_fd_unix_name *n);

#endif
