/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HS_STATE_FD_INOTIFY_H
#define HS_STATE_FD_INOTIFY_H

#include <stdint.h>

#include "base/err.h"

/*
 * inotify_add_watch() on the registered descriptor fd, that keeps the path: the
 * watch, or negative with hs_why().  The seal lock guards it.
 */
HS_MUST_CHECK int hs_fd_inotify_watch(int fd, const char *path, uint32_t mask);

#endif
