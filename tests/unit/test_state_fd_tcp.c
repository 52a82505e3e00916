/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "state/fd_inet.h"
#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

#define ROUNDS 30

static int
open_tcp(int family)
{
	const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

/* Of family, at the loopback address, any port; or at `addr`. */
static void
bind_to(int fd, int family, const char *addr)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (family == AF_INET) {
		CU_ASSERT_EQUAL(inet_pton(AF_INET, addr, &v4.sin_addr), 1);
		CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&v4, sizeof(v4)),
		    0);
	} else {
		CU_ASSERT_EQUAL(inet_pton(AF_INET6, addr, &v6.sin6_addr), 1);
		CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&v6, sizeof(v6)),
		    0);
	}
}

static void
set(int fd, int level, int name, int v)
{
	CU_ASSERT_EQUAL(setsockopt(fd, level, name, &v, sizeof(v)), 0);
}

static int
get(int fd, int level, int name)
{
	return hs_fd_inet_int(fd, level, name);
}

static uint32_t
backlog_of(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	CU_ASSERT_EQUAL(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_sacked;
}

/* A client that comes to fd is accepted by it. */
static void
expect_service(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int c, s;

	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	c = open_tcp(ss.ss_family);
	CU_ASSERT_EQUAL(connect(c, (struct sockaddr *)&ss, len), 0);
	s = accept(fd, NULL, NULL);
	CU_ASSERT(s >= 0);
	CU_ASSERT_EQUAL(write(c, "x", 1), 1);
	CU_ASSERT_EQUAL(read(s, &len, 1), 1);
	(void)close(s);
	(void)close(c);
}

static void
a_listener_listens_again(void)
{
	const struct {
		int family;
		const char *addr;
	} at[] = { { AF_INET, "127.0.0.1" }, { AF_INET, "0.0.0.0" },
		{ AF_INET6, "::1" }, { AF_INET6, "::" } };
	int fd;

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		state_begin();
		fd = open_tcp(at[i].family);
		set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		bind_to(fd, at[i].family, at[i].addr);
		CU_ASSERT_EQUAL(listen(fd, 17), 0);
		CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
		expect_service(fd);
		/* The connection above dies away on the same port. */
		state_takeover();
		CU_ASSERT_EQUAL(backlog_of(fd), 17);
		expect_service(fd);
		state_takeover();
		state_end();
	}
}

/* The virtual address comes after the promotion. */
static void
the_address_may_come_later(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	const int one = 1;
	int fd;

	state_begin();
	fd = open_tcp(AF_INET);
	set(fd, IPPROTO_IP, IP_FREEBIND, one);
	bind_to(fd, AF_INET, "192.0.2.99");
	CU_ASSERT_EQUAL(listen(fd, 5), 0);
	set(fd, IPPROTO_IP, IP_FREEBIND, 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	state_takeover();
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&sin,
			    &(socklen_t){ 16 }),
	    0);
	CU_ASSERT_EQUAL(sin.sin_addr.s_addr, inet_addr("192.0.2.99"));
	CU_ASSERT_EQUAL(get(fd, IPPROTO_IP, IP_FREEBIND), 0);
	state_end();
}

