/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * epoll(7): the interest list, which the kernel tells through fdinfo.
 *
 * head: 4 bytes, n <= HS_FD_BODY_MAX / 16.  body: n times, ascending by fd,
 *
 * off len field		rule
 *   0   4 fd			as it was given to epoll_ctl(); registered, or
 *				-1: what hseventfd() gave
 *   4   4 events		without EPOLLERR and EPOLLHUP, which are implied
 *   8   8 data
 *
 * A one-shot watch that fired is as one that waits for errors and hangups: that
 * much the kernel arms at every epoll_ctl().
 */
#include "state/fd_epoll.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_info.h"
#include "state/fd_ops.h"
#include "state/fd_table.h"

#define WATCH_BYTES 16
#define IMPLIED ((uint32_t)EPOLLERR | EPOLLHUP)

struct watch {
	int fd;
	uint32_t events;
	uint64_t data;
};

/* Room of the last query, kept for the next one. */
struct room {
	char *info;
	size_t size;
	struct watch *watch;
	size_t cap;
};

/* Another number in each process, and so in no record. */
#define OWN (-1)
static int own_fd = OWN;

void
hs_fd_epoll_own(int fd)
{
	own_fd = fd;
}

static int
probe_epoll(int fd, const struct stat *st)
{
	(void)st;
	return hs_fd_info_is(fd, "anon_inode:[eventpoll]");
}

static int
check_epoll(struct hs_fd_reg *d)
{
	if (d->how != 0)
		return hs_why(HS_EMISUSE, "hsfdreg(%d): how is 0 for an epoll",
		    d->fd);
	return 0;
}

static void
forget_epoll(struct hs_fd_reg *d)
{
	struct room *room = d->priv;

	if (room != NULL) {
		free(room->info);
		free(room->watch);
	}
	free(room);
	d->priv = NULL;
}

/* ---- query ---- */

/*
 * Is the watch of d still that of the file which has the number now?  Not of
 * one that was closed here and lives on elsewhere.
 */
static bool
is_watched(const struct hs_fd_reg *d, const struct hs_fd_reg *o)
{
	struct kcmp_epoll_slot slot = { .efd = (uint32_t)d->fd,
		.tfd = (uint32_t)o->fd };
	const pid_t me = getpid();

	return syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, o->fd, &slot) == 0;
}

static int
check_watch(const struct hs_fd_reg *d, int fd)
{
	const struct hs_fd_reg *o = hs_fd_table_get(fd);
	char link[128];

	if (fd == own_fd && fd >= 0)
		return 0;
	if (o != NULL && is_watched(d, o))
		return 0;
	if (o == NULL && fcntl(fd, F_GETFD) >= 0) {
		if (hs_fd_info_link(fd, link, sizeof(link)) < 0)
			link[0] = '\0';
		return hs_why(HS_EFD,
		    "fd %d (epoll) watches fd %d (%s), which is not "
		    "registered: call hsfdreg(%d), or take it off with "
		    "EPOLL_CTL_DEL before hscpt()",
		    d->fd, fd, link, fd);
	}
	return hs_why(HS_EFD,
	    "fd %d (epoll) watches what once was fd %d, a file that a copy or "
	    "another process keeps open: call EPOLL_CTL_DEL before close()",
	    d->fd, fd);
}

/* "tfd: 4 events: 19 data: 1122334455667788  pos:0 ino:40e sdev:10" */
static bool
parse_watch(const char *line, struct watch *w)
{
	const char *events = strstr(line, "events:");
	const char *data = strstr(line, "data:");

	if (events == NULL || data == NULL)
		return false;
	w->fd = (int)strtol(line + strlen("tfd:"), NULL, 10);
	w->events =
	    (uint32_t)strtoul(events + strlen("events:"), NULL, 16) & ~IMPLIED;
	w->data = strtoull(data + strlen("data:"), NULL, 16);
	return true;
}

static int
compare_watches(const void *a, const void *b)
{
	const struct watch *x = a, *y = b;

	return (x->fd > y->fd) - (x->fd < y->fd);
}

static int
add_watch(struct room *room, size_t n, const struct watch *w)
{
	const size_t cap = room->cap == 0 ? 64 : room->cap * 2;
	struct watch *p;

	if (n == room->cap) {
		p = reallocarray(room->watch, cap, sizeof(*p));
		if (p == NULL)
			return -ENOMEM;
		room->watch = p;
		room->cap = cap;
	}
	room->watch[n] = *w;
	return 0;
}

