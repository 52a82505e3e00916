/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UNIX sockets.
 */
#include "tests/rig/state_unix.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/rig/turns.h"

#define MOST 2000
#define MOST_MESSAGES 64

/* What was taken out of a queue, to be put back. */
struct message {
	size_t len;
	char bytes[MOST * 40];
	char from[32];
};

static struct message messages[MOST_MESSAGES];

/* Words for all of it; a stream has one. */
static size_t
drain(int fd, FILE *out)
{
	struct sockaddr_un from;
	socklen_t len;
	uint64_t sum = 0;
	size_t n = 0, bytes = 0;
	ssize_t got;

	for (; n < MOST_MESSAGES; n++) {
		struct message *m = &messages[n];

		memset(&from, 0, sizeof(from));
		len = sizeof(from);
		got = recvfrom(fd, m->bytes, sizeof(m->bytes), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len);
		if (got < 0)
			break;
		m->len = (size_t)got;
		(void)snprintf(m->from, sizeof(m->from), "%.31s",
		    from.sun_path);
		sum = state_sum(sum, m->bytes, m->len);
		sum = state_sum(sum, &m->len, sizeof(m->len));
		sum = state_sum(sum, m->from, strlen(m->from));
		bytes += m->len;
	}
	(void)fprintf(out, "%zu reads of %zu %016llx\n", n, bytes,
	    (unsigned long long)sum);
	return n;
}

static void
refill(int through, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (send(through, messages[i].bytes, messages[i].len,
			MSG_DONTWAIT) < 0)
			hs_turns_wrong("put back: %m");
}

/* ---- pairs ---- */

static void
open_pair(struct state_mirror *m, int type)
{
	int end[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, end) < 0)
		hs_turns_wrong("socketpair: %m");
	state_register(m, 0, end[0], 0);
	state_register(m, 1, end[1], 0);
}

static void
open_stream(struct state_mirror *m)
{
	open_pair(m, SOCK_STREAM);
}

static void
open_seqpacket(struct state_mirror *m)
{
	open_pair(m, SOCK_SEQPACKET);
}

static void
open_dgram_pair(struct state_mirror *m)
{
	open_pair(m, SOCK_DGRAM);
}

static int
ask_int(int fd, int option)
{
	socklen_t len = sizeof(int);
	int v = -1;

	(void)getsockopt(fd, SOL_SOCKET, option, &v, &len);
	return v;
}

static void
change_pair(struct state_mirror *m)
{
	char buf[MOST];
	const size_t n = 1 + state_random(m, MOST);
	const size_t end = state_random(m, 2);
	const int size = (int)(110000 + state_random(m, 100000));

	state_toggle(m, 2);
	state_letters(m, buf, n);
	switch (state_random(m, 5)) {
	case 0:
	case 1:
		if (recv(m->fd[end], buf, n, MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			hs_turns_wrong("recv: %m");
		break;
	case 2:
		/* Larger only: all that was put in goes in again. */
		if (2 * size > ask_int(m->fd[end], SO_SNDBUF))
			(void)setsockopt(m->fd[end], SOL_SOCKET, SO_SNDBUF,
			    &size, sizeof(size));
		break;
	default:
		if (send(m->fd[end], buf, n, MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			hs_turns_wrong("send: %m");
	}
}

static void
show_pair(const struct state_mirror *m, FILE *out)
{
	size_t n;

	state_show_flags(out, m, 2);
	for (int end = 0; end < 2; end++) {
		(void)fprintf(out,
		    "type %d, %d: ", ask_int(m->fd[end], SO_TYPE),
		    ask_int(m->fd[end], SO_SNDBUF));
		n = drain(m->fd[end], out);
		refill(m->fd[1 - end], n);
	}
}

/* ---- names ---- */

static int
open_named(const char *name, int type)
{
	const char *path = state_path(name);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		hs_turns_wrong("%s: %m", path);
	return fd;
}

static int
connect_named(int fd, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", state_path(name));
	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static void
open_unix_listen(struct state_mirror *m)
{
	const int l = open_named("listen", SOCK_STREAM);

	if (listen(l, 11) < 0)
		hs_turns_wrong("listen: %m");
	state_register(m, 0, l, 0);
}

static void
change_unix_listen(struct state_mirror *m)
{
	state_toggle(m, 1);
	if (chmod(state_path("listen"),
		(mode_t)(0600 + state_random(m, 0100))) < 0)
		hs_turns_wrong("chmod: %m");
}

static void
show_unix_listen(const struct state_mirror *m, FILE *out)
{
	const int c = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;
	int s = -1;

	state_show_flags(out, m, 1);
	if (connect_named(c, "listen") == 0)
		s = accept(m->fd[0], NULL, NULL);
	if (lstat(state_path("listen"), &st) < 0)
		st.st_mode = 0;
	(void)fprintf(out, "%s %o\n", s >= 0 ? "accepts" : "deaf", st.st_mode);
	(void)close(s);
	(void)close(c);
}

static void
open_unix_dgram(struct state_mirror *m)
{
	state_register(m, 0, open_named("one", SOCK_DGRAM), 0);
	state_register(m, 1, open_named("two", SOCK_DGRAM), 0);
	if (connect_named(m->fd[1], "one") < 0)
		hs_turns_wrong("connect: %m");
}

static void
change_unix_dgram(struct state_mirror *m)
{
	char buf[MOST];
	const size_t n = 1 + state_random(m, MOST);

	state_toggle(m, 2);
	state_letters(m, buf, n);
	if (state_random(m, 3) == 0) {
		if (recv(m->fd[0], buf, n, MSG_DONTWAIT) < 0 && errno != EAGAIN)
			hs_turns_wrong("recv: %m");
	} else if (send(m->fd[1], buf, n, MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN) {
		hs_turns_wrong("send: %m");
	}
}

static void
show_unix_dgram(const struct state_mirror *m, FILE *out)
{
	state_show_flags(out, m, 2);
	refill(m->fd[1], drain(m->fd[0], out));
}

const struct state_kind state_stream = { .name = "unix-stream",
	.open = open_stream,
	.change = change_pair,
	.show = show_pair };

const struct state_kind state_seqpacket = { .name = "unix-seqpacket",
	.open = open_seqpacket,
	.change = change_pair,
	.show = show_pair };

const struct state_kind state_dgram_pair = { .name = "unix-pair-dgram",
	.open = open_dgram_pair,
	.change = change_pair,
	.show = show_pair };

const struct state_kind state_unix_listen = { .name = "unix-listen",
	.open = open_unix_listen,
	.change = change_unix_listen,
	.show = show_unix_listen };

const struct state_kind state_unix_dgram = { .name = "unix-dgram",
	.open = open_unix_dgram,
	.change = change_unix_dgram,
	.show = show_unix_dgram };
