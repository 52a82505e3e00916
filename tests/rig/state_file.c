/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files, directories, terminals, pipes, and a kind of the program's own.
 */
#include "tests/rig/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "hs.h"
#include "tests/rig/turns.h"

/* On every node, and the same there. */
#define SHARED "/usr/share/common-licenses/GPL-2"
/* Below PIPE_BUF: a pipe takes it whole or not at all. */
#define MOST 3900

static void
put_bytes(int fd, const char *buf, size_t n)
{
	errno = 0;
	if (write(fd, buf, n) != (ssize_t)n && errno != EAGAIN)
		hs_turns_wrong("write of %zu bytes: %m", n);
}

/* ---- a file as it is, by two numbers ---- */

static void
open_file(struct state_mirror *m)
{
	state_register(m, 0, open(SHARED, O_RDONLY), 0);
	/* One open file under a second number, far from the first. */
	if (dup2(m->fd[0], 150) < 0)
		hs_turns_wrong("dup2: %m");
	state_register(m, 1, 150, 0);
	state_register(m, 2, open(SHARED, O_RDONLY), 0);
	m->value[0] = 3;
}

static off_t
random_offset(struct state_mirror *m, uint64_t n)
{
	return (off_t)state_random(m, n);
}

static void
seek_files(struct state_mirror *m)
{
	state_toggle(m, (int)m->value[0]);
	for (int i = 0; i < m->value[0]; i++)
		if (state_random(m, 2) == 0)
			(void)lseek(m->fd[i], random_offset(m, 18000),
			    SEEK_SET);
	(void)fcntl(m->fd[0], F_SETFL,
	    state_random(m, 2) != 0 ? O_NONBLOCK : 0);
}

/* The byte that a read() would give is part of it. */
static void
show_offsets(const struct state_mirror *m, FILE *out)
{
	char c = '?';

	state_show_flags(out, m, (int)m->value[0]);
	for (int i = 0; i < m->value[0]; i++) {
		const off_t at = lseek(m->fd[i], 0, SEEK_CUR);

		if (pread(m->fd[i], &c, 1, at) < 0)
			c = '-';
		(void)fprintf(out, "at %lld %02x\n", (long long)at,
		    (unsigned)c);
	}
}

static void
open_same(struct state_mirror *m)
{
	state_register(m, 0, open(SHARED, O_RDONLY), HS_FD_SAME);
	m->value[0] = 1;
}

/* ---- content ---- */

static void
open_content(struct state_mirror *m)
{
	(void)unlink(state_path("content"));
	state_register(m, 0,
	    open(state_path("content"), O_RDWR | O_CREAT, 0640), HS_FD_CONTENT);
	state_register(m, 1, open(state_path("content"), O_RDONLY), 0);
	m->value[0] = 2;
}

static void
open_nameless(struct state_mirror *m)
{
	state_register(m, 0,
	    open(state_path("nameless"), O_RDWR | O_CREAT | O_TRUNC, 0600),
	    HS_FD_CONTENT);
	if (unlink(state_path("nameless")) < 0)
		hs_turns_wrong("unlink: %m");
	m->value[0] = 1;
}

static void
change_content(struct state_mirror *m)
{
	char buf[MOST];
	const size_t n = 1 + state_random(m, MOST);

	state_toggle(m, (int)m->value[0]);
	state_letters(m, buf, n);
	switch (state_random(m, 5)) {
	case 0:
		if (ftruncate(m->fd[0], random_offset(m, 200000)) < 0)
			hs_turns_wrong("ftruncate: %m");
		break;
	case 1:
		if (pwrite(m->fd[0], buf, n, random_offset(m, 200000)) < 0)
			hs_turns_wrong("pwrite: %m");
		break;
	case 2:
		if (pwrite(m->fd[0], buf, 1, 0) < 0)	/* as quick as can be */
			hs_turns_wrong("pwrite: %m");
		break;
	case 3:
		(void)lseek(m->fd[0], random_offset(m, 200000), SEEK_SET);
		break;
	default:
		put_bytes(m->fd[0], buf, n);
	}
	if (m->value[0] == 2)
		(void)lseek(m->fd[1], random_offset(m, 200000), SEEK_SET);
}

