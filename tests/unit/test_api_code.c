/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hs.h"
#include "tests/unit/suite.h"

static int
twice(int n)
{
	return 2 * n;
}

/* Before hsinit(): hooks and workers are named there, too. */
static void
code_is_referred_to_by_name(void)
{
	struct hs_code c;
	int (*fn)(int);

	CU_ASSERT_EQUAL(hscoderef((void *)twice, &c), 0);
	fn = (int (*)(int))hscodeptr(&c);
	CU_ASSERT_PTR_EQUAL(fn, twice);
	CU_ASSERT_EQUAL(hscoderef(NULL, &c), 0);
	errno = 0;
	CU_ASSERT_PTR_NULL(hscodeptr(&c));
	CU_ASSERT_EQUAL(errno, 0);
	memset(&c, 0, sizeof(c));
	CU_ASSERT_PTR_NULL(hscodeptr(&c));
	CU_ASSERT_EQUAL(errno, 0);
}

static void
what_cannot_be_referred_to_is_refused(void)
{
	struct hs_code c = { .off = 1 };

	CU_ASSERT_EQUAL(hscoderef((void *)twice, NULL), HS_EMISUSE);
	CU_ASSERT_EQUAL(hscoderef(&c, &c), HS_ECODE);
	CU_ASSERT(strlen(hsmessage()) > 0);
	errno = 0;
	CU_ASSERT_PTR_NULL(hscodeptr(NULL));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(hscodeptr(&c));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(hsmessage(), "build-id 00000000"));
}

HS_SUITE(api_code, HS_TEST(code_is_referred_to_by_name),
    HS_TEST(what_cannot_be_referred_to_is_refused))
