/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inotify(7).  The kernel tells the watches and their masks, but not the paths:
 * those are kept here, as hsfdwatch() was given them.
 *
 * head: 4 bytes, n.  body: n times, ascending by wd,
 *
 * off len field		rule
 *   0   4 wd			1 at least
 *   4   4 mask			as the kernel tells it
 *   8   4 flags		how the path was followed: IN_DONT_FOLLOW,
 *				IN_ONLYDIR
 *  12   2 len			1 to 4095
 *  14   - path		absolute, not terminated
 *
 * Events that were not read are lost: no call brings one back.
 */
#include "state/fd_inotify.h"

#include <inttypes.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_info.h"
#include "state/fd_ops.h"
#include "state/fd_table.h"

#define WATCH_BYTES 14
#define HOW_FLAGS ((uint32_t)IN_DONT_FOLLOW | IN_ONLYDIR)
/* Of <linux/inotify.h>, which does not go with <fcntl.h>. */
#define SET_NEXT_WD _IOW('I', 0, int32_t)

struct watch {
	int wd;
	uint32_t mask;
	uint32_t flags;
	bool alive;		/* at the last look */
	char *path;
};

struct watches {
	struct watch *by;	/* ascending by wd, no two equal */
	size_t n;
	size_t cap;
	char *info;
	size_t size;
};

static int
probe_inotify(int fd, const struct stat *st)
{
	(void)st;
	return hs_fd_info_is(fd, "anon_inode:inotify");
}

static void
forget_inotify(struct hs_fd_reg *d)
{
	struct watches *w = d->priv;

	d->priv = NULL;
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->n; i++)
		free(w->by[i].path);
	free(w->by);
	free(w->info);
	free(w);
}

/* ---- the watches ---- */

static size_t
find_place(const struct watches *w, int wd)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (w->by[mid].wd < wd)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct watch *
find_watch(const struct watches *w, int wd)
{
	const size_t i = find_place(w, wd);

	return i < w->n && w->by[i].wd == wd ? &w->by[i] : NULL;
}

static int
grow_watches(struct watches *w)
{
	const size_t cap = w->cap == 0 ? 8 : w->cap * 2;
	struct watch *p;

	if (w->n < w->cap)
		return 0;
	p = reallocarray(w->by, cap, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	w->by = p;
	w->cap = cap;
	return 0;
}

/* There is room, and wd has no entry.  Takes path. */
static void
insert_watch(struct watches *w, int wd, char *path, uint32_t flags)
{
	const size_t i = find_place(w, wd);

	memmove(&w->by[i + 1], &w->by[i], (w->n - i) * sizeof(*w->by));
	w->by[i] = (struct watch){ .wd = wd, .flags = flags, .path = path };
	w->n++;
}

static void
drop_dead(struct watches *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct watch at = w->by[i];

		w->by[i].path = NULL;
		if (at.alive)
			w->by[kept++] = at;
		else
			free(at.path);
	}
	w->n = kept;
}

/* ---- what the kernel tells ---- */

/* "inotify wd:9 ino:13 sdev:fe00000 mask:4000fff ignored_mask:0 ..." */
static int
take_line(const struct hs_fd_reg *d, const char *line)
{
	const char *mask = strstr(line, " mask:");
	struct watch *watch;
	int wd;

	line += strlen("inotify wd:");
	wd = (int)strtol(line, NULL, 16);
	watch = find_watch(d->priv, wd);
	if (watch == NULL || mask == NULL)
		return hs_why(HS_EFD,
		    "fd %d (inotify): the path of watch %d is not known: "
		    "register the descriptor before the first watch, and add "
		    "watches with hsfdwatch() in place of inotify_add_watch()",
		    d->fd, wd);
	watch->mask = (uint32_t)strtoul(mask + strlen(" mask:"), NULL, 16);
	watch->alive = true;
	return 0;
}

/* Masks as they are now; watches that are gone leave. */
static int
look_at_watches(const struct hs_fd_reg *d)
{
	struct watches *w = d->priv;
	const char *line;
	int rc;

	rc = hs_fd_info_whole(d->fd, &w->info, &w->size);
	if (rc < 0)
		return hs_why(HS_EFD, "fd %d (inotify): /proc/self/fdinfo: %s",
		    d->fd, hs_err_text(rc));
	rc = 0;
	for (size_t i = 0; i < w->n; i++)
		w->by[i].alive = false;
	line = strstr(w->info, "\ninotify wd:");
	for (; rc == 0 && line != NULL; line = strstr(line, "\ninotify wd:"))
		rc = take_line(d, ++line);
	if (rc == 0)
		drop_dead(w);
	return rc;
}

