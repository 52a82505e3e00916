/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The content of a registered file: carried (HS_FD_CONTENT) or compared
 * (HS_FD_SAME).  It is read anew only if the file changed: what is unchanged
 * in size, mtime and ctime, and was settled when it was read, is not read.
 *
 * C1  A file whose last change is nearer than SETTLE_NS to when it was read is
 *     read again: time stamps are as coarse as the kernel's tick.
 *
 * A change through a shared mapping moves the time stamps late or never.
 */
#ifndef HS_STATE_FD_CONTENT_H
#define HS_STATE_FD_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "state/fd_ops.h"

/* Read in the pause, and all of it in checkpoint memory. */
#define HS_FD_CONTENT_MAX ((size_t)64 << 20)

struct hs_fd_content {
	const char *path;	/* of a deleted file, a directory */
	uint32_t mode;
	bool deleted;
	const uint8_t *bytes;	/* borrowed */
	size_t len;
};

/* In hsfdreg(): can it be read, and is it not too large?  HS_EFD. */
HS_MUST_CHECK int hs_fd_content_check(const struct hs_fd_reg *d);
/* In query: into the body, or the last one holds. */
HS_MUST_CHECK int hs_fd_content_take(struct hs_fd_reg *d,
    struct hs_fd_out *out);
/* In query: of all of the file, of any size. */
HS_MUST_CHECK int hs_fd_content_digest(struct hs_fd_reg *d,
    uint8_t digest[HS_DIGEST_BYTES]);
/*
 * In restore: a descriptor of a file with that content.  One that exists keeps
 * its inode, owner and mode, and is not written if it is equal already.
 */
HS_MUST_CHECK int hs_fd_content_give(const struct hs_fd_reg *d,
    const struct hs_fd_content *c);
/* In restore: is the file at fd that one?  HS_EINCOMPATIBLE. */
HS_MUST_CHECK int hs_fd_content_compare(const struct hs_fd_reg *d, int fd,
    const char *path, uint64_t size, const uint8_t digest[HS_DIGEST_BYTES]);
void hs_fd_content_forget(struct hs_fd_reg *d);

#endif
