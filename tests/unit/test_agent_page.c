/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/hsctl/page.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"

static const char full[] =
    "{\"rc\":8,\"resource\":\"db\",\"node\":\"n1\",\"nodeid\":1,"
    "\"state\":\"PRIMARY\",\"term\":3,\"epoch\":18231,"
    "\"protection\":\"blocked\",\"why\":\"node 3 vanished\","
    "\"spares\":1,\"min_spares\":0,\"quorate\":true,\"transport\":\"cpg\","
    "\"service\":{\"pid\":4711,\"phase\":\"running\",\"tracker\":\"wpa\","
    "\"version\":\"0.1.0\"},"
    "\"image\":{\"arena_bytes\":1073741824,\"used_bytes\":138412032,"
    "\"resident_bytes\":512,\"digest\":\"00\"},"
    "\"peers\":[{\"nodeid\":2,\"state\":\"READY\",\"term\":3,"
    "\"epoch\":18231,\"quorate\":true},"
    "{\"nodeid\":3,\"state\":\"SYNCING\",\"term\":2,\"epoch\":7,"
    "\"quorate\":false}],"
    "\"stats\":{\"epoch_sealed\":18232,\"epoch_sent\":18231,"
    "\"pages_dirty\":40000,\"bytes_sent\":1288490189,"
    "\"pause_ns_last\":42100,\"pause_ns_max\":310000,"
    "\"held_ns_last\":1710000},"
    "\"refused\":{\"damaged\":2,\"gap\":0,\"term\":1},\"lost\":[3],"
    "\"last_promote\":{\"to_go_ms\":1.5123,\"to_running_ms\":3.25,"
    "\"at\":1700000000},"
    "\"restarts\":{\"limit\":3,\"window_s\":600,\"used\":2,\"done\":7,"
    "\"last\":{\"why\":\"killed by SIGSEGV\",\"epoch\":18000,"
    "\"took_ms\":4.25,\"at_ms\":1700000000000}},"
    "\"pid\":4700,\"agent_version\":\"0.1.0\"}";

static const char page[] =
    "db on n1 (node 1): PRIMARY, blocked\n"
    "  because   node 3 vanished\n"
    "  term      3, epoch 18231\n"
    "  cluster   quorate, over cpg\n"
    "  lost      node 3 vanished: waiting for it to be fenced; if it is"
    " certainly off, \"hsctl -r db confirm 3\"\n"
    "  service   running, pid 4711, tracker wpa, libhs 0.1.0\n"
    "  image     132 MiB used of 1.0 GiB, 512 B in memory here\n"
    "  spares    1 hold, 0 needed\n"
    "  peers     node 2: READY, term 3, epoch 18231\n"
    "            node 3: SYNCING, term 2, epoch 7, no quorum\n"
    "  epochs    sealed 18232, sent 18231; 40000 dirty pages sent as"
    " 1.2 GiB\n"
    "  pause     42.1 us at the last checkpoint, 310.0 us at most\n"
    "  held      1.71 ms after hscpt()\n"
    "  refused   damaged 2, term 1\n"
    "  promoted  2023-11-14 22:13:20; service told after 1.5 ms, running"
    " after 3.2 ms\n"
    "  restarts  2 of 3 here within 10 minutes; 7 in all, last: killed by"
    " SIGSEGV, went on from epoch 18000 after 4.2 ms\n"
    "  agent     pid 4700, version 0.1.0\n";

static void
check(const char *json, const char *want)
{
	struct json_object *o = json_tokener_parse(json);
	size_t len = 0;
	char *got = NULL;
	FILE *f = open_memstream(&got, &len);

	CU_ASSERT_FATAL(o != NULL && f != NULL);
	hs_page_print(f, o);
	CU_ASSERT_EQUAL(fclose(f), 0);
	CU_ASSERT_STRING_EQUAL(got, want);
	if (strcmp(got, want) != 0)
		(void)printf("got:\n%s", got);
	free(got);
	json_object_put(o);
}

static void
full_status_is_a_page(void)
{
	CU_ASSERT_EQUAL(setenv("TZ", "UTC", 1), 0);
	check(full, page);
}

static void
missing_members_are_left_out(void)
{
	check("{}", "?: ?\n");
	check("{\"resource\":\"db\",\"state\":\"EMPTY\",\"service\":null,"
	      "\"image\":null,\"peers\":[],\"lost\":[],\"stats\":null,"
	      "\"refused\":{},\"last_promote\":null,\"why\":\"\"}",
	    "db: EMPTY\n");
}

static void
members_of_a_wrong_type_do_no_harm(void)
{
	check("{\"resource\":\"db\",\"state\":7,\"peers\":\"x\","
	      "\"lost\":{\"a\":1},\"refused\":[1],\"service\":[],"
	      "\"last_promote\":\"never\"}",
	    "db: 7\n  service   ?\n");
}

/* clang-format off */
HS_SUITE(agent_page,
	HS_TEST(full_status_is_a_page),
	HS_TEST(missing_members_are_left_out),
	HS_TEST(members_of_a_wrong_type_do_no_harm))
/* clang-format on */
