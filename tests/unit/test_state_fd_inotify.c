/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/fd_inotify.h"
#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

#define ROUNDS 30
#define NDIR 8

/* A directory of the test's own with NDIR others in it. */
static char top[] = "/tmp/hotspare-unit.XXXXXX";

static const char *
sub(int i)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "%s/%d", top, i);
	return path;
}

static int
open_inotify(void)
{
	int fd;

	memcpy(strrchr(top, '.'), ".XXXXXX", 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(top));
	for (int i = 0; i < NDIR; i++)
		CU_ASSERT_EQUAL(mkdir(sub(i), 0700), 0);
	state_begin();
	fd = inotify_init1(IN_NONBLOCK);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	return fd;
}

static void
end(void)
{
	state_end();
	for (int i = 0; i < NDIR; i++)
		(void)rmdir(sub(i));
	CU_ASSERT_EQUAL(rmdir(top), 0);
}

struct event {
	int wd;
	uint32_t mask;
};

/* The next event; all zero if there is none. */
static struct event
next_event(int fd)
{
	_Alignas(struct inotify_event) char
	    buf[sizeof(struct inotify_event) + NAME_MAX + 1];
	struct inotify_event e;

	if (read(fd, buf, sizeof(buf)) < (ssize_t)sizeof(e))
		return (struct event){ .wd = 0 };
	memcpy(&e, buf, sizeof(e));
	return (struct event){ .wd = e.wd, .mask = e.mask };
}

static void
touch(int i)
{
	char path[80];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/file", sub(i));
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CU_ASSERT(fd >= 0);
	(void)close(fd);
	CU_ASSERT_EQUAL(unlink(path), 0);
}

static void
watches_come_back_with_their_numbers(void)
{
	struct event e;
	int fd, wd[NDIR];

	fd = open_inotify();
	for (int i = 0; i < NDIR; i++) {
		wd[i] = hs_fd_inotify_watch(fd, sub(i), IN_CREATE);
		CU_ASSERT(wd[i] > 0);
	}
	/* A gap, and a number above it. */
	CU_ASSERT_EQUAL(inotify_rm_watch(fd, wd[3]), 0);
	wd[3] = hs_fd_inotify_watch(fd, sub(3), IN_CREATE | IN_ONLYDIR);
	CU_ASSERT_EQUAL(wd[3], wd[NDIR - 1] + 1);
	CU_ASSERT_EQUAL(inotify_rm_watch(fd, wd[0]), 0);
	state_takeover();
	state_takeover();
	for (int i = 1; i < NDIR; i++) {
		touch(i);
		e = next_event(fd);
		CU_ASSERT_EQUAL(e.wd, wd[i]);
		CU_ASSERT_EQUAL(e.mask, IN_CREATE);
	}
	touch(0);
	CU_ASSERT_EQUAL(next_event(fd).wd, 0);
	/* Numbers go on where they were. */
	CU_ASSERT_EQUAL(hs_fd_inotify_watch(fd, sub(0), IN_CREATE), wd[3] + 1);
	end();
}

static void
any_masks_come_back(void)
{
	const uint32_t flags[] = { 0, IN_EXCL_UNLINK, IN_ONESHOT, IN_MASK_ADD,
		IN_DONT_FOLLOW, IN_ONLYDIR };
	struct hs_random rnd;
	uint32_t mask;
	int fd, wd;

	fd = open_inotify();
	hs_random_init(&rnd);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < NDIR; i++) {
			mask =
			    (uint32_t)hs_random_below(&rnd, IN_ALL_EVENTS) + 1;
			wd = hs_fd_inotify_watch(fd, sub(i),
			    mask | flags[hs_random_below(&rnd, 6)]);
			CU_ASSERT(wd > 0);
			if (hs_random_below(&rnd, 3) == 0)
				CU_ASSERT_EQUAL(inotify_rm_watch(fd, wd), 0);
		}
		state_takeover();
	}
	end();
}

/* Deleted on the spare's side, or never there: as if deleted while watched. */
static void
a_path_that_is_not_there_is_ignored(void)
{
	struct event e;
	int fd, gone, there;

	fd = open_inotify();
	gone = hs_fd_inotify_watch(fd, sub(1), IN_CREATE);
	there = hs_fd_inotify_watch(fd, sub(2), IN_CREATE);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	CU_ASSERT_EQUAL(rmdir(sub(1)), 0);
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	e = next_event(fd);
	CU_ASSERT_EQUAL(e.wd, gone);
	CU_ASSERT_EQUAL(e.mask, IN_IGNORED);
	touch(2);
	CU_ASSERT_EQUAL(next_event(fd).wd, there);
	CU_ASSERT_EQUAL(state_query(), 0);
	end();
}

static void
a_relative_path_is_kept_whole(void)
{
	int fd, wd, home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	fd = open_inotify();
	CU_ASSERT_EQUAL(chdir(top), 0);
	wd = hs_fd_inotify_watch(fd, "4", IN_CREATE);
	CU_ASSERT(wd > 0);
	CU_ASSERT_EQUAL(fchdir(home), 0);
	state_takeover();
	touch(4);
	CU_ASSERT_EQUAL(next_event(fd).wd, wd);
	(void)close(home);
	end();
}

static void
an_unknown_path_is_refused(void)
{
	int fd, other;

	fd = open_inotify();
	CU_ASSERT(inotify_add_watch(fd, sub(0), IN_CREATE) > 0);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("hsfdwatch() in place of inotify_add_watch()"));
	other = inotify_init1(0);
	CU_ASSERT(inotify_add_watch(other, sub(0), IN_CREATE) > 0);
	CU_ASSERT_EQUAL(hs_fd_register(other, 0), HS_EFD);
	CU_ASSERT(state_says("register the descriptor before the first watch"));
	(void)close(other);
	end();
}

static void
misuse_is_refused(void)
{
	int fd, copy;

	fd = open_inotify();
	CU_ASSERT_EQUAL(hs_fd_inotify_watch(0, "/", IN_CREATE), HS_EMISUSE);
	CU_ASSERT(state_says("it is no registered inotify: call hsfdreg(0)"));
	CU_ASSERT_EQUAL(hs_fd_inotify_watch(fd, "/no/such/file", IN_CREATE),
	    -ENOENT);
	CU_ASSERT(state_says("/no/such/file"));
	copy = dup(fd);
	CU_ASSERT_EQUAL(hs_fd_register(copy, 0), HS_EFD);
	CU_ASSERT(state_says("register one of them"));
	(void)close(copy);
	copy = inotify_init1(0);
	CU_ASSERT_EQUAL(hs_fd_register(copy, HS_FD_SAME), HS_EMISUSE);
	CU_ASSERT(state_says("how is 0 for an inotify"));
	(void)close(copy);
	end();
}

HS_SUITE(state_fd_inotify, HS_TEST(watches_come_back_with_their_numbers),
    HS_TEST(any_masks_come_back), HS_TEST(a_path_that_is_not_there_is_ignored),
    HS_TEST(a_relative_path_is_kept_whole), HS_TEST(an_unknown_path_is_refused),
    HS_TEST(misuse_is_refused))
