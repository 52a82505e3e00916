/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_content.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/why.h"

#define NS_PER_S 1000000000LL
/* More than a tick, and than the skew of a file server's clock may be. */
#define SETTLE_NS NS_PER_S
#define CHUNK_BYTES ((size_t)64 << 10)

/* What the file was like when it was last read (C1). */
struct stamp {
	bool settled;
	off_t size;
	struct timespec mtime, ctime;
	bool digested;		/* the digest is of that, too */
	uint8_t digest[HS_DIGEST_BYTES];
};

static int64_t
ns_of(const struct timespec *ts)
{
	return ts->tv_sec * NS_PER_S + ts->tv_nsec;
}

static bool
is_settled(const struct stat *st)
{
	struct timespec now;
	int64_t changed = ns_of(&st->st_mtim);

	if (ns_of(&st->st_ctim) > changed)
		changed = ns_of(&st->st_ctim);
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return false;
	return ns_of(&now) - changed >= SETTLE_NS;
}

static bool
is_unchanged(const struct stamp *s, const struct stat *st)
{
	return s->settled && s->size == st->st_size &&
	    ns_of(&s->mtime) == ns_of(&st->st_mtim) &&
	    ns_of(&s->ctime) == ns_of(&st->st_ctim);
}

/* d's stamp; NULL: no memory. */
static struct stamp *
stamp_of(struct hs_fd_reg *d)
{
	if (d->priv == NULL)
		d->priv = calloc(1, sizeof(struct stamp));
	return d->priv;
}

/* As of st, which is older than the reading that is to follow. */
static void
set_stamp(struct stamp *s, const struct stat *st)
{
	s->settled = is_settled(st);
	s->size = st->st_size;
	s->mtime = st->st_mtim;
	s->ctime = st->st_ctim;
	s->digested = false;
}

void
hs_fd_content_forget(struct hs_fd_reg *d)
{
	free(d->priv);
	d->priv = NULL;
}

/* ---- reading ---- */

/* Of its own offset, and readable though d may not be. */
static int
open_reader(const struct hs_fd_reg *d)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", d->fd);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return hs_why(HS_EFD,
	    "fd %d: its content cannot be read (%s): let the service read the "
	    "file, or register it with how 0",
	    d->fd, hs_err_text(-errno));
}

static int
refuse_size(const struct hs_fd_reg *d)
{
	return hs_why(HS_EFD,
	    "fd %d: the file has %lld bytes, and HS_FD_CONTENT carries at most "
	    "%zu: register it with how 0, on storage that the spare has too",
	    d->fd, (long long)d->st.st_size, HS_FD_CONTENT_MAX);
}

/* The kernel makes its content when it is read: its size says nothing. */
static bool
is_made(const struct hs_fd_reg *d)
{
	struct statfs fs;

	return fstatfs(d->fd, &fs) == 0 &&
	    (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
		fs.f_type == CGROUP2_SUPER_MAGIC ||
		fs.f_type == DEBUGFS_MAGIC || fs.f_type == TRACEFS_MAGIC);
}