static void
show_content(const struct state_mirror *m, FILE *out)
{
	static char buf[MOST];
	struct stat st;
	uint64_t sum = 0;
	off_t at = 0;
	ssize_t n;

	if (fstat(m->fd[0], &st) < 0)
		hs_turns_wrong("fstat: %m");
	while ((n = pread(m->fd[0], buf, sizeof(buf), at)) > 0) {
		sum = state_sum(sum, buf, (size_t)n);
		at += n;
	}
	(void)fprintf(out, "%lld bytes %lu links %o %016llx\n",
	    (long long)st.st_size, (unsigned long)st.st_nlink,
	    st.st_mode & 07777, (unsigned long long)sum);
	show_offsets(m, out);
}

/* ---- directory ---- */

static void
open_directory(struct state_mirror *m)
{
	state_register(m, 0, open("/usr/share", O_RDONLY | O_DIRECTORY), 0);
}

static void
change_directory(struct state_mirror *m)
{
	state_toggle(m, 1);
}

static void
show_directory(const struct state_mirror *m, FILE *out)
{
	state_show_flags(out, m, 1);
	(void)fprintf(out, "%d %lld\n",
	    faccessat(m->fd[0], "common-licenses/GPL-2", R_OK, 0),
	    (long long)lseek(m->fd[0], 0, SEEK_CUR));
}

/* ---- terminal ---- */

static void
open_terminal(struct state_mirror *m)
{
	m->fd[0] = -1;
	if (state_tty() != NULL)
		state_register(m, 0, open(state_tty(), O_RDWR | O_NOCTTY), 0);
}

static void
change_terminal(struct state_mirror *m)
{
	struct termios t;

	if (m->fd[0] < 0)
		return;
	if (tcgetattr(m->fd[0], &t) < 0)
		hs_turns_wrong("tcgetattr: %m");
	state_toggle(m, 1);
	t.c_cc[VMIN] = (cc_t)state_random(m, 200);
	t.c_lflag ^= (tcflag_t)(state_random(m, 2) != 0 ? ECHO | ISIG : ICANON);
	t.c_oflag ^= (tcflag_t)(state_random(m, 2) != 0 ? OPOST : 0);
	if (tcsetattr(m->fd[0], TCSANOW, &t) < 0)
		hs_turns_wrong("tcsetattr: %m");
}

static void
show_terminal(const struct state_mirror *m, FILE *out)
{
	struct termios t;

	if (m->fd[0] < 0)
		return;
	if (tcgetattr(m->fd[0], &t) < 0)
		hs_turns_wrong("tcgetattr: %m");
	state_show_flags(out, m, 1);
	(void)fprintf(out, "%x %x %x %x %016llx\n", t.c_iflag, t.c_oflag,
	    t.c_cflag, t.c_lflag,
	    (unsigned long long)state_sum(0, t.c_cc, sizeof(t.c_cc)));
}

/* ---- pipes ---- */

static void
open_pipe_with(struct state_mirror *m, int flags)
{
	int end[2];

	if (pipe2(end, flags) < 0)
		hs_turns_wrong("pipe: %m");
	state_register(m, 0, end[0], 0);
	state_register(m, 1, end[1], 0);
}

static void
open_pipe(struct state_mirror *m)
{
	open_pipe_with(m, O_NONBLOCK);
}

static void
open_packets(struct state_mirror *m)
{
	open_pipe_with(m, O_NONBLOCK | O_DIRECT);
}

static void
change_pipe(struct state_mirror *m)
{
	static const int sizes[] = { 65536, 131072, 262144 };
	char buf[MOST];
	const size_t n = 1 + state_random(m, MOST);

	state_toggle(m, 2);
	state_letters(m, buf, n);
	switch (state_random(m, 4)) {
	case 0:
		/* Smaller than what is in it is refused. */
		(void)fcntl(m->fd[1], F_SETPIPE_SZ, sizes[state_random(m, 3)]);
		break;
	case 1:
		if (read(m->fd[0], buf, n) < 0 && errno != EAGAIN)
			hs_turns_wrong("read: %m");
		break;
	default:
		put_bytes(m->fd[1], buf, n);
	}
}

