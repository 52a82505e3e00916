/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library is a guest in the program's table of descriptors.  A descriptor
 * that is restored comes back under its old number, so the library's own keep
 * away from the low ones, which the kernel gives out first.
 */
#ifndef HS_BASE_FDHIGH_H
#define HS_BASE_FDHIGH_H

/*
 * Move fd to the upper end of what the limit of open files allows, with
 * close-on-exec; returns the new number.  Where there is no room, fd stays as
 * and where it is.  Negative fds are returned as they are.
 */
int hs_fdhigh_move(int fd);

/*
 * The first of the numbers that the library moves its own to, and the last:
 * 1.  They are as the limit was at the first hs_fdhigh_move(), that is in
 * hsinit(), where a spare's are chosen, too.  0: there was none, or no room.
 */
int hs_fdhigh_range(int *first, int *last);

#endif
