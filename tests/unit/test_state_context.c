/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments and environment as another process would have them: the records of
 * this one, changed.  test_api_process.c has the parts that are set.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/why.h"
#include "base/wr.h"
#include "state/context.h"
#include "tests/unit/state_store.h"
#include "tests/unit/suite.h"

#define MOST 65536

static uint8_t bytes[MOST];

static size_t
load(struct hs_store *s, enum hs_ctx what)
{
	struct hs_store_rec rec;

	CU_ASSERT_EQUAL_FATAL(hs_store_get(s, HS_STORE_CONTEXT, what, &rec), 0);
	CU_ASSERT_FATAL(rec.len <= sizeof(bytes));
	memcpy(bytes, rec.bytes, rec.len);
	return rec.len;
}

/* What a process here says to len bytes of there. */
static int
restore(struct hs_store *s, enum hs_ctx what, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(hs_store_put(s, HS_STORE_CONTEXT, what, bytes,
				  len),
	    0);
	return hs_context_section.restore(s);
}

static bool
says(const char *text)
{
	if (strstr(hs_why_line(), text) != NULL)
		return true;
	CU_FAIL(hs_why_line());
	return false;
}

static void
arguments_are_compared(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	size_t len;

	CU_ASSERT_EQUAL_FATAL(hs_context_keep(s, HS_CTX_ARGV), 0);
	len = load(s, HS_CTX_ARGV);
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ARGV, len), 0);
	bytes[1] ^= 1;
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ARGV, len), HS_EINCOMPATIBLE);
	CU_ASSERT(says("argument 0 is '"));
	CU_ASSERT(says("' here: configure the service alike on all nodes"));
	bytes[1] ^= 1;
	memcpy(bytes + len, "-x", 3);
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ARGV, len + 3), HS_EINCOMPATIBLE);
	CU_ASSERT(says("the primary was started with"));
	/* Not ended, without any, of another version. */
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ARGV, len + 2), HS_ECORRUPT);
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ARGV, 1), HS_ECORRUPT);
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ARGV, 0), HS_ECORRUPT);
	bytes[0]++;
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ARGV, len), HS_ECORRUPT);
	CU_ASSERT(says("another version"));
	state_store_close(s, &l);
}

/* Where the record of the variable name begins in bytes; its length. */
static size_t
find_var(size_t len, const char *name, size_t *at)
{
	struct hs_rd r;
	uint32_t n;

	hs_rd_init(&r, bytes, len);
	(void)hs_rd_u8(&r);
	n = hs_rd_u32(&r);
	for (uint32_t i = 0; i < n; i++) {
		const size_t left = r.left;
		const uint16_t k = hs_rd_u16(&r);
		const uint8_t *p = hs_rd_bytes(&r, k);

		CU_ASSERT_PTR_NOT_NULL_FATAL(hs_rd_bytes(&r, 16));
		*at = len - left;
		if (k == strlen(name) && memcmp(p, name, k) == 0)
			return left - r.left;
	}
	return 0;
}

static void
count_vars(int by)
{
	bytes[1] = (uint8_t)(bytes[1] + by);
}

static void
environment_is_compared(void)
{
	struct state_lender l;
	struct hs_store *s = state_store_open(&l);
	size_t len, at = 0, n;

	CU_ASSERT_EQUAL_FATAL(hs_context_keep(s, HS_CTX_ENV), 0);
	len = load(s, HS_CTX_ENV);
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ENV, len), 0);
	CU_ASSERT_EQUAL(find_var(len, "PWD", &at), 0);
	CU_ASSERT_EQUAL(find_var(len, "HOTSPARE_TEST", &at), 0);
	n = find_var(len, "PATH", &at);
	CU_ASSERT_EQUAL_FATAL(n, 2 + 4 + 16);
	/* No value is there. */
	CU_ASSERT_PTR_NULL(
	    memmem(bytes, len, getenv("PATH"), strlen(getenv("PATH"))));
	bytes[at + n - 1] ^= 1;
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ENV, len), HS_EINCOMPATIBLE);
	CU_ASSERT(says("variable PATH has another value here"));
	bytes[at + n - 1] ^= 1;
	bytes[at + 5] = 'I';
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ENV, len), HS_EINCOMPATIBLE);
	CU_ASSERT(says("variable PATH is set here and not on the primary"));
	bytes[at + 5] = 'G';
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ENV, len), HS_EINCOMPATIBLE);
	CU_ASSERT(says("variable PATG is set on the primary and not here"));
	bytes[at + 5] = 'H';
	/* One less. */
	memmove(bytes + at, bytes + at + n, len - at - n);
	count_vars(-1);
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ENV, len - n), HS_EINCOMPATIBLE);
	CU_ASSERT(says("variable PATH is set here and not on the primary"));
	CU_ASSERT_EQUAL(restore(s, HS_CTX_ENV, 3), HS_ECORRUPT);
	state_store_close(s, &l);
}

/* Every cut of every record, and every byte of it changed, is survived. */
static void
damaged_records_are_refused(void)
{
	static const enum hs_ctx all[] = { HS_CTX_UMASK, HS_CTX_LIMITS,
		HS_CTX_ARGV, HS_CTX_ENV };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct state_lender l;
		struct hs_store *s = state_store_open(&l);
		size_t len;

		CU_ASSERT_EQUAL_FATAL(hs_context_keep(s, (unsigned)all[i]), 0);
		len = load(s, all[i]);
		for (size_t cut = 0; cut < len; cut++) {
			const int rc = restore(s, all[i], cut);

			CU_ASSERT(rc == HS_ECORRUPT || rc == HS_EINCOMPATIBLE);
		}
		CU_ASSERT_EQUAL(restore(s, all[i], len), 0);
		bytes[len] = 0;
		CU_ASSERT(restore(s, all[i], len + 1) < 0);
		state_store_close(s, &l);
	}
}

HS_SUITE(state_context, HS_TEST(arguments_are_compared),
    HS_TEST(environment_is_compared), HS_TEST(damaged_records_are_refused))
