/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hsinit()'s work: alone, below an agent, and each way in which it fails.  A
 * failure has one line for the operator, which the agent gets, too.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ckpt/ident.h"
#include "ckpt/start.h"
#include "mem/arena.h"
#include "tests/unit/suite.h"
#include "tests/unit/test_ckpt_peer.h"

static char why[512];

static int
start(struct hs_options *o)
{
	struct hs_ckpt *c = NULL;
	int rc;

	rc = hs_start_run(&c, o, why, sizeof(why));
	CU_ASSERT_EQUAL(c != NULL, rc >= 0);
	if (c != NULL)
		CU_ASSERT_EQUAL(hs_ckpt_close(&c, 0), 0);
	return rc;
}

static int
open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
alone_it_runs_unprotected(void)
{
	struct hs_status st;
	struct hs_ckpt *c;
	uint64_t epoch = 9;

	CU_ASSERT_EQUAL_FATAL(hs_start_run(&c, NULL, why, sizeof(why)),
	    HS_FRESH);
	CU_ASSERT_STRING_EQUAL(why, "");
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SEALED, &epoch), 0);
	CU_ASSERT_EQUAL(epoch, 0);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_SENT, NULL), 0);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD, NULL), HS_ENOSPARE);
	CU_ASSERT_EQUAL(hs_ckpt_take(c, HS_HELD | HS_NOWAIT, NULL), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, 0, HS_HELD, -1), HS_ENOSPARE);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, 0, HS_SENT, -1), 0);
	CU_ASSERT_EQUAL(hs_ckpt_wait(c, 1, HS_SENT, -1), HS_EMISUSE);
	CU_ASSERT_EQUAL(hs_ckpt_ping(c), 0);
	CU_ASSERT(hs_ckpt_eventfd(c) >= 0);
	hs_ckpt_status(c, &st);
	CU_ASSERT_EQUAL(st.protection, HS_ALONE);
	CU_ASSERT_STRING_EQUAL(st.transport, "none");
	CU_ASSERT_STRING_EQUAL(st.tracker, "none");
	CU_ASSERT_EQUAL(hs_ckpt_close(&c, -1), 0);
}

static void
bad_options_are_refused(void)
{
	struct {
		struct hs_options o;
		uint64_t later;
	} newer = { .o = { .size = sizeof(newer) } };
	struct hs_options o = HS_OPTIONS;

	CU_ASSERT_EQUAL(start(&newer.o), HS_FRESH);
	newer.later = 1;
	CU_ASSERT_EQUAL(start(&newer.o), HS_EMISUSE);
	o.size = 0;
	CU_ASSERT_EQUAL(start(&o), HS_EMISUSE);
	o.size = offsetof(struct hs_options, arena_base);
	o.arena_base = 4096;		/* not seen: the program is older */
	CU_ASSERT_EQUAL(start(&o), HS_FRESH);
	o.size = sizeof(o);
	CU_ASSERT_EQUAL(start(&o), HS_EMISUSE);
	CU_ASSERT(strlen(why) > 0);
	o.arena_base = 0;
	o.arena_bytes = SIZE_MAX;
	CU_ASSERT_EQUAL(start(&o), HS_EMISUSE);
	o.arena_bytes = (size_t)1 << 44;
	o.arena_base = ((uintptr_t)1 << 47) - ((uintptr_t)1 << 21);
	CU_ASSERT_EQUAL(start(&o), HS_EMISUSE);
}

