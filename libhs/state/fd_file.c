/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regular files, and the devices of <mem.h> that have no state (null, zero,
 * full, random, urandom).
 *
 * off len field	rule
 *   0   8 offset	0 for a device
 *   8   4 owner	lowest registered number of this file, if its content
 *			travels: the body is there; else this number
 *  12   4 mode		permissions, 07777
 *  16   1 content	0, 1 the body is the content, 2 the spare's must be
 *			equal
 *  17   1 deleted	1: it has no name any more; content is 1
 *  18   2 reserved	0
 *  20   8 size		of the file; 0 if content is 0
 *  28  16 digest	of the content, if content is 2; else 0
 *  44   - path		fd_path.h; of a deleted file its last directory
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_content.h"
#include "state/fd_path.h"
#include "state/fd_table.h"

#define MEM_MAJOR 1

enum content {
	NOTHING = 0,
	CARRIED = 1,
	COMPARED = 2,
};

static bool
is_stateless_device(const struct stat *st)
{
	const unsigned n = minor(st->st_rdev);

	return S_ISCHR(st->st_mode) && major(st->st_rdev) == MEM_MAJOR &&
	    (n == 3 || n == 5 || n == 7 || n == 8 || n == 9);
}

static int
probe_file(int fd, const struct stat *st)
{
	(void)fd;
	return S_ISREG(st->st_mode) || is_stateless_device(st);
}

static int
check_file(struct hs_fd_reg *d)
{
	char path[HS_FD_PATH_BYTES];
	bool deleted;
	int rc;

	if (d->how == (HS_FD_CONTENT | HS_FD_SAME))
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): either HS_FD_CONTENT or HS_FD_SAME", d->fd);
	if (d->how != 0 && !S_ISREG(d->st.st_mode))
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how must be 0 for a device", d->fd);
	rc =
	    hs_fd_path_find(d, path, d->how == HS_FD_CONTENT ? &deleted : NULL);
	if (rc == 0 && d->how != 0)
		rc = hs_fd_content_check(d);
	return rc;
}

/* ---- checkpoint ---- */

static void
cut_name(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash != NULL)
		slash[slash == path ? 1 : 0] = '\0';
}

/* The number that carries the content of d's file; d->fd if none does. */
static int
find_owner(const struct hs_fd_reg *d)
{
	const struct hs_fd_reg *o, *lowest = NULL;
	bool carried = false;

	o = hs_fd_table_find(d->st.st_dev, d->st.st_ino, -1);
	for (; o != NULL;
	     o = hs_fd_table_find(d->st.st_dev, d->st.st_ino, o->fd)) {
		if (lowest == NULL)
			lowest = o;
		carried |= o->how == HS_FD_CONTENT;
	}
	return carried ? lowest->fd : d->fd;
}

static bool
is_carried(const struct hs_fd_reg *d)
{
	const struct hs_fd_reg *o;

	o = hs_fd_table_find(d->st.st_dev, d->st.st_ino, -1);
	while (o != NULL && o->how != HS_FD_CONTENT)
		o = hs_fd_table_find(d->st.st_dev, d->st.st_ino, o->fd);
	return o != NULL;
}

static enum content
choose_content(const struct hs_fd_reg *d, int owner)
{
	if (owner == d->fd && is_carried(d))
		return CARRIED;
	return d->how == HS_FD_SAME ? COMPARED : NOTHING;
}

