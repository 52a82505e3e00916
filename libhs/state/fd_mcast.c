/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_mcast.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/why.h"
#include "state/fd_inet.h"

#define MOST_SOURCES 16
#define HEAD_BYTES 36
#define NSRC_OFF 3
#define ADDR_BYTES 16
#define MOST_GROUPS 100		/* of the 8 KiB that a record's head has */

/* One group of one interface, as MCAST_MSFILTER takes and gives it. */
union filter {
	struct group_filter f;
	uint8_t room[GROUP_FILTER_SIZE(MOST_SOURCES)];
};

static int
level_of(int family)
{
	return family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

static void
set_addr(struct sockaddr_storage *ss, int family, const uint8_t *addr)
{
	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		memcpy(&((struct sockaddr_in *)ss)->sin_addr, addr, 4);
	else
		memcpy(&((struct sockaddr_in6 *)ss)->sin6_addr, addr, 16);
}

static void
put_addr(struct hs_wr *w, const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET) {
		hs_wr_bytes(w, &((const struct sockaddr_in *)ss)->sin_addr, 4);
		hs_wr_zeros(w, 12);
	} else {
		hs_wr_bytes(w, &((const struct sockaddr_in6 *)ss)->sin6_addr,
		    16);
	}
}

/* ---- query: no call lists them, but each can be asked for ---- */

struct scan {
	struct hs_wr *w;
	int fd;
	size_t first;		/* where in w the first one stands */
	uint16_t n;
};

/*
 * The last entry, of w from `at` on, to its place by its first HEAD_BYTES: the
 * kernel tells them by age.
 */
static void
sort_in(const struct scan *s, size_t at)
{
	const size_t len = s->w->len - at;
	uint8_t entry[HEAD_BYTES + MOST_SOURCES * ADDR_BYTES];
	uint8_t *p = s->w->buf + s->first;

	if (s->w->err != 0)
		return;
	memcpy(entry, s->w->buf + at, len);
	while (p < s->w->buf + at && memcmp(p, entry, HEAD_BYTES) < 0)
		p += HEAD_BYTES + (size_t)p[NSRC_OFF] * ADDR_BYTES;
	memmove(p + len, p, (size_t)(s->w->buf + at - p));
	memcpy(p, entry, len);
}

/* The group of the interface, if the socket is a member. */
static int
ask_group(struct scan *s, int family, unsigned ifindex, const uint8_t *addr)
{
	union filter u = { .f.gf_interface = ifindex };
	const size_t at = s->w->len;
	socklen_t len = sizeof(u);
	char ifname[IF_NAMESIZE] = "";

	set_addr(&u.f.gf_group, family, addr);
	u.f.gf_numsrc = MOST_SOURCES;
	if (getsockopt(s->fd, level_of(family), MCAST_MSFILTER, &u, &len) < 0)
		return 0;
	if (u.f.gf_numsrc > MOST_SOURCES || s->n == MOST_GROUPS)
		return hs_why(HS_EFD,
		    "fd %d (UDP) is a member of more than %d multicast groups, "
		    "or of one with more than %d sources: call hsfdunreg(%d)",
		    s->fd, MOST_GROUPS, MOST_SOURCES, s->fd);
	(void)if_indextoname(ifindex, ifname);
	hs_wr_u16(s->w, (uint16_t)family);
	hs_wr_u8(s->w, (uint8_t)u.f.gf_fmode);
	hs_wr_u8(s->w, (uint8_t)u.f.gf_numsrc);
	put_addr(s->w, &u.f.gf_group);
	hs_wr_text(s->w, ifname, IF_NAMESIZE);
	for (uint32_t i = 0; i < u.f.gf_numsrc; i++)
		put_addr(s->w, &u.f.gf_slist[i]);
	sort_in(s, at);
	s->n++;
	return 0;
}

/*
 * /proc/net/igmp: "2	eth0      :     1      V3" begins an interface, and a
 * line of a group has tabs, then its address as a number: "010000E0     1 ...".
 */
static int
scan_v4(struct scan *s, const char *line, unsigned *ifindex)
{
	uint32_t group;

	if (line[0] != '\t') {
		*ifindex = (unsigned)strtoul(line, NULL, 10);
		return 0;
	}
	group = (uint32_t)strtoul(line, NULL, 16);
	return ask_group(s, AF_INET, *ifindex, (const uint8_t *)&group);
}