static void
options_come_back(void)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 9 };
	const struct timeval tv = { .tv_sec = 3 };
	struct linger l;
	struct timeval t;
	int fd;

	state_begin();
	fd = open_tcp(AF_INET6);
	set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	bind_to(fd, AF_INET6, "::1");
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, SOL_SOCKET, SO_RCVBUF, 70000);
	set(fd, SOL_SOCKET, SO_PRIORITY, 3);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, IPPROTO_TCP, TCP_MAXSEG, 1200);
	set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
	set(fd, IPPROTO_TCP, TCP_FASTOPEN, 23);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 77);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
	CU_ASSERT_EQUAL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger,
			    sizeof(linger)),
	    0);
	CU_ASSERT_EQUAL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv,
			    sizeof(tv)),
	    0);
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4),
	    0);
	CU_ASSERT_EQUAL(listen(fd, 8), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	state_takeover();
	CU_ASSERT_EQUAL(get(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	CU_ASSERT_EQUAL(get(fd, SOL_SOCKET, SO_REUSEADDR), 1);
	CU_ASSERT_EQUAL(get(fd, SOL_SOCKET, SO_REUSEPORT), 1);
	CU_ASSERT_EQUAL(get(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	CU_ASSERT_EQUAL(get(fd, SOL_SOCKET, SO_RCVBUF), 140000);
	CU_ASSERT_EQUAL(get(fd, SOL_SOCKET, SO_PRIORITY), 3);
	CU_ASSERT_EQUAL(get(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	CU_ASSERT_EQUAL(get(fd, IPPROTO_TCP, TCP_MAXSEG), 1200);
	CU_ASSERT_EQUAL(get(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 1);
	CU_ASSERT_EQUAL(get(fd, IPPROTO_TCP, TCP_FASTOPEN), 23);
	CU_ASSERT_EQUAL(get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	CU_ASSERT_EQUAL(get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
	CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l,
			    &(socklen_t){ sizeof(l) }),
	    0);
	CU_ASSERT_EQUAL(l.l_linger, 9);
	CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t,
			    &(socklen_t){ sizeof(t) }),
	    0);
	CU_ASSERT_EQUAL(t.tv_sec, 3);
	state_end();
}

/* A size that nobody set stays the kernel's to choose. */
static void
a_buffer_that_was_not_set_is_not_set(void)
{
	int fd;

	state_begin();
	fd = open_tcp(AF_INET);
	CU_ASSERT_EQUAL(listen(fd, 8), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	state_takeover();
	CU_ASSERT_EQUAL(get(fd, SOL_SOCKET, SO_BUF_LOCK), 0);
	state_end();
}

static void
any_options_come_back(void)
{
	static const struct {
		int level, name, most;
	} opt[] = { { SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ SOL_SOCKET, SO_OOBINLINE, 1 }, { SOL_SOCKET, SO_PRIORITY, 6 },
		{ SOL_SOCKET, SO_RCVLOWAT, 9999 },
		{ SOL_SOCKET, SO_SNDBUF, 100000 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 }, { IPPROTO_TCP, TCP_SYNCNT, 9 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 100 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 1000 },
		{ IPPROTO_TCP, TCP_FASTOPEN, 50 },
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1 << 20 },
		{ IPPROTO_IP, IP_TOS, 60 }, { IPPROTO_IP, IP_TTL, 254 } };
	struct hs_random rnd;
	int fd;

	hs_random_init(&rnd);
	state_begin();
	fd = open_tcp(AF_INET);
	CU_ASSERT_EQUAL(listen(fd, 8), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(opt) / sizeof(opt[0]); i++)
			set(fd, opt[i].level, opt[i].name,
			    (int)hs_random_below(&rnd, (uint64_t)opt[i].most) +
				1);
		CU_ASSERT_EQUAL(listen(fd, (int)hs_random_below(&rnd, 100) + 1),
		    0);
		state_takeover();
	}
	state_end();
}

static void
a_port_that_is_taken_is_told(void)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd, other;

	state_begin();
	fd = open_tcp(AF_INET);
	bind_to(fd, AF_INET, "127.0.0.1");
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	/* At a number that is in nobody's way. */
	CU_ASSERT_EQUAL(fcntl(other = open_tcp(AF_INET), F_DUPFD, 300), 300);
	(void)close(other);
	CU_ASSERT_EQUAL(bind(300, (struct sockaddr *)&ss, len), 0);
	CU_ASSERT_EQUAL(listen(300, 1), 0);
	CU_ASSERT_EQUAL(state_restore(), HS_EFD);
	CU_ASSERT(state_says("cannot listen at TCP 127.0.0.1:"));
	CU_ASSERT(state_says("another process of this machine listens there"));
	(void)close(300);
	CU_ASSERT_EQUAL(state_restore(), 0);
	state_end();
}

static void
connections_are_refused(void)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int l, c, s;

	l = open_tcp(AF_INET);
	CU_ASSERT_EQUAL(listen(l, 1), 0);
	CU_ASSERT_EQUAL(getsockname(l, (struct sockaddr *)&ss, &len), 0);
	c = open_tcp(AF_INET);
	CU_ASSERT_EQUAL(connect(c, (struct sockaddr *)&ss, len), 0);
	s = accept(l, NULL, NULL);
	state_begin();
	CU_ASSERT_EQUAL(hs_fd_register(c, 0), HS_EFD);
	CU_ASSERT(state_says("let the client connect again"));
	CU_ASSERT_EQUAL(hs_fd_register(s, 0), HS_EFD);
	(void)close(c);
	c = open_tcp(AF_INET);
	CU_ASSERT_EQUAL(hs_fd_register(c, 0), HS_EFD);
	CU_ASSERT(state_says("call listen() first"));
	CU_ASSERT_EQUAL(hs_fd_register(l, HS_FD_CONTENT), HS_EMISUSE);
	CU_ASSERT(state_says("how is 0 for a TCP socket"));
	/* It listened when it was registered. */
	CU_ASSERT_EQUAL(hs_fd_register(l, 0), 0);
	CU_ASSERT_EQUAL(shutdown(l, SHUT_RD), 0);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("before shutdown()"));
	state_end();
	(void)close(c);
	(void)close(s);
}

static void
filters_and_other_protocols_are_refused(void)
{
	struct sock_filter all = { BPF_RET | BPF_K, 0, 0, 0xffff };
	const struct sock_fprog prog = { 1, &all };
	int fd;

	state_begin();
	fd = open_tcp(AF_INET);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			    sizeof(prog)),
	    0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("attach it after HS_RESTORED"));
	(void)close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */);
	if (fd >= 0) {
		CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
		CU_ASSERT(state_says("use plain TCP or UDP"));
		(void)close(fd);
	}
	state_end();
}

HS_SUITE(state_fd_tcp, HS_TEST(a_listener_listens_again),
    HS_TEST(the_address_may_come_later), HS_TEST(options_come_back),
    HS_TEST(a_buffer_that_was_not_set_is_not_set),
    HS_TEST(any_options_come_back), HS_TEST(a_port_that_is_taken_is_told),
    HS_TEST(connections_are_refused),
    HS_TEST(filters_and_other_protocols_are_refused))
