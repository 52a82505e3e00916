/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlited: SQL over TCP, and no answer before a spare holds what it tells of.
 *
 * A line of one or more statements, separated by semicolons, is answered by
 *
 *	ROW <value> <value> ...		for each row; tabs between the values
 *	OK <changes>			or ERR <code> <message>
 *
 * A statement that fails ends its line.  In a value \t, \n, \r and \\ stand for
 * what they do in C, and \N is NULL.  Each client has a transaction of its
 * own; one that it leaves open is rolled back when it goes.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hotspare/hs.h>
#include <sqlite3.h>

#include "examples/sqlite/session.h"
#include "examples/sqlite/vfs.h"

#define CLIENTS 64	/* further ones wait in the backlog */
#define DATABASES 16
#define PING_MS 200	/* how often hsping() is called at least */
#define DEAD_AFTER_MS 10000	/* acknowledges nothing: it has gone */

struct server {
	unsigned ndbs;
	const char *uri[DATABASES];
	int listen_fd[DATABASES];
	const char *journal;
	unsigned clients;	/* atomic */
};

struct client {
	struct server *server;
	const char *uri;
	int fd;
};

static _Noreturn void
die(const char *what, const char *why)
{
	(void)fprintf(stderr, "sqlited: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void
log_line(void *arg, int code, const char *text)
{
	(void)arg;
	(void)fprintf(stderr, "sqlited: (%d) %s\n", code, text);
}

/* Both families, where the machine has both. */
static int
open_listener(uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	int fd, on = 1, off = 0;

	in6.sin6_addr = in6addr_any;
	in6.sin6_port = in4.sin_port = htons(port);
	in4.sin_addr.s_addr = htonl(INADDR_ANY);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0 &&
	    listen(fd, 128) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&in4, sizeof(in4)) < 0 ||
	    listen(fd, 128) < 0)
		die("listen", strerror(errno));
	return fd;
}

static void *
serve_client(void *arg)
{
	struct client *c = arg;
	struct server *v = c->server;

	session_serve(c->fd, c->uri, v->journal);
	free(c);
	(void)__atomic_fetch_sub(&v->clients, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void
set_options(int fd)
{
	unsigned dead_ms = DEAD_AFTER_MS;
	int on = 1;

	/* Without them it works too, only slower to answer and to notice. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms,
	    sizeof(dead_ms));
}

static void
accept_client(struct server *v, unsigned db)
{
	struct client *c = calloc(1, sizeof(*c));
	pthread_attr_t attr;
	pthread_t thread;
	int fd;

	fd = accept4(v->listen_fd[db], NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || c == NULL) {
		free(c);
		if (fd >= 0)
			close(fd);
		return;
	}
	set_options(fd);
	*c = (struct client){ .server = v, .uri = v->uri[db], .fd = fd };
	(void)__atomic_fetch_add(&v->clients, 1, __ATOMIC_RELAXED);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, serve_client, c) != 0) {
		close(fd);
		free(c);
		(void)__atomic_fetch_sub(&v->clients, 1, __ATOMIC_RELAXED);
	}
	(void)pthread_attr_destroy(&attr);
}

static _Noreturn void
serve(struct server *v)
{
	struct pollfd p[DATABASES];
	unsigned i;
	bool room;

	for (;;) {
		room = __atomic_load_n(&v->clients, __ATOMIC_RELAXED) < CLIENTS;
		for (i = 0; i < v->ndbs; i++)
			p[i] = (struct pollfd){ .events = POLLIN,
				.fd = room ? v->listen_fd[i] : -1 };
		if (poll(p, v->ndbs, PING_MS) > 0)
			for (i = 0; i < v->ndbs; i++)
				if (p[i].revents != 0)
					accept_client(v, i);
		(void)hsping();
	}
}

static _Noreturn void
usage(int status)
{
	(void)fprintf(status == 0 ? stdout : stderr,
	    "usage: sqlited [-p port] [-j mode] [URI...]\n"
	    "  -p  to listen at (4001); the next URI is at the next port\n"
	    "  -j  journal_mode: wal (default), delete, truncate, persist\n"
	    "  URI defaults to file:sqlited.db?vfs=hotspare\n");
	exit(status);
}

static uint16_t
parse_port(const char *s)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (errno != 0 || *s < '1' || *s > '9' || *end != '\0' || v > 65535)
		usage(2);
	return (uint16_t)v;
}

static const char *
parse_journal(const char *s)
{
	static const char *const modes[] = { "wal", "delete", "truncate",
		"persist" };
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(s, modes[i]) == 0)
			return modes[i];
	usage(2);
}

int
main(int argc, char **argv)
{
	struct server v = { .ndbs = 1, .journal = "wal" };
	const char *why = "";
	uint16_t port = 4001;
	unsigned i;
	int opt;

	while ((opt = getopt(argc, argv, "hj:p:")) != -1) {
		if (opt == 'p')
			port = parse_port(optarg);
		else if (opt == 'j')
			v.journal = parse_journal(optarg);
		else
			usage(opt == 'h' ? 0 : 2);
	}
	if (argc - optind > DATABASES)
		usage(2);
	v.uri[0] = "file:sqlited.db?vfs=" VFS_NAME;
	for (i = 0; optind < argc; i++, v.ndbs = i)
		v.uri[i] = argv[optind++];
	(void)sqlite3_config(SQLITE_CONFIG_LOG, log_line, NULL);
	if (vfs_start(false, &why) < 0)	/* on a spare: until it takes over */
		die("start", why);
	for (i = 0; i < v.ndbs; i++)
		v.listen_fd[i] = open_listener((uint16_t)(port + i));
	serve(&v);
}
