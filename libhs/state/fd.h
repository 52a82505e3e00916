/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered descriptors.  What the program gave to hsfdreg() stands in a table
 * of this process; at a checkpoint each is asked for its state, which goes into
 * the record (HS_STORE_FD, number), and at a restore each comes back under its
 * number.  One kind of descriptor is one file behind fd_ops.h.
 *
 * off len field		rule
 *   0   1 version		1
 *   1   1 kind			enum hs_fd_id
 *   2   2 reserved		0
 *   4   4 how			of hsfdreg()
 *   8   4 descriptor flags	FD_CLOEXEC or 0
 *  12   4 status flags		as fcntl(F_GETFL) said
 *  16   4 as			number of the lowest registered descriptor of
 *				the same open file: its own, if it shares none
 *  20   4 body bytes
 *  24   - the kind's own	none if `as` is another number
 *
 * The body (contents: of a pipe, of a file) is in records of 64 KiB, key
 * number + (part << 32), part from 1; so of a large content that changed in one
 * place, one part is written.
 *
 * F1  At each checkpoint, a registered number is still the file that was
 *     registered; where it is not, no checkpoint is taken.
 * F2  A restore puts all registered numbers in place or none.
 * F3  No number that is in use is closed.
 */
#ifndef HS_STATE_FD_H
#define HS_STATE_FD_H

#include "base/err.h"
#include "state/section.h"

/* The seal lock guards all of these; hs_why() says why one failed. */
HS_MUST_CHECK int hs_fd_register(int fd, unsigned how);
HS_MUST_CHECK int hs_fd_unregister(struct hs_store *s, int fd);

extern const struct hs_section_ops hs_fd_section;

#endif
