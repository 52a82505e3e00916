/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of IPv4 and IPv6 sockets, as bytes and back:
 *
 * off len field		rule
 *   0   2 family		AF_INET (2), AF_INET6 (10); 0: no name
 *   2   2 port		0 without a name
 *   4  16 address		IPv4: the first 4, then zeros; network order
 *  20   4 flow		IPv6 sin6_flowinfo; else 0
 *  24  16 interface		of a link-local address, by name; else zeros
 */
#ifndef HS_STATE_FD_INET_H
#define HS_STATE_FD_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/rd.h"
#include "base/wr.h"

#define HS_FD_INET_NAME_BYTES 40
/* Enough for "[address%interface]:port". */
#define HS_FD_INET_TEXT_BYTES 80

/* A socket of the internet families of that type?  1 or 0. */
int hs_fd_inet_is(int fd, int type);
/* getsockopt() of an int; -1 where there is no such option. */
int hs_fd_inet_int(int fd, int level, int name);

void hs_fd_inet_put(struct hs_wr *w, const struct sockaddr_storage *ss);
/* The cursor fails on what breaks the rules.  Family 0: no name. */
void hs_fd_inet_get(struct hs_rd *r, struct sockaddr_storage *ss);
/* In network order. */
uint16_t hs_fd_inet_port(const struct sockaddr_storage *ss);
socklen_t hs_fd_inet_len(const struct sockaddr_storage *ss);
void hs_fd_inet_text(const struct sockaddr_storage *ss, char *buf, size_t size);

/*
 * Set an option of an int for a while: what it was, for hs_fd_inet_back(), or
 * -1, of which that makes nothing.
 */
int hs_fd_inet_swap(int fd, int level, int name, int v);
void hs_fd_inet_back(int fd, int level, int name, int old);

/* bind(), also to an address that this machine will have later.  -errno. */
HS_MUST_CHECK int hs_fd_inet_bind(int fd, const struct sockaddr_storage *ss);
/* connect(), also from such an address. */
HS_MUST_CHECK int hs_fd_inet_connect(int fd, const struct sockaddr_storage *ss);

/* What no kind of internet socket carries over: HS_EFD with hs_why(). */
HS_MUST_CHECK int hs_fd_inet_check(int fd, int protocol);

#endif
