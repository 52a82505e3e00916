/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The name that a UNIX socket is bound to, and the file of that name.
 *
 * off len field	rule
 *   0   4 mode		of the file, 07777; 0 if the name is no path
 *   4   4 uid		of the file
 *   8   4 gid
 *  12   - name		fd_unix.h; a path begins with '/'
 */
#ifndef HS_STATE_FD_UNIX_BIND_H
#define HS_STATE_FD_UNIX_BIND_H

#include <sys/types.h>

#include "base/err.h"
#include "state/fd_unix.h"

struct hs_fd_unix_bound {
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	struct hs_fd_unix_name name;
};

/*
 * What d is bound to.  HS_EFD with hs_why() where that is a path that no longer
 * leads to d, or a relative one.
 */
HS_MUST_CHECK int hs_fd_unix_bind_ask(const struct hs_fd_reg *d,
    struct hs_fd_unix_bound *b);
void hs_fd_unix_bind_write(struct hs_wr *w, const struct hs_fd_unix_bound *b);
void hs_fd_unix_bind_read(struct hs_rd *r, struct hs_fd_unix_bound *b);

/*
 * Bind fd, of type; a file of a socket at which nobody is any more goes first.
 * HS_EFD with hs_why(), for number.
 */
HS_MUST_CHECK int hs_fd_unix_bind_again(int fd, int type, int number,
    const struct hs_fd_unix_bound *b);

#endif
