/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/roundtrip.h"
#include "tests/unit/golden.h"
#include "tests/unit/suite.h"

/* The bytes of a golden file, up to HS_GOLDEN_MAX_BYTES; 0 if there is none. */
static size_t
read_golden(const char *name, uint8_t *buf)
{
	char path[1024];
	size_t len;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s.bin", HS_GOLDEN_DIR, name);
	f = fopen(path, "rbe");
	if (f == NULL)
		return 0;
	len = fread(buf, 1, HS_GOLDEN_MAX_BYTES, f);
	(void)fclose(f);
	return len;
}

static void
files_are_what_is_written_today(void)
{
	static uint8_t now[HS_GOLDEN_MAX_BYTES], file[HS_GOLDEN_MAX_BYTES];

	for (const struct hs_golden *g = hs_golden_cases; g->name; g++) {
		size_t len = hs_golden_build(g, now);
		int same = len == read_golden(g->name, file) &&
		    memcmp(now, file, len) == 0;

		if (!same)
			printf("\n    %s.bin differs ", g->name);
		CU_ASSERT_TRUE(same);
	}
}

static void
files_read_as_they_must(void)
{
	static uint8_t file[HS_GOLDEN_MAX_BYTES];

	for (const struct hs_golden *g = hs_golden_cases; g->name; g++) {
		int rc = hs_roundtrip(file, read_golden(g->name, file));

		if (rc != g->rc)
			printf("\n    %s.bin (%s): %d, not %d ", g->name,
			    g->rule != NULL ? g->rule : "good", rc, g->rc);
		CU_ASSERT_EQUAL(rc, g->rc);
	}
}

/* The bytes in a line of hexdump -C: their number; 0 if it is no such line. */
static size_t
read_dump_line(const char *line, uint8_t *out)
{
	const char *p = line + 8;
	size_t n = 0;

	if (strspn(line, "0123456789abcdef") != 8 || *p != ' ')
		return 0;
	while (n < 16) {
		char *end;
		unsigned long v = strtoul(p, &end, 16);

		/* Two digits after a blank; a bar ends the bytes. */
		if (end == p || v > 0xff)
			break;
		out[n++] = (uint8_t)v;
		p = end;
	}
	return n;
}

/* The worked example of a document. */
static size_t
read_example(const char *document, uint8_t *buf)
{
	char path[1024], line[256];
	size_t len = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", HS_FORMAT_DIR, document);
	f = fopen(path, "re");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (fgets(line, sizeof(line), f) != NULL &&
	    len + 16 <= HS_GOLDEN_MAX_BYTES)
		len += read_dump_line(line, buf + len);
	(void)fclose(f);
	return len;
}

static void
documents_show_the_bytes(void)
{
	static uint8_t file[HS_GOLDEN_MAX_BYTES], example[HS_GOLDEN_MAX_BYTES];
	size_t len;

	len = read_golden("ack", file);
	CU_ASSERT_EQUAL(read_example("message.md", example), len);
	CU_ASSERT_EQUAL(memcmp(file, example, len), 0);
	len = read_golden("delta", file);
	CU_ASSERT_EQUAL(read_example("records.md", example), len);
	CU_ASSERT_EQUAL(memcmp(file, example, len), 0);
}

static const struct hs_golden *
find_case(const char *file)
{
	for (const struct hs_golden *g = hs_golden_cases; g->name; g++) {
		size_t len = strlen(g->name);

		if (strncmp(file, g->name, len) == 0 &&
		    strcmp(file + len, ".bin") == 0)
			return g;
	}
	return NULL;
}

static void
no_file_is_forgotten(void)
{
	DIR *dir = opendir(HS_GOLDEN_DIR);
	const struct dirent *e;
	int files = 0, cases = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((e = readdir(dir)) != NULL) {
		if (strstr(e->d_name, ".bin") == NULL)
			continue;
		files++;
		CU_ASSERT_PTR_NOT_NULL(find_case(e->d_name));
	}
	(void)closedir(dir);
	while (hs_golden_cases[cases].name != NULL)
		cases++;
	CU_ASSERT_EQUAL(files, cases);
}

/* A rule without a case could be dropped and nobody would notice. */
static void
each_rule_is_broken_once(void)
{
	static const char *const rules[] = { "M1", "M2", "M3", "M4", "M5", "M6",
		"M7", "M8", "M9", "M10", "R1", "R2", "R3", "R4", "R5", "R6",
		"R7", "R8" };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		int n = 0;

		for (const struct hs_golden *g = hs_golden_cases; g->name; g++)
			n += g->rule != NULL && strcmp(g->rule, rules[i]) == 0;
		CU_ASSERT_TRUE(n > 0);
	}
}

/* Whatever single bit is turned over, the crc or a rule before it says so. */
static void
each_turned_bit_is_seen(void)
{
	static const char *const names[] = { "delta", "ack", "go", "stats" };
	static uint8_t file[HS_GOLDEN_MAX_BYTES];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = read_golden(names[i], file);
		int unseen = 0;

		CU_ASSERT_EQUAL_FATAL(hs_roundtrip(file, len), 0);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			file[bit / 8] ^= (uint8_t)(1U << bit % 8);
			unseen += hs_roundtrip(file, len) >= 0;
			file[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		CU_ASSERT_EQUAL(unseen, 0);
		for (size_t cut = 0; cut < len; cut++)
			CU_ASSERT_EQUAL(hs_roundtrip(file, cut), HS_EWIRE);
	}
}

HS_SUITE(wire_golden, HS_TEST(files_are_what_is_written_today),
    HS_TEST(files_read_as_they_must), HS_TEST(no_file_is_forgotten),
    HS_TEST(documents_show_the_bytes), HS_TEST(each_rule_is_broken_once),
    HS_TEST(each_turned_bit_is_seen))
