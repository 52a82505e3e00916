/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of an internet socket, those that getsockopt() tells and
 * setsockopt() takes: 2 bytes, their number, then for each, ascending by id,
 *
 * off len field		rule
 *   0   1 id			of fd_sockopt.c's table; permanent
 *   1   1 len			as in the table, or up to it for a text
 *   2   - value		as getsockopt() gave it
 */
#ifndef HS_STATE_FD_SOCKOPT_H
#define HS_STATE_FD_SOCKOPT_H

#include "base/err.h"
#include "base/rd.h"
#include "base/wr.h"

/* What no kind of socket carries over: HS_EFD with hs_why(). */
HS_MUST_CHECK int hs_fd_sockopt_check(int fd);

void hs_fd_sockopt_put(struct hs_wr *w, int fd);
/*
 * On a new socket: what it has already is not set, so that only what the
 * program once set needs the right to set it.  number is for hs_why().  HS_EFD;
 * HS_ECORRUPT.
 */
HS_MUST_CHECK int hs_fd_sockopt_get(struct hs_rd *r, int fd, int number);

#endif
