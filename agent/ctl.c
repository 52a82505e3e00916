/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C1  A client has at most one request open; until it is answered, nothing more
 *     is read from that client.
 * C2  A request outlives its client and the socket: it is freed by
 *     hs_ctl_reply() alone, and then tells nobody if nobody is there.
 */
#include "agent/ctl.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <qb/qblog.h>

#include "base/clock.h"
#include "base/sock.h"

#define MAX_CLIENTS 32
#define REQUEST_BYTES 2048
#define REPLY_BYTES 131072	/* below the default of a socket's buffer */
#define JSON_DEPTH 8
#define SOCKET_GROUP "hotspare"
#define SOCKET_MODE 0660

struct client {
	struct client *next;
	struct hs_ctl *ctl;
	struct hs_ctl_req *req;		/* C1: NULL when idle */
	int fd;
	bool may_change;
};

struct hs_ctl_req {
	struct client *client;		/* C2: NULL when it went away */
};

struct hs_ctl {
	qb_loop_t *loop;
	hs_ctl_fn *fn;
	void *arg;
	struct client *clients;
	unsigned nclient;
	int fd;
	struct sockaddr_un addr;
};

static int
make_address(struct sockaddr_un *sa, const char *path)
{
	size_t len = strlen(path);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, path, len + 1);
	return 0;
}

static int
open_socket(int flags)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

	return fd < 0 ? -errno : fd;
}

/* ---- the agent's side ---- */

static void
close_client(struct hs_ctl *c, struct client *cl)
{
	struct client **p = &c->clients;

	while (*p != cl)
		p = &(*p)->next;
	*p = cl->next;
	c->nclient--;
	if (cl->req != NULL)
		cl->req->client = NULL;		/* C2 */
	(void)qb_loop_poll_del(c->loop, cl->fd);
	(void)close(cl->fd);
	free(cl);
}

static int32_t client_ready(int32_t fd, int32_t revents, void *data);

/* POLLIN only while idle (C1); a hangup is told in either case. */
static void
listen_to(struct client *cl, bool idle)
{
	(void)qb_loop_poll_mod(cl->ctl->loop, QB_LOOP_MED, cl->fd,
	    idle ? POLLIN : 0, cl, client_ready);
}

void
hs_ctl_reply(struct hs_ctl_req *req, int rc, const char *text,
    struct json_object *body)
{
	struct client *cl = req->client;
	const char *s;
	int sent;

	free(req);
	if (cl == NULL) {
		json_object_put(body);
		return;
	}
	cl->req = NULL;
	if (body == NULL)
		body = json_object_new_object();
	json_object_object_add(body, "rc", json_object_new_int(rc));
	if (text != NULL)
		json_object_object_add(body, "text",
		    json_object_new_string(text));
	s = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
	sent =
	    s != NULL ? hs_sock_send(cl->fd, s, strlen(s), NULL, 0) : -ENOMEM;
	json_object_put(body);
	if (sent < 0) {
		if (sent != -EPIPE && sent != -ECONNRESET)
			qb_log(LOG_WARNING,
			    "an answer on the control socket "
			    "is lost: %s",
			    hs_err_text(sent));
		(void)shutdown(cl->fd, SHUT_RDWR);	/* ends in POLLHUP */
	}
	listen_to(cl, true);
}

static bool
only_looks(const char *cmd)
{
	return strcmp(cmd, "status") == 0 || strcmp(cmd, "monitor") == 0;
}

static struct json_object *
parse_object(const char *buf, size_t len)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *obj;

	if (tok == NULL)
		return NULL;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	obj = json_tokener_parse_ex(tok, buf, (int)len);
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    !json_object_is_type(obj, json_type_object)) {
		json_object_put(obj);
		obj = NULL;
	}
	json_tokener_free(tok);
	return obj;
}

/* Takes req. */
static void
handle_request(struct client *cl, struct hs_ctl_req *req, const char *buf,
    size_t len)
{
	struct hs_ctl *c = cl->ctl;
	struct json_object *body = parse_object(buf, len), *cmd = NULL;
	const char *name;

	if (body == NULL || !json_object_object_get_ex(body, "cmd", &cmd) ||
	    !json_object_is_type(cmd, json_type_string)) {
		hs_ctl_reply(req, -EBADMSG,
		    "a request is one JSON object with a member cmd", NULL);
		json_object_put(body);
		return;
	}
	name = json_object_get_string(cmd);
	if (cl->may_change || only_looks(name))
		c->fn(c->arg, name, body, req);
	else
		hs_ctl_reply(req, -EPERM,
		    "only root and the agent's own user may do this", NULL);
	json_object_put(body);
}

static int32_t
client_ready(int32_t fd, int32_t revents, void *data)
{
	struct client *cl = data;
	struct hs_ctl_req *req;
	char buf[REQUEST_BYTES];
	ssize_t n;

	n = (revents & POLLIN) != 0
	    ? hs_sock_recv(fd, buf, sizeof(buf), NULL, NULL, MSG_DONTWAIT)
	    : 0;
	if (n == -EAGAIN)
		return 0;
	req = n > 0 || n == -EMSGSIZE ? calloc(1, sizeof(*req)) : NULL;
	if (req == NULL) {
		close_client(cl->ctl, cl);
		return 0;
	}
	req->client = cl;
	cl->req = req;
	listen_to(cl, false);
	if (n > 0)
		handle_request(cl, req, buf, (size_t)n);
	else
		hs_ctl_reply(req, -EMSGSIZE, "the request is too long", NULL);
	return 0;
}

