/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fdhigh.h"
#include "base/why.h"
#include "state/fd_app.h"
#include "state/fd_info.h"
#include "state/fd_record.h"
#include "state/fd_restore.h"
#include "state/fd_table.h"

/* What open() and fcntl() take; others are the kernel's own. */
#define KEPT_FLAGS                                                             \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_SYNC |   \
	    O_ASYNC | O_PATH)
#define FIRST_BODY_BYTES ((size_t)64 << 10)

/* Where records are built; kept, for the next checkpoint asks the same. */
static struct {
	uint8_t head[HS_FD_RECORD_BYTES];
	uint8_t *body;
	size_t body_size;
} build;

/* ---- which file is it? ---- */

/* 1: one open file; 0: two; negative: the kernel does not tell. */
static int
is_shared(int a, int b)
{
	const pid_t me = getpid();
	const long rc = syscall(SYS_kcmp, me, me, KCMP_FILE, a, b);

	if (rc < 0)
		return hs_why(HS_EFD,
		    "fd %d and fd %d may share one open file, and the kernel "
		    "does not tell (kcmp: %s): allow kcmp(2) to the service",
		    a, b, hs_err_text(-errno));
	return rc == 0;
}

/* All anonymous inodes are one; what they are stands in their link. */
static bool
is_anonymous(const struct stat *st)
{
	return (st->st_mode & S_IFMT) == 0;
}

static int
read_flags(struct hs_fd_reg *d)
{
	d->flags = fcntl(d->fd, F_GETFL);
	d->cloexec = fcntl(d->fd, F_GETFD);
	if (d->flags < 0 || d->cloexec < 0)
		return hs_why(HS_EFD, "fd %d: %s", d->fd, hs_err_text(-errno));
	d->flags &= KEPT_FLAGS;
	return 0;
}

/* F1.  Leaves d->st and the flags as they are now. */
static int
check_same(struct hs_fd_reg *d)
{
	struct stat st;
	int rc;

	if (fstat(d->fd, &st) < 0)
		return hs_why(HS_EFD,
		    "fd %d (%s) was closed and is still registered: call "
		    "hsfdunreg(%d) before close()",
		    d->fd, d->ops->name, d->fd);
	if (st.st_dev != d->st.st_dev || st.st_ino != d->st.st_ino ||
	    (is_anonymous(&st) && d->app == NULL &&
		d->ops->probe(d->fd, &st) != 1))
		return hs_why(HS_EFD,
		    "fd %d (%s) is now another file than was registered: call "
		    "hsfdunreg(%d) before close(), hsfdreg() after open()",
		    d->fd, d->ops->name, d->fd);
	d->st = st;
	if (d->as != d->fd) {
		rc = is_shared(d->fd, d->as);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return hs_why(HS_EFD,
			    "fd %d no longer shares its open file with fd %d: "
			    "call hsfdunreg(%d) before it is replaced",
			    d->fd, d->as, d->fd);
	}
	return read_flags(d);
}

/* ---- registering ---- */

/* -ENOENT: none takes it. */
static int
choose_kind(struct hs_fd_reg *d)
{
	int rc;

	rc = hs_fd_app_probe(d->fd, &d->app);
	if (rc < 0)
		return rc;
	if (rc > 0) {
		d->ops = &hs_fd_app;
		return 0;
	}
	for (size_t i = 0; hs_fd_kinds[i] != NULL; i++)
		if (hs_fd_kinds[i]->probe(d->fd, &d->st) == 1) {
			d->ops = hs_fd_kinds[i];
			assert(d->ops->abi == HS_FD_ABI);
			return 0;
		}
	return -ENOENT;
}

/* What it is, for one that no kind wants. */
static int
refuse_kind(const struct hs_fd_reg *d)
{
	char link[128];
	int rc = hs_fd_info_check(d->fd);

	if (rc < 0)
		return rc;
	if (hs_fd_info_link(d->fd, link, sizeof(link)) < 0)
		link[0] = '\0';
	return hs_why(HS_EFD,
	    "hsfdreg(%d): %s cannot be carried to another machine: open it "
	    "anew after HS_RESTORED, or add a kind of your own with "
	    "hsfdkind()",
	    d->fd, link[0] != '\0' ? link : "this kind of file");
}

/* Which registered descriptor's open file is it? */
static int
find_sharer(struct hs_fd_reg *d)
{
	struct hs_fd_reg *o;
	int rc;

	o = hs_fd_table_find(d->st.st_dev, d->st.st_ino, -1);
	for (; o != NULL;
	     o = hs_fd_table_find(d->st.st_dev, d->st.st_ino, o->fd)) {
		if (o == d || o->as != o->fd || o->ops != d->ops)
			continue;
		rc = is_shared(d->fd, o->fd);
		if (rc < 0)
			return rc;
		if (rc == 1)
			d->as = o->fd;
	}
	return 0;
}

/* Its `as` leads to the lowest one, as the record promises. */
static void
lead_sharers(struct hs_fd_reg *d)
{
	const int old = d->as;

	if (old == d->fd || old < d->fd)
		return;
	for (struct hs_fd_reg *o = hs_fd_table_next(-1); o != NULL;
	     o = hs_fd_table_next(o->fd))
		if (o->as == old)
			o->as = d->fd;
	d->as = d->fd;
}

