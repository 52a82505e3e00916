/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sock.h"
#include "tests/unit/suite.h"

static void
open_pair(int pair[2])
{
	int rc = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);

	CU_ASSERT_EQUAL_FATAL(rc, 0);
}

static void
close_pair(const int pair[2])
{
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* The number that the next descriptor would get: tells of leaks. */
static int
next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)close(fd);
	return fd;
}

static void
messages_keep_their_bounds(void)
{
	char buf[16];
	int pair[2];

	open_pair(pair);
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "one", 3, NULL, 0), 0);
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "three", 5, NULL, 0), 0);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), NULL, NULL, 0),
	    3);
	CU_ASSERT_EQUAL(memcmp(buf, "one", 3), 0);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), NULL, NULL, 0),
	    5);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), NULL, NULL,
			    MSG_DONTWAIT),
	    -EAGAIN);
	/* An empty message would read as the peer's end. */
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "", 0, NULL, 0), -EINVAL);
	close_pair(pair);
}

static void
a_gone_peer_is_told(void)
{
	char buf[4];
	int pair[2];

	open_pair(pair);
	(void)close(pair[0]);
	errno = EINTR;	/* of some call before: none of our business */
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), NULL, NULL, 0),
	    0);
	/* Without MSG_NOSIGNAL this would end the program. */
	CU_ASSERT_EQUAL(hs_sock_send(pair[1], "x", 1, NULL, 0), -EPIPE);
	(void)close(pair[1]);
}

/* Also of a peer that did not read to the end: ECONNRESET comes first then. */
static void
last_words_are_heard(void)
{
	char buf[8];
	int pair[2];

	open_pair(pair);
	CU_ASSERT_EQUAL(hs_sock_send(pair[1], "unread", 6, NULL, 0), 0);
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "last", 4, NULL, 0), 0);
	(void)close(pair[0]);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), NULL, NULL, 0),
	    4);
	CU_ASSERT_EQUAL(memcmp(buf, "last", 4), 0);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), NULL, NULL, 0),
	    0);
	(void)close(pair[1]);
}

static void
descriptors_come_along(void)
{
	int pair[2], pipefd[2], got = -1, n = 1;
	char buf[4], c = 0;

	open_pair(pair);
	CU_ASSERT_EQUAL_FATAL(pipe2(pipefd, O_CLOEXEC), 0);
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "x", 1, &pipefd[1], 1), 0);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), &got, &n, 0),
	    1);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	CU_ASSERT_EQUAL(fcntl(got, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	CU_ASSERT_EQUAL(write(got, "y", 1), 1);
	CU_ASSERT_EQUAL(read(pipefd[0], &c, 1), 1);
	CU_ASSERT_EQUAL(c, 'y');
	(void)close(got);
	close_pair(pipefd);
	close_pair(pair);
}

static void
surplus_descriptors_are_closed(void)
{
	int fds[HS_SOCK_MAX_FDS + 1], pair[2], got[2], n = 2, before;
	char buf[4];

	open_pair(pair);
	for (int i = 0; i <= HS_SOCK_MAX_FDS; i++)
		fds[i] = pair[0];
	before = next_fd();
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "x", 1, fds, HS_SOCK_MAX_FDS), 0);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), got, &n, 0), 1);
	CU_ASSERT_EQUAL(n, 2);
	CU_ASSERT_EQUAL(next_fd(), before + 2);
	close_pair(got);

	/* Who wants none gets none. */
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "x", 1, fds, 3), 0);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), NULL, NULL, 0),
	    1);
	CU_ASSERT_EQUAL(next_fd(), before);
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "x", 1, fds, HS_SOCK_MAX_FDS + 1),
	    -EINVAL);
	close_pair(pair);
}

static void
a_long_message_is_refused_with_its_descriptors(void)
{
	int pair[2], got = -1, n = 1, before;
	char buf[4];

	open_pair(pair);
	before = next_fd();
	CU_ASSERT_EQUAL(hs_sock_send(pair[0], "12345", 5, &pair[0], 1), 0);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), &got, &n, 0),
	    -EMSGSIZE);
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(got, -1);
	CU_ASSERT_EQUAL(next_fd(), before);
	close_pair(pair);
}

static void
a_full_socket_says_so(void)
{
	static char buf[4096];
	int pair[2], rc = 0;

	open_pair(pair);
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = hs_sock_send(pair[0], buf, sizeof(buf), NULL, 0);
	CU_ASSERT_EQUAL(rc, -EAGAIN);
	close_pair(pair);
}

static void
ignore_alarm(int signo)
{
	(void)signo;
}

/* A signal that ends each system call does not end ours. */
static void
signals_do_not_end_a_call(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = ignore_alarm }, old;
	char buf[4];
	int pair[2];
	pid_t pid;

	open_pair(pair);
	pid = fork();
	CU_ASSERT_NOT_EQUAL_FATAL(pid, -1);
	if (pid == 0) {
		(void)usleep(30000);
		_exit(hs_sock_send(pair[0], "late", 4, NULL, 0) != 0);
	}
	CU_ASSERT_EQUAL(sigaction(SIGALRM, &sa, &old), 0);
	CU_ASSERT_EQUAL(setitimer(ITIMER_REAL, &often, NULL), 0);
	CU_ASSERT_EQUAL(hs_sock_recv(pair[1], buf, sizeof(buf), NULL, NULL, 0),
	    4);
	CU_ASSERT_EQUAL(setitimer(ITIMER_REAL, &never, NULL), 0);
	CU_ASSERT_EQUAL(sigaction(SIGALRM, &old, NULL), 0);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	close_pair(pair);
}

static void
the_clock_does_not_go_back(void)
{
	uint64_t last = hs_clock_ns(), start = last;
	int backward = 0;

	for (int i = 0; i < 100000; i++) {
		uint64_t now = hs_clock_ns();

		backward += now < last;
		last = now;
	}
	CU_ASSERT_EQUAL(backward, 0);
	(void)usleep(1000);
	CU_ASSERT_TRUE(hs_clock_ns() - start >= 1000000);
}

HS_SUITE(base_sock, HS_TEST(messages_keep_their_bounds),
    HS_TEST(a_gone_peer_is_told), HS_TEST(last_words_are_heard),
    HS_TEST(descriptors_come_along), HS_TEST(surplus_descriptors_are_closed),
    HS_TEST(a_long_message_is_refused_with_its_descriptors),
    HS_TEST(a_full_socket_says_so), HS_TEST(signals_do_not_end_a_call),
    HS_TEST(the_clock_does_not_go_back))
