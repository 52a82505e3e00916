/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fdhigh.h"
#include "base/why.h"
#include "tests/unit/suite.h"

static void
the_low_number_is_free_again(void)
{
	struct rlimit lim;
	const int low = open("/dev/null", O_RDONLY);
	const int high = hs_fdhigh_move(low);

	CU_ASSERT(low >= 0);
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &lim), 0);
	CU_ASSERT(high > low);
	CU_ASSERT((rlim_t)high < lim.rlim_cur);
	CU_ASSERT_EQUAL(fcntl(low, F_GETFD), -1);
	CU_ASSERT_EQUAL(fcntl(high, F_GETFD), FD_CLOEXEC);
	/* It stays where it is. */
	CU_ASSERT_EQUAL(hs_fdhigh_move(high), high);
	CU_ASSERT_EQUAL(hs_fdhigh_move(-1), -1);
	(void)close(high);
}

static void
without_room_it_stays(void)
{
	struct rlimit old, small;
	int fd;

	CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &old), 0);
	small = old;
	small.rlim_cur = 40;
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &small), 0);
	fd = open("/dev/null", O_RDONLY);
	CU_ASSERT_EQUAL(hs_fdhigh_move(fd), fd);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &old), 0);
	(void)close(fd);
}

static void
the_line_is_of_the_last_refusal(void)
{
	char s[HS_WHY_BYTES * 2];

	CU_ASSERT_EQUAL(hs_why(HS_EFD, "descriptor %d", 7), HS_EFD);
	CU_ASSERT_STRING_EQUAL(hs_why_line(), "descriptor 7");
	memset(s, 'x', sizeof(s));
	s[sizeof(s) - 1] = '\0';
	CU_ASSERT_EQUAL(hs_why(-1, "%s", s), -1);
	CU_ASSERT_EQUAL(strlen(hs_why_line()), HS_WHY_BYTES - 1);
}

HS_SUITE(base_fdhigh, HS_TEST(the_low_number_is_free_again),
    HS_TEST(without_room_it_stays), HS_TEST(the_line_is_of_the_last_refusal))