static int
query_file(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	const int owner = find_owner(d);
	const enum content content = choose_content(d, owner);
	uint8_t digest[HS_DIGEST_BYTES] = { 0 };
	char path[HS_FD_PATH_BYTES];
	bool deleted = false;
	off_t pos = 0;
	int rc;

	rc = hs_fd_path_find(d, path, is_carried(d) ? &deleted : NULL);
	if (rc == 0 && content == CARRIED)
		rc = hs_fd_content_take(d, out);
	if (rc == 0 && content == COMPARED)
		rc = hs_fd_content_digest(d, digest);
	if (rc < 0)
		return rc;
	if (deleted)
		cut_name(path);
	if (S_ISREG(d->st.st_mode))
		pos = lseek(d->fd, 0, SEEK_CUR);
	hs_wr_u64(&out->head, pos < 0 ? 0 : (uint64_t)pos);
	hs_wr_u32(&out->head, (uint32_t)owner);
	hs_wr_u32(&out->head, d->st.st_mode & 07777);
	hs_wr_u8(&out->head, (uint8_t)content);
	hs_wr_u8(&out->head, deleted);
	hs_wr_zeros(&out->head, 2);
	hs_wr_u64(&out->head, content == NOTHING ? 0 : (uint64_t)d->st.st_size);
	hs_wr_bytes(&out->head, digest, sizeof(digest));
	hs_fd_path_write(&out->head, path);
	return 0;
}

/* ---- restore ---- */

struct record {
	uint64_t pos;
	uint32_t owner;
	uint32_t mode;
	uint8_t content;
	uint8_t deleted;
	uint64_t size;
	uint8_t digest[HS_DIGEST_BYTES];
	char path[HS_FD_PATH_BYTES];
};

static int
read_record(const struct hs_fd_reg *d, struct hs_fd_in *in, struct record *r)
{
	struct hs_rd *h = &in->head;

	r->pos = hs_rd_u64(h);
	r->owner = hs_rd_u32(h);
	r->mode = hs_rd_u32(h);
	r->content = hs_rd_u8(h);
	r->deleted = hs_rd_u8(h);
	hs_rd_zeros(h, 2);
	r->size = hs_rd_u64(h);
	hs_rd_copy(h, r->digest, sizeof(r->digest));
	hs_fd_path_read(h, r->path);
	hs_rd_require(h,
	    r->pos <= LLONG_MAX && r->owner <= (uint32_t)d->fd &&
		r->mode <= 07777 && r->content <= COMPARED && r->deleted <= 1);
	hs_rd_require(h, r->content != CARRIED || r->size == in->body_len);
	return hs_rd_end(h) < 0 ? HS_ECORRUPT : 0;
}

static int
open_carried(const struct hs_fd_reg *d, const struct hs_fd_in *in,
    const struct record *r)
{
	struct hs_fd_content c = { .path = r->path,
		.mode = r->mode,
		.deleted = r->deleted != 0,
		.bytes = in->body,
		.len = in->body_len };
	int made, fd;

	made = hs_fd_content_give(d, &c);
	if (made < 0)
		return made;
	fd = hs_fd_path_reopen(d, made);
	(void)close(made);
	return fd;
}

static int
open_shared(const struct hs_fd_reg *d, const struct record *r)
{
	const struct hs_fd_reg *o = hs_fd_table_get((int)r->owner);

	if (o == NULL || o->ops != d->ops || !o->placed)
		return HS_ECORRUPT;
	return hs_fd_path_reopen(d, o->fd);
}

static int
restore_file(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct record r;
	int fd, rc;

	rc = read_record(d, in, &r);
	if (rc < 0)
		return rc;
	if (r.owner != (uint32_t)d->fd)
		fd = open_shared(d, &r);
	else if (r.content == CARRIED)
		fd = open_carried(d, in, &r);
	else
		fd = hs_fd_path_open(d, r.path, 0);
	if (fd < 0)
		return fd;
	if (r.content == COMPARED)
		rc = hs_fd_content_compare(d, fd, r.path, r.size, r.digest);
	if (rc == 0 && r.pos != 0 && lseek(fd, (off_t)r.pos, SEEK_SET) < 0)
		rc = hs_why(HS_EFD, "fd %d: %s: offset %llu: %s", d->fd, r.path,
		    (unsigned long long)r.pos, hs_err_text(-errno));
	if (rc < 0)
		(void)close(fd);
	return rc < 0 ? rc : fd;
}

const struct hs_fd_ops hs_fd_file = {
	.abi = HS_FD_ABI,
	.name = "file",
	.id = HS_FD_ID_FILE,
	.probe = probe_file,
	.check = check_file,
	.query = query_file,
	.restore = restore_file,
	.forget = hs_fd_content_forget,
};
