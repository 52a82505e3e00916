/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of descriptors, given to the kinds that make nothing but descriptors
 * of them: no files.  What a kind takes it must be able to tell again, and to
 * take what it told.
 *
 * Input: 1 byte which kind, 2 bytes length of the head, the head, the body.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rd.h"
#include "state/fd_ops.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hs_fd_ops *const kinds[] = {
	&hs_fd_tcp,
	&hs_fd_udp,
	&hs_fd_event,
	&hs_fd_timer,
	&hs_fd_signal,
	&hs_fd_epoll,
	&hs_fd_inotify,
};
#define NKIND (sizeof(kinds) / sizeof(kinds[0]))

static void
require(int ok)
{
	if (!ok)
		abort();
}

/* A network of its own, whose interfaces are down: nothing gets out. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (unshare(CLONE_NEWNET) < 0)
		(void)unshare(CLONE_NEWUSER | CLONE_NEWNET);
	return 0;
}

/* 0 and d->fd is open; or what the kind said. */
static int
restore(struct hs_fd_reg *d, const uint8_t *head, size_t len,
    const uint8_t *body, size_t body_len)
{
	struct hs_fd_in in = { .body = body, .body_len = body_len };
	int rc;

	hs_rd_init(&in.head, head, len);
	rc = d->ops->restore(d, &in);
	if (rc < 0)
		return rc;
	d->fd = rc;
	hs_rd_init(&in.head, head, len);
	return d->ops->finish == NULL ? 0 : d->ops->finish(d, &in);
}

static void
end(struct hs_fd_reg *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	if (d->ops->forget != NULL)
		d->ops->forget(d);
	d->fd = -1;
}

/* What it tells is taken again, on a machine where all is the same. */
static void
tell_again(struct hs_fd_reg *d, struct hs_fd_reg *again)
{
	static uint8_t head[HS_FD_HEAD_BYTES];
	struct hs_fd_out out = { .same_body = false };
	uint8_t *body = NULL;

	hs_wr_init(&out.head, head, sizeof(head));
	hs_wr_init(&out.body, NULL, 0);
	require(d->ops->query(d, &out) == 0);
	require(hs_wr_end(&out.head) >= 0 && hs_wr_end(&out.body) >= 0);
	if (out.body.len > 0) {
		body = malloc(out.body.len);
		require(body != NULL);
		memcpy(body, out.body.buf, out.body.len);
	}
	end(d);
	require(restore(again, head, out.head.len, body, out.body.len) !=
	    HS_ECORRUPT);
	end(again);
	free(body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_fd_reg d = { .fd = -1 }, again = { .fd = -1 };
	struct hs_rd r;
	size_t len;

	hs_rd_init(&r, data, size);
	d.ops = again.ops = kinds[hs_rd_u8(&r) % NKIND];
	len = hs_rd_u16(&r);
	if (r.err != 0)
		return 0;
	len = len < r.left ? len : r.left;
	if (restore(&d, r.p, len, r.p + len, r.left - len) == 0)
		tell_again(&d, &again);
	end(&d);
	end(&again);
	return 0;
}