/* What is taken on a spare when its descriptors come back. */
static int
check_number(int fd)
{
	int first, last;

	if (!hs_fdhigh_range(&first, &last) || fd < first || fd > last)
		return 0;
	return hs_why(HS_EFD,
	    "hsfdreg(%d): a spare has the library's own descriptors at %d to "
	    "%d: register a lower number, which dup2() makes, or raise the "
	    "limit of open files for all nodes",
	    fd, first, last);
}

static int
fill_entry(struct hs_fd_reg *d, unsigned how)
{
	int rc;

	rc = check_number(d->fd);
	if (rc < 0)
		return rc;
	d->how = how;
	if (fstat(d->fd, &d->st) < 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): %s: register it once it is open, and before "
		    "it is closed",
		    d->fd, hs_err_text(-errno));
	rc = read_flags(d);
	if (rc < 0)
		return rc;
	if ((d->flags & O_PATH) != 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): opened with O_PATH, which has no state: open "
		    "it anew after HS_RESTORED",
		    d->fd);
	if ((d->flags & O_ASYNC) != 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): O_ASYNC leads to a process, which stays "
		    "behind: take it off (fcntl(F_SETFL)), and set it again "
		    "after HS_RESTORED",
		    d->fd);
	rc = choose_kind(d);
	if (rc == -ENOENT)
		return refuse_kind(d);
	if (rc == 0)
		rc = d->ops->check(d);
	if (rc == 0)
		rc = find_sharer(d);
	return rc;
}

int
hs_fd_register(int fd, unsigned how)
{
	struct hs_fd_reg *d;
	int rc;

	if (fd < 0)
		return hs_why(HS_EMISUSE, "hsfdreg(%d): no descriptor", fd);
	if ((how & ~(unsigned)(HS_FD_CONTENT | HS_FD_SAME | HS_FD_EMPTY)) != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how has bits that are none of HS_FD_CONTENT, "
		    "HS_FD_SAME, HS_FD_EMPTY",
		    fd);
	if (hs_fd_table_get(fd) != NULL)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): it is registered: call hsfdunreg(%d) before "
		    "it is closed or registered otherwise",
		    fd, fd);
	d = hs_fd_table_add(fd);
	if (d == NULL)
		return hs_why(-ENOMEM, "hsfdreg(%d): out of memory", fd);
	rc = fill_entry(d, how);
	if (rc < 0) {
		hs_fd_table_del(d);
		return rc;
	}
	lead_sharers(d);
	d->placed = true;
	return 0;
}

/* The next number that shares d's open file leads the others. */
static void
hand_over(const struct hs_fd_reg *d)
{
	int next = -1;

	for (struct hs_fd_reg *o = hs_fd_table_next(-1); o != NULL;
	     o = hs_fd_table_next(o->fd)) {
		if (o == d || o->as != d->fd)
			continue;
		if (next < 0)
			next = o->fd;
		o->as = next;
	}
}

int
hs_fd_unregister(struct hs_store *s, int fd)
{
	struct hs_fd_reg *d = hs_fd_table_get(fd);

	if (d == NULL)
		return hs_why(HS_EMISUSE, "hsfdunreg(%d): it is not registered",
		    fd);
	if (d->as == d->fd)
		hand_over(d);
	hs_fd_record_del(s, d);
	hs_fd_table_del(d);
	return 0;
}

/* ---- the checkpoint ---- */

int
hs_fd_reserve(struct hs_fd_out *out, size_t len)
{
	const size_t need = out->body.len + len;
	size_t size = build.body_size;
	uint8_t *p;

	if (len > HS_FD_BODY_MAX || need > HS_FD_BODY_MAX)
		return hs_why(-EMSGSIZE,
		    "the contents of a descriptor are above %zu MiB",
		    HS_FD_BODY_MAX >> 20);
	if (size < FIRST_BODY_BYTES)
		size = FIRST_BODY_BYTES;
	while (size < need)
		size *= 2;
	if (size > build.body_size) {
		p = realloc(build.body, size);
		if (p == NULL)
			return hs_why(-ENOMEM,
			    "no memory for the contents of a descriptor");
		build.body = p;
		build.body_size = size;
	}
	out->body.buf = build.body;
	out->body.size = build.body_size;
	return 0;
}

static int
query_one(struct hs_store *s, struct hs_fd_reg *d)
{
	struct hs_fd_out out = { .same_body = false };
	int rc;

	rc = check_same(d);
	if (rc < 0)
		return rc;
	hs_wr_init(&out.head, build.head, sizeof(build.head));
	hs_wr_zeros(&out.head, HS_FD_RECORD_HEAD);
	hs_wr_init(&out.body, build.body, build.body_size);
	if (d->as == d->fd)
		rc = d->ops->query(d, &out);
	assert(!out.same_body || d->body_kept);
	return rc < 0 ? rc : hs_fd_record_put(s, d, &out);
}

static int
query_all(struct hs_store *s)
{
	int rc = 0;

	for (struct hs_fd_reg *d = hs_fd_table_next(-1); rc == 0 && d != NULL;
	     d = hs_fd_table_next(d->fd))
		rc = query_one(s, d);
	return rc;
}

static void
forget_all(void)
{
	hs_fd_table_clear();
	free(build.body);
	build.body = NULL;
	build.body_size = 0;
}

const struct hs_section_ops hs_fd_section = {
	.abi = HS_SECTION_ABI,
	.name = "descriptors",
	.query = query_all,
	.restore = hs_fd_restore_run,
	.forget = forget_all,
};