/* Drained and filled again, read by read: packets count. */
static void
show_pipe(const struct state_mirror *m, FILE *out)
{
	static char buf[1 << 20];
	static ssize_t len[512];
	uint64_t sum = 0;
	size_t n = 0, at = 0;

	while (n < 512 &&
	    (len[n] = read(m->fd[0], buf + at, sizeof(buf) - at)) > 0) {
		sum = state_sum(sum, buf + at, (size_t)len[n]);
		sum = state_sum(sum, &len[n], sizeof(len[n]));
		at += (size_t)len[n++];
	}
	state_show_flags(out, m, 2);
	(void)fprintf(out, "%d bytes, %zu reads of %zu %016llx\n",
	    fcntl(m->fd[0], F_GETPIPE_SZ), n, at, (unsigned long long)sum);
	at = 0;
	for (size_t i = 0; i < n; i++) {
		put_bytes(m->fd[1], buf + at, (size_t)len[i]);
		at += (size_t)len[i];
	}
}

/* ---- the program's own kind: memory with a name ---- */

static int
probe_memory(int fd, void *arg)
{
	char name[32], link[64];
	ssize_t n;

	(void)arg;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	return strncmp(link, "/memfd:svc_state", 16) == 0;
}

static long
query_memory(int fd, void *buf, size_t size, void *arg)
{
	struct stat st;

	(void)arg;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size <= size &&
	    pread(fd, buf, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	return st.st_size;
}

static int
restore_memory(const void *buf, size_t len, void *arg)
{
	const int fd = memfd_create("svc_state", 0);

	(void)arg;
	if (fd < 0)
		return -errno;
	return pwrite(fd, buf, len, 0) == (ssize_t)len ? fd : -EIO;
}

const struct hs_fd_kind state_named_memory = {
	.size = sizeof(struct hs_fd_kind),
	.name = "memory with a name",
	.probe = probe_memory,
	.query = query_memory,
	.restore = restore_memory,
};

static void
open_memory(struct state_mirror *m)
{
	state_register(m, 0, memfd_create("svc_state", 0), 0);
}

static void
change_memory(struct state_mirror *m)
{
	char buf[MOST];
	const size_t n = 1 + state_random(m, MOST);

	state_toggle(m, 1);
	state_letters(m, buf, n);
	if (pwrite(m->fd[0], buf, n, random_offset(m, 20000)) < 0)
		hs_turns_wrong("pwrite: %m");
}

static void
show_memory(const struct state_mirror *m, FILE *out)
{
	static char buf[32768];
	const ssize_t n = pread(m->fd[0], buf, sizeof(buf), 0);

	state_show_flags(out, m, 1);
	(void)fprintf(out, "%zd %016llx\n", n,
	    (unsigned long long)state_sum(0, buf, n > 0 ? (size_t)n : 0));
}

const struct state_kind state_file = { .name = "file",
	.open = open_file,
	.change = seek_files,
	.show = show_offsets };

const struct state_kind state_same = { .name = "file-same",
	.open = open_same,
	.change = seek_files,
	.show = show_offsets };

const struct state_kind state_content = { .name = "file-content",
	.open = open_content,
	.change = change_content,
	.show = show_content };

const struct state_kind state_nameless = { .name = "file-nameless",
	.open = open_nameless,
	.change = change_content,
	.show = show_content };

const struct state_kind state_directory = { .name = "directory",
	.open = open_directory,
	.change = change_directory,
	.show = show_directory };

const struct state_kind state_terminal = { .name = "terminal",
	.open = open_terminal,
	.change = change_terminal,
	.show = show_terminal };

const struct state_kind state_pipe = { .name = "pipe",
	.open = open_pipe,
	.change = change_pipe,
	.show = show_pipe };

const struct state_kind state_packets = { .name = "pipe-packets",
	.open = open_packets,
	.change = change_pipe,
	.show = show_pipe };

const struct state_kind state_application = { .name = "application",
	.open = open_memory,
	.change = change_memory,
	.show = show_memory };
