/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "state/fd_inet.h"
#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

#define ROUNDS 30
#define MOST 9000

static uint8_t buf[65536];

/* A socket at the loopback address; registered, unless how is -1. */
static int
open_udp(int family, int how)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(family == AF_INET
		? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
		: bind(fd, (struct sockaddr *)&v6, sizeof(v6)),
	    0);
	if (how >= 0)
		CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, (unsigned)how), 0);
	return fd;
}

static struct sockaddr_storage
name_of(int fd)
{
	struct sockaddr_storage ss = { .ss_family = 0 };
	socklen_t len = sizeof(ss);

	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	return ss;
}

static void
send_to(int from, int to, const void *p, size_t len)
{
	const struct sockaddr_storage ss = name_of(to);

	CU_ASSERT_EQUAL(sendto(from, p, len, 0, (const struct sockaddr *)&ss,
			    hs_fd_inet_len(&ss)),
	    (ssize_t)len);
}

/* The next datagram at fd is that, and from `from`. */
static void
expect(int fd, int from, const void *p, size_t len)
{
	const struct sockaddr_storage want = name_of(from);
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	CU_ASSERT_EQUAL(recvfrom(fd, buf, sizeof(buf), 0,
			    (struct sockaddr *)&ss, &n),
	    (ssize_t)len);
	CU_ASSERT_EQUAL(memcmp(buf, p, len), 0);
	CU_ASSERT_EQUAL(memcmp(&ss, &want, hs_fd_inet_len(&want)), 0);
}

static void
expect_none(int fd)
{
	CU_ASSERT_EQUAL(recv(fd, buf, sizeof(buf), 0), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
}

static void
unread_datagrams_come_back(void)
{
	const int families[] = { AF_INET, AF_INET6 };
	int fd, a, b;

	for (int i = 0; i < 2; i++) {
		state_begin();
		a = open_udp(families[i], -1);
		b = open_udp(families[i], -1);
		fd = open_udp(families[i], 0);
		send_to(a, fd, "one", 3);
		send_to(b, fd, "two!", 4);
		send_to(a, fd, "three", 5);
		CU_ASSERT_EQUAL(state_query(), 0);
		state_takeover();
		send_to(b, fd, "after", 5);
		expect(fd, a, "one", 3);
		state_takeover();
		expect(fd, b, "two!", 4);
		expect(fd, a, "three", 5);
		expect(fd, b, "after", 5);
		expect_none(fd);
		send_to(fd, a, "reply", 5);
		expect(a, fd, "reply", 5);
		state_end();
		(void)close(a);
		(void)close(b);
	}
}

/* The first look of a checkpoint at an empty one is the only one. */
static void
an_empty_datagram_comes_back_once(void)
{
	int fd, a;

	state_begin();
	a = open_udp(AF_INET, -1);
	fd = open_udp(AF_INET, 0);
	send_to(a, fd, "x", 1);
	send_to(a, fd, "", 0);
	send_to(a, fd, "y", 1);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	expect(fd, a, "x", 1);
	expect(fd, a, "", 0);
	expect(fd, a, "y", 1);
	expect_none(fd);
	state_end();
	(void)close(a);
}

static void
mapped_addresses_come_back(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 from;
	socklen_t len = sizeof(any);
	int fd, a;

	state_begin();
	a = open_udp(AF_INET, -1);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&any, &len), 0);
	to.sin_port = any.sin6_port;
	CU_ASSERT_EQUAL(sendto(a, "v4", 2, 0, (struct sockaddr *)&to,
			    sizeof(to)),
	    2);
	state_takeover();
	len = sizeof(from);
	CU_ASSERT_EQUAL(recvfrom(fd, buf, 9, 0, (struct sockaddr *)&from, &len),
	    2);
	CU_ASSERT(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&from, &len), 0);
	CU_ASSERT_EQUAL(memcmp(&from, &any, sizeof(any)), 0);
	state_end();
	(void)close(a);
}

/* With IP_PKTINFO the program learns, as before, whom the sender meant. */
static void
the_destination_comes_back(void)
{
	_Alignas(struct cmsghdr) uint8_t control[256];
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct in_pktinfo info = { .ipi_ifindex = 0 };
	const int one = 1;
	int fd, a;

	state_begin();
	a = open_udp(AF_INET, -1);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one,
			    sizeof(one)),
	    0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&to,
			    &(socklen_t){ 16 }),
	    0);
	to.sin_addr.s_addr = inet_addr("127.9.8.7");
	CU_ASSERT_EQUAL(sendto(a, "hey", 3, 0, (struct sockaddr *)&to,
			    sizeof(to)),
	    3);
	state_takeover();
	CU_ASSERT_EQUAL(recvmsg(fd, &m, 0), 3);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL;
	     c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_type == IP_PKTINFO)
			memcpy(&info, CMSG_DATA(c), sizeof(info));
	CU_ASSERT_EQUAL(info.ipi_addr.s_addr, inet_addr("127.9.8.7"));
	state_end();
	(void)close(a);
}

