/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file, 24 bytes, little-endian; docs/format/term.md repeats this.
 *
 * off len field     rule                              violation
 *   0   4 magic     48 53 54 4d "HSTM"                HS_EWIRE
 *   4   2 version   1                                 HS_EVERSION
 *   6   2 flags     0                                 HS_EWIRE
 *   8   8 term      >= 1                              HS_EWIRE
 *  16   4 reserved  0                                 HS_EWIRE
 *  20   4 crc32c    of bytes 0-19                     HS_EWIRE
 *
 * A file that is longer or shorter is HS_EWIRE.  The checksum is looked at
 * before the version: a damaged file is not taken for a newer one.
 */
#include "agent/term.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/rd.h"
#include "base/wr.h"

#define TERM_BYTES 24
#define TERM_CRC_OFF 20
#define TERM_MAGIC 0x4d545348u	/* "HSTM", as a little-endian integer */
#define TERM_VERSION 1

static int
make_name(char *name, const char *resource, const char *tail)
{
	int n = snprintf(name, NAME_MAX + 1, "%s%s", resource, tail);

	return n < 0 || n > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* -ENOENT is the caller's to judge. */
static int
open_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int
decode_term(const uint8_t *buf, size_t len, uint64_t *term)
{
	struct hs_rd r;
	uint16_t version;
	uint64_t value;
	int rc;

	if (len != TERM_BYTES)
		return HS_EWIRE;
	hs_rd_init(&r, buf, len);
	hs_rd_require(&r, hs_rd_u32(&r) == TERM_MAGIC);
	version = hs_rd_u16(&r);
	hs_rd_require(&r, hs_rd_u16(&r) == 0);
	value = hs_rd_u64(&r);
	hs_rd_require(&r, value != 0);
	hs_rd_zeros(&r, 4);
	hs_rd_require(&r, hs_rd_u32(&r) == hs_crc32c(0, buf, TERM_CRC_OFF));
	rc = hs_rd_end(&r);
	if (rc < 0)
		return rc;
	if (version != TERM_VERSION)
		return HS_EVERSION;
	*term = value;
	return 0;
}

static int
encode_term(uint8_t *buf, uint64_t term)
{
	struct hs_wr w;
	int rc;

	hs_wr_init(&w, buf, TERM_BYTES);
	hs_wr_u32(&w, TERM_MAGIC);
	hs_wr_u16(&w, TERM_VERSION);
	hs_wr_u16(&w, 0);
	hs_wr_u64(&w, term);
	hs_wr_u32(&w, 0);
	hs_wr_u32(&w, hs_crc32c(0, buf, TERM_CRC_OFF));
	rc = hs_wr_end(&w);
	return rc < 0 ? rc : 0;
}

static int
read_term(int dirfd, const char *name, uint64_t *term)
{
	uint8_t buf[TERM_BYTES + 1];	/* one more shows a longer file */
	ssize_t n;
	int fd, rc;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf));
	rc = n < 0 ? -errno : decode_term(buf, (size_t)n, term);
	(void)close(fd);
	return rc;
}

int
hs_term_load(const char *dir, const char *resource, uint64_t *term)
{
	char name[NAME_MAX + 1];
	int dirfd, rc;

	rc = make_name(name, resource, ".term");
	if (rc < 0)
		return rc;
	dirfd = open_dir(dir);
	rc = dirfd < 0 ? dirfd : read_term(dirfd, name, term);
	if (dirfd >= 0)
		(void)close(dirfd);
	if (rc == -ENOENT) {
		*term = 0;
		return 0;
	}
	if (rc == HS_EWIRE)
		qb_log(LOG_ERR,
		    "%s/%s is damaged: once another node's \"hsctl status\" "
		    "shows the term, remove the file and start again",
		    dir, name);
	else if (rc == HS_EVERSION)
		qb_log(LOG_ERR,
		    "%s/%s was written by a newer release: install that "
		    "release on this node",
		    dir, name);
	return rc;
}

static int
write_whole(int dirfd, const char *name, const uint8_t *buf, size_t len)
{
	ssize_t n;
	int fd, rc = 0;

	fd = openat(dirfd, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
	    S_IRUSR | S_IWUSR);
	if (fd < 0)
		return -errno;
	n = write(fd, buf, len);
	if (n < 0)
		rc = -errno;
	else if ((size_t)n != len)
		rc = -ENOSPC;
	if (rc == 0 && hs_fault(HS_FAULT_TERM_FSYNC))
		rc = -EIO;
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

static int
replace_file(int dirfd, const char *fresh, const char *name)
{
	int rc;

	if (renameat(dirfd, fresh, dirfd, name) < 0) {
		rc = -errno;
		(void)unlinkat(dirfd, fresh, 0);
		return rc;
	}
	return fsync(dirfd) < 0 ? -errno : 0;
}

int
hs_term_store(const char *dir, const char *resource, uint64_t term)
{
	char name[NAME_MAX + 1], fresh[NAME_MAX + 1];
	uint8_t buf[TERM_BYTES];
	int dirfd, rc;

	if (term == 0)
		return -EINVAL;
	rc = make_name(name, resource, ".term");
	if (rc == 0)
		rc = make_name(fresh, resource, ".term.new");
	if (rc == 0)
		rc = encode_term(buf, term);
	if (rc < 0)
		return rc;
	dirfd = open_dir(dir);
	if (dirfd < 0)
		return dirfd;
	rc = write_whole(dirfd, fresh, buf, sizeof(buf));
	if (rc == 0)
		rc = replace_file(dirfd, fresh, name);
	(void)close(dirfd);
	return rc;
}
