/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_feed.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "state/fd_inet.h"

#define MOST_DATA 65535
#define MOST_HEAD (sizeof(struct ip6_hdr) + sizeof(struct udphdr))
#define HOPS 64
/* What the kernel takes for a datagram beside its bytes, at most. */
#define OVERHEAD_BYTES 2048
/* A packet on the loopback arrives before send() returns, unless the machine is
 * busy with others. */
#define ARRIVAL_MS 200

int
hs_fd_feed_may(void)
{
	const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

/* ---- the socket that is fed ---- */

static int
name_socket(struct hs_fd_feed *f)
{
	const int none = 0;
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)f->family };
	socklen_t len = hs_fd_inet_len(&ss);

	/* Also IPv4's sources come to an IPv6 socket, if they came before. */
	if (f->family == AF_INET6 &&
	    setsockopt(f->fd, IPPROTO_IPV6, IPV6_V6ONLY, &none, sizeof(none)) <
		0)
		return -errno;
	/* The kernel chooses the port, and so gives it back at a disconnect. */
	if (bind(f->fd, (struct sockaddr *)&ss, len) < 0 ||
	    getsockname(f->fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	f->port = hs_fd_inet_port(&ss);
	return 0;
}

static void
size_socket(int fd, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) <
	    0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes,
		    sizeof(bytes));
}

/* How long hs_fd_feed_put() waits, and from where on it looks. */
static int
watch_socket(int fd, int wait_ms, int peek_off)
{
	const struct timeval tv = { .tv_usec = (suseconds_t)wait_ms * 1000 };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &peek_off,
		sizeof(peek_off)) < 0)
		return -errno;
	return 0;
}

int
hs_fd_feed_begin(struct hs_fd_feed *f, int fd, size_t n, size_t bytes)
{
	const size_t room = bytes + n * OVERHEAD_BYTES;
	int rc;

	*f = (struct hs_fd_feed){ .fd = fd,
		.family = hs_fd_inet_int(fd, SOL_SOCKET, SO_DOMAIN),
		.raw = { -1, -1 },
		.rcvbuf = hs_fd_inet_int(fd, SOL_SOCKET, SO_RCVBUF) };
	f->packet = malloc(MOST_HEAD + MOST_DATA);
	if (f->packet == NULL)
		return -ENOMEM;
	size_socket(fd, room > INT_MAX / 4 ? INT_MAX / 4 : (int)room * 2);
	rc = watch_socket(fd, ARRIVAL_MS, 0);
	if (rc == 0)
		rc = name_socket(f);
	if (rc < 0)
		hs_fd_feed_end(f);
	return rc;
}

void
hs_fd_feed_end(struct hs_fd_feed *f)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	const int unlocked = 0;

	for (int i = 0; i < 2; i++)
		if (f->raw[i] >= 0)
			(void)close(f->raw[i]);
	free(f->packet);
	f->packet = NULL;
	(void)connect(f->fd, &none, sizeof(none));
	(void)watch_socket(f->fd, 0, -1);
	size_socket(f->fd, f->rcvbuf / 2);
	(void)setsockopt(f->fd, SOL_SOCKET, SO_BUF_LOCK, &unlocked,
	    sizeof(unlocked));
}

/* ---- packets ---- */

/* As RFC 1071 has it, over big-endian words. */
static uint32_t
add_words(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (i & 1) != 0 ? p[i] : (uint32_t)p[i] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static void
put_udp(uint8_t *p, uint16_t from, uint16_t to, size_t data_len)
{
	const struct udphdr udp = { .source = from,
		.dest = to,
		.len = htons((uint16_t)(sizeof(udp) + data_len)) };

	memcpy(p, &udp, sizeof(udp));
}

/* The kernel fills in IPv4's checksum, and takes a UDP checksum of 0 there. */
static size_t
make_v4(struct hs_fd_feed *f, struct in_addr from, uint16_t port,
    struct in_addr to, const struct hs_fd_datagram *g)
{
	const size_t len =
	    sizeof(struct iphdr) + sizeof(struct udphdr) + g->len;
	const struct iphdr ip = { .version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)len),
		.ttl = HOPS,
		.protocol = IPPROTO_UDP,
		.saddr = from.s_addr,
		.daddr = to.s_addr };

	if (len > UINT16_MAX)
		return 0;
	memcpy(f->packet, &ip, sizeof(ip));
	put_udp(f->packet + sizeof(ip), port, f->port, g->len);
	memcpy(f->packet + len - g->len, g->data, g->len);
	return len;
}

