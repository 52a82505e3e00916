/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening TCP sockets, and UDP sockets with what was not read, of both
 * families.
 */
#include "tests/rig/state_inet.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/rig/turns.h"

/* A socket buffer of a default size is never full of them. */
#define MOST_DATAGRAM 1500

struct option {
	int level;
	int name;
	int most;
};

static void
set_option(int fd, int level, int name, int v)
{
	if (setsockopt(fd, level, name, &v, sizeof(v)) < 0)
		hs_turns_wrong("setsockopt(%d, %d): %m", level, name);
}

static int
get_option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int v = 0;

	if (getsockopt(fd, level, name, &v, &len) < 0)
		hs_turns_wrong("getsockopt(%d, %d): %m", level, name);
	return v;
}

/* At any port of an address, which need not be one of this machine. */
static int
open_socket(int family, int type, const char *addr)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	const int fd = socket(family, type | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		hs_turns_wrong("socket: %m");
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (family == AF_INET) {
		set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
		(void)inet_pton(AF_INET, addr, &v4.sin_addr);
		rc = bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	} else {
		(void)inet_pton(AF_INET6, addr, &v6.sin6_addr);
		rc = bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	}
	if (rc < 0)
		hs_turns_wrong("bind: %m");
	return fd;
}

static void
show_bytes(FILE *out, const char *what, const void *p, size_t len)
{
	const uint8_t *b = p;

	(void)fprintf(out, "%s ", what);
	for (size_t i = 0; i < len; i++)
		(void)fprintf(out, "%02x", b[i]);
	(void)fputc('\n', out);
}

static void
show_name(FILE *out, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		hs_turns_wrong("getsockname: %m");
	show_bytes(out, "name", &ss, len);
	memset(&ss, 0, sizeof(ss));
	len = sizeof(ss);
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0)
		show_bytes(out, "peer", &ss, len);
}

/* ---- TCP ---- */

static const struct option tcp_options[] = {
	{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ SOL_SOCKET, SO_OOBINLINE, 1 },
	{ SOL_SOCKET, SO_PRIORITY, 6 },
	{ SOL_SOCKET, SO_RCVBUF, 100000 },
	{ IPPROTO_TCP, TCP_NODELAY, 1 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 100 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 1000 },
	{ IPPROTO_TCP, TCP_FASTOPEN, 50 },
	{ IPPROTO_TCP, TCP_SYNCNT, 9 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 99999 },
};
#define NTCP (sizeof(tcp_options) / sizeof(tcp_options[0]))

static void
open_tcp(struct state_mirror *m)
{
	static const struct {
		int family;
		const char *addr;
	} at[] = { { AF_INET, "127.0.0.1" }, { AF_INET6, "::" },
		{ AF_INET6, "::1" }, { AF_INET, "192.0.2.77" } };
	int fd;

	for (int i = 0; i < 4; i++) {
		fd = open_socket(at[i].family, SOCK_STREAM, at[i].addr);
		if (listen(fd, 1) < 0)
			hs_turns_wrong("listen: %m");
		state_register(m, i, fd, 0);
	}
}

static void
change_tcp(struct state_mirror *m)
{
	for (int i = 0; i < 4; i++) {
		for (size_t k = 0; k < NTCP; k++)
			if (state_random(m, 3) == 0)
				set_option(m->fd[i], tcp_options[k].level,
				    tcp_options[k].name,
				    1 +
					(int)state_random(m,
					    (uint64_t)tcp_options[k].most));
		if (listen(m->fd[i], 1 + (int)state_random(m, 100)) < 0)
			hs_turns_wrong("listen: %m");
	}
}

static void
show_tcp(const struct state_mirror *m, FILE *out)
{
	struct tcp_info info;
	socklen_t len;

	for (int i = 0; i < 4; i++) {
		len = sizeof(info);
		if (getsockopt(m->fd[i], IPPROTO_TCP, TCP_INFO, &info, &len) <
		    0)
			hs_turns_wrong("TCP_INFO: %m");
		state_show_info(out, m->fd[i], "flags");
		show_name(out, m->fd[i]);
		(void)fprintf(out, "state %d backlog %u\n", info.tcpi_state,
		    info.tcpi_sacked);
		for (size_t k = 0; k < NTCP; k++)
			(void)fprintf(out, "%zu %d\n", k,
			    get_option(m->fd[i], tcp_options[k].level,
				tcp_options[k].name));
	}
}

/* A client that comes to the loopback address is accepted. */
static void
check_tcp(const struct state_mirror *m)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int c, s = -1;

	if (getsockname(m->fd[0], (struct sockaddr *)&ss, &len) < 0)
		hs_turns_wrong("getsockname: %m");
	c = socket(ss.ss_family, SOCK_STREAM, 0);
	if (connect(c, (struct sockaddr *)&ss, len) == 0)
		s = accept(m->fd[0], NULL, NULL);
	if (s < 0)
		hs_turns_wrong("nobody is accepted: %m");
	(void)close(s);
	(void)close(c);
}

const struct state_kind state_tcp = {
	.name = "listening TCP socket",
	.open = open_tcp,
	.change = change_tcp,
	.show = show_tcp,
	.check = check_tcp,
};

/* ---- UDP: fd[3] is connected ---- */

