/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HS_STATE_FD_EPOLL_H
#define HS_STATE_FD_EPOLL_H

/*
 * The library's descriptor that a program may watch, of hseventfd(); -1: none.
 * A watch of it becomes one of the next process's.
 */
void hs_fd_epoll_own(int fd);

#endif
