/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of /dev/hscpt in a child of fork().  The kernel leaves it out, as what
 * is shared would be written by two.  A child has what other memory gives it:
 * the content as of the fork, its own from then on.
 *
 * The child maps the device once more, copies, and lets go of the device,
 * before fork() returns in it; in the parent, fork() returns when the child
 * has the copy, so that the thread that forks does not write meanwhile.  Others
 * may, word by word.
 *
 * Not for children of vfork(), posix_spawn(), system() and popen(), which have
 * their parent's memory, nor for those of a bare clone(), which have none.
 */
#ifndef HS_MEM_KMOD_FORK_H
#define HS_MEM_KMOD_FORK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_kmod_fork {
	struct hs_kmod_fork *next;
	uint8_t *base;
	size_t len;		/* of the mapping */
	size_t used;		/* bytes that exist; the rest is zeros */
	int fd;			/* the arena */
	int cut_fd;		/* -1, or a snapshot that the child closes */
};

/* Once a process; 0 or -ENOMEM. */
HS_MUST_CHECK int hs_kmod_fork_watch(void);
/* f is borrowed until _del(), which also takes one that was not added. */
void hs_kmod_fork_add(struct hs_kmod_fork *f);
void hs_kmod_fork_del(struct hs_kmod_fork *f);
/* Change a field of one that may be added already. */
void hs_kmod_fork_resize(struct hs_kmod_fork *f, size_t used);
void hs_kmod_fork_cut(struct hs_kmod_fork *f, int cut_fd);

#endif