static void
a_connected_one_is_connected_again(void)
{
	struct sockaddr_storage peer, want;
	socklen_t len = sizeof(peer);
	int fd, a, stranger;

	state_begin();
	a = open_udp(AF_INET, -1);
	stranger = open_udp(AF_INET, -1);
	fd = open_udp(AF_INET, 0);
	want = name_of(a);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&want,
			    hs_fd_inet_len(&want)),
	    0);
	send_to(a, fd, "before", 6);
	state_takeover();
	CU_ASSERT_EQUAL(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	CU_ASSERT_EQUAL(memcmp(&peer, &want, len), 0);
	expect(fd, a, "before", 6);
	send_to(stranger, fd, "no", 2);
	expect_none(fd);
	CU_ASSERT_EQUAL(send(fd, "to a", 4, 0), 4);
	expect(a, fd, "to a", 4);
	state_end();
	(void)close(a);
	(void)close(stranger);
}

/* Sources on networks that are not here, and a name that is not here yet. */
static void
the_address_may_come_later(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(40053),
		.sin_addr.s_addr = inet_addr("192.0.2.99") };
	struct sockaddr_storage is;
	const int one = 1;
	int fd;

	state_begin();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one,
			    sizeof(one)),
	    0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, 0), 0);
	state_takeover();
	is = name_of(fd);
	CU_ASSERT_EQUAL(memcmp(&is, &sin, sizeof(sin)), 0);
	state_end();
}

static void
any_queue_comes_back(void)
{
	const int families[] = { AF_INET, AF_INET6 };
	struct hs_random rnd;
	int fd, a[4], n;

	hs_random_init(&rnd);
	for (int f = 0; f < 2; f++) {
		state_begin();
		for (int i = 0; i < 4; i++)
			a[i] = open_udp(families[f], -1);
		fd = open_udp(families[f], 0);
		for (int round = 0; round < ROUNDS; round++) {
			n = (int)hs_random_below(&rnd, 6);
			for (int i = 0; i < n; i++) {
				const size_t len =
				    hs_random_below(&rnd, MOST) + 1;

				hs_random_fill(&rnd, buf, len);
				send_to(a[hs_random_below(&rnd, 4)], fd, buf,
				    len);
			}
			n = (int)hs_random_below(&rnd, 6);
			for (int i = 0; i < n; i++)
				(void)recv(fd, buf, sizeof(buf), 0);
			state_takeover();
		}
		state_end();
		for (int i = 0; i < 4; i++)
			(void)close(a[i]);
	}
}

/* More than the receive buffer of a new socket takes. */
static void
a_long_queue_comes_back(void)
{
	const int size = 4 << 20;
	int fd, a, n = 0;

	state_begin();
	a = open_udp(AF_INET, -1);
	fd = open_udp(AF_INET, 0);
	CU_ASSERT_EQUAL(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
			    sizeof(size)),
	    0);
	for (int i = 0; i < 1000; i++)
		send_to(a, fd, &i, sizeof(i));
	for (int i = 0; i < 20; i++)
		send_to(a, fd, buf, 60000);
	state_takeover();
	for (int i = 0; i < 1000; i++)
		expect(fd, a, &i, sizeof(i));
	while (recv(fd, buf, sizeof(buf), 0) == 60000)
		n++;
	CU_ASSERT_EQUAL(n, 20);
	CU_ASSERT_EQUAL(hs_fd_inet_int(fd, SOL_SOCKET, SO_RCVBUF), 2 * size);
	state_end();
	(void)close(a);
}

