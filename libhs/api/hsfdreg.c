/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "base/why.h"
#include "ckpt/extra.h"
#include "state/fd.h"
#include "state/fd_app.h"
#include "state/fd_inotify.h"

static int
refuse_early(const char *call)
{
	return hs_why(HS_ESTATE, "%s: call hsinit() first", call);
}

int
hsfdreg(int fd, unsigned how)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (c == NULL)
		return refuse_early("hsfdreg");
	rc = hs_extra_lock(c, &s);
	if (rc < 0)
		return hs_why(rc, "hsfdreg(%d): %s", fd, hs_err_text(rc));
	rc = hs_fd_register(fd, how);
	hs_extra_unlock(c);
	return rc;
}

int
hsfdunreg(int fd)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (c == NULL)
		return refuse_early("hsfdunreg");
	rc = hs_extra_lock(c, &s);
	if (rc < 0)
		return hs_why(rc, "hsfdunreg(%d): %s", fd, hs_err_text(rc));
	rc = hs_fd_unregister(s, fd);
	hs_extra_unlock(c);
	return rc;
}

int
hsfdwatch(int fd, const char *path, uint32_t mask)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (c == NULL)
		return refuse_early("hsfdwatch");
	if (path == NULL)
		return hs_why(HS_EMISUSE, "hsfdwatch(%d): path is NULL", fd);
	rc = hs_extra_lock(c, &s);
	if (rc < 0)
		return hs_why(rc, "hsfdwatch(%d): %s", fd, hs_err_text(rc));
	rc = hs_fd_inotify_watch(fd, path, mask);
	hs_extra_unlock(c);
	return rc;
}

int
hsfdkind(const struct hs_fd_kind *k)
{
	if (hs_self_ckpt() != NULL)
		return hs_why(HS_EMISUSE,
		    "hsfdkind: call it before hsinit(), which may restore "
		    "descriptors of that kind");
	return hs_fd_app_add(k);
}
