/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

/* A registered pipe at numbers of its own. */
static void
open_pipe(int end[2], int flags)
{
	CU_ASSERT_EQUAL_FATAL(pipe2(end, flags), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(end[0], 0), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(end[1], 0), 0);
}

static void
expect_bytes(int fd, const char *want)
{
	char buf[256];
	const ssize_t n = read(fd, buf, sizeof(buf));

	CU_ASSERT_EQUAL(n, (ssize_t)strlen(want));
	CU_ASSERT(n >= 0 && memcmp(buf, want, (size_t)n) == 0);
}

static void
content_comes_back_and_stays(void)
{
	int end[2], left;

	state_begin();
	open_pipe(end, O_CLOEXEC);
	CU_ASSERT_EQUAL(write(end[1], "one ", 4), 4);
	CU_ASSERT_EQUAL(state_query(), 0);
	CU_ASSERT_EQUAL(write(end[1], "two", 3), 3);
	state_takeover();
	state_takeover();
	CU_ASSERT_EQUAL(ioctl(end[0], FIONREAD, &left), 0);
	CU_ASSERT_EQUAL(left, 7);
	expect_bytes(end[0], "one two");
	CU_ASSERT_EQUAL(write(end[1], "three", 5), 5);
	expect_bytes(end[0], "three");
	CU_ASSERT_EQUAL(fcntl(end[0], F_GETFD), FD_CLOEXEC);
	state_end();
}