static size_t
make_v6(struct hs_fd_feed *f, const struct sockaddr_in6 *from,
    const struct in6_addr *to, const struct hs_fd_datagram *g)
{
	const size_t udp_len = sizeof(struct udphdr) + g->len;
	const struct ip6_hdr ip = { .ip6_flow = htonl(6u << 28),
		.ip6_plen = htons((uint16_t)udp_len),
		.ip6_nxt = IPPROTO_UDP,
		.ip6_hlim = HOPS,
		.ip6_src = from->sin6_addr,
		.ip6_dst = *to };
	uint8_t *udp = f->packet + sizeof(ip);
	uint32_t sum;

	if (udp_len > UINT16_MAX)
		return 0;
	memcpy(f->packet, &ip, sizeof(ip));
	put_udp(udp, from->sin6_port, f->port, g->len);
	memcpy(udp + sizeof(struct udphdr), g->data, g->len);
	sum = add_words(0, (const uint8_t *)&ip.ip6_src, 32);
	sum = add_words(sum + (uint32_t)udp_len + IPPROTO_UDP, udp, udp_len);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	sum = sum == 0 ? 0xffff : sum;
	udp[6] = (uint8_t)(sum >> 8);
	udp[7] = (uint8_t)sum;
	return sizeof(ip) + udp_len;
}

static int
send_packet(struct hs_fd_feed *f, bool v4, size_t len)
{
	struct sockaddr_in lo4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 lo6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int *raw = &f->raw[v4 ? 0 : 1];

	if (len == 0)
		return -EMSGSIZE;
	if (*raw < 0)
		*raw = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC,
		    IPPROTO_RAW);
	if (*raw < 0 ||
	    sendto(*raw, f->packet, len, 0,
		v4 ? (struct sockaddr *)&lo4 : (struct sockaddr *)&lo6,
		v4 ? sizeof(lo4) : sizeof(lo6)) < 0)
		return -errno;
	return 0;
}

/* The IPv4 address in one of the form ::ffff:a.b.c.d. */
static struct in_addr
unmap(const struct in6_addr *a)
{
	struct in_addr v4;

	memcpy(&v4, a->s6_addr + 12, sizeof(v4));
	return v4;
}

static int
send_datagram(struct hs_fd_feed *f, const struct hs_fd_datagram *g)
{
	const struct in_addr home4 = { htonl(INADDR_LOOPBACK) };
	const struct in6_addr home6 = IN6ADDR_LOOPBACK_INIT;
	const struct sockaddr_in *from4 = (const struct sockaddr_in *)&g->from;
	const struct sockaddr_in6 *from6 =
	    (const struct sockaddr_in6 *)&g->from;
	const struct sockaddr_in *to4 = (const struct sockaddr_in *)&g->to;
	const struct sockaddr_in6 *to6 = (const struct sockaddr_in6 *)&g->to;
	const bool known = g->to.ss_family != 0;

	if (g->from.ss_family == AF_INET)
		return send_packet(f, true,
		    make_v4(f, from4->sin_addr, from4->sin_port,
			known ? to4->sin_addr : home4, g));
	if (IN6_IS_ADDR_V4MAPPED(&from6->sin6_addr))
		return send_packet(f, true,
		    make_v4(f, unmap(&from6->sin6_addr), from6->sin6_port,
			known ? unmap(&to6->sin6_addr) : home4, g));
	return send_packet(f, false,
	    make_v6(f, from6, known ? &to6->sin6_addr : &home6, g));
}

/*
 * The next in the queue that was not looked at, the peek offset being there:
 * another one than g is a stranger's, of which there may be a few.
 */
static int
await_datagram(const struct hs_fd_feed *f, const struct hs_fd_datagram *g)
{
	struct sockaddr_storage from;
	uint8_t byte;
	ssize_t n;

	for (int strangers = 0; strangers < 16; strangers++) {
		socklen_t len = sizeof(from);

		memset(&from, 0, sizeof(from));
		n = recvfrom(f->fd, f->packet, MOST_DATA, MSG_PEEK | MSG_TRUNC,
		    (struct sockaddr *)&from, &len);
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		byte = g->len == 0 ? 0 : g->data[0];
		if ((size_t)n == g->len && (n == 0 || f->packet[0] == byte) &&
		    from.ss_family == g->from.ss_family)
			return 0;
	}
	return -ETIMEDOUT;
}

int
hs_fd_feed_put(struct hs_fd_feed *f, const struct hs_fd_datagram *g)
{
	int rc;

	if (g->len > MOST_DATA)
		return -EMSGSIZE;
	rc = send_datagram(f, g);
	return rc < 0 ? rc : await_datagram(f, g);
}