/* Can a watch be given its number here?  Of an instance of its own. */
static int
check_numbers(void)
{
	const int fd = inotify_init1(IN_CLOEXEC);
	int rc = 0;

	if (fd < 0 || ioctl(fd, SET_NEXT_WD, 1L) < 0)
		rc = -errno;
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* Paths are kept with one number. */
static int
check_alone(const struct hs_fd_reg *d)
{
	const pid_t me = getpid();
	const struct hs_fd_reg *o;

	for (o = hs_fd_table_next(-1); o != NULL; o = hs_fd_table_next(o->fd))
		if (o != d && o->ops == &hs_fd_inotify &&
		    syscall(SYS_kcmp, me, me, KCMP_FILE, o->fd, d->fd) == 0)
			return hs_why(HS_EFD,
			    "hsfdreg(%d): it is the same inotify as fd %d: "
			    "register one of them",
			    d->fd, o->fd);
	return 0;
}

static int
check_inotify(struct hs_fd_reg *d)
{
	int rc;

	if (d->how != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how is 0 for an inotify", d->fd);
	rc = check_numbers();
	if (rc < 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): an inotify's watches cannot be numbered: %s; "
		    "use a kernel with CONFIG_CHECKPOINT_RESTORE",
		    d->fd, hs_err_text(rc));
	rc = check_alone(d);
	if (rc < 0)
		return rc;
	d->priv = calloc(1, sizeof(struct watches));
	return d->priv == NULL ? -ENOMEM : look_at_watches(d);
}

/* ---- hsfdwatch() ---- */

/* In memory of its own, absolute; NULL: errno. */
static char *
absolute(const char *path)
{
	char *cwd, *made = NULL;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL)
		return NULL;
	made = malloc(strlen(cwd) + 1 + strlen(path) + 1);
	if (made != NULL) {
		char *end = stpcpy(made, cwd);

		*end++ = '/';
		memcpy(end, path, strlen(path) + 1);
	}
	free(cwd);
	return made;
}

static int
add_watch(struct hs_fd_reg *d, char *path, uint32_t mask)
{
	struct watches *w = d->priv;
	int wd, rc;

	/* Of one that is gone, the number may be in use again. */
	rc = look_at_watches(d);
	if (rc == 0)
		rc = grow_watches(w);
	if (rc < 0)
		return rc;
	wd = inotify_add_watch(d->fd, path, mask);
	if (wd < 0)
		return hs_why(-errno, "hsfdwatch(%d, %s): %s", d->fd, path,
		    hs_err_text(-errno));
	/* Another name of what is watched already: the first one is kept. */
	if (find_watch(w, wd) == NULL)
		insert_watch(w, wd, path, mask & HOW_FLAGS);
	else
		free(path);
	return wd;
}

int
hs_fd_inotify_watch(int fd, const char *path, uint32_t mask)
{
	struct hs_fd_reg *d = hs_fd_table_get(fd);
	char *kept;
	int rc;

	if (d == NULL || d->ops != &hs_fd_inotify)
		return hs_why(HS_EMISUSE,
		    "hsfdwatch(%d): it is no registered inotify: call "
		    "hsfdreg(%d) first",
		    fd, fd);
	kept = absolute(path);
	if (kept == NULL)
		return hs_why(-errno, "hsfdwatch(%d): %s", fd,
		    hs_err_text(-errno));
	if (strlen(kept) >= HS_FD_PATH_BYTES) {
		free(kept);
		return hs_why(-ENAMETOOLONG, "hsfdwatch(%d): %s", fd,
		    hs_err_text(-ENAMETOOLONG));
	}
	rc = add_watch(d, kept, mask);
	if (rc < 0)
		free(kept);
	return rc;
}

/* ---- query and restore ---- */

static int
query_inotify(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	const struct watches *w = d->priv;
	int rc;

	rc = look_at_watches(d);
	for (size_t i = 0; rc == 0 && i < w->n; i++) {
		const struct watch *at = &w->by[i];
		const size_t len = strlen(at->path);

		rc = hs_fd_reserve(out, WATCH_BYTES + len);
		if (rc < 0)
			break;
		hs_wr_u32(&out->body, (uint32_t)at->wd);
		hs_wr_u32(&out->body, at->mask);
		hs_wr_u32(&out->body, at->flags);
		hs_wr_u16(&out->body, (uint16_t)len);
		hs_wr_bytes(&out->body, at->path, len);
	}
	hs_wr_u32(&out->head, (uint32_t)w->n);
	return rc;
}

