/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "state/fd_epoll.h"
#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

#define ROUNDS 50
#define NWATCH 40

static int
open_epoll(void)
{
	const int fd = epoll_create1(EPOLL_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	return fd;
}

static int
open_event(uint64_t count)
{
	const int fd = eventfd(0, EFD_NONBLOCK);

	CU_ASSERT_FATAL(fd >= 0);
	if (count != 0)
		CU_ASSERT_EQUAL(write(fd, &count, sizeof(count)), 8);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	return fd;
}

static int
watch(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, op, fd, &ev);
}

/* The one event that is there. */
static uint64_t
wait_one(int ep, uint32_t *events)
{
	struct epoll_event ev[2];

	CU_ASSERT_EQUAL(epoll_wait(ep, ev, 2, 0), 1);
	*events = ev[0].events;
	return ev[0].data.u64;
}

static void
interest_comes_back(void)
{
	uint32_t events;
	int ep, a, b;

	state_begin();
	a = open_event(1);
	ep = open_epoll();
	b = open_event(0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_ADD, a, EPOLLIN, 0xabcdef012345678),
	    0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_ADD, b, EPOLLIN | EPOLLET, 7), 0);
	state_takeover();
	state_takeover();
	CU_ASSERT_EQUAL(wait_one(ep, &events), 0xabcdef012345678);
	CU_ASSERT_EQUAL(events, EPOLLIN);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_MOD, a, EPOLLPRI, 8), 0);
	CU_ASSERT_EQUAL(eventfd_write(b, 1), 0);
	CU_ASSERT_EQUAL(wait_one(ep, &events), 7);
	/* Edge-triggered: told once. */
	CU_ASSERT_EQUAL(epoll_wait(ep, &(struct epoll_event){ 0 }, 1, 0), 0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_DEL, b, 0, 0), 0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_DEL, a, 0, 0), 0);
	state_end();
}

static void
one_shots_stay_disarmed_and_armed(void)
{
	uint32_t events;
	int ep, fired, armed;

	state_begin();
	ep = open_epoll();
	fired = open_event(1);
	armed = open_event(0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_ADD, fired, EPOLLIN | EPOLLONESHOT,
			    1),
	    0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_ADD, armed, EPOLLIN | EPOLLONESHOT,
			    2),
	    0);
	CU_ASSERT_EQUAL(wait_one(ep, &events), 1);
	state_takeover();
	CU_ASSERT_EQUAL(epoll_wait(ep, &(struct epoll_event){ 0 }, 1, 0), 0);
	CU_ASSERT_EQUAL(eventfd_write(armed, 1), 0);
	CU_ASSERT_EQUAL(wait_one(ep, &events), 2);
	CU_ASSERT_EQUAL(epoll_wait(ep, &(struct epoll_event){ 0 }, 1, 0), 0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_MOD, fired, EPOLLIN | EPOLLONESHOT,
			    3),
	    0);
	CU_ASSERT_EQUAL(wait_one(ep, &events), 3);
	state_end();
}

/* The inner one has the higher number, and then the lower one. */
static void
nested_ones_come_back(void)
{
	uint32_t events;
	int low, high, event;

	state_begin();
	low = open_epoll();
	high = open_epoll();
	event = open_event(1);
	CU_ASSERT_EQUAL(watch(low, EPOLL_CTL_ADD, high, EPOLLIN, 1), 0);
	CU_ASSERT_EQUAL(watch(high, EPOLL_CTL_ADD, event, EPOLLIN, 2), 0);
	state_takeover();
	CU_ASSERT_EQUAL(wait_one(low, &events), 1);
	CU_ASSERT_EQUAL(wait_one(high, &events), 2);
	CU_ASSERT_EQUAL(watch(low, EPOLL_CTL_DEL, high, 0, 0), 0);
	CU_ASSERT_EQUAL(watch(high, EPOLL_CTL_ADD, low, EPOLLIN, 3), 0);
	CU_ASSERT_EQUAL(watch(low, EPOLL_CTL_ADD, event, EPOLLIN, 4), 0);
	state_takeover();
	CU_ASSERT_EQUAL(wait_one(low, &events), 4);
	state_end();
}

static void
any_interest_comes_back(void)
{
	const uint32_t flags[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE };
	struct hs_random rnd;
	int ep, fd[NWATCH];

	hs_random_init(&rnd);
	state_begin();
	ep = open_epoll();
	for (int i = 0; i < NWATCH; i++)
		fd[i] = open_event(hs_random_below(&rnd, 2));
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < NWATCH; i++) {
			(void)watch(ep, EPOLL_CTL_DEL, fd[i], 0, 0);
			if (hs_random_below(&rnd, 3) == 0)
				continue;
			CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_ADD, fd[i],
					    EPOLLIN |
						flags[hs_random_below(&rnd, 4)],
					    hs_random_u64(&rnd)),
			    0);
		}
		(void)epoll_wait(ep, (struct epoll_event[8]){ 0 }, 8, 0);
		state_takeover();
	}
	state_end();
}

static void
what_is_watched_must_be_registered(void)
{
	int ep, other;

	state_begin();
	ep = open_epoll();
	other = eventfd(0, 0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_ADD, other, EPOLLIN, 0), 0);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("anon_inode:[eventfd]"));
	CU_ASSERT(state_says("which is not registered: call hsfdreg("));
	CU_ASSERT_EQUAL(hs_fd_register(other, 0), 0);
	state_takeover();
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_DEL, other, 0, 0), 0);
	state_end();
}

/* Closed while a copy keeps the open file, and with it the watch. */
static void
a_watch_of_a_closed_number_is_refused(void)
{
	int ep, fd, copy;

	state_begin();
	ep = open_epoll();
	fd = eventfd(0, 0);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 0), 0);
	copy = dup(fd);
	(void)close(fd);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("call EPOLL_CTL_DEL before close()"));
	/* The number is in use again, and it is another file. */
	CU_ASSERT_EQUAL(open_event(0), fd);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("call EPOLL_CTL_DEL before close()"));
	(void)close(copy);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_end();
}

/* What hseventfd() gave has another number in the next process. */
static void
the_librarys_own_is_watched_again(void)
{
	uint32_t events;
	int ep, own, next;

	state_begin();
	ep = open_epoll();
	own = eventfd(0, 0);
	next = eventfd(1, 0);
	hs_fd_epoll_own(own);
	CU_ASSERT_EQUAL(watch(ep, EPOLL_CTL_ADD, own, EPOLLIN, 99), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	hs_fd_epoll_own(next);
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	CU_ASSERT_EQUAL(wait_one(ep, &events), 99);
	hs_fd_epoll_own(-1);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	state_end();
	(void)close(own);
	(void)close(next);
}

static void
a_how_is_refused(void)
{
	const int fd = epoll_create1(0);

	state_begin();
	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_CONTENT), HS_EMISUSE);
	CU_ASSERT(state_says("how is 0 for an epoll"));
	state_end();
	(void)close(fd);
}

HS_SUITE(state_fd_epoll, HS_TEST(interest_comes_back),
    HS_TEST(one_shots_stay_disarmed_and_armed), HS_TEST(nested_ones_come_back),
    HS_TEST(any_interest_comes_back),
    HS_TEST(what_is_watched_must_be_registered),
    HS_TEST(a_watch_of_a_closed_number_is_refused),
    HS_TEST(the_librarys_own_is_watched_again), HS_TEST(a_how_is_refused))
