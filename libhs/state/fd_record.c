/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_record.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"

#define VERSION 1

static uint64_t
part_key(int fd, size_t part)
{
	return (uint64_t)part << 32 | (uint32_t)fd;
}

static size_t
count_parts(size_t len)
{
	return (len + HS_FD_PART_BYTES - 1) / HS_FD_PART_BYTES;
}

static void
del_parts(struct hs_store *s, int fd, size_t from, size_t to)
{
	for (size_t part = from; part < to; part++)
		(void)hs_store_del(s, HS_STORE_FD, part_key(fd, part + 1));
}

static int
put_parts(struct hs_store *s, int fd, const struct hs_wr *body)
{
	size_t off = 0, len;
	int rc = 0;

	for (size_t part = 1; rc == 0 && off < body->len; part++) {
		len = body->len - off;
		if (len > HS_FD_PART_BYTES)
			len = HS_FD_PART_BYTES;
		rc = hs_store_put(s, HS_STORE_FD, part_key(fd, part),
		    body->buf + off, len);
		off += len;
	}
	return rc;
}

static void
write_head(const struct hs_fd_reg *d, uint8_t *head, size_t body_len)
{
	struct hs_wr w;

	hs_wr_init(&w, head, HS_FD_RECORD_HEAD);
	hs_wr_u8(&w, VERSION);
	hs_wr_u8(&w, d->ops->id);
	hs_wr_u16(&w, 0);
	hs_wr_u32(&w, d->how);
	hs_wr_u32(&w, (uint32_t)d->cloexec);
	hs_wr_u32(&w, (uint32_t)d->flags);
	hs_wr_u32(&w, (uint32_t)d->as);
	hs_wr_u32(&w, (uint32_t)body_len);
	assert(hs_wr_end(&w) == HS_FD_RECORD_HEAD);
}

int
hs_fd_record_put(struct hs_store *s, struct hs_fd_reg *d, struct hs_fd_out *out)
{
	const size_t had = count_parts(d->body_len);
	size_t body_len = out->same_body ? d->body_len : out->body.len;
	int rc;

	rc = hs_wr_end(&out->head);
	if (rc >= 0)
		rc = hs_wr_end(&out->body);
	d->body_kept = false;
	if (rc < 0)
		return hs_why(rc, "fd %d: its state is too large to be kept",
		    d->fd);
	write_head(d, out->head.buf, body_len);
	rc = out->same_body ? 0 : put_parts(s, d->fd, &out->body);
	if (rc == 0)
		rc = hs_store_put(s, HS_STORE_FD, part_key(d->fd, 0),
		    out->head.buf, out->head.len);
	if (rc < 0) {
		/* Parts of the new body may be there: all go at the next. */
		if (body_len > d->body_len)
			d->body_len = (uint32_t)body_len;
		return hs_why(rc,
		    "fd %d: no checkpoint memory for its state (%zu bytes): "
		    "raise arena_bytes",
		    d->fd, out->head.len + out->body.len);
	}
	del_parts(s, d->fd, count_parts(body_len), had);
	d->body_len = (uint32_t)body_len;
	d->body_kept = true;
	return 0;
}

void
hs_fd_record_del(struct hs_store *s, const struct hs_fd_reg *d)
{
	(void)hs_store_del(s, HS_STORE_FD, part_key(d->fd, 0));
	del_parts(s, d->fd, 0, count_parts(d->body_len));
}

/* ---- reading ---- */

static const struct hs_fd_ops *
find_ops(uint8_t id)
{
	if (id == HS_FD_ID_APPLICATION)
		return &hs_fd_app;
	for (size_t i = 0; hs_fd_kinds[i] != NULL; i++)
		if (hs_fd_kinds[i]->id == id)
			return hs_fd_kinds[i];
	return NULL;
}

static int
read_head(const struct hs_store_rec *rec, struct hs_fd_reg *d,
    struct hs_rd *own)
{
	uint8_t version, id;
	uint32_t cloexec, flags, as;

	hs_rd_init(own, rec->bytes, rec->len);
	version = hs_rd_u8(own);
	id = hs_rd_u8(own);
	hs_rd_zeros(own, 2);
	d->fd = (int)rec->key;
	d->how = hs_rd_u32(own);
	cloexec = hs_rd_u32(own);
	flags = hs_rd_u32(own);
	as = hs_rd_u32(own);
	d->body_len = hs_rd_u32(own);
	hs_rd_require(own,
	    cloexec <= FD_CLOEXEC && flags <= INT_MAX &&
		as <= (uint32_t)d->fd && d->body_len <= HS_FD_BODY_MAX);
	d->cloexec = (int)cloexec;
	d->flags = (int)flags;
	d->as = (int)as;
	if (own->err != 0 || version == 0)
		return hs_why(HS_ECORRUPT, "the record of fd %d is damaged",
		    d->fd);
	d->ops = find_ops(id);
	if (version != VERSION || d->ops == NULL)
		return hs_why(HS_EINCOMPATIBLE,
		    "fd %d: this libhotspare does not know its kind %u: "
		    "install the one of the node that it comes from",
		    d->fd, id);
	return 1;
}

int
hs_fd_record_next(const struct hs_store *s, int number, struct hs_fd_reg *d,
    struct hs_rd *own)
{
	struct hs_store_rec rec;
	int rc;

	rc = hs_store_next(s, HS_STORE_FD, (uint64_t)number, &rec);
	if (rc <= 0 || rec.key > INT_MAX)
		return rc < 0 ? rc : 0;		/* what follows are parts */
	return read_head(&rec, d, own);
}

static int
get_part(const struct hs_store *s, const struct hs_fd_reg *d, size_t part,
    size_t want, struct hs_store_rec *rec)
{
	int rc;

	rc = hs_store_get(s, HS_STORE_FD, part_key(d->fd, part), rec);
	if (rc == -ENOENT || (rc == 0 && rec->len != want))
		return hs_why(HS_ECORRUPT,
		    "fd %d: part %zu of its contents is "
		    "missing",
		    d->fd, part);
	return rc;
}

int
hs_fd_record_body(const struct hs_store *s, const struct hs_fd_reg *d,
    const uint8_t **body, uint8_t **made)
{
	struct hs_store_rec rec;
	size_t off = 0, len;
	uint8_t *p;
	int rc = 0;

	*made = NULL;
	*body = NULL;
	if (d->body_len == 0)
		return 0;
	if (d->body_len <= HS_FD_PART_BYTES) {
		rc = get_part(s, d, 1, d->body_len, &rec);
		*body = rc == 0 ? rec.bytes : NULL;
		return rc;
	}
	p = malloc(d->body_len);
	if (p == NULL)
		return hs_why(-ENOMEM, "fd %d: no memory for its contents",
		    d->fd);
	for (size_t part = 1; rc == 0 && off < d->body_len; part++) {
		len = d->body_len - off;
		if (len > HS_FD_PART_BYTES)
			len = HS_FD_PART_BYTES;
		rc = get_part(s, d, part, len, &rec);
		if (rc == 0)
			memcpy(p + off, rec.bytes, len);
		off += len;
	}
	if (rc < 0) {
		free(p);
		return rc;
	}
	*made = p;
	*body = p;
	return 0;
}
