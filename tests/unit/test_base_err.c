/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "tests/unit/suite.h"

static void
each_code_has_its_own_text(void)
{
	for (int a = HS_ESTATE; a >= HS_ECODE; a--) {
		CU_ASSERT_STRING_NOT_EQUAL(hs_err_text(a), "unknown error");
		for (int b = HS_ESTATE; b > a; b--)
			CU_ASSERT_STRING_NOT_EQUAL(hs_err_text(a),
			    hs_err_text(b));
	}
}

static void
codes_have_the_right_text(void)
{
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_err_text(HS_ESTATE), "hsinit"));
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_err_text(HS_EADDR), "arena_base"));
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_err_text(HS_EFENCED), "stop now"));
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_err_text(HS_EQUORUM), "quorum"));
	CU_ASSERT_STRING_EQUAL(hs_err_text(-ENOENT), strerror(ENOENT));
}

static void
success_has_a_text(void)
{
	CU_ASSERT_STRING_EQUAL(hs_err_text(0), "success");
	CU_ASSERT_PTR_NOT_NULL(strstr(hs_err_text(HS_RESTORED), "restored"));
	CU_ASSERT_STRING_EQUAL(hs_err_text(INT_MAX), "success");
}

static void
unknown_codes_are_no_trap(void)
{
	CU_ASSERT_STRING_EQUAL(hs_err_text(HS_ECODE - 1), "unknown error");
	CU_ASSERT_STRING_EQUAL(hs_err_text(HS_ESTATE + 1), "unknown error");
	CU_ASSERT_STRING_EQUAL(hs_err_text(INT_MIN), "unknown error");
}

HS_SUITE(base_err, HS_TEST(each_code_has_its_own_text),
    HS_TEST(codes_have_the_right_text), HS_TEST(success_has_a_text),
    HS_TEST(unknown_codes_are_no_trap))
