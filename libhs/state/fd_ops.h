/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kind of descriptor, and what the frame (fd.c, fd_back.c) does for it.  To
 * add one: a file fd_NAME.c with a const struct hs_fd_ops, named here and in
 * fd_kinds.c; its bytes in docs/format/state.md.
 *
 * The frame keeps the number, descriptor and status flags, the sharing of one
 * open file by several numbers, and identity (F1); a kind keeps all else.
 */
#ifndef HS_STATE_FD_OPS_H
#define HS_STATE_FD_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/rd.h"
#include "base/wr.h"
#include "state/store.h"

#define HS_FD_ABI 1
/* The kind's own bytes of a record; contents go into the body. */
#define HS_FD_HEAD_BYTES 8192
#define HS_FD_BODY_MAX ((size_t)256 << 20)
#define HS_FD_PART_BYTES ((size_t)64 << 10)
/* With its NUL; longer paths are refused. */
#define HS_FD_PATH_BYTES 2048

/* Permanent: they are in images. */
enum hs_fd_id {
	HS_FD_ID_FILE = 1,
	HS_FD_ID_DIR = 2,
	HS_FD_ID_PIPE = 3,
	HS_FD_ID_UNIX_LISTEN = 4,
	HS_FD_ID_UNIX_DGRAM = 5,
	HS_FD_ID_UNIX_PAIR = 6,
	HS_FD_ID_TCP_LISTEN = 7,
	HS_FD_ID_UDP = 8,
	HS_FD_ID_EVENTFD = 9,
	HS_FD_ID_TIMERFD = 10,
	HS_FD_ID_SIGNALFD = 11,
	HS_FD_ID_EPOLL = 12,
	HS_FD_ID_INOTIFY = 13,
	HS_FD_ID_TTY = 14,
	HS_FD_ID_APPLICATION = 15,
	HS_FD_ID_TCP = 16,	/* reserved: an established connection */
};

struct hs_fd_ops;

/* A registered descriptor, in this process. */
struct hs_fd_reg {
	int fd;
	unsigned how;
	const struct hs_fd_ops *ops;
	const struct hs_fd_kind *app;	/* HS_FD_ID_APPLICATION: whose */
	int as;			/* whose open file it is; fd if its own */
	int flags;		/* F_GETFL as of the last query or the record */
	int cloexec;
	struct stat st;		/* as of the last query: st_dev, st_ino: F1 */
	uint32_t body_len;	/* in the store */
	bool body_kept;		/* the last query's body is in the store */
	bool placed;		/* the number is in place: false in a restore */
	void *priv;		/* the kind's, until ops->forget */
};

/* What query writes. */
struct hs_fd_out {
	struct hs_wr head;	/* HS_FD_HEAD_BYTES */
	struct hs_wr body;	/* no room until hs_fd_reserve() */
	bool same_body;		/* only if d->body_kept: that holds */
};

/* What restore reads. */
struct hs_fd_in {
	struct hs_rd head;
	const uint8_t *body;	/* borrowed until the call returns */
	size_t body_len;
};

struct hs_fd_ops {
	uint32_t abi;
	const char *name;	/* in messages: "pipe" */
	uint8_t id;
	/*
	 * Order of finish among kinds, ascending: 0 unless this kind's second
	 * pass needs that of another to be done.
	 */
	uint8_t phase;
	/* Is fd of this kind?  1 or 0.  st is fstat()'s. */
	int (*probe)(int fd, const struct stat *st);
	/*
	 * In hsfdreg(), d->fd, how, st, flags set: can it be carried over?
	 * HS_EFD with hs_why() that says what to do; HS_EMISUSE for a how that
	 * does not go with the kind.
	 */
	int (*check)(struct hs_fd_reg *d);
	/*
	 * In the pause, d->st and flags fresh: write the state.  Must not wait
	 * and must not change what the program can see.  What is wrong now is
	 * HS_EFD with hs_why().
	 */
	int (*query)(struct hs_fd_reg *d, struct hs_fd_out *out);
	/*
	 * In hsinit(): a descriptor of any number as the record says, which the
	 * frame puts in place; close-on-exec while it is on its way.  Flags of
	 * fcntl(F_SETFL) are the frame's.  HS_EFD with hs_why(), HS_ECORRUPT
	 * if hs_rd_end() says so.
	 */
	int (*restore)(struct hs_fd_reg *d, struct hs_fd_in *in);
	/*
	 * All numbers are in place: what refers to others (an interest list, a
	 * queue that is fed by a peer).  May be NULL.  in is at its beginning.
	 */
	int (*finish)(struct hs_fd_reg *d, struct hs_fd_in *in);
	/* Unregistered, or the process ends with it: free priv.  Or NULL. */
	void (*forget)(struct hs_fd_reg *d);
};

/* Room in the body for len more bytes: -ENOMEM, -EMSGSIZE. */
HS_MUST_CHECK int hs_fd_reserve(struct hs_fd_out *out, size_t len);

/*
 * In restore, for one that comes with another (the other end): put new in
 * place as number, whose record must be of the kind of ops.  Takes new, on
 * failure too.  The frame then asks no restore of it, but a finish.
 */
HS_MUST_CHECK int hs_fd_restore_place(int number, int new,
    const struct hs_fd_ops *ops);

/* All kinds, NULL at the end, in the order in which they are asked. */
extern const struct hs_fd_ops *const hs_fd_kinds[];
extern const struct hs_fd_ops hs_fd_app;
extern const struct hs_fd_ops hs_fd_dir;
extern const struct hs_fd_ops hs_fd_epoll;
extern const struct hs_fd_ops hs_fd_event;
extern const struct hs_fd_ops hs_fd_file;
extern const struct hs_fd_ops hs_fd_inotify;
extern const struct hs_fd_ops hs_fd_pipe;
extern const struct hs_fd_ops hs_fd_signal;
extern const struct hs_fd_ops hs_fd_tcp;
extern const struct hs_fd_ops hs_fd_timer;
extern const struct hs_fd_ops hs_fd_tty;
extern const struct hs_fd_ops hs_fd_udp;
extern const struct hs_fd_ops hs_fd_unix_dgram;
extern const struct hs_fd_ops hs_fd_unix_listen;
extern const struct hs_fd_ops hs_fd_unix_pair;

#endif
