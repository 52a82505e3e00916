/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/fd_unix.h"
#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

static char dir[64];

static struct sockaddr_un
address(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name);
	return a;
}

static void
start(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/hotspare-unit.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	state_begin();
}

static void
finish(void)
{
	state_end();
	(void)unlink(address("a").sun_path);
	(void)unlink(address("b").sun_path);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static int
open_bound(const char *name, int type)
{
	const struct sockaddr_un a = address(name);
	int fd = socket(AF_UNIX, type, 0);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&a, sizeof(a)),
	    0);
	return fd;
}

static int
connect_to(int fd, const char *name)
{
	const struct sockaddr_un a = address(name);

	return connect(fd, (const struct sockaddr *)&a, sizeof(a));
}

static void
open_pair(int end[2], int type)
{
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, type, 0, end), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(end[1], 0), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(end[0], 0), 0);
}

static void
expect_bytes(int fd, const char *want)
{
	char buf[256];
	const ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	CU_ASSERT_EQUAL(n, (ssize_t)strlen(want));
	CU_ASSERT(n >= 0 && memcmp(buf, want, (size_t)n) == 0);
}

static void
expect_nothing(int fd)
{
	char c;

	CU_ASSERT_EQUAL(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
}

static void
streams_keep_both_directions(void)
{
	int end[2];

	start();
	open_pair(end, SOCK_STREAM);
	CU_ASSERT_EQUAL(send(end[0], "to one", 6, 0), 6);
	CU_ASSERT_EQUAL(send(end[1], "to ", 3, 0), 3);
	CU_ASSERT_EQUAL(send(end[1], "zero", 4, 0), 4);
	state_takeover();
	state_takeover();
	expect_bytes(end[1], "to one");
	expect_bytes(end[0], "to zero");
	expect_nothing(end[0]);
	CU_ASSERT_EQUAL(send(end[0], "more", 4, 0), 4);
	expect_bytes(end[1], "more");
	finish();
}

/* Messages keep their bounds, also those larger than one look. */
static void
messages_keep_their_bounds(const int type)
{
	const size_t large = 100000;
	struct hs_random rnd;
	uint8_t *in = malloc(large), *out = malloc(large);
	int end[2];

	hs_random_init(&rnd);
	hs_random_fill(&rnd, in, large);
	start();
	open_pair(end, type);
	CU_ASSERT_EQUAL(send(end[0], "one", 3, 0), 3);
	CU_ASSERT_EQUAL(send(end[0], in, large, 0), (ssize_t)large);
	CU_ASSERT_EQUAL(send(end[0], "three", 5, 0), 5);
	CU_ASSERT_EQUAL(send(end[1], "back", 4, 0), 4);
	state_takeover();
	expect_bytes(end[1], "one");
	CU_ASSERT_EQUAL(recv(end[1], out, large, 0), (ssize_t)large);
	CU_ASSERT_EQUAL(memcmp(in, out, large), 0);
	expect_bytes(end[1], "three");
	expect_nothing(end[1]);
	expect_bytes(end[0], "back");
	finish();
	free(in);
	free(out);
}

static void
seqpackets_and_datagrams_of_pairs(void)
{
	messages_keep_their_bounds(SOCK_SEQPACKET);
	messages_keep_their_bounds(SOCK_DGRAM);
}

static void
options_come_back(void)
{
	const struct timeval tv = { .tv_sec = 7, .tv_usec = 500000 };
	struct timeval now;
	socklen_t len = sizeof(now);
	int end[2], v = 1, off = 0;

	start();
	open_pair(end, SOCK_STREAM);
	CU_ASSERT_EQUAL(setsockopt(end[0], SOL_SOCKET, SO_PASSCRED, &v,
			    sizeof(v)),
	    0);
	CU_ASSERT_EQUAL(setsockopt(end[0], SOL_SOCKET, SO_PEEK_OFF, &off,
			    sizeof(off)),
	    0);
	v = 100000;
	CU_ASSERT_EQUAL(setsockopt(end[1], SOL_SOCKET, SO_SNDBUF, &v,
			    sizeof(v)),
	    0);
	CU_ASSERT_EQUAL(setsockopt(end[1], SOL_SOCKET, SO_RCVTIMEO, &tv,
			    sizeof(tv)),
	    0);
	CU_ASSERT_EQUAL(send(end[1], "x", 1, 0), 1);
	state_takeover();
	len = sizeof(v);
	CU_ASSERT_EQUAL(getsockopt(end[1], SOL_SOCKET, SO_SNDBUF, &v, &len), 0);
	CU_ASSERT_EQUAL(v, 200000);
	CU_ASSERT_EQUAL(getsockopt(end[0], SOL_SOCKET, SO_PASSCRED, &v, &len),
	    0);
	CU_ASSERT_EQUAL(v, 1);
	CU_ASSERT_EQUAL(getsockopt(end[0], SOL_SOCKET, SO_PEEK_OFF, &v, &len),
	    0);
	CU_ASSERT_EQUAL(v, 0);
	len = sizeof(now);
	CU_ASSERT_EQUAL(getsockopt(end[1], SOL_SOCKET, SO_RCVTIMEO, &now, &len),
	    0);
	CU_ASSERT_EQUAL(now.tv_sec, 7);
	finish();
}

/* What is in flight may be more than a buffer that was made smaller holds. */
static void
a_queue_larger_than_its_buffer(void)
{
	char bytes[3000] = "";
	int end[2], sent = 0, got = 0, v = 2000;
	ssize_t n;

	start();
	open_pair(end, SOCK_STREAM);
	while ((n = send(end[0], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		sent += (int)n;
	CU_ASSERT(sent > 50000);
	CU_ASSERT_EQUAL(setsockopt(end[0], SOL_SOCKET, SO_SNDBUF, &v,
			    sizeof(v)),
	    0);
	state_takeover();
	while ((n = recv(end[1], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		got += (int)n;
	CU_ASSERT_EQUAL(got, sent);
	finish();

	/* Messages of one byte take the most memory. */
	start();
	open_pair(end, SOCK_SEQPACKET);
	for (sent = 0; send(end[0], "x", 1, MSG_DONTWAIT) == 1; sent++)
		continue;
	CU_ASSERT_EQUAL(setsockopt(end[0], SOL_SOCKET, SO_SNDBUF, &v,
			    sizeof(v)),
	    0);
	state_takeover();
	for (got = 0; recv(end[1], bytes, 2, MSG_DONTWAIT) == 1; got++)
		continue;
	CU_ASSERT_EQUAL(got, sent);
	finish();
}

static void
shut_and_closed_ends_stay_so(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
	struct pollfd p;
	int end[2];

	for (size_t i = 0; i < 2; i++) {
		start();
		open_pair(end, types[i]);
		CU_ASSERT_EQUAL(send(end[1], "last", 4, 0), 4);
		CU_ASSERT_EQUAL(shutdown(end[1], SHUT_WR), 0);
		state_takeover();
		expect_bytes(end[0], "last");
		expect_bytes(end[0], "");
		CU_ASSERT_EQUAL(send(end[1], "", 1, MSG_NOSIGNAL), -1);
		CU_ASSERT_EQUAL(errno, EPIPE);
		CU_ASSERT_EQUAL(send(end[0], "other way", 9, 0), 9);
		expect_bytes(end[1], "other way");
		finish();

		start();
		open_pair(end, types[i]);
		CU_ASSERT_EQUAL(send(end[1], "bye", 3, 0), 3);
		CU_ASSERT_EQUAL(hs_fd_unregister(state_store(), end[1]), 0);
		(void)close(end[1]);
		state_takeover();
		expect_bytes(end[0], "bye");
		expect_bytes(end[0], "");
		p = (struct pollfd){ .fd = end[0] };
		CU_ASSERT_EQUAL(poll(&p, 1, 0), 1);
		CU_ASSERT(p.revents & POLLHUP);
		finish();
	}
	/* Of a datagram pair, each end is shut on its own. */
	start();
	open_pair(end, SOCK_DGRAM);
	CU_ASSERT_EQUAL(send(end[1], "last", 4, 0), 4);
	CU_ASSERT_EQUAL(shutdown(end[1], SHUT_WR), 0);
	state_takeover();
	expect_bytes(end[0], "last");
	CU_ASSERT_EQUAL(send(end[1], "x", 1, MSG_NOSIGNAL), -1);
	CU_ASSERT_EQUAL(send(end[0], "x", 1, 0), 1);
	finish();
}

/* Both ends by way of connect() and accept(), and numbers far apart. */
static void
a_connection_to_oneself(void)
{
	int l, c, s;

	start();
	l = open_bound("a", SOCK_STREAM);
	CU_ASSERT_EQUAL(listen(l, 3), 0);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(connect_to(c, "a"), 0);
	s = accept(l, NULL, NULL);
	CU_ASSERT_EQUAL(hs_fd_register(l, 0), 0);
	CU_ASSERT_EQUAL(hs_fd_register(c, 0), 0);
	CU_ASSERT_EQUAL(hs_fd_register(s, 0), 0);
	CU_ASSERT_EQUAL(send(c, "hello", 5, 0), 5);
	state_takeover();
	expect_bytes(s, "hello");
	finish();
}

static void
listening_sockets_accept_again(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
	struct hs_fd_unix_diag diag;
	struct hs_fd_reg d = { .fd = -1 };
	struct stat st;
	mode_t mask;
	int l, c, s;

	for (size_t i = 0; i < 2; i++) {
		start();
		l = open_bound("a", types[i]);
		CU_ASSERT_EQUAL(chmod(address("a").sun_path, 0640), 0);
		CU_ASSERT_EQUAL(listen(l, 37), 0);
		CU_ASSERT_EQUAL(hs_fd_register(l, 0), 0);
		mask = umask(0777);
		state_takeover();	/* over the file that is left behind */
		(void)umask(mask);
		CU_ASSERT_EQUAL(lstat(address("a").sun_path, &st), 0);
		CU_ASSERT_EQUAL(st.st_mode & 07777, 0640);
		d.fd = l;
		CU_ASSERT_EQUAL(fstat(l, &d.st), 0);
		CU_ASSERT_EQUAL(hs_fd_unix_ask(&d, &diag), 0);
		CU_ASSERT_EQUAL(diag.backlog, 37);
		c = socket(AF_UNIX, types[i], 0);
		CU_ASSERT_EQUAL(connect_to(c, "a"), 0);
		s = accept(l, NULL, NULL);
		CU_ASSERT(s >= 0);
		(void)close(s);
		(void)close(c);
		finish();
	}
}

static void
abstract_names(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = "\0hotspare\0unit" };
	const socklen_t len = sizeof(sa_family_t) + 14;
	int l, c;

	start();
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL_FATAL(bind(l, (struct sockaddr *)&a, len), 0);
	CU_ASSERT_EQUAL(listen(l, 5), 0);
	CU_ASSERT_EQUAL(hs_fd_register(l, 0), 0);
	state_takeover();
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(connect(c, (struct sockaddr *)&a, len), 0);
	(void)close(c);
	finish();
}

static void
expect_from(int fd, const char *want, const char *sender)
{
	struct sockaddr_un from = { .sun_family = 0 };
	socklen_t len = sizeof(from);
	char buf[64];
	const ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &len);

	CU_ASSERT_EQUAL(n, (ssize_t)strlen(want));
	CU_ASSERT(n >= 0 && memcmp(buf, want, (size_t)n) == 0);
	if (sender == NULL)
		CU_ASSERT(len <= sizeof(sa_family_t))
	else
		CU_ASSERT_STRING_EQUAL(from.sun_path, address(sender).sun_path);
}

/* From a registered socket, from one of another program, from one unnamed. */
static void
datagrams_keep_their_senders(void)
{
	const struct sockaddr_un to = address("a");
	int a, b, stranger;

	start();
	a = open_bound("a", SOCK_DGRAM);
	b = open_bound("b", SOCK_DGRAM);
	stranger = socket(AF_UNIX, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(connect_to(b, "a"), 0);
	CU_ASSERT_EQUAL(hs_fd_register(a, 0), 0);
	CU_ASSERT_EQUAL(hs_fd_register(b, 0), 0);
	(void)to;
	CU_ASSERT_EQUAL(send(b, "from b", 6, 0), 6);
	CU_ASSERT_EQUAL(connect_to(stranger, "a"), 0);
	CU_ASSERT_EQUAL(send(stranger, "unnamed", 7, 0), 7);
	(void)close(stranger);
	stranger = open_bound("c", SOCK_DGRAM);
	CU_ASSERT_EQUAL(connect_to(stranger, "a"), 0);
	CU_ASSERT_EQUAL(send(stranger, "from c", 6, 0), 6);
	(void)close(stranger);
	(void)unlink(address("c").sun_path);
	state_takeover();
	expect_from(a, "from b", "b");
	expect_from(a, "unnamed", NULL);
	expect_from(a, "from c", "c");
	expect_nothing(a);
	CU_ASSERT_EQUAL(access(address("c").sun_path, F_OK), -1);
	CU_ASSERT_EQUAL(send(b, "still connected", 15, 0), 15);
	expect_from(a, "still connected", "b");
	finish();
}

static void
a_peer_that_is_not_there_is_a_dead_one(void)
{
	int a, fd;

	start();
	a = open_bound("a", SOCK_DGRAM);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(connect_to(fd, "a"), 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	(void)close(a);
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	CU_ASSERT_EQUAL(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	finish();
}

/* ---- refusals ---- */

static void
descriptors_in_flight_stop_the_checkpoint(void)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int end[2], before, zero = 0;
	char buf[4];

	start();
	open_pair(end, SOCK_STREAM);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &zero, sizeof(zero));
	CU_ASSERT_EQUAL(state_query(), 0);	/* unix_diag is open now */
	before = state_open_fds();
	CU_ASSERT_EQUAL(sendmsg(end[0], &m, 0), 1);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("receive them before the checkpoint"));
	CU_ASSERT_EQUAL(state_open_fds(), before);
	CU_ASSERT_EQUAL(recv(end[1], buf, 4, 0), 1);
	CU_ASSERT_EQUAL(state_query(), 0);
	finish();
}

static void
other_ends_are_asked_for(void)
{
	int end[2];

	start();
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
	CU_ASSERT_EQUAL(hs_fd_register(end[0], 0), 0);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("call hsfdreg() on it too"));
	(void)close(end[1]);
	CU_ASSERT_EQUAL(state_query(), 0);
	finish();
}

static void
other_processes_are_refused(void)
{
	int end[2], status;
	pid_t pid;
	char c;

	start();
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(end[0]);
		_exit((int)read(end[1], &c, 1));
	}
	(void)close(end[1]);
	CU_ASSERT_EQUAL(hs_fd_register(end[0], 0), HS_EFD);
	CU_ASSERT(state_says("let the peer connect again"));
	(void)close(end[0]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	finish();
}

static void
names_that_lead_nowhere_are_refused(void)
{
	const struct sockaddr_un relative = { .sun_family = AF_UNIX,
		.sun_path = "hotspare-unit-relative" };
	int fd, v = 1;

	start();
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("cannot be carried"));
	CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&relative,
				  sizeof(relative)),
	    0);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("a path that begins with /"));
	(void)unlink(relative.sun_path);
	(void)close(fd);
	fd = open_bound("a", SOCK_STREAM);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_SAME), HS_EMISUSE);
	CU_ASSERT(state_says("how must be 0"));
	(void)unlink(address("a").sun_path);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("no longer leads to this socket"));
	(void)close(fd);
	fd = open_bound("a", SOCK_DGRAM);
	if (setsockopt(fd, SOL_SOCKET, SO_PASSSEC, &v, sizeof(v)) == 0) {
		CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
		CU_ASSERT(state_says("take them off"));
	}
	(void)close(fd);
	finish();
}

