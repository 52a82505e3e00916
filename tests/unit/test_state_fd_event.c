/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

#define ROUNDS 50

static int
open_event(uint64_t count, int flags)
{
	const int fd = eventfd(0, flags);

	CU_ASSERT_FATAL(fd >= 0);
	if (count != 0)
		CU_ASSERT_EQUAL(write(fd, &count, sizeof(count)), 8);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	return fd;
}

static uint64_t
read_event(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == 8 ? count : 0;
}

static void
a_count_comes_back(void)
{
	int fd;

	state_begin();
	fd = open_event(41, EFD_NONBLOCK | EFD_CLOEXEC);
	state_takeover();
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CU_ASSERT(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CU_ASSERT_EQUAL(read_event(fd), 41);
	state_takeover();
	CU_ASSERT_EQUAL(read_event(fd), 0);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	state_end();
}

static void
a_semaphore_stays_one(void)
{
	int fd;

	state_begin();
	fd = open_event(3, EFD_NONBLOCK | EFD_SEMAPHORE);
	state_takeover();
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(read_event(fd), 1);
	CU_ASSERT_EQUAL(read_event(fd), 0);
	state_end();
}

static void
the_largest_count_comes_back(void)
{
	struct pollfd p = { .events = POLLIN | POLLOUT };
	int fd;

	state_begin();
	fd = open_event(UINT64_MAX - 1, EFD_NONBLOCK);
	state_takeover();
	p.fd = fd;
	CU_ASSERT_EQUAL(poll(&p, 1, 0), 1);
	CU_ASSERT_EQUAL(p.revents, POLLIN);
	CU_ASSERT_EQUAL(read_event(fd), UINT64_MAX - 1);
	state_end();
}

static void
any_state_comes_back(void)
{
	struct hs_random rnd;
	uint64_t add;
	int fd[8];

	hs_random_init(&rnd);
	state_begin();
	for (int i = 0; i < 8; i++)
		fd[i] = open_event(hs_random_below(&rnd, 3),
		    EFD_NONBLOCK | (i % 2 != 0 ? EFD_SEMAPHORE : 0));
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 8; i++) {
			add = hs_random_u64(&rnd) >> hs_random_below(&rnd, 64);
			if (hs_random_below(&rnd, 3) == 0)
				(void)read_event(fd[i]);
			else
				(void)!write(fd[i], &add, sizeof(add));
		}
		state_takeover();
	}
	state_end();
}

/* Two numbers, one counter: as before the takeover. */
static void
a_dup_counts_the_same(void)
{
	int fd, again;

	state_begin();
	fd = open_event(5, EFD_NONBLOCK);
	again = dup(fd);
	CU_ASSERT_EQUAL(hs_fd_register(again, 0), 0);
	state_takeover();
	CU_ASSERT_EQUAL(read_event(again), 5);
	CU_ASSERT_EQUAL(read_event(fd), 0);
	/* The other number leads now. */
	CU_ASSERT_EQUAL(hs_fd_unregister(state_store(), fd), 0);
	(void)close(fd);
	state_takeover();
	CU_ASSERT_EQUAL(read_event(again), 0);
	state_end();
}

static void
a_how_is_refused(void)
{
	const int fd = eventfd(0, 0);

	state_begin();
	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_CONTENT), HS_EMISUSE);
	CU_ASSERT(state_says("how is 0 for an eventfd"));
	state_end();
	(void)close(fd);
}

static void
damage_is_found(void)
{
	int fd;

	state_begin();
	fd = open_event(1, 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_damage(fd, 8, 2);		/* a semaphore flag of 2 */
	state_die();
	CU_ASSERT_EQUAL(state_restore(), HS_ECORRUPT);
	CU_ASSERT(state_says("eventfd"));
	state_forget(fd);
	state_end();
}

HS_SUITE(state_fd_event, HS_TEST(a_count_comes_back),
    HS_TEST(a_semaphore_stays_one), HS_TEST(the_largest_count_comes_back),
    HS_TEST(any_state_comes_back), HS_TEST(a_dup_counts_the_same),
    HS_TEST(a_how_is_refused), HS_TEST(damage_is_found))