/* The next watch of a body; its path is to be freed. */
static int
decode_watch(struct hs_rd *r, int after, struct watch *out)
{
	const uint8_t *path;
	size_t len;

	*out = (struct watch){ .wd = (int)hs_rd_u32(r) };
	out->mask = hs_rd_u32(r);
	out->flags = hs_rd_u32(r);
	len = hs_rd_u16(r);
	hs_rd_require(r,
	    out->wd >= 1 && out->wd > after && (out->flags & ~HOW_FLAGS) == 0 &&
		len < HS_FD_PATH_BYTES);
	path = hs_rd_bytes(r, len);
	hs_rd_require(r,
	    path != NULL && path[0] == '/' && memchr(path, '\0', len) == NULL);
	if (r->err != 0 || path == NULL)
		return HS_ECORRUPT;
	out->path = calloc(1, len + 1);
	if (out->path == NULL)
		return -ENOMEM;
	memcpy(out->path, path, len);
	return 0;
}

static int
decode_watches(struct watches *w, struct hs_fd_in *in)
{
	const uint32_t n = hs_rd_u32(&in->head);
	struct watch watch;
	struct hs_rd r;
	int rc = 0, last = 0;

	hs_rd_init(&r, in->body, in->body_len);
	while (rc == 0 && r.left > 0) {
		rc = decode_watch(&r, last, &watch);
		if (rc == 0)
			rc = grow_watches(w);
		if (rc < 0) {
			free(watch.path);
			return rc;
		}
		w->by[w->n++] = watch;
		last = watch.wd;
	}
	hs_rd_require(&in->head, n == w->n);
	return hs_rd_end(&in->head) < 0 ? HS_ECORRUPT : rc;
}

static int
restore_inotify(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	int fd, rc;

	d->priv = calloc(1, sizeof(struct watches));
	if (d->priv == NULL)
		return -ENOMEM;
	rc = decode_watches(d->priv, in);
	if (rc < 0)
		return rc;
	fd = inotify_init1(IN_CLOEXEC);
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d (inotify): inotify_init1(): %s",
		    d->fd, hs_err_text(-errno));
	return fd;
}

/*
 * What is not there on this machine is as what was deleted while it was
 * watched: the program reads IN_IGNORED for it.  So the watch is made of a file
 * that nothing else watches, and taken off.
 */
static int
ignore_watch(int fd, int wd)
{
	const int scratch = memfd_create("hotspare-gone", MFD_CLOEXEC);
	char path[32];
	int rc = 0;

	if (scratch < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", scratch);
	if (ioctl(fd, SET_NEXT_WD, (long)wd) < 0 ||
	    inotify_add_watch(fd, path, IN_OPEN) != wd ||
	    inotify_rm_watch(fd, wd) < 0)
		rc = errno != 0 ? -errno : -EEXIST;
	(void)close(scratch);
	return rc;
}

static int
watch_again(int fd, const struct watch *w)
{
	const uint32_t mask = w->mask | w->flags | IN_MASK_CREATE;
	int wd;

	if (ioctl(fd, SET_NEXT_WD, (long)w->wd) < 0)
		return -errno;
	wd = inotify_add_watch(fd, w->path, mask);
	if (wd == w->wd)
		return 0;
	/* EEXIST: what was two files there is one here. */
	if (wd < 0 &&
	    (errno == ENOENT || errno == ENOTDIR || errno == EACCES ||
		errno == ELOOP || errno == EEXIST))
		return ignore_watch(fd, w->wd);
	return wd < 0 ? -errno : -EBUSY;
}

/* After the files: what is restored of them is no event. */
static int
finish_inotify(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	const struct watches *w = d->priv;
	int rc;

	(void)in;
	for (size_t i = 0; i < w->n; i++) {
		rc = watch_again(d->fd, &w->by[i]);
		if (rc < 0)
			return hs_why(HS_EFD,
			    "fd %d (inotify): watch %d of %s: %s", d->fd,
			    w->by[i].wd, w->by[i].path, hs_err_text(rc));
	}
	return 0;
}

const struct hs_fd_ops hs_fd_inotify = {
	.abi = HS_FD_ABI,
	.name = "inotify",
	.id = HS_FD_ID_INOTIFY,
	.phase = 1,
	.probe = probe_inotify,
	.check = check_inotify,
	.query = query_inotify,
	.restore = restore_inotify,
	.finish = finish_inotify,
	.forget = forget_inotify,
};