static void
packets_stay_packets(void)
{
	int end[2];

	state_begin();
	open_pipe(end, O_DIRECT | O_NONBLOCK);
	CU_ASSERT_EQUAL(write(end[1], "a", 1), 1);
	CU_ASSERT_EQUAL(write(end[1], "bcd", 3), 3);
	CU_ASSERT_EQUAL(write(end[1], "ef", 2), 2);
	state_takeover();
	expect_bytes(end[0], "a");
	expect_bytes(end[0], "bcd");
	expect_bytes(end[0], "ef");
	CU_ASSERT_EQUAL(read(end[0], end, 1), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	state_end();
}

static void
a_full_mebibyte_comes_back(void)
{
	const size_t len = 1 << 20;
	struct hs_random rnd;
	uint8_t *in = malloc(len), *out = malloc(len);
	size_t got = 0;
	ssize_t n;
	int end[2];

	hs_random_init(&rnd);
	hs_random_fill(&rnd, in, len);
	state_begin();
	open_pipe(end, 0);
	CU_ASSERT_EQUAL_FATAL(fcntl(end[1], F_SETPIPE_SZ, (int)len), (int)len);
	CU_ASSERT_EQUAL(write(end[1], in, len), (ssize_t)len);
	state_takeover();
	CU_ASSERT_EQUAL(fcntl(end[0], F_GETPIPE_SZ), (int)len);
	while (got < len && (n = read(end[0], out + got, len - got)) > 0)
		got += (size_t)n;
	CU_ASSERT_EQUAL(got, len);
	CU_ASSERT_EQUAL(memcmp(in, out, len), 0);
	state_end();
	free(in);
	free(out);
}

/* The write end has the lower number; and both have changed places. */
static void
numbers_may_be_crossed(void)
{
	int end[2];

	state_begin();
	CU_ASSERT_EQUAL_FATAL(pipe(end), 0);
	CU_ASSERT_EQUAL_FATAL(dup2(end[0], 200), 200);
	(void)close(end[0]);
	CU_ASSERT_EQUAL_FATAL(dup2(end[1], 100), 100);
	(void)close(end[1]);
	CU_ASSERT_EQUAL(hs_fd_register(200, 0), 0);
	CU_ASSERT_EQUAL(hs_fd_register(100, 0), 0);
	CU_ASSERT_EQUAL(write(100, "x", 1), 1);
	state_takeover();
	expect_bytes(200, "x");
	state_end();
}

static void
a_closed_end_stays_closed(void)
{
	struct pollfd p;
	int end[2];

	state_begin();
	open_pipe(end, O_NONBLOCK);
	CU_ASSERT_EQUAL(write(end[1], "last", 4), 4);
	CU_ASSERT_EQUAL(hs_fd_unregister(state_store(), end[1]), 0);
	(void)close(end[1]);
	state_takeover();
	expect_bytes(end[0], "last");
	expect_bytes(end[0], "");
	state_end();

	state_begin();
	open_pipe(end, O_NONBLOCK);
	CU_ASSERT_EQUAL(hs_fd_unregister(state_store(), end[0]), 0);
	(void)close(end[0]);
	state_takeover();
	p = (struct pollfd){ .fd = end[1] };
	CU_ASSERT_EQUAL(poll(&p, 1, 0), 1);
	CU_ASSERT(p.revents & POLLERR);
	state_end();
}

/* dup(2)ed numbers and numbers opened anew through /proc. */
static void
many_numbers_of_one_pipe(void)
{
	int end[2], again, other;
	char name[32];

	state_begin();
	open_pipe(end, 0);
	again = dup(end[1]);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", end[1]);
	other = open(name, O_WRONLY | O_NONBLOCK);
	CU_ASSERT_EQUAL(hs_fd_register(again, 0), 0);
	CU_ASSERT_EQUAL(hs_fd_register(other, 0), 0);
	CU_ASSERT_EQUAL(write(other, "o", 1), 1);
	state_takeover();
	CU_ASSERT_EQUAL(write(again, "a", 1), 1);
	expect_bytes(end[0], "oa");
	/* Status flags are shared by dup(2)ed numbers, and by no others. */
	CU_ASSERT_EQUAL(fcntl(again, F_SETFL, O_NONBLOCK), 0);
	CU_ASSERT(fcntl(end[1], F_GETFL) & O_NONBLOCK);
	CU_ASSERT_EQUAL(fcntl(other, F_SETFL, 0), 0);
	CU_ASSERT(fcntl(end[1], F_GETFL) & O_NONBLOCK);
	state_end();
}

static void
the_other_end_must_be_registered(void)
{
	int end[2];

	state_begin();
	CU_ASSERT_EQUAL_FATAL(pipe(end), 0);
	CU_ASSERT_EQUAL(hs_fd_register(end[0], 0), 0);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("call hsfdreg() on it too"));
	CU_ASSERT_EQUAL(hs_fd_register(end[1], 0), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_end();
}

static void
the_other_end_of_another_process_is_refused(void)
{
	FILE *f = popen("cat >/dev/null", "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	state_begin();
	CU_ASSERT_EQUAL(hs_fd_register(fileno(f), 0), HS_EFD);
	CU_ASSERT(state_says("is in another process"));
	state_end();
	(void)pclose(f);
}

static void
a_fifo_is_refused(void)
{
	char dir[] = "/tmp/hotspare-unit.XXXXXX", name[64];
	int fd;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	(void)snprintf(name, sizeof(name), "%s/fifo", dir);
	CU_ASSERT_EQUAL(mkfifo(name, 0600), 0);
	fd = open(name, O_RDWR);
	state_begin();
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("open it anew after HS_RESTORED"));
	state_end();
	(void)close(fd);
	(void)unlink(name);
	(void)rmdir(dir);
}

HS_SUITE(state_fd_pipe, HS_TEST(content_comes_back_and_stays),
    HS_TEST(packets_stay_packets), HS_TEST(a_full_mebibyte_comes_back),
    HS_TEST(numbers_may_be_crossed), HS_TEST(a_closed_end_stays_closed),
    HS_TEST(many_numbers_of_one_pipe),
    HS_TEST(the_other_end_must_be_registered),
    HS_TEST(the_other_end_of_another_process_is_refused),
    HS_TEST(a_fifo_is_refused))