static const struct option udp_options[] = {
	{ SOL_SOCKET, SO_BROADCAST, 1 },
	{ SOL_SOCKET, SO_PRIORITY, 6 },
	{ SOL_SOCKET, SO_RXQ_OVFL, 1 },
	{ SOL_SOCKET, SO_TIMESTAMPNS, 1 },
};
#define NUDP (sizeof(udp_options) / sizeof(udp_options[0]))

static void
open_udp(struct state_mirror *m)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	state_register(m, 0, open_socket(AF_INET, SOCK_DGRAM, "127.0.0.1"), 0);
	state_register(m, 1, open_socket(AF_INET6, SOCK_DGRAM, "::"), 0);
	state_register(m, 2, open_socket(AF_INET, SOCK_DGRAM, "192.0.2.77"), 0);
	state_register(m, 3, open_socket(AF_INET, SOCK_DGRAM, "127.0.0.1"), 0);
	if (connect(m->fd[3], (struct sockaddr *)&to, sizeof(to)) < 0)
		hs_turns_wrong("connect: %m");
}

/* From a sender of this turn's own, to the loopback address of fd. */
static void
send_some(struct state_mirror *m, int fd, int family)
{
	const int from = open_socket(family, SOCK_DGRAM,
	    family == AF_INET ? "127.0.0.1" : "::1");
	struct sockaddr_storage to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;
	uint8_t data[MOST_DATAGRAM];
	socklen_t len = sizeof(to);

	if (getsockname(fd, (struct sockaddr *)&to, &len) < 0)
		hs_turns_wrong("getsockname: %m");
	if (family == AF_INET6)
		v6->sin6_addr = in6addr_loopback;
	for (uint64_t n = state_random(m, 3); n > 0; n--) {
		const size_t size = 1 + state_random(m, MOST_DATAGRAM);

		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)state_random(m, 256);
		if (sendto(from, data, size, 0, (struct sockaddr *)&to, len) <
		    0)
			hs_turns_wrong("sendto: %m");
	}
	(void)close(from);
}

static void
change_group(struct state_mirror *m, int fd)
{
	struct group_req g = { .gr_interface = if_nametoindex("lo") };
	struct sockaddr_in *in = (struct sockaddr_in *)&g.gr_group;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(0xef010200u + (uint32_t)state_random(m, 4));
	/* The one or the other may be so already. */
	(void)setsockopt(fd, IPPROTO_IP,
	    state_random(m, 2) == 0 ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &g,
	    sizeof(g));
}

static void
change_udp(struct state_mirror *m)
{
	uint8_t byte;

	send_some(m, m->fd[0], AF_INET);
	send_some(m, m->fd[1], AF_INET6);
	for (int i = 0; i < 2; i++)
		for (uint64_t n = state_random(m, 4); n > 0; n--)
			(void)recv(m->fd[i], &byte, 1, 0);
	change_group(m, m->fd[0]);
	for (int i = 0; i < 4; i++)
		for (size_t k = 0; k < NUDP; k++)
			if (state_random(m, 4) == 0)
				set_option(m->fd[i], udp_options[k].level,
				    udp_options[k].name,
				    (int)state_random(m,
					1 + (uint64_t)udp_options[k].most));
}

static void
show_queue(FILE *out, int fd)
{
	struct sockaddr_storage from;
	uint8_t data[MOST_DATAGRAM];
	uint64_t sum;
	socklen_t len;
	ssize_t n;

	set_option(fd, SOL_SOCKET, SO_PEEK_OFF, 0);
	for (;;) {
		len = sizeof(from);
		memset(&from, 0, sizeof(from));
		n = recvfrom(fd, data, sizeof(data), MSG_PEEK,
		    (struct sockaddr *)&from, &len);
		if (n < 0)
			break;
		sum = 0;
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 1099511628211u + data[i];
		show_bytes(out, "from", &from, len);
		(void)fprintf(out, "%zd bytes, %llx\n", n,
		    (unsigned long long)sum);
	}
	set_option(fd, SOL_SOCKET, SO_PEEK_OFF, -1);
}

static void
show_groups(FILE *out, int fd)
{
	struct group_filter f = { .gf_interface = if_nametoindex("lo") };
	struct sockaddr_in *in = (struct sockaddr_in *)&f.gf_group;
	socklen_t len;

	for (uint32_t i = 0; i < 4; i++) {
		len = sizeof(f);
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(0xef010200u + i);
		(void)fprintf(out, "group %u %d\n", i,
		    getsockopt(fd, IPPROTO_IP, MCAST_MSFILTER, &f, &len));
	}
}

static void
show_udp(const struct state_mirror *m, FILE *out)
{
	for (int i = 0; i < 4; i++) {
		state_show_info(out, m->fd[i], "flags");
		show_name(out, m->fd[i]);
		for (size_t k = 0; k < NUDP; k++)
			(void)fprintf(out, "%zu %d\n", k,
			    get_option(m->fd[i], udp_options[k].level,
				udp_options[k].name));
		show_queue(out, m->fd[i]);
	}
	show_groups(out, m->fd[0]);
}

const struct state_kind state_udp = {
	.name = "UDP socket",
	.open = open_udp,
	.change = change_udp,
	.show = show_udp,
};
