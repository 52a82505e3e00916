/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The multicast groups that a UDP socket is a member of: 2 bytes, their number,
 * then for each, ascending by its first 36 bytes,
 *
 * off len field		rule
 *   0   2 family		AF_INET, or AF_INET6 of an IPv6 socket
 *   2   1 mode			MCAST_EXCLUDE (0), MCAST_INCLUDE (1)
 *   3   1 nsrc			at most 16
 *   4  16 group		IPv4: the first 4, then zeros
 *  20  16 interface		by name
 *  36   - sources		nsrc of 16 bytes, as the group
 */
#ifndef HS_STATE_FD_MCAST_H
#define HS_STATE_FD_MCAST_H

#include "base/err.h"
#include "base/rd.h"
#include "base/wr.h"

/* HS_EFD with hs_why(). */
HS_MUST_CHECK int hs_fd_mcast_put(struct hs_wr *w, int fd);
/* Join them with fd, to be `number`: HS_EFD with hs_why(); HS_ECORRUPT. */
HS_MUST_CHECK int hs_fd_mcast_get(struct hs_rd *r, int fd, int number);

#endif
