/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/term.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "tests/unit/suite.h"

static char dir[] = "/tmp/hs-term.XXXXXX";
static char path[PATH_MAX];

/* docs/format/term.md's example: term 7. */
static const uint8_t golden[24] = {
	0x48,
	0x53,
	0x54,
	0x4d,
	0x01,
	0x00,
	0x00,
	0x00,
	0x07,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0xc9,
	0xb9,
	0xe9,
	0x46,
};

static void
put_file(const uint8_t *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT_EQUAL(fwrite(bytes, 1, len, f), len);
	CU_ASSERT_EQUAL(fclose(f), 0);
}

static size_t
get_file(uint8_t *bytes, size_t size)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	CU_ASSERT_FATAL(f != NULL);
	n = fread(bytes, 1, size, f);
	(void)fclose(f);
	return n;
}

static void
absent_file_is_term_zero(void)
{
	uint64_t term = 5;

	CU_ASSERT_EQUAL(hs_term_load(dir, "absent", &term), 0);
	CU_ASSERT_EQUAL(term, 0);
}

static void
stored_term_comes_back(void)
{
	static const uint64_t terms[] = { 1, 7, 1ull << 40, UINT64_MAX };

	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		uint64_t term = 0;

		CU_ASSERT_EQUAL(hs_term_store(dir, "db", terms[i]), 0);
		CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), 0);
		CU_ASSERT_EQUAL(term, terms[i]);
	}
}

static void
file_equals_the_document(void)
{
	uint8_t bytes[64];
	uint64_t term = 0;
	struct stat st;

	CU_ASSERT_EQUAL(hs_term_store(dir, "db", 7), 0);
	CU_ASSERT_EQUAL(get_file(bytes, sizeof(bytes)), sizeof(golden));
	CU_ASSERT_EQUAL(memcmp(bytes, golden, sizeof(golden)), 0);
	put_file(golden, sizeof(golden));
	CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), 0);
	CU_ASSERT_EQUAL(term, 7);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 077, 0);
}

static void
every_flipped_bit_is_refused(void)
{
	for (size_t bit = 0; bit < sizeof(golden) * 8; bit++) {
		uint8_t bytes[sizeof(golden)];
		uint64_t term = 99;

		memcpy(bytes, golden, sizeof(golden));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put_file(bytes, sizeof(bytes));
		CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), HS_EWIRE);
		CU_ASSERT_EQUAL(term, 99);
	}
}

static void
every_other_length_is_refused(void)
{
	uint8_t bytes[sizeof(golden) + 8] = { 0 };

	memcpy(bytes, golden, sizeof(golden));
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		uint64_t term = 99;

		if (len == sizeof(golden))
			continue;
		put_file(bytes, len);
		CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), HS_EWIRE);
		CU_ASSERT_EQUAL(term, 99);
	}
}

/* A field that breaks its rule under a good checksum. */
static void
put_sealed(size_t off, uint8_t value)
{
	uint8_t bytes[sizeof(golden)];
	uint32_t crc;

	memcpy(bytes, golden, sizeof(golden));
	bytes[off] = value;
	crc = hs_crc32c(0, bytes, 20);
	for (int i = 0; i < 4; i++)
		bytes[20 + i] = (uint8_t)(crc >> 8 * i);
	put_file(bytes, sizeof(bytes));
}

static void
sealed_nonsense_is_refused(void)
{
	uint64_t term = 99;

	put_sealed(4, 2);
	CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), HS_EVERSION);
	put_sealed(0, 'X');
	CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), HS_EWIRE);
	put_sealed(6, 1);
	CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), HS_EWIRE);
	put_sealed(8, 0);
	CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), HS_EWIRE);
	put_sealed(16, 1);
	CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), HS_EWIRE);
	CU_ASSERT_EQUAL(term, 99);
}

static void
failed_store_keeps_the_old_term(void)
{
	static char blocker[PATH_MAX];
	uint64_t term = 0;

	CU_ASSERT_EQUAL(hs_term_store(dir, "db", 7), 0);
	CU_ASSERT_EQUAL(hs_term_store(dir, "db", 0), -EINVAL);
	(void)snprintf(blocker, sizeof(blocker), "%s/db.term.new", dir);
	CU_ASSERT_EQUAL(mkdir(blocker, 0700), 0);
	CU_ASSERT_EQUAL(hs_term_store(dir, "db", 8), -EISDIR);
	CU_ASSERT_EQUAL(rmdir(blocker), 0);
	CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), 0);
	CU_ASSERT_EQUAL(term, 7);
#ifdef HS_FAULTS
	hs_fault_arm(HS_FAULT_TERM_FSYNC, 1);
	CU_ASSERT_EQUAL(hs_term_store(dir, "db", 8), -EIO);
	CU_ASSERT_EQUAL(hs_fault_fired(HS_FAULT_TERM_FSYNC), 1);
	CU_ASSERT_EQUAL(hs_term_load(dir, "db", &term), 0);
	CU_ASSERT_EQUAL(term, 7);
	(void)unlink(blocker);
#endif
	CU_ASSERT_EQUAL(hs_term_store("/nonexistent", "db", 8), -ENOENT);
}

__attribute__((__constructor__)) static void
make_dir(void)
{
	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/db.term", dir);
	if (hs_log_init("test", "/dev/null", LOG_DEBUG) < 0)
		abort();
}

__attribute__((__destructor__)) static void
remove_dir(void)
{
	hs_log_fini();
	(void)unlink(path);
	(void)rmdir(dir);
}

/* clang-format off */
HS_SUITE(agent_term,
	HS_TEST(absent_file_is_term_zero),
	HS_TEST(stored_term_comes_back),
	HS_TEST(file_equals_the_document),
	HS_TEST(every_flipped_bit_is_refused),
	HS_TEST(every_other_length_is_refused),
	HS_TEST(sealed_nonsense_is_refused),
	HS_TEST(failed_store_keeps_the_old_term))
/* clang-format on */