/* /proc/net/igmp6: "2    eth0            ff02...01     1 0000000C 0". */
static int
scan_v6(struct scan *s, const char *line, unsigned *ifindex)
{
	char hex[32 + 1], byte[3] = "";
	uint8_t addr[16];

	if (sscanf(line, "%u %*s %32s", ifindex, hex) != 2 || strlen(hex) != 32)
		return 0;
	for (size_t i = 0; i < sizeof(addr); i++) {
		memcpy(byte, hex + 2 * i, 2);
		addr[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return ask_group(s, AF_INET6, *ifindex, addr);
}

static int
scan_file(struct scan *s, const char *name,
    int (*scan_line)(struct scan *s, const char *line, unsigned *ifindex))
{
	FILE *in = fopen(name, "re");
	unsigned ifindex = 0;
	char line[256];
	int rc = 0;

	if (in == NULL)		/* a kernel without this family */
		return 0;
	while (rc == 0 && fgets(line, sizeof(line), in) != NULL)
		rc = scan_line(s, line, &ifindex);
	(void)fclose(in);
	return rc;
}

int
hs_fd_mcast_put(struct hs_wr *w, int fd)
{
	struct scan s = { .w = w, .fd = fd, .first = w->len + 2 };
	const size_t at = w->len;
	int rc;

	hs_wr_u16(w, 0);
	rc = scan_file(&s, "/proc/net/igmp", scan_v4);
	if (rc == 0 && hs_fd_inet_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6)
		rc = scan_file(&s, "/proc/net/igmp6", scan_v6);
	if (rc == 0 && hs_wr_end(w) >= 0) {
		w->buf[at] = (uint8_t)s.n;
		w->buf[at + 1] = (uint8_t)(s.n >> 8);
	}
	return rc;
}

/* ---- restore ---- */

static int
join_group(int fd, int family, const union filter *u)
{
	struct group_req req = { .gr_interface = u->f.gf_interface,
		.gr_group = u->f.gf_group };

	if (setsockopt(fd, level_of(family), MCAST_JOIN_GROUP, &req,
		sizeof(req)) < 0)
		return -errno;
	if (u->f.gf_fmode == MCAST_EXCLUDE && u->f.gf_numsrc == 0)
		return 0;
	if (setsockopt(fd, level_of(family), MCAST_MSFILTER, u,
		(socklen_t)GROUP_FILTER_SIZE(u->f.gf_numsrc)) < 0)
		return -errno;
	return 0;
}

static int
get_group(struct hs_rd *r, int fd, int number)
{
	const uint16_t family = hs_rd_u16(r);
	union filter u = { .f.gf_fmode = hs_rd_u8(r) };
	char ifname[IF_NAMESIZE];
	uint8_t addr[16];
	int rc;

	u.f.gf_numsrc = hs_rd_u8(r);
	hs_rd_copy(r, addr, sizeof(addr));
	hs_rd_text(r, ifname, sizeof(ifname));
	hs_rd_require(r, family == AF_INET || family == AF_INET6);
	hs_rd_require(r,
	    u.f.gf_fmode <= MCAST_INCLUDE && u.f.gf_numsrc <= MOST_SOURCES);
	set_addr(&u.f.gf_group, family, addr);
	for (uint32_t i = 0; r->err == 0 && i < u.f.gf_numsrc; i++) {
		hs_rd_copy(r, addr, sizeof(addr));
		set_addr(&u.f.gf_slist[i], family, addr);
	}
	if (r->err != 0)
		return HS_ECORRUPT;
	u.f.gf_interface = if_nametoindex(ifname);
	if (u.f.gf_interface == 0)
		return hs_why(HS_EFD,
		    "fd %d (UDP) is a member of a multicast group on interface "
		    "%s, which this machine has not: name the interfaces alike",
		    number, ifname);
	rc = join_group(fd, family, &u);
	if (rc < 0)
		return hs_why(HS_EFD,
		    "fd %d (UDP) cannot join its multicast group on %s: %s",
		    number, ifname, hs_err_text(rc));
	return 0;
}

int
hs_fd_mcast_get(struct hs_rd *r, int fd, int number)
{
	uint16_t n = hs_rd_u16(r);
	int rc = 0;

	for (; rc == 0 && r->err == 0 && n > 0; n--)
		rc = get_group(r, fd, number);
	return r->err != 0 ? HS_ECORRUPT : rc;
}
