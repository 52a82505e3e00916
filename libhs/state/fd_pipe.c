/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pipes, both ends ours.
 *
 * off len field	rule
 *   0   4 owner	lowest registered number of this pipe
 *   4   4 capacity	as fcntl(F_GETPIPE_SZ) said; 0 unless it is the owner
 *   8   4 packets	1: a writer has O_DIRECT; 0 unless it is the owner
 *
 * The owner's body is the content: chunks of length 4 and bytes, each one read:
 * a packet, where the pipe is one of packets, else all there is.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_info.h"
#include "state/fd_table.h"

static bool
can_read(int flags)
{
	return (flags & O_ACCMODE) != O_WRONLY;
}

static bool
can_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

static int
probe_pipe(int fd, const struct stat *st)
{
	(void)fd;
	return S_ISFIFO(st->st_mode);
}

/* Is nobody at the other end, in any process? */
static bool
is_alone(const struct hs_fd_reg *d)
{
	struct pollfd p = { .fd = d->fd };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* Has this process the other end open, registered or not yet? */
static bool
has_other_end(const struct hs_fd_reg *d)
{
	int fd = -1, flags;

	while ((fd = hs_fd_info_next(d->st.st_dev, d->st.st_ino, fd)) >= 0) {
		flags = fcntl(fd, F_GETFL);
		if (flags >= 0 &&
		    ((can_read(d->flags) && can_write(flags)) ||
			(can_write(d->flags) && can_read(flags))))
			return true;
	}
	return false;
}

static int
check_pipe(struct hs_fd_reg *d)
{
	char link[64];
	int rc;

	if (d->how != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how must be 0 for a pipe", d->fd);
	rc = hs_fd_info_check(d->fd);
	if (rc < 0)
		return rc;
	if (hs_fd_info_link(d->fd, link, sizeof(link)) < 0 ||
	    strncmp(link, "pipe:[", 6) != 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): a FIFO with a name leads to other programs, "
		    "which stay behind: open it anew after HS_RESTORED",
		    d->fd);
	if (!is_alone(d) && !has_other_end(d))
		return hs_why(HS_EFD,
		    "hsfdreg(%d): the other end of this pipe is in another "
		    "process, which stays behind: make it anew after "
		    "HS_RESTORED",
		    d->fd);
	return 0;
}

/* ---- checkpoint ---- */

struct ends {
	int owner;
	int reader;		/* one that can read; -1 */
	int writer;
	bool packets;
};

static struct ends
find_ends(const struct hs_fd_reg *d)
{
	struct ends e = { .owner = -1, .reader = -1, .writer = -1 };
	const struct hs_fd_reg *o;

	o = hs_fd_table_find(d->st.st_dev, d->st.st_ino, -1);
	for (; o != NULL;
	     o = hs_fd_table_find(d->st.st_dev, d->st.st_ino, o->fd)) {
		if (e.owner < 0)
			e.owner = o->fd;
		if (can_read(o->flags))
			e.reader = o->fd;
		if (can_write(o->flags))
			e.writer = o->fd;
		if (can_write(o->flags) && (o->flags & O_DIRECT) != 0)
			e.packets = true;
	}
	return e;
}

/* All that `from` holds, into the body; it stays there. */
static int
copy_chunks(struct hs_fd_out *out, int from, size_t len)
{
	uint8_t prefix[4];
	struct hs_wr w;
	ssize_t n;
	int rc;

	while (len > 0) {
		rc = hs_fd_reserve(out, sizeof(prefix) + len);
		if (rc < 0)
			return rc;
		n = read(from, out->body.buf + out->body.len + sizeof(prefix),
		    len);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		hs_wr_init(&w, prefix, sizeof(prefix));
		hs_wr_u32(&w, (uint32_t)n);
		hs_wr_bytes(&out->body, prefix, sizeof(prefix));
		out->body.len += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* tee(2) takes nothing out of the pipe; what it gives is read from scratch. */
static int
copy_content(struct hs_fd_out *out, int reader, int capacity)
{
	int scratch[2], rc = 0, want = 0;
	ssize_t n = 0;

	if (ioctl(reader, FIONREAD, &want) < 0)
		return -errno;
	if (want == 0)
		return 0;
	if (pipe2(scratch, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (fcntl(scratch[1], F_SETPIPE_SZ, capacity) < 0)
		rc = -errno;
	if (rc == 0)
		n = tee(reader, scratch[1], INT_MAX, SPLICE_F_NONBLOCK);
	if (n < 0)
		rc = -errno;
	if (rc == 0)
		rc = copy_chunks(out, scratch[0], (size_t)n);
	(void)close(scratch[0]);
	(void)close(scratch[1]);
	return rc;
}

static int
query_pipe(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	const struct ends e = find_ends(d);
	int capacity = 0, rc = 0;

	if ((e.reader < 0 || e.writer < 0) && !is_alone(d))
		return hs_why(HS_EFD,
		    "fd %d: the other end of this pipe is open and not "
		    "registered: call hsfdreg() on it too, or hsfdunreg(%d)",
		    d->fd, d->fd);
	if (e.owner == d->fd) {
		capacity = fcntl(d->fd, F_GETPIPE_SZ);
		if (capacity < 0)
			rc = -errno;
		else if (e.reader >= 0)
			rc = copy_content(out, e.reader, capacity);
	}
	if (rc < 0)
		return hs_why(HS_EFD,
		    "fd %d: the content of this pipe cannot be read: %s: see "
		    "fs.pipe-user-pages-soft",
		    d->fd, hs_err_text(rc));
	hs_wr_u32(&out->head, (uint32_t)e.owner);
	hs_wr_u32(&out->head, (uint32_t)capacity);
	hs_wr_u32(&out->head, e.owner == d->fd && e.packets);
	return 0;
}

/* ---- restore ---- */

static int
fill_pipe(int to, const struct hs_fd_in *in)
{
	const uint8_t *bytes;
	struct hs_rd r;
	uint32_t len;

	hs_rd_init(&r, in->body, in->body_len);
	while (r.err == 0 && r.left > 0) {
		len = hs_rd_u32(&r);
		bytes = hs_rd_bytes(&r, len);
		if (bytes != NULL && write(to, bytes, len) != (ssize_t)len)
			return -ENOSPC;
	}
	return hs_rd_end(&r) < 0 ? HS_ECORRUPT : 0;
}

static int
open_end(const struct hs_fd_reg *d, int of)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", of);
	fd = open(name, (d->flags & O_ACCMODE) | O_CLOEXEC);
	return fd >= 0 ? fd
		       : hs_why(HS_EFD, "fd %d: an end of a pipe: %s", d->fd,
			     hs_err_text(-errno));
}

static int
make_pipe(const struct hs_fd_reg *d, const struct hs_fd_in *in, int capacity,
    int flags)
{
	int end[2], rc = 0, fd = -1;

	if (pipe2(end, O_CLOEXEC | O_NONBLOCK | flags) < 0)
		return hs_why(HS_EFD, "fd %d: pipe: %s", d->fd,
		    hs_err_text(-errno));
	if (fcntl(end[1], F_SETPIPE_SZ, capacity) < 0)
		rc = -errno;
	if (rc == 0)
		rc = fill_pipe(end[1], in);
	if (rc < 0 && rc != HS_ECORRUPT)
		rc = hs_why(HS_EFD,
		    "fd %d: a pipe of %d bytes: %s: raise fs.pipe-max-size and "
		    "fs.pipe-user-pages-soft as on the other node",
		    d->fd, capacity, hs_err_text(rc));
	if (rc == 0)
		rc = fd = open_end(d, end[0]);
	(void)close(end[0]);
	(void)close(end[1]);
	return rc < 0 ? rc : fd;
}

static int
restore_pipe(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	const uint32_t owner = hs_rd_u32(&in->head);
	const uint32_t capacity = hs_rd_u32(&in->head);
	const uint32_t packets = hs_rd_u32(&in->head);
	const struct hs_fd_reg *o;

	hs_rd_require(&in->head,
	    owner <= (uint32_t)d->fd && capacity <= INT_MAX && packets <= 1);
	if (hs_rd_end(&in->head) < 0)
		return HS_ECORRUPT;
	if (owner == (uint32_t)d->fd)
		return make_pipe(d, in, (int)capacity,
		    packets != 0 ? O_DIRECT : 0);
	o = hs_fd_table_get((int)owner);
	if (o == NULL || o->ops != d->ops || !o->placed)
		return HS_ECORRUPT;
	return open_end(d, o->fd);
}

const struct hs_fd_ops hs_fd_pipe = {
	.abi = HS_FD_ABI,
	.name = "pipe",
	.id = HS_FD_ID_PIPE,
	.probe = probe_pipe,
	.check = check_pipe,
	.query = query_pipe,
	.restore = restore_pipe,
};
