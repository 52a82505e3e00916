/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/records.h"
#include "api/self.h"
#include "base/why.h"
#include "state/fd.h"
#include "state/fd_app.h"
#include "state/fd_inotify.h"

int
hsfdreg(int fd, unsigned how)
{
	struct hs_store *s;
	int rc;

	rc = hs_records_lock("hsfdreg", &s);
	if (rc < 0)
		return rc;
	rc = hs_fd_register(fd, how);
	hs_records_unlock();
	return rc;
}

int
hsfdunreg(int fd)
{
	return hs_records_change("hsfdunreg", hs_fd_unregister, fd);
}

int
hsfdwatch(int fd, const char *path, uint32_t mask)
{
	struct hs_store *s;
	int rc;

	rc = hs_records_lock("hsfdwatch", &s);
	if (rc < 0)
		return rc;
	if (path == NULL)
		rc = hs_why(HS_EMISUSE, "hsfdwatch(%d): path is NULL", fd);
	else
		rc = hs_fd_inotify_watch(fd, path, mask);
	hs_records_unlock();
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
