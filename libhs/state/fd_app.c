/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_app.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "base/why.h"

/*
 * Written by hs_fd_app_add() only, before hsinit(): the registrations outlive
 * hsfini(), for they are of the program and not of a checkpointing.
 */
static struct {
	struct hs_fd_kind kind[HS_FD_APP_MOST];
	size_t n;
} apps;

static const struct hs_fd_kind *
find_kind(const char *name)
{
	for (size_t i = 0; i < apps.n; i++)
		if (strcmp(apps.kind[i].name, name) == 0)
			return &apps.kind[i];
	return NULL;
}

int
hs_fd_app_add(const struct hs_fd_kind *k)
{
	size_t len;

	if (k == NULL || k->size != sizeof(*k) || k->name == NULL ||
	    k->probe == NULL || k->query == NULL || k->restore == NULL)
		return hs_why(HS_EMISUSE,
		    "hsfdkind: begin with struct hs_fd_kind k = HS_FD_KIND and "
		    "set name, probe, query and restore");
	len = strlen(k->name);
	if (len == 0 || len >= HS_FD_APP_NAME_BYTES)
		return hs_why(HS_EMISUSE, "hsfdkind: a name has 1 to 31 bytes");
	for (size_t i = 0; i < len; i++)
		if (k->name[i] < ' ' || k->name[i] > '~')
			return hs_why(HS_EMISUSE,
			    "hsfdkind: a name is of printable ASCII");
	if (find_kind(k->name) != NULL)
		return hs_why(HS_EMISUSE,
		    "hsfdkind: there is a kind of the name %s", k->name);
	if (apps.n == HS_FD_APP_MOST)
		return hs_why(-ENOSPC, "hsfdkind: there are %d kinds already",
		    HS_FD_APP_MOST);
	apps.kind[apps.n++] = *k;
	return 0;
}

int
hs_fd_app_probe(int fd, const struct hs_fd_kind **out)
{
	const struct hs_fd_kind *k;
	int rc;

	for (size_t i = 0; i < apps.n; i++) {
		k = &apps.kind[i];
		rc = k->probe(fd, k->arg);
		if (rc < 0)
			return hs_why(HS_EFD,
			    "hsfdreg(%d): the program's kind %s refuses it: %s",
			    fd, k->name, hs_err_text(rc));
		if (rc > 0) {
			*out = k;
			return 1;
		}
	}
	return 0;
}

/* The frame has asked hs_fd_app_probe(). */
static int
probe_none(int fd, const struct stat *st)
{
	(void)fd;
	(void)st;
	return 0;
}

static int
check_how(struct hs_fd_reg *d)
{
	if (d->how == 0)
		return 0;
	return hs_why(HS_EMISUSE,
	    "hsfdreg(%d): how must be 0 for the program's kind %s", d->fd,
	    d->app->name);
}

static int
query_app(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	const struct hs_fd_kind *k = d->app;
	size_t size = 4096;
	long n;
	int rc;

	hs_wr_text(&out->head, k->name, HS_FD_APP_NAME_BYTES);
	do {
		rc = hs_fd_reserve(out, size);
		if (rc < 0)
			return rc;
		n = k->query(d->fd, out->body.buf, out->body.size, k->arg);
		size = n > 0 ? (size_t)n : 0;
	} while (n > 0 && size > out->body.size);
	if (n < 0)
		return hs_why(HS_EFD,
		    "fd %d: the program's kind %s cannot tell its state: %s",
		    d->fd, k->name,
		    hs_err_text(n < INT_MIN ? INT_MIN : (int)n));
	out->body.len = size;
	return 0;
}

static int
restore_app(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	char name[HS_FD_APP_NAME_BYTES];
	int fd;

	hs_rd_text(&in->head, name, sizeof(name));
	if (hs_rd_end(&in->head) < 0)
		return HS_ECORRUPT;
	d->app = find_kind(name);
	if (d->app == NULL)
		return hs_why(HS_EINCOMPATIBLE,
		    "fd %d is of the program's kind %s, which this program did "
		    "not add: call hsfdkind() before hsinit(), on each node",
		    d->fd, name);
	fd = d->app->restore(in->body, in->body_len, d->app->arg);
	if (fd < 0)
		return hs_why(HS_EFD,
		    "fd %d: the program's kind %s cannot bring it back: %s",
		    d->fd, name, hs_err_text(fd));
	return fd;
}

const struct hs_fd_ops hs_fd_app = {
	.abi = HS_FD_ABI,
	.name = "kind of the program",
	.id = HS_FD_ID_APPLICATION,
	.probe = probe_none,
	.check = check_how,
	.query = query_app,
	.restore = restore_app,
};