static bool
is_trusted(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	return cred.uid == 0 || cred.uid == geteuid();
}

static int32_t
client_comes(int32_t fd, int32_t revents, void *data)
{
	struct hs_ctl *c = data;
	struct client *cl;
	int conn;

	(void)revents;
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		return 0;
	cl = c->nclient < MAX_CLIENTS ? calloc(1, sizeof(*cl)) : NULL;
	if (cl == NULL) {
		(void)close(conn);
		return 0;
	}
	cl->ctl = c;
	cl->fd = conn;
	cl->may_change = is_trusted(conn);
	if (qb_loop_poll_add(c->loop, QB_LOOP_MED, conn, POLLIN, cl,
		client_ready) < 0) {
		(void)close(conn);
		free(cl);
		return 0;
	}
	cl->next = c->clients;
	c->clients = cl;
	c->nclient++;
	return 0;
}

/* 0 if nobody is behind the path, whose socket is then gone. */
static int
clear_path(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, rc = 0;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = open_socket(SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	/* EAGAIN: so alive that its queue is full. */
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ||
	    errno == EAGAIN)
		rc = -EADDRINUSE;
	else if (errno != ECONNREFUSED && errno != ENOENT)
		rc = -errno;
	(void)close(fd);
	if (rc == 0 && unlink(sa->sun_path) < 0 && errno != ENOENT)
		rc = -errno;
	return rc;
}

static int
bind_path(int fd, const struct sockaddr_un *sa)
{
	const struct group *gr;
	mode_t old;
	int rc;

	/* Closed to all but us until its group is set. */
	old = umask(0177);
	rc =
	    bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;
	(void)umask(old);
	if (rc < 0)
		return rc;
	gr = geteuid() == 0 ? getgrnam(SOCKET_GROUP) : NULL;
	if ((gr != NULL && lchown(sa->sun_path, 0, gr->gr_gid) < 0) ||
	    chmod(sa->sun_path, SOCKET_MODE) < 0 ||
	    listen(fd, MAX_CLIENTS) < 0) {
		rc = -errno;
		(void)unlink(sa->sun_path);
	}
	return rc;
}

int
hs_ctl_create(struct hs_ctl **out, qb_loop_t *loop, const char *path,
    hs_ctl_fn *fn, void *arg)
{
	struct hs_ctl *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->loop = loop;
	c->fn = fn;
	c->arg = arg;
	rc = make_address(&c->addr, path);
	if (rc == 0)
		rc = clear_path(&c->addr);
	if (rc == 0)
		rc = c->fd = open_socket(SOCK_NONBLOCK);
	if (rc < 0) {
		free(c);
		return rc;
	}
	rc = bind_path(c->fd, &c->addr);
	if (rc == 0) {
		rc = qb_loop_poll_add(loop, QB_LOOP_MED, c->fd, POLLIN, c,
		    client_comes);
		if (rc < 0)
			(void)unlink(c->addr.sun_path);
	}
	if (rc < 0) {
		(void)close(c->fd);
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void
hs_ctl_destroy(struct hs_ctl *c)
{
	if (c == NULL)
		return;
	while (c->clients != NULL)
		close_client(c, c->clients);
	(void)qb_loop_poll_del(c->loop, c->fd);
	(void)unlink(c->addr.sun_path);
	(void)close(c->fd);
	free(c);
}

/* ---- the client's side ---- */

/* Milliseconds until deadline_ns, at least 0. */
static int
left_ms(uint64_t deadline_ns)
{
	uint64_t now = hs_clock_ns();

	return now >= deadline_ns ? 0
				  : (int)((deadline_ns - now) / 1000000u) + 1;
}

static int
wait_readable(int fd, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, left_ms(deadline_ns));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* The queue of a busy agent may be full for a moment: EAGAIN. */
static int
connect_to(int fd, const struct sockaddr_un *sa, uint64_t deadline_ns)
{
	while (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (left_ms(deadline_ns) == 0)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, 1);
	}
	return 0;
}

static int
exchange(int fd, struct json_object *body, uint64_t deadline_ns,
    struct json_object **out)
{
	const char *s;
	char *buf;
	ssize_t n;
	int rc;

	s = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
	rc = s != NULL ? hs_sock_send(fd, s, strlen(s), NULL, 0) : -ENOMEM;
	if (rc == 0)
		rc = wait_readable(fd, deadline_ns);
	if (rc < 0)
		return rc;
	buf = malloc(REPLY_BYTES);
	if (buf == NULL)
		return -ENOMEM;
	n = hs_sock_recv(fd, buf, REPLY_BYTES, NULL, NULL, 0);
	if (n <= 0) {
		rc = n < 0 ? (int)n : -EPIPE;
	} else {
		*out = parse_object(buf, (size_t)n);
		rc = *out != NULL ? 0 : -EBADMSG;
	}
	free(buf);
	return rc;
}

int
hs_ctl_call(const char *path, struct json_object *body, int timeout_ms,
    struct json_object **out)
{
	uint64_t deadline_ns = hs_clock_ns() + (uint64_t)timeout_ms * 1000000u;
	struct sockaddr_un sa;
	int fd, rc;

	rc = make_address(&sa, path);
	if (rc < 0)
		return rc;
	fd = open_socket(SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	rc = connect_to(fd, &sa, deadline_ns);
	if (rc == 0)
		rc = exchange(fd, body, deadline_ns, out);
	(void)close(fd);
	return rc;
}
