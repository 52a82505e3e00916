/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /proc tells of this process's descriptors.
 */
#ifndef HS_STATE_FD_INFO_H
#define HS_STATE_FD_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* What /proc/self/fd/N leads to, terminated: length, or -errno. */
HS_MUST_CHECK int hs_fd_info_link(int fd, char *buf, size_t size);
/* Is that to be had at all?  HS_EFD with hs_why(). */
HS_MUST_CHECK int hs_fd_info_check(int fd);
/* Does it lead to exactly that, as "anon_inode:[eventfd]"? */
bool hs_fd_info_is(int fd, const char *link);
/*
 * The lowest number above `after` (-1: the first) that this process has open of
 * the file (dev, ino), registered or not; -1.
 */
int hs_fd_info_next(dev_t dev, ino_t ino, int after);
/* /proc/self/fdinfo/N, terminated: length, or -errno. */
HS_MUST_CHECK int hs_fd_info_read(int fd, char *buf, size_t size);
/*
 * The same into *buf of *size bytes, or more: realloc()ed, and to be freed by
 * the caller.  -ENOMEM.
 */
HS_MUST_CHECK int hs_fd_info_whole(int fd, char **buf, size_t *size);
/* In such a text, what follows "key:" and blanks; NULL. */
const char *hs_fd_info_find(const char *info, const char *key);

#endif