/* Number of watches, in room->watch, by number. */
static int
collect_watches(struct hs_fd_reg *d)
{
	struct room *room = d->priv;
	const char *line = strstr(room->info, "\ntfd:");
	struct watch w;
	size_t n = 0;
	int rc;

	for (; line != NULL; line = strstr(line + 1, "\ntfd:")) {
		if (!parse_watch(line + 1, &w))
			return hs_why(HS_EFD,
			    "fd %d (epoll): /proc/self/fdinfo has another form "
			    "than is known",
			    d->fd);
		rc = check_watch(d, w.fd);
		if (w.fd == own_fd)
			w.fd = OWN;
		if (rc == 0)
			rc = add_watch(room, n++, &w);
		if (rc < 0)
			return rc;
	}
	if (n > 0)
		qsort(room->watch, n, sizeof(w), compare_watches);
	for (size_t i = 1; i < n; i++)
		if (room->watch[i].fd == room->watch[i - 1].fd)
			return hs_why(HS_EFD,
			    "fd %d (epoll) watches fd %d and a file that had "
			    "that number before: call EPOLL_CTL_DEL before "
			    "close()",
			    d->fd, room->watch[i].fd);
	return (int)n;
}

static int
query_epoll(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	struct room *room = d->priv;
	int n, rc;

	if (room == NULL)
		d->priv = room = calloc(1, sizeof(*room));
	if (room == NULL)
		return -ENOMEM;
	rc = hs_fd_info_whole(d->fd, &room->info, &room->size);
	if (rc < 0)
		return hs_why(HS_EFD, "fd %d (epoll): /proc/self/fdinfo: %s",
		    d->fd, hs_err_text(rc));
	n = collect_watches(d);
	if (n < 0)
		return n;
	rc = hs_fd_reserve(out, (size_t)n * WATCH_BYTES);
	if (rc < 0)
		return rc;
	hs_wr_u32(&out->head, (uint32_t)n);
	for (int i = 0; i < n; i++) {
		hs_wr_u32(&out->body, (uint32_t)room->watch[i].fd);
		hs_wr_u32(&out->body, room->watch[i].events);
		hs_wr_u64(&out->body, room->watch[i].data);
	}
	return 0;
}

/* ---- restore ---- */

static int
restore_epoll(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	const uint32_t n = hs_rd_u32(&in->head);
	int fd;

	hs_rd_require(&in->head,
	    in->body_len % WATCH_BYTES == 0 && n == in->body_len / WATCH_BYTES);
	if (hs_rd_end(&in->head) < 0)
		return HS_ECORRUPT;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return hs_why(HS_EFD, "fd %d (epoll): epoll_create1(): %s",
		    d->fd, hs_err_text(-errno));
	return fd;
}

/* All that is watched has its number again, also an epoll that is. */
static int
finish_epoll(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct epoll_event ev;
	struct hs_rd r;
	int fd, last = OWN - 1;

	hs_rd_init(&r, in->body, in->body_len);
	while (r.left > 0) {
		fd = (int)hs_rd_u32(&r);
		ev.events = hs_rd_u32(&r);
		ev.data.u64 = hs_rd_u64(&r);
		hs_rd_require(&r,
		    fd > last && (ev.events & IMPLIED) == 0 &&
			(fd == OWN || hs_fd_table_get(fd) != NULL));
		if (r.err != 0)
			return hs_why(HS_ECORRUPT,
			    "the record of fd %d (epoll) is damaged", d->fd);
		last = fd;
		fd = fd == OWN ? own_fd : fd;
		if (epoll_ctl(d->fd, EPOLL_CTL_ADD, fd, &ev) < 0)
			return hs_why(HS_EFD,
			    "fd %d (epoll) cannot watch fd %d again: %s", d->fd,
			    fd, hs_err_text(-errno));
	}
	return 0;
}

const struct hs_fd_ops hs_fd_epoll = {
	.abi = HS_FD_ABI,
	.name = "epoll",
	.id = HS_FD_ID_EPOLL,
	.phase = 2,
	.probe = probe_epoll,
	.check = check_epoll,
	.query = query_epoll,
	.restore = restore_epoll,
	.finish = finish_epoll,
	.forget = forget_epoll,
};
