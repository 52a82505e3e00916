/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Terminals, by their attributes; what was typed and not read is not kept.
 *
 * off len field	rule
 *   0   4 iflag	as tcgetattr() said
 *   4   4 oflag
 *   8   4 cflag
 *  12   4 lflag
 *  16   4 ispeed	as cfgetispeed() said
 *  20   4 ospeed
 *  24   1 line
 *  25  32 cc
 *  57   1 reserved	0
 *  58   8 winsize	rows, columns, x, y: 2 each
 *  66   - path		fd_path.h
 */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_path.h"

#define CC_BYTES 32

_Static_assert(NCCS == CC_BYTES, "docs/format/state.md");

static int
probe_tty(int fd, const struct stat *st)
{
	return S_ISCHR(st->st_mode) && isatty(fd) == 1;
}

static int
check_tty(struct hs_fd_reg *d)
{
	char path[HS_FD_PATH_BYTES];
	unsigned n;
	int rc;

	if (d->how != 0)
		return hs_why(HS_EMISUSE,
		    "hsfdreg(%d): how must be 0 for a terminal", d->fd);
	if (ioctl(d->fd, TIOCGPTN, &n) == 0)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): what is at the other side of a pseudo "
		    "terminal's master stays behind: open one anew after "
		    "HS_RESTORED",
		    d->fd);
	rc = hs_fd_path_find(d, path, NULL);
	if (rc == 0 && strcmp(path, "/dev/tty") == 0)
		rc = hs_why(HS_EFD,
		    "hsfdreg(%d): /dev/tty is another one in each session: "
		    "open the terminal by its own name, see ttyname(3)",
		    d->fd);
	return rc;
}

static int
query_tty(struct hs_fd_reg *d, struct hs_fd_out *out)
{
	struct winsize ws = { .ws_row = 0 };
	char path[HS_FD_PATH_BYTES];
	struct hs_wr *w = &out->head;
	struct termios t;
	int rc;

	rc = hs_fd_path_find(d, path, NULL);
	if (rc < 0)
		return rc;
	if (tcgetattr(d->fd, &t) < 0)
		return hs_why(HS_EFD, "fd %d: %s: %s", d->fd, path,
		    hs_err_text(-errno));
	(void)ioctl(d->fd, TIOCGWINSZ, &ws);
	hs_wr_u32(w, t.c_iflag);
	hs_wr_u32(w, t.c_oflag);
	hs_wr_u32(w, t.c_cflag);
	hs_wr_u32(w, t.c_lflag);
	hs_wr_u32(w, cfgetispeed(&t));
	hs_wr_u32(w, cfgetospeed(&t));
	hs_wr_u8(w, t.c_line);
	hs_wr_bytes(w, t.c_cc, CC_BYTES);
	hs_wr_zeros(w, 1);
	hs_wr_u16(w, ws.ws_row);
	hs_wr_u16(w, ws.ws_col);
	hs_wr_u16(w, ws.ws_xpixel);
	hs_wr_u16(w, ws.ws_ypixel);
	hs_fd_path_write(w, path);
	return 0;
}

/* Only what differs is set: a change of size signals the foreground. */
static int
set_terminal(int fd, const struct termios *t, const struct winsize *ws)
{
	struct winsize now;

	if (tcsetattr(fd, TCSANOW, t) < 0)
		return -errno;
	if (ioctl(fd, TIOCGWINSZ, &now) == 0 &&
	    memcmp(&now, ws, sizeof(now)) != 0 && ioctl(fd, TIOCSWINSZ, ws) < 0)
		return -errno;
	return 0;
}

static int
restore_tty(struct hs_fd_reg *d, struct hs_fd_in *in)
{
	struct termios t = { .c_iflag = 0 };
	struct hs_rd *r = &in->head;
	char path[HS_FD_PATH_BYTES];
	speed_t ispeed, ospeed;
	struct winsize ws;
	int fd, rc;

	t.c_iflag = hs_rd_u32(r);
	t.c_oflag = hs_rd_u32(r);
	t.c_cflag = hs_rd_u32(r);
	t.c_lflag = hs_rd_u32(r);
	ispeed = hs_rd_u32(r);
	ospeed = hs_rd_u32(r);
	t.c_line = hs_rd_u8(r);
	hs_rd_copy(r, t.c_cc, CC_BYTES);
	hs_rd_zeros(r, 1);
	ws.ws_row = hs_rd_u16(r);
	ws.ws_col = hs_rd_u16(r);
	ws.ws_xpixel = hs_rd_u16(r);
	ws.ws_ypixel = hs_rd_u16(r);
	hs_fd_path_read(r, path);
	if (hs_rd_end(r) < 0)
		return HS_ECORRUPT;
	(void)cfsetispeed(&t, ispeed);
	(void)cfsetospeed(&t, ospeed);
	fd = hs_fd_path_open(d, path, 0);
	if (fd < 0)
		return fd;
	rc = set_terminal(fd, &t, &ws);
	if (rc < 0) {
		(void)close(fd);
		return hs_why(HS_EFD, "fd %d: %s: its attributes: %s", d->fd,
		    path, hs_err_text(rc));
	}
	return fd;
}

const struct hs_fd_ops hs_fd_tty = {
	.abi = HS_FD_ABI,
	.name = "terminal",
	.id = HS_FD_ID_TTY,
	.probe = probe_tty,
	.check = check_tty,
	.query = query_tty,
	.restore = restore_tty,
};
