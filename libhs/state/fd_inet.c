/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_inet.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/why.h"
#include "state/fd_sockopt.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78	/* linux/in6.h */
#endif

int
hs_fd_inet_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int v = -1;

	return getsockopt(fd, level, name, &v, &len) < 0 ? -1 : v;
}

int
hs_fd_inet_is(int fd, int type)
{
	const int family = hs_fd_inet_int(fd, SOL_SOCKET, SO_DOMAIN);

	return (family == AF_INET || family == AF_INET6) &&
	    hs_fd_inet_int(fd, SOL_SOCKET, SO_TYPE) == type;
}

/* ---- names ---- */

static const struct sockaddr_in *
in4(const struct sockaddr_storage *ss)
{
	return (const struct sockaddr_in *)ss;
}

static const struct sockaddr_in6 *
in6(const struct sockaddr_storage *ss)
{
	return (const struct sockaddr_in6 *)ss;
}

void
hs_fd_inet_put(struct hs_wr *w, const struct sockaddr_storage *ss)
{
	char ifname[IF_NAMESIZE] = "";

	hs_wr_u16(w, ss->ss_family);
	switch (ss->ss_family) {
	case AF_INET:
		hs_wr_u16(w, ntohs(in4(ss)->sin_port));
		hs_wr_bytes(w, &in4(ss)->sin_addr, 4);
		hs_wr_zeros(w, 12 + 4);
		break;
	case AF_INET6:
		hs_wr_u16(w, ntohs(in6(ss)->sin6_port));
		hs_wr_bytes(w, &in6(ss)->sin6_addr, 16);
		hs_wr_u32(w, ntohl(in6(ss)->sin6_flowinfo));
		/* The numbers of interfaces are this machine's own. */
		if (in6(ss)->sin6_scope_id != 0 &&
		    if_indextoname(in6(ss)->sin6_scope_id, ifname) == NULL)
			ifname[0] = '\0';
		break;
	default:
		hs_wr_zeros(w, 2 + 16 + 4);
		break;
	}
	hs_wr_text(w, ifname, IF_NAMESIZE);
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

void
hs_fd_inet_get(struct hs_rd *r, struct sockaddr_storage *ss)
{
	const uint16_t family = hs_rd_u16(r);
	const uint16_t port = hs_rd_u16(r);
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;
	char ifname[IF_NAMESIZE];
	uint8_t addr[16];
	uint32_t flow;

	memset(ss, 0, sizeof(*ss));
	hs_rd_copy(r, addr, sizeof(addr));
	flow = hs_rd_u32(r);
	hs_rd_text(r, ifname, sizeof(ifname));
	ss->ss_family = family;
	switch (family) {
	case AF_INET:
		hs_rd_require(r,
		    is_zero(addr + 4, 12) && flow == 0 && ifname[0] == '\0');
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, addr, 4);
		break;
	case AF_INET6:
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, addr, 16);
		v6->sin6_flowinfo = htonl(flow);
		if (ifname[0] != '\0')
			v6->sin6_scope_id = if_nametoindex(ifname);
		break;
	default:
		hs_rd_require(r,
		    family == 0 && port == 0 && is_zero(addr, 16) &&
			flow == 0 && ifname[0] == '\0');
		break;
	}
}

uint16_t
hs_fd_inet_port(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET ? in4(ss)->sin_port
					: in6(ss)->sin6_port;
}

socklen_t
hs_fd_inet_len(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					: sizeof(struct sockaddr_in6);
}

void
hs_fd_inet_text(const struct sockaddr_storage *ss, char *buf, size_t size)
{
	char addr[INET6_ADDRSTRLEN];

	if (ss->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &in4(ss)->sin_addr, addr,
		    sizeof(addr));
		(void)snprintf(buf, size, "%s:%u", addr,
		    ntohs(in4(ss)->sin_port));
		return;
	}
	(void)inet_ntop(AF_INET6, &in6(ss)->sin6_addr, addr, sizeof(addr));
	(void)snprintf(buf, size, "[%s]:%u", addr, ntohs(in6(ss)->sin6_port));
}

/* ---- for a while ---- */

int
hs_fd_inet_swap(int fd, int level, int name, int v)
{
	const int old = hs_fd_inet_int(fd, level, name);

	if (old < 0 || setsockopt(fd, level, name, &v, sizeof(v)) < 0)
		return -1;
	return old;
}

void
hs_fd_inet_back(int fd, int level, int name, int old)
{
	if (old >= 0)
		(void)setsockopt(fd, level, name, &old, sizeof(old));
}

int
hs_fd_inet_bind(int fd, const struct sockaddr_storage *ss)
{
	const bool v4 = ss->ss_family == AF_INET;
	const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	const int name = v4 ? IP_FREEBIND : IPV6_FREEBIND;
	const int old = hs_fd_inet_swap(fd, level, name, 1);
	int rc = 0;

	if (bind(fd, (const struct sockaddr *)ss, hs_fd_inet_len(ss)) < 0)
		rc = -errno;
	hs_fd_inet_back(fd, level, name, old);
	return rc;
}

int
hs_fd_inet_connect(int fd, const struct sockaddr_storage *ss)
{
	const bool v4 = ss->ss_family == AF_INET;
	const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	const int name = v4 ? IP_TRANSPARENT : IPV6_TRANSPARENT;
	const int old = hs_fd_inet_swap(fd, level, name, 1);
	int rc = 0;

	if (connect(fd, (const struct sockaddr *)ss, hs_fd_inet_len(ss)) < 0)
		rc = -errno;
	hs_fd_inet_back(fd, level, name, old);
	return rc;
}

int
hs_fd_inet_check(int fd, int protocol)
{
	if (hs_fd_inet_int(fd, SOL_SOCKET, SO_PROTOCOL) != protocol)
		return hs_why(HS_EFD,
		    "hsfdreg(%d): a socket of protocol %d (such as MPTCP or "
		    "UDP-Lite) is not carried over: use plain TCP or UDP",
		    fd, hs_fd_inet_int(fd, SOL_SOCKET, SO_PROTOCOL));
	return hs_fd_sockopt_check(fd);
}