static void
taken_address_is_told(void)
{
	const int before = open_fds();
	struct peer p;
	void *taken;

	peer_init(&p);
	taken =
	    mmap((void *)(HS_ARENA_DEFAULT_BASE + (4u << 20)), 4096, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CU_ASSERT_FATAL(taken != MAP_FAILED);
	peer_run(&p);
	CU_ASSERT_EQUAL(start(NULL), HS_EADDR);
	CU_ASSERT_EQUAL(munmap(taken, 4096), 0);
	peer_stop(&p);
	CU_ASSERT(strlen(p.failed) > 0);
	CU_ASSERT_EQUAL(strncmp(p.failed, why, sizeof(p.failed) - 1), 0);
	CU_ASSERT_FALSE(p.running);
	peer_fini(&p);
	CU_ASSERT_EQUAL(open_fds(), before);
}

static void
unknown_tracker_fails_before_hello(void)
{
	struct hs_options o = HS_OPTIONS;
	struct peer p;

	o.tracker = "psychic";
	peer_init(&p);
	peer_run(&p);
	CU_ASSERT(start(&o) < 0);
	peer_stop(&p);
	CU_ASSERT_EQUAL(p.hello.pid, 0);
	CU_ASSERT(strlen(p.failed) > 0);
	peer_fini(&p);
}

static void
hello_tells_who_is_there(void)
{
	uint8_t build[HS_DIGEST_BYTES];
	const int before = open_fds();
	struct hs_msg_hello hello;
	struct hs_ckpt *c;
	struct peer p;

	peer_init(&p);
	c = peer_start(&p, 0);
	hello = PEER_GET(&p, hello);
	CU_ASSERT_PTR_NULL(getenv("HOTSPARE_FD"));
	CU_ASSERT_EQUAL(hello.pid, (uint32_t)getpid());
	CU_ASSERT_EQUAL(hello.arena_base, HS_ARENA_DEFAULT_BASE);
	CU_ASSERT_EQUAL(hello.arena_bytes, PEER_ARENA_BYTES);
	CU_ASSERT_STRING_EQUAL(hello.version, "0.1.0");
	CU_ASSERT_EQUAL(hs_ident_build(build, false), 0);
	CU_ASSERT_EQUAL(memcmp(build, hello.build, sizeof(build)), 0);
	CU_ASSERT_EQUAL(hs_ckpt_close(&c, 0), 0);
	peer_stop(&p);
	CU_ASSERT_TRUE(p.running);
	peer_fini(&p);
	CU_ASSERT_EQUAL(open_fds(), before);
}

static void
damaged_image_is_refused(void)
{
	struct peer p;

	/* Zeros are no allocator's records. */
	peer_init(&p);
	p.restore = true;
	p.epoch = 5;
	p.used_bytes = HS_ARENA_EXTENT_BYTES;
	peer_run(&p);
	CU_ASSERT(start(NULL) < 0);
	peer_stop(&p);
	CU_ASSERT_FALSE(p.running);
	CU_ASSERT(strlen(p.failed) > 0);
	peer_fini(&p);
}

static void
agent_that_ends_ends_the_waiting(void)
{
	char text[16];
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	(void)snprintf(text, sizeof(text), "%d", pair[0]);
	CU_ASSERT_EQUAL(setenv("HOTSPARE_FD", text, 1), 0);
	CU_ASSERT_EQUAL(shutdown(pair[1], SHUT_WR), 0);
	CU_ASSERT_EQUAL(start(NULL), HS_EAGENT);
	CU_ASSERT_EQUAL(close(pair[1]), 0);
}

static void
variable_that_names_no_link_is_told(void)
{
	const char *const bad[] = { "", "x", "-1", "3x", "9999", "0" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(setenv("HOTSPARE_FD", bad[i], 1), 0);
		CU_ASSERT_EQUAL(start(NULL), HS_EAGENT);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, "HOTSPARE_FD"));
	}
	CU_ASSERT_EQUAL(unsetenv("HOTSPARE_FD"), 0);
}

static void
build_is_known_and_stays(void)
{
	uint8_t a[HS_DIGEST_BYTES] = { 0 }, b[HS_DIGEST_BYTES] = { 0 };
	const uint8_t none[HS_DIGEST_BYTES] = { 0 };

	CU_ASSERT_EQUAL(hs_ident_build(a, false), 0);
	CU_ASSERT_EQUAL(hs_ident_build(b, false), 0);
	CU_ASSERT_EQUAL(memcmp(a, b, sizeof(a)), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(a, none, sizeof(a)), 0);
	/* With the map, the first half is still the program's. */
	CU_ASSERT_EQUAL(hs_ident_build(b, true), 0);
	CU_ASSERT_EQUAL(memcmp(a, b, 8), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(a + 8, b + 8, 8), 0);
	CU_ASSERT_EQUAL(hs_ident_build(a, true), 0);
	CU_ASSERT_EQUAL(memcmp(a, b, sizeof(a)), 0);
}

HS_SUITE(ckpt_start, HS_TEST(alone_it_runs_unprotected),
    HS_TEST(bad_options_are_refused), HS_TEST(taken_address_is_told),
    HS_TEST(unknown_tracker_fails_before_hello),
    HS_TEST(hello_tells_who_is_there), HS_TEST(damaged_image_is_refused),
    HS_TEST(agent_that_ends_ends_the_waiting),
    HS_TEST(variable_that_names_no_link_is_told),
    HS_TEST(build_is_known_and_stays))