static void
options_come_back(void)
{
	const int level[] = { SOL_SOCKET, SOL_SOCKET, IPPROTO_IP, IPPROTO_IP,
		IPPROTO_IP, SOL_SOCKET };
	const int name[] = { SO_BROADCAST, SO_REUSEPORT, IP_PKTINFO,
		IP_MULTICAST_TTL, IP_RECVTOS, SO_PEEK_OFF };
	const int value[] = { 1, 1, 1, 9, 1, 3 };
	int fd, a;

	state_begin();
	a = open_udp(AF_INET, -1);
	fd = open_udp(AF_INET, 0);
	for (int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(setsockopt(fd, level[i], name[i], &value[i],
				    sizeof(int)),
		    0);
	send_to(a, fd, "all of it", 9);
	state_takeover();
	for (int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(hs_fd_inet_int(fd, level[i], name[i]),
		    value[i]);
	CU_ASSERT_EQUAL(hs_fd_inet_int(fd, SOL_SOCKET, SO_BUF_LOCK), 0);
	expect(fd, a, "all of it", 9);
	state_end();
	(void)close(a);
}

static void
groups_are_joined_again(void)
{
	struct group_source_req src = { .gsr_interface = if_nametoindex("lo") };
	struct group_req g4 = { .gr_interface = src.gsr_interface };
	struct group_req g6 = { .gr_interface = src.gsr_interface };
	struct sockaddr_in *in4 = (struct sockaddr_in *)&g4.gr_group;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&g6.gr_group;
	int fd;

	in4->sin_family = AF_INET;
	in4->sin_addr.s_addr = inet_addr("239.1.2.3");
	in6->sin6_family = AF_INET6;
	CU_ASSERT_EQUAL(inet_pton(AF_INET6, "ff02::1:2:3", &in6->sin6_addr), 1);
	state_begin();
	fd = open_udp(AF_INET6, 0);
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g4,
			    sizeof(g4)),
	    0);
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &g6,
			    sizeof(g6)),
	    0);
	in4->sin_addr.s_addr = inet_addr("239.1.2.4");
	src.gsr_group = g4.gr_group;
	src.gsr_source = g4.gr_group;
	((struct sockaddr_in *)&src.gsr_source)->sin_addr.s_addr =
	    inet_addr("198.51.100.1");
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP,
			    &src, sizeof(src)),
	    0);
	state_takeover();
	/* Three times a member already. */
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &g6,
			    sizeof(g6)),
	    -1);
	CU_ASSERT_EQUAL(errno, EADDRINUSE);
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP,
			    &src, sizeof(src)),
	    0);
	in4->sin_addr.s_addr = inet_addr("239.1.2.3");
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_GROUP, &g4,
			    sizeof(g4)),
	    0);
	state_takeover();
	state_end();
}

static void
empty_leaves_the_queue_behind(void)
{
	int fd, a;

	state_begin();
	a = open_udp(AF_INET, -1);
	fd = open_udp(AF_INET, HS_FD_EMPTY);
	send_to(a, fd, "lost", 4);
	state_takeover();
	expect_none(fd);
	state_end();
	(void)close(a);
}

static void
what_cannot_come_back_is_refused(void)
{
	const int one = 1;
	int fd;

	state_begin();
	fd = open_udp(AF_INET, -1);
	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_CONTENT), HS_EMISUSE);
	CU_ASSERT(state_says("how is 0 or HS_FD_EMPTY"));
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &one,
			    sizeof(one)),
	    0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("turn the option off"));
	(void)close(fd);
	fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	if (fd >= 0) {
		CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
		CU_ASSERT(state_says("use plain TCP or UDP"));
		(void)close(fd);
	}
	fd = open_udp(AF_INET, -1);
	CU_ASSERT_EQUAL(seteuid(65534), 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), HS_EFD);
	CU_ASSERT(state_says("give the service CAP_NET_RAW"));
	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_EMPTY), 0);
	CU_ASSERT_EQUAL(seteuid(0), 0);
	state_end();
}

static void
a_port_that_is_taken_is_told(void)
{
	struct sockaddr_storage ss;
	int fd, other;

	state_begin();
	fd = open_udp(AF_INET, 0);
	ss = name_of(fd);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	other = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(fcntl(other, F_DUPFD, 300), 300);
	(void)close(other);
	CU_ASSERT_EQUAL(bind(300, (struct sockaddr *)&ss, hs_fd_inet_len(&ss)),
	    0);
	CU_ASSERT_EQUAL(state_restore(), HS_EFD);
	CU_ASSERT(state_says("cannot bind UDP 127.0.0.1:"));
	(void)close(300);
	CU_ASSERT_EQUAL(state_restore(), 0);
	state_end();
}

/* With the rights of the system's administrator, as the service has them. */
HS_SUITE(state_fd_udp, HS_TEST(unread_datagrams_come_back),
    HS_TEST(an_empty_datagram_comes_back_once),
    HS_TEST(mapped_addresses_come_back), HS_TEST(the_destination_comes_back),
    HS_TEST(a_connected_one_is_connected_again),
    HS_TEST(the_address_may_come_later), HS_TEST(any_queue_comes_back),
    HS_TEST(a_long_queue_comes_back), HS_TEST(options_come_back),
    HS_TEST(groups_are_joined_again), HS_TEST(empty_leaves_the_queue_behind),
    HS_TEST(what_cannot_come_back_is_refused),
    HS_TEST(a_port_that_is_taken_is_told))