static void
a_name_in_use_stops_the_restore(void)
{
	int fd, other;

	start();
	fd = open_bound("a", SOCK_STREAM);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	(void)unlink(address("a").sun_path);
	other = dup2(open_bound("a", SOCK_STREAM), 300);
	(void)close(fd);
	CU_ASSERT_EQUAL(listen(other, 1), 0);
	CU_ASSERT_EQUAL(state_restore(), HS_EFD);
	CU_ASSERT(state_says("must be free on the spare"));
	(void)close(other);
	CU_ASSERT_EQUAL(state_restore(), 0);
	finish();
}

HS_SUITE(state_fd_unix, HS_TEST(streams_keep_both_directions),
    HS_TEST(seqpackets_and_datagrams_of_pairs), HS_TEST(options_come_back),
    HS_TEST(a_queue_larger_than_its_buffer),
    HS_TEST(shut_and_closed_ends_stay_so), HS_TEST(a_connection_to_oneself),
    HS_TEST(listening_sockets_accept_again), HS_TEST(abstract_names),
    HS_TEST(datagrams_keep_their_senders),
    HS_TEST(a_peer_that_is_not_there_is_a_dead_one),
    HS_TEST(descriptors_in_flight_stop_the_checkpoint),
    HS_TEST(other_ends_are_asked_for), HS_TEST(other_processes_are_refused),
    HS_TEST(names_that_lead_nowhere_are_refused),
    HS_TEST(a_name_in_use_stops_the_restore))
