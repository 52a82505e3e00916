/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Under which name memory is kept.  That it is freed takes the device:
 * tests/vm.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/keep.h"
#include "tests/unit/suite.h"

#define ALPHABET \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static void
each_resource_and_node_has_its_name(void)
{
	char a[] = "/tmp/hotspare-keep.XXXXXX",
	     b[] = "/tmp/hotspare-keep.XXXXXX";
	char longest[61];
	struct hs_keep k[4], again;

	memset(longest, 'x', 60);
	longest[60] = '\0';
	CU_ASSERT_FATAL(mkdtemp(a) != NULL && mkdtemp(b) != NULL);
	hs_keep_open(&k[0], "db", a, false);
	hs_keep_open(&k[1], "db", b, false);
	hs_keep_open(&k[2], "web", a, false);
	hs_keep_open(&k[3], longest, a, false);
	hs_keep_open(&again, "db", a, false);
	CU_ASSERT_STRING_EQUAL(k[0].name, again.name);
	for (int i = 0; i < 4; i++) {
		CU_ASSERT_TRUE(strlen(k[i].name) > 3);
		CU_ASSERT_TRUE(strlen(k[i].name) <= HS_KEEP_MAX);
		CU_ASSERT_EQUAL(strspn(k[i].name, ALPHABET), strlen(k[i].name));
		for (int j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(k[i].name, k[j].name);
	}
	for (int i = 0; i < 4; i++)
		hs_keep_close(&k[i]);
	hs_keep_close(&again);
	CU_ASSERT_EQUAL(rmdir(a), 0);
	CU_ASSERT_EQUAL(rmdir(b), 0);
}

static void
without_a_directory_nothing_is_kept(void)
{
	struct hs_keep k;

	hs_keep_open(&k, "db", "/nonexistent", false);
	CU_ASSERT_STRING_EQUAL(k.name, "");
	hs_keep_free(&k);
	hs_keep_close(&k);
}

static void
one_standalone_agent_has_the_name(void)
{
	char resource[40];
	struct hs_keep k, second;
	char name[HS_KEEP_BYTES];

	(void)snprintf(resource, sizeof(resource), "test-%d", (int)getpid());
	hs_keep_open(&k, resource, "/nonexistent", true);
	CU_ASSERT_STRING_NOT_EQUAL(k.name, "");
	memcpy(name, k.name, sizeof(name));
	hs_keep_open(&second, resource, "/nonexistent", true);
	CU_ASSERT_STRING_EQUAL(second.name, "");
	hs_keep_close(&second);
	hs_keep_close(&k);
	hs_keep_open(&second, resource, "/nonexistent", true);
	CU_ASSERT_STRING_EQUAL(second.name, name);
	hs_keep_close(&second);
}

HS_SUITE(agent_keep, HS_TEST(each_resource_and_node_has_its_name),
    HS_TEST(without_a_directory_nothing_is_kept),
    HS_TEST(one_standalone_agent_has_the_name))
