/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_restore.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fdhigh.h"
#include "base/why.h"
#include "state/fd_info.h"
#include "state/fd_record.h"
#include "state/fd_table.h"

/* What F_SETFL can change; the rest is open()'s, and the kind's. */
#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

typedef int step_fn(const struct hs_store *s, struct hs_fd_reg *d);

/* F3 */
static int
check_free(int fd)
{
	char link[128];

	if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
		return 0;
	if (hs_fd_info_link(fd, link, sizeof(link)) < 0)
		link[0] = '\0';
	return hs_why(HS_EFD,
	    "fd %d is taken (%s): a spare must not have open what the service "
	    "registered; open it after hsinit(), or close it before",
	    fd, link);
}

static int
check_limit(int fd)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || (rlim_t)fd < lim.rlim_cur)
		return 0;
	return hs_why(HS_EFD,
	    "fd %d is above this node's limit of open files, %llu: raise it "
	    "(ulimit -n, LimitNOFILE=)",
	    fd, (unsigned long long)lim.rlim_cur);
}

static struct hs_fd_reg *
copy_entry(const struct hs_fd_reg *from)
{
	struct hs_fd_reg *d = hs_fd_table_add(from->fd);

	if (d == NULL)
		return NULL;
	d->how = from->how;
	d->ops = from->ops;
	d->as = from->as;
	d->flags = from->flags;
	d->cloexec = from->cloexec;
	d->body_len = from->body_len;
	return d;
}

/* Everything that can be wrong before the first descriptor is made. */
static int
read_entries(const struct hs_store *s)
{
	struct hs_fd_reg from = { .fd = -1 };
	const struct hs_fd_reg *lead;
	struct hs_rd own;
	int rc = 0;

	while (from.fd < INT_MAX &&
	    (rc = hs_fd_record_next(s, from.fd + 1, &from, &own)) == 1) {
		lead = hs_fd_table_get(from.as);
		if (from.as != from.fd &&
		    (lead == NULL || lead->as != lead->fd ||
			lead->ops != from.ops))
			return hs_why(HS_ECORRUPT,
			    "fd %d shares the open file of fd %d, of which "
			    "there is no record",
			    from.fd, from.as);
		rc = check_limit(from.fd);
		if (rc == 0)
			rc = check_free(from.fd);
		if (rc < 0)
			return rc;
		if (copy_entry(&from) == NULL)
			return hs_why(-ENOMEM, "no memory for descriptors");
	}
	return rc;
}

/* Takes new. */
static int
put_in_place(struct hs_fd_reg *d, int new)
{
	int rc;

	if (new != d->fd) {
		rc = check_free(d->fd);
		if (rc == 0 && dup3(new, d->fd, O_CLOEXEC) < 0)
			rc = hs_why(HS_EFD, "fd %d: %s", d->fd,
			    hs_err_text(-errno));
		(void)close(new);
		if (rc < 0)
			return rc;
	}
	d->placed = true;
	if (fcntl(d->fd, F_SETFD, d->cloexec) < 0 ||
	    fcntl(d->fd, F_SETFL, d->flags & SETTABLE) < 0)
		return hs_why(HS_EFD, "fd %d: flags 0%o: %s", d->fd, d->flags,
		    hs_err_text(-errno));
	return 0;
}

int
hs_fd_restore_place(int number, int new, const struct hs_fd_ops *ops)
{
	struct hs_fd_reg *d = hs_fd_table_get(number);

	if (d == NULL || d->ops != ops || d->placed || d->as != d->fd) {
		(void)close(new);
		return hs_why(HS_ECORRUPT,
		    "fd %d is named as another's other end and is none",
		    number);
	}
	return put_in_place(d, hs_fdhigh_move(new));
}

/* The record once more, with its body; *made is to be freed. */
static int
open_record(const struct hs_store *s, const struct hs_fd_reg *d,
    struct hs_fd_in *in, uint8_t **made)
{
	struct hs_fd_reg again;
	int rc;

	rc = hs_fd_record_next(s, d->fd, &again, &in->head);
	if (rc < 0)
		return rc;
	in->body_len = d->body_len;
	return hs_fd_record_body(s, d, &in->body, made);
}

static int
restore_one(const struct hs_store *s, struct hs_fd_reg *d)
{
	struct hs_fd_in in;
	uint8_t *made;
	int rc;

	if (d->placed)
		return 0;		/* came with its other end */
	if (d->as != d->fd) {
		rc = fcntl(d->as, F_DUPFD_CLOEXEC, 0);
		return rc >= 0
		    ? put_in_place(d, hs_fdhigh_move(rc))
		    : hs_why(HS_EFD, "fd %d: %s", d->fd, hs_err_text(-errno));
	}
	rc = open_record(s, d, &in, &made);
	if (rc < 0)
		return rc;
	rc = d->ops->restore(d, &in);
	free(made);
	if (rc == HS_ECORRUPT)
		return hs_why(rc, "the record of fd %d (%s) is damaged", d->fd,
		    d->ops->name);
	return rc < 0 ? rc : put_in_place(d, hs_fdhigh_move(rc));
}

static int
finish_one(const struct hs_store *s, struct hs_fd_reg *d)
{
	struct hs_fd_in in;
	uint8_t *made;
	int rc;

	if (d->as != d->fd || d->ops->finish == NULL)
		return 0;
	rc = open_record(s, d, &in, &made);
	if (rc < 0)
		return rc;
	rc = d->ops->finish(d, &in);
	free(made);
	return rc;
}

/* F1 begins anew on this node. */
static int
identify(const struct hs_store *s, struct hs_fd_reg *d)
{
	(void)s;
	if (fstat(d->fd, &d->st) < 0)
		return hs_why(HS_EFD, "fd %d: %s", d->fd, hs_err_text(-errno));
	return 0;
}

/* do_step for each, in ascending order; phase -1: of all phases. */
static int
walk(const struct hs_store *s, step_fn *do_step, int phase)
{
	int rc = 0;

	for (struct hs_fd_reg *d = hs_fd_table_next(-1); rc == 0 && d != NULL;
	     d = hs_fd_table_next(d->fd))
		if (phase < 0 || d->ops->phase == phase)
			rc = do_step(s, d);
	return rc;
}

static int
last_phase(void)
{
	int phase = 0;

	for (const struct hs_fd_reg *d = hs_fd_table_next(-1); d != NULL;
	     d = hs_fd_table_next(d->fd))
		if (d->ops->phase > phase)
			phase = d->ops->phase;
	return phase;
}

static void
close_all(void)
{
	for (const struct hs_fd_reg *d = hs_fd_table_next(-1); d != NULL;
	     d = hs_fd_table_next(d->fd))
		if (d->placed)
			(void)close(d->fd);
	hs_fd_table_clear();
}

int
hs_fd_restore_run(struct hs_store *s)
{
	int rc, phase = 0;

	rc = read_entries(s);
	if (rc == 0)
		rc = walk(s, restore_one, -1);
	if (rc == 0)
		rc = walk(s, identify, -1);
	for (const int last = last_phase(); rc == 0 && phase <= last; phase++)
		rc = walk(s, finish_one, phase);
	if (rc < 0)
		close_all();
	return rc;
}