int
hs_fd_content_check(const struct hs_fd_reg *d)
{
	int fd;

	if (is_made(d))
		return hs_why(HS_EFD,
		    "fd %d: the kernel makes the file's content when it is "
		    "read, on each node its own: register it with how 0",
		    d->fd);
	if (d->how == HS_FD_CONTENT &&
	    (uint64_t)d->st.st_size > HS_FD_CONTENT_MAX)
		return refuse_size(d);
	fd = open_reader(d);
	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

/* Up to len bytes; fewer at the end of the file. */
static ssize_t
read_whole(int fd, uint8_t *buf, size_t len)
{
	size_t got = 0;
	ssize_t n;

	do {
		n = read(fd, buf + got, len - got);
		if (n > 0)
			got += (size_t)n;
	} while ((n > 0 && got < len) || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : (ssize_t)got;
}

int
hs_fd_content_take(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	struct stamp *s = stamp_of(d);
	const size_t len = (size_t)d->st.st_size;
	ssize_t n;
	int fd, rc;

	if (s == NULL)
		return hs_why(-ENOMEM, "fd %d: no memory", d->fd);
	if (d->body_kept && d->body_len == len && is_unchanged(s, &d->st)) {
		out->same_body = true;
		return 0;
	}
	if (len > HS_FD_CONTENT_MAX)
		return refuse_size(d);
	rc = hs_fd_reserve(out, len);
	if (rc < 0)
		return rc;
	fd = open_reader(d);
	if (fd < 0)
		return fd;
	set_stamp(s, &d->st);
	n = read_whole(fd, out->body.buf, len);
	(void)close(fd);
	if (n != (ssize_t)len)
		return hs_why(HS_EFD, "fd %d: its content cannot be read: %s",
		    d->fd,
		    n < 0 ? hs_err_text((int)n)
			  : "another process makes it shorter meanwhile");
	out->body.len = len;
	return 0;
}

/* The digest of what is left to read. */
static int
digest_rest(int fd, uint8_t digest[HS_DIGEST_BYTES])
{
	struct hs_digest *sum;
	uint8_t *buf = malloc(CHUNK_BYTES);
	ssize_t n;
	int rc;

	if (buf == NULL)
		return -ENOMEM;
	rc = hs_digest_create(&sum);
	if (rc < 0) {
		free(buf);
		return rc;
	}
	while ((n = read_whole(fd, buf, CHUNK_BYTES)) > 0)
		hs_digest_add(sum, buf, (size_t)n);
	hs_digest_get(sum, digest);
	hs_digest_destroy(sum);
	free(buf);
	return n < 0 ? (int)n : 0;
}

int
hs_fd_content_digest(struct hs_fd_reg *d, uint8_t digest[HS_DIGEST_BYTES])
{
	struct stamp *s = stamp_of(d);
	int fd, rc;

	if (s == NULL)
		return hs_why(-ENOMEM, "fd %d: no memory", d->fd);
	if (!s->digested || !is_unchanged(s, &d->st)) {
		fd = open_reader(d);
		if (fd < 0)
			return fd;
		set_stamp(s, &d->st);
		rc = digest_rest(fd, s->digest);
		(void)close(fd);
		if (rc < 0)
			return hs_why(HS_EFD,
			    "fd %d: its content cannot be read: %s", d->fd,
			    hs_err_text(rc));
		s->digested = true;
	}
	memcpy(digest, s->digest, HS_DIGEST_BYTES);
	return 0;
}

/* ---- writing ---- */

static bool
has_content(int fd, const struct hs_fd_content *c)
{
	uint8_t *buf;
	struct stat st;
	size_t off = 0;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0 || (size_t)st.st_size != c->len)
		return false;
	buf = malloc(CHUNK_BYTES);
	while (buf != NULL && off < c->len) {
		n = pread(fd, buf, CHUNK_BYTES, (off_t)off);
		if (n <= 0 || (size_t)n > c->len - off ||
		    memcmp(buf, c->bytes + off, (size_t)n) != 0)
			break;
		off += (size_t)n;
	}
	free(buf);
	return off == c->len;
}

/* In place, for others may have the file open; one they see changes once. */
static int
write_content(int fd, const struct hs_fd_content *c)
{
	size_t off = 0;
	ssize_t n;

	while (off < c->len) {
		n = pwrite(fd, c->bytes + off, c->len - off, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		off += (size_t)n;
	}
	return ftruncate(fd, (off_t)c->len) < 0 ? -errno : 0;
}

/* A new file's, whatever the umask is. */
static int
with_mode(int fd, mode_t mode)
{
	if (fd >= 0 && fchmod(fd, mode) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int
open_target(const struct hs_fd_content *c)
{
	int fd;

	if (c->deleted)
		return with_mode(open(c->path, O_TMPFILE | O_RDWR | O_CLOEXEC,
				     0600),
		    c->mode);
	fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && has_content(fd, c))
		return fd;
	if (fd >= 0)
		(void)close(fd);
	fd = open(c->path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	return with_mode(open(c->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			     0600),
	    c->mode);
}

int
hs_fd_content_give(const struct hs_fd_reg *d, const struct hs_fd_content *c)
{
	struct stat st;
	int fd, rc = 0;

	fd = open_target(c);
	if (fd < 0 || fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EEXIST;
	else if (!has_content(fd, c))
		rc = write_content(fd, c);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return hs_why(HS_EFD,
	    "fd %d: the content of %s cannot be put there: %s: the spare needs "
	    "its directory, and room",
	    d->fd, c->path, hs_err_text(rc));
}

int
hs_fd_content_compare(const struct hs_fd_reg *d, int fd, const char *path,
    uint64_t size, const uint8_t digest[HS_DIGEST_BYTES])
{
	uint8_t here[HS_DIGEST_BYTES];
	struct hs_fd_reg reader = { .fd = fd };
	struct stat st;
	int in, rc;

	if (fstat(fd, &st) < 0)
		return hs_why(HS_EFD, "fd %d: %s: %s", d->fd, path,
		    hs_err_text(-errno));
	if ((uint64_t)st.st_size != size)
		return hs_why(HS_EINCOMPATIBLE,
		    "fd %d: %s has %lld bytes here and had %llu on the other "
		    "node: make them equal (HS_FD_SAME)",
		    d->fd, path, (long long)st.st_size,
		    (unsigned long long)size);
	in = open_reader(&reader);
	if (in < 0)
		return in;
	rc = digest_rest(in, here);
	(void)close(in);
	if (rc < 0)
		return hs_why(HS_EFD, "fd %d: %s: %s", d->fd, path,
		    hs_err_text(rc));
	if (memcmp(here, digest, sizeof(here)) != 0)
		return hs_why(HS_EINCOMPATIBLE,
		    "fd %d: %s differs from the other node's: make them equal "
		    "(HS_FD_SAME)",
		    d->fd, path);
	return 0;
}
