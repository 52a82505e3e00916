/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_unix_bind.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"

static int
check_path(const struct hs_fd_reg *d, const char *path, struct stat *st)
{
	struct hs_fd_unix_diag diag;
	int rc;

	if (path[0] != '/')
		return hs_why(HS_EFD,
		    "fd %d is bound to %s, which depends on the working "
		    "directory: bind it to a path that begins with /",
		    d->fd, path);
	rc = hs_fd_unix_ask(d, &diag);
	if (rc < 0)
		return rc;
	if (lstat(path, st) < 0 || !S_ISSOCK(st->st_mode) ||
	    (uint32_t)st->st_ino != diag.file_ino)
		return hs_why(HS_EFD,
		    "fd %d: %s no longer leads to this socket, so nobody can "
		    "reach it: call hsfdunreg(%d) and close it, or leave its "
		    "file alone",
		    d->fd, path, d->fd);
	return 0;
}

int
hs_fd_unix_bind_ask(const struct hs_fd_reg *d, struct hs_fd_unix_bound *b)
{
	char path[sizeof(b->name.a.sun_path) + 1] = "";
	struct stat st = { .st_mode = 0 };
	int rc;

	*b = (struct hs_fd_unix_bound){ .mode = 0 };
	rc = hs_fd_unix_name(d->fd, true, &b->name);
	if (rc < 0)
		return hs_why(HS_EFD, "fd %d: its name: %s", d->fd,
		    hs_err_text(rc));
	if (!hs_fd_unix_is_path(&b->name))
		return 0;
	memcpy(path, b->name.a.sun_path, sizeof(b->name.a.sun_path));
	rc = check_path(d, path, &st);
	if (rc < 0)
		return rc;
	b->mode = st.st_mode & 07777;
	b->uid = st.st_uid;
	b->gid = st.st_gid;
	return 0;
}

void
hs_fd_unix_bind_write(struct hs_wr *w, const struct hs_fd_unix_bound *b)
{
	hs_wr_u32(w, b->mode);
	hs_wr_u32(w, b->uid);
	hs_wr_u32(w, b->gid);
	hs_fd_unix_write_name(w, &b->name);
}

void
hs_fd_unix_bind_read(struct hs_rd *r, struct hs_fd_unix_bound *b)
{
	b->mode = hs_rd_u32(r);
	b->uid = hs_rd_u32(r);
	b->gid = hs_rd_u32(r);
	hs_fd_unix_read_name(r, &b->name);
	hs_rd_require(r,
	    b->mode <= 07777 &&
		(!hs_fd_unix_is_path(&b->name) ||
		    b->name.a.sun_path[0] == '/'));
}

/* A file that was left behind answers so; one in use does not. */
static int
remove_stale(const struct hs_fd_unix_name *n, const char *path, int type)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)&n->a, n->len);
	rc = rc < 0 && errno == ECONNREFUSED ? 0 : -EADDRINUSE;
	(void)close(fd);
	if (rc == 0 && unlink(path) < 0)
		rc = -errno;
	return rc;
}

static int
own_file(const char *path, const struct hs_fd_unix_bound *b)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	if ((st.st_uid != b->uid || st.st_gid != b->gid) &&
	    lchown(path, b->uid, b->gid) < 0)
		return -errno;
	return chmod(path, b->mode) < 0 ? -errno : 0;
}

int
hs_fd_unix_bind_again(int fd, int type, int number,
    const struct hs_fd_unix_bound *b)
{
	char path[sizeof(b->name.a.sun_path) + 1] = "";
	const bool named = b->name.len > sizeof(sa_family_t);
	const bool has_file = hs_fd_unix_is_path(&b->name);
	int rc = 0;

	if (!named)
		return 0;
	memcpy(path, b->name.a.sun_path, sizeof(b->name.a.sun_path));
	if (has_file)
		rc = remove_stale(&b->name, path, type);
	if (rc == 0 &&
	    bind(fd, (const struct sockaddr *)&b->name.a, b->name.len) < 0)
		rc = -errno;
	if (rc == 0 && has_file)
		rc = own_file(path, b);
	if (rc < 0)
		return hs_why(HS_EFD,
		    "fd %d: bind to %s%s: %s: the name must be free on the "
		    "spare, and its directory be there",
		    number, has_file ? "" : "@", has_file ? path : path + 1,
		    hs_err_text(rc));
	return 0;
}
