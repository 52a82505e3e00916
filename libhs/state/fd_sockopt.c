/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_sockopt.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/why.h"
#include "state/fd_inet.h"

/* Of linux/in6.h, which does not go with netinet/in.h. */
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
/* Of linux/socket.h. */
#ifndef SOCK_SNDBUF_LOCK
#define SOCK_SNDBUF_LOCK 1
#define SOCK_RCVBUF_LOCK 2
#endif
#define MOST_BYTES 64

enum form {
	FORM_INT,
	FORM_LINGER,
	FORM_TIME,
	FORM_TEXT,
	FORM_BUFFER,		/* size that the kernel tells twice as large */
};

/* For which sockets. */
#define V4 1u
#define V6 2u
#define TCP 4u
#define UDP 8u
#define ALL (V4 | V6 | TCP | UDP)

struct option {
	uint8_t id;		/* permanent: they are in images */
	enum form form;
	unsigned who;		/* all of: its family and its type */
	int level;
	int name;
	const char *text;
};

/* Ascending by id, which is the order in which they are set. */
#define OPTION(id, form, who, level, name) { id, form, who, level, name, #name }
static const struct option options[] = {
	OPTION(1, FORM_INT, ALL, SOL_SOCKET, SO_REUSEADDR),
	OPTION(2, FORM_INT, ALL, SOL_SOCKET, SO_REUSEPORT),
	OPTION(3, FORM_INT, V4 | V6 | TCP, SOL_SOCKET, SO_KEEPALIVE),
	OPTION(4, FORM_INT, V4 | V6 | UDP, SOL_SOCKET, SO_BROADCAST),
	OPTION(5, FORM_INT, V4 | V6 | TCP, SOL_SOCKET, SO_OOBINLINE),
	OPTION(6, FORM_LINGER, V4 | V6 | TCP, SOL_SOCKET, SO_LINGER),
	OPTION(8, FORM_INT, ALL, SOL_SOCKET, SO_MARK),
	OPTION(9, FORM_TEXT, ALL, SOL_SOCKET, SO_BINDTODEVICE),
	OPTION(10, FORM_TIME, ALL, SOL_SOCKET, SO_RCVTIMEO),
	OPTION(11, FORM_TIME, ALL, SOL_SOCKET, SO_SNDTIMEO),
	OPTION(12, FORM_INT, ALL, SOL_SOCKET, SO_RCVLOWAT),
	OPTION(13, FORM_BUFFER, ALL, SOL_SOCKET, SO_SNDBUF),
	OPTION(14, FORM_BUFFER, ALL, SOL_SOCKET, SO_RCVBUF),
	OPTION(15, FORM_INT, ALL, SOL_SOCKET, SO_TIMESTAMP),
	OPTION(16, FORM_INT, ALL, SOL_SOCKET, SO_TIMESTAMPNS),
	OPTION(17, FORM_INT, V4 | V6 | UDP, SOL_SOCKET, SO_RXQ_OVFL),
	OPTION(18, FORM_INT, V4 | V6 | UDP, SOL_SOCKET, SO_PEEK_OFF),
	OPTION(19, FORM_INT, ALL, SOL_SOCKET, SO_BUSY_POLL),
	OPTION(20, FORM_INT, V4 | V6 | UDP, SOL_SOCKET, SO_NO_CHECK),
	OPTION(21, FORM_INT, ALL, SOL_SOCKET, SO_DONTROUTE),
	OPTION(22, FORM_INT, ALL, SOL_SOCKET, SO_ZEROCOPY),
	OPTION(30, FORM_INT, V4 | TCP | UDP, IPPROTO_IP, IP_TOS),
	OPTION(31, FORM_INT, V4 | TCP | UDP, IPPROTO_IP, IP_TTL),
	OPTION(32, FORM_INT, V4 | TCP | UDP, IPPROTO_IP, IP_MTU_DISCOVER),
	OPTION(33, FORM_INT, V4 | TCP | UDP, IPPROTO_IP, IP_RECVERR),
	OPTION(34, FORM_INT, V4 | UDP, IPPROTO_IP, IP_PKTINFO),
	OPTION(35, FORM_INT, V4 | UDP, IPPROTO_IP, IP_RECVTTL),
	OPTION(36, FORM_INT, V4 | UDP, IPPROTO_IP, IP_RECVTOS),
	OPTION(37, FORM_INT, V4 | TCP | UDP, IPPROTO_IP, IP_FREEBIND),
	OPTION(38, FORM_INT, V4 | TCP | UDP, IPPROTO_IP, IP_TRANSPARENT),
	OPTION(39, FORM_INT, V4 | UDP, IPPROTO_IP, IP_MULTICAST_TTL),
	OPTION(40, FORM_INT, V4 | UDP, IPPROTO_IP, IP_MULTICAST_LOOP),
	OPTION(41, FORM_INT, V4 | UDP, IPPROTO_IP, IP_MULTICAST_ALL),
	OPTION(42, FORM_INT, V4 | UDP, IPPROTO_IP, IP_MULTICAST_IF),
	OPTION(43, FORM_INT, V4 | TCP | UDP, IPPROTO_IP, IP_MINTTL),
	OPTION(44, FORM_INT, V4 | UDP, IPPROTO_IP, IP_RECVORIGDSTADDR),
	OPTION(50, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_V6ONLY),
	OPTION(51, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	OPTION(52, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_TCLASS),
	OPTION(53, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_MTU_DISCOVER),
	OPTION(54, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_RECVERR),
	OPTION(55, FORM_INT, V6 | UDP, IPPROTO_IPV6, IPV6_RECVPKTINFO),
	OPTION(56, FORM_INT, V6 | UDP, IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
	OPTION(57, FORM_INT, V6 | UDP, IPPROTO_IPV6, IPV6_RECVTCLASS),
	OPTION(58, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_FREEBIND),
	OPTION(59, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_TRANSPARENT),
	OPTION(60, FORM_INT, V6 | UDP, IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
	OPTION(61, FORM_INT, V6 | UDP, IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
	OPTION(62, FORM_INT, V6 | UDP, IPPROTO_IPV6, IPV6_MULTICAST_ALL),
	OPTION(63, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_DONTFRAG),
	OPTION(64, FORM_INT, V6 | TCP | UDP, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL),
	OPTION(70, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_NODELAY),
	OPTION(71, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_MAXSEG),
	OPTION(72, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_DEFER_ACCEPT),
	OPTION(73, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_FASTOPEN),
	OPTION(74, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_KEEPIDLE),
	OPTION(75, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_KEEPINTVL),
	OPTION(76, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_KEEPCNT),
	OPTION(77, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_USER_TIMEOUT),
	OPTION(78, FORM_TEXT, V4 | V6 | TCP, IPPROTO_TCP, TCP_CONGESTION),
	OPTION(79, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_WINDOW_CLAMP),
	OPTION(80, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_SYNCNT),
	OPTION(81, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_LINGER2),
	OPTION(82, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	OPTION(83, FORM_INT, V4 | V6 | TCP, IPPROTO_TCP, TCP_SAVE_SYN),
	OPTION(90, FORM_INT, V4 | V6 | UDP, IPPROTO_UDP, UDP_SEGMENT),
	/* After IP_TOS and IPV6_TCLASS, which change it. */
	OPTION(100, FORM_INT, ALL, SOL_SOCKET, SO_PRIORITY),
};
#undef OPTION

#define NOPTION (sizeof(options) / sizeof(options[0]))

int
hs_fd_sockopt_check(int fd)
{
	socklen_t len = 0;

	/* No filter, or its number of instructions, or one of eBPF. */
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &len) == 0 &&
	    len == 0)
		return 0;
	return hs_why(HS_EFD,
	    "hsfdreg(%d): a socket filter is not carried over: detach it "
	    "(SO_DETACH_FILTER), and attach it after HS_RESTORED",
	    fd);
}

static unsigned
kind_of(int fd)
{
	return (hs_fd_inet_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET ? V4
								     : V6) |
	    (hs_fd_inet_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM ? TCP
								    : UDP);
}

static bool
is_for(const struct option *o, unsigned kind)
{
	return (o->who & kind) == kind;
}

static size_t
size_of(const struct option *o)
{
	switch (o->form) {
	case FORM_INT:
	case FORM_BUFFER:
		return sizeof(int);
	case FORM_LINGER:
		return sizeof(struct linger);
	case FORM_TIME:
		return sizeof(struct timeval);
	case FORM_TEXT:
		return IFNAMSIZ;	/* = TCP_CA_NAME_MAX */
	}
	return 0;
}

/* Length of the value, 0: none. */
static size_t
ask_option(int fd, const struct option *o, uint8_t *value)
{
	socklen_t len = (socklen_t)size_of(o);

	memset(value, 0, MOST_BYTES);
	if (getsockopt(fd, o->level, o->name, value, &len) < 0)
		return 0;
	if (o->form == FORM_TEXT)
		return strnlen((const char *)value, len);
	return len == size_of(o) ? len : 0;
}

/* A size that the kernel chose it may change again: only one that was set. */
static bool
is_locked(int fd, const struct option *o)
{
	const int locks = hs_fd_inet_int(fd, SOL_SOCKET, SO_BUF_LOCK);
	const int bit =
	    o->name == SO_SNDBUF ? SOCK_SNDBUF_LOCK : SOCK_RCVBUF_LOCK;

	return locks < 0 || (locks & bit) != 0;
}

void
hs_fd_sockopt_put(struct hs_wr *w, int fd)
{
	const unsigned kind = kind_of(fd);
	uint8_t value[MOST_BYTES];
	const size_t at = w->len;
	uint16_t n = 0;
	size_t len;

	hs_wr_u16(w, 0);
	for (size_t i = 0; i < NOPTION; i++) {
		const struct option *o = &options[i];

		if (!is_for(o, kind) ||
		    (o->form == FORM_BUFFER && !is_locked(fd, o)))
			continue;
		len = ask_option(fd, o, value);
		if (len == 0)
			continue;
		hs_wr_u8(w, o->id);
		hs_wr_u8(w, (uint8_t)len);
		hs_wr_bytes(w, value, len);
		n++;
	}
	if (hs_wr_end(w) >= 0) {
		w->buf[at] = (uint8_t)n;
		w->buf[at + 1] = (uint8_t)(n >> 8);
	}
}

static const struct option *
find_option(uint8_t id)
{
	for (size_t i = 0; i < NOPTION; i++)
		if (options[i].id == id)
			return &options[i];
	return NULL;
}

/* Beyond the limit of the machine where the program may: it did so there. */
static int
set_buffer(int fd, const struct option *o, const uint8_t *value)
{
	int v;

	memcpy(&v, value, sizeof(v));
	v /= 2;
	if (setsockopt(fd, SOL_SOCKET,
		o->name == SO_SNDBUF ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &v,
		sizeof(v)) == 0)
		return 0;
	return setsockopt(fd, o->level, o->name, &v, sizeof(v));
}

static int
set_option(int fd, const struct option *o, const uint8_t *value, size_t len)
{
	uint8_t have[MOST_BYTES];

	if (ask_option(fd, o, have) == len && memcmp(have, value, len) == 0)
		return 0;
	if (o->form == FORM_BUFFER)
		return set_buffer(fd, o, value);
	return setsockopt(fd, o->level, o->name, value, (socklen_t)len);
}

int
hs_fd_sockopt_get(struct hs_rd *r, int fd, int number)
{
	const unsigned kind = kind_of(fd);
	uint16_t n = hs_rd_u16(r);
	uint8_t last = 0;

	for (; n > 0 && r->err == 0; n--) {
		const uint8_t id = hs_rd_u8(r);
		const size_t len = hs_rd_u8(r);
		const uint8_t *value = hs_rd_bytes(r, len);
		const struct option *o = find_option(id);

		hs_rd_require(r,
		    o != NULL && id > last && is_for(o, kind) &&
			(o->form == FORM_TEXT ? len <= size_of(o)
					      : len == size_of(o)));
		last = id;
		if (o == NULL || r->err != 0)
			break;
		if (set_option(fd, o, value, len) < 0)
			return hs_why(HS_EFD,
			    "fd %d: the option %s cannot be set here: %s",
			    number, o->text, hs_err_text(-errno));
	}
	return r->err != 0 ? HS_ECORRUPT : 0;
}
