/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop runs in main's thread, the client in another; the client's last
 * request, "quit", ends the loop.
 */
#include "agent/ctl.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/log.h"
#include "base/sock.h"
#include "tests/unit/suite.h"

#define CALL_MS 2000

static char dir[] = "/tmp/hs-ctl.XXXXXX";
static char path[PATH_MAX];

struct server {
	qb_loop_t *loop;
	struct hs_ctl *ctl;
	struct hs_ctl_req *later;	/* of "later", answered by "now" */
	int called;
};

static void
serve(void *arg, const char *cmd, struct json_object *body,
    struct hs_ctl_req *req)
{
	struct server *s = arg;
	struct json_object *n = NULL, *out;

	s->called++;
	if (strcmp(cmd, "later") == 0) {
		s->later = req;
		return;
	}
	if (strcmp(cmd, "now") == 0 && s->later != NULL) {
		hs_ctl_reply(s->later, 8, "late", NULL);
		s->later = NULL;
	}
	if (strcmp(cmd, "quit") == 0)
		qb_loop_stop(s->loop);
	if (strcmp(cmd, "twice") == 0 &&
	    json_object_object_get_ex(body, "n", &n)) {
		out = json_object_new_object();
		(void)json_object_object_add(out, "n",
		    json_object_new_int(2 * json_object_get_int(n)));
		hs_ctl_reply(req, 0, NULL, out);
		return;
	}
	hs_ctl_reply(req, 0, NULL, NULL);
}

static int
int_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_int(v)
						     : INT_MIN;
}

/* rc of the answer, or of the call. */
static int
ask(const char *text, int timeout_ms)
{
	struct json_object *q = json_tokener_parse(text), *a = NULL;
	int rc = hs_ctl_call(path, q, timeout_ms, &a);

	if (rc == 0)
		rc = int_of(a, "rc");
	json_object_put(a);
	json_object_put(q);
	return rc;
}

/* Run client() beside a server; what it returns. */
static void *
with_server(struct server *s, void *(*client)(void *), void *arg)
{
	void *result = NULL;
	pthread_t t;

	s->loop = qb_loop_create();
	CU_ASSERT_FATAL(s->loop != NULL);
	CU_ASSERT_EQUAL_FATAL(hs_ctl_create(&s->ctl, s->loop, path, serve, s),
	    0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, client, arg), 0);
	qb_loop_run(s->loop);
	CU_ASSERT_EQUAL(pthread_join(t, &result), 0);
	hs_ctl_destroy(s->ctl);
	qb_loop_destroy(s->loop);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	return result;
}

static int
raw_connect(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%.100s", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* rc in the answer to a packet of any bytes. */
static int
ask_raw(const void *p, size_t len)
{
	struct json_object *a;
	char buf[1024];
	ssize_t n;
	int fd = raw_connect(), rc;

	if (fd < 0 || hs_sock_send(fd, p, len, NULL, 0) < 0)
		return INT_MAX;
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	(void)close(fd);
	if (n <= 0)
		return INT_MAX;
	buf[n] = '\0';
	a = json_tokener_parse(buf);
	rc = int_of(a, "rc");
	json_object_put(a);
	return rc;
}

static void *
client_answers(void *arg)
{
	struct json_object *q =
	    json_tokener_parse("{\"cmd\":\"twice\",\"n\":21}");
	struct json_object *a = NULL;
	int *n = arg;

	if (hs_ctl_call(path, q, CALL_MS, &a) == 0)
		*n = int_of(a, "n");
	json_object_put(a);
	json_object_put(q);
	(void)ask("{\"cmd\":\"quit\"}", CALL_MS);
	return NULL;
}

static void
request_is_answered(void)
{
	struct server s = { 0 };
	int n = 0;

	(void)with_server(&s, client_answers, &n);
	CU_ASSERT_EQUAL(n, 42);
	CU_ASSERT_EQUAL(s.called, 2);
}

struct bad {
	int rc[6];
};

static void *
client_bad(void *arg)
{
	static char big[4096];
	struct bad *b = arg;
	static const char deep[] =
	    "{\"cmd\":\"x\",\"a\":[[[[[[[[[[[[[1]]]]]]]]]]]]]}";

	memset(big, ' ', sizeof(big));
	b->rc[0] = ask_raw("nonsense", 8);
	b->rc[1] = ask_raw("[1]", 3);
	b->rc[2] = ask_raw("{\"cmd\":7}", 9);
	b->rc[3] = ask_raw("{\"cmd\":\"x\"", 10);
	b->rc[4] = ask_raw(deep, sizeof(deep) - 1);
	b->rc[5] = ask_raw(big, sizeof(big));
	(void)ask("{\"cmd\":\"quit\"}", CALL_MS);
	return NULL;
}

static void
malformed_requests_are_refused(void)
{
	struct server s = { 0 };
	struct bad b;

	(void)with_server(&s, client_bad, &b);
	for (int i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(b.rc[i], -EBADMSG);
	CU_ASSERT_EQUAL(b.rc[5], -EMSGSIZE);
	CU_ASSERT_EQUAL(s.called, 1);
}

static void *
ask_later(void *arg)
{
	*(int *)arg = ask("{\"cmd\":\"later\"}", CALL_MS);
	return NULL;
}

static void *
client_late(void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, ask_later, arg) != 0)
		return NULL;
	(void)usleep(100000);
	(void)ask("{\"cmd\":\"now\"}", CALL_MS);
	(void)pthread_join(t, NULL);
	(void)ask("{\"cmd\":\"quit\"}", CALL_MS);
	return NULL;
}

static void
answer_may_come_later(void)
{
	struct server s = { 0 };
	int rc = 0;

	(void)with_server(&s, client_late, &rc);
	CU_ASSERT_EQUAL(rc, 8);
}

static void *
client_gone(void *arg)
{
	int *rc = arg;

	*rc = ask("{\"cmd\":\"later\"}", 50);
	(void)ask("{\"cmd\":\"now\"}", CALL_MS);
	(void)ask("{\"cmd\":\"quit\"}", CALL_MS);
	return NULL;
}

static void
gone_client_is_no_error(void)
{
	struct server s = { 0 };
	int rc = 0;

	(void)with_server(&s, client_gone, &rc);
	CU_ASSERT_EQUAL(rc, -ETIMEDOUT);
	CU_ASSERT_EQUAL(s.called, 3);
	CU_ASSERT_PTR_NULL(s.later);
}

static void *
client_quits_pending(void *arg)
{
	int fd = raw_connect();

	(void)arg;
	if (hs_sock_send(fd, "{\"cmd\":\"later\"}", 15, NULL, 0) < 0)
		perror("send");	/* shows as a request that never came */
	(void)usleep(50000);
	(void)ask("{\"cmd\":\"quit\"}", CALL_MS);
	(void)close(fd);
	return NULL;
}

static void
request_outlives_the_socket(void)
{
	struct server s = { 0 };

	(void)with_server(&s, client_quits_pending, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s.later);
	hs_ctl_reply(s.later, 0, NULL, json_object_new_object());
}

/* As another user, in a child: rc of "status" and of "stop". */
static int
ask_as_nobody(const char *text)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(99);
		_exit(-ask(text, CALL_MS));
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return INT_MAX;
	return -WEXITSTATUS(status);
}

static void *
client_nobody(void *arg)
{
	int *rc = arg;

	/* The door opens, so that the request itself is judged. */
	(void)chmod(dir, 0755);
	rc[0] = ask_as_nobody("{\"cmd\":\"status\"}");
	(void)chmod(path, 0666);
	rc[1] = ask_as_nobody("{\"cmd\":\"status\"}");
	rc[2] = ask_as_nobody("{\"cmd\":\"stop\"}");
	(void)ask("{\"cmd\":\"quit\"}", CALL_MS);
	return NULL;
}

static void
others_may_look_only(void)
{
	struct server s = { 0 };
	int rc[3] = { 0 };

	if (geteuid() != 0) {
		CU_PASS("needs root: skipped");
		return;
	}
	(void)with_server(&s, client_nobody, rc);
	CU_ASSERT_EQUAL(rc[0], -EACCES);
	CU_ASSERT_EQUAL(rc[1], 0);
	CU_ASSERT_EQUAL(rc[2], -EPERM);
	CU_ASSERT_EQUAL(s.called, 2);
}

static void
path_is_taken_over_from_the_dead_only(void)
{
	qb_loop_t *loop = qb_loop_create();
	struct hs_ctl *a = NULL, *b = NULL;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	/* A dead agent's: bound, and nobody listens. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%.100s", path);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	(void)close(fd);
	CU_ASSERT_EQUAL_FATAL(hs_ctl_create(&a, loop, path, serve, NULL), 0);
	CU_ASSERT_EQUAL(hs_ctl_create(&b, loop, path, serve, NULL),
	    -EADDRINUSE);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	hs_ctl_destroy(a);

	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	CU_ASSERT_EQUAL(hs_ctl_create(&b, loop, path, serve, NULL), -EEXIST);
	CU_ASSERT_EQUAL(unlink(path), 0);
	qb_loop_destroy(loop);
}

static void
absent_agent_is_told_apart(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	CU_ASSERT_EQUAL(ask("{\"cmd\":\"status\"}", 100), -ENOENT);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%.100s", path);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	CU_ASSERT_EQUAL(ask("{\"cmd\":\"status\"}", 100), -ECONNREFUSED);
	/* One that hangs: the queue takes the request, nobody answers. */
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL(ask("{\"cmd\":\"status\"}", 100), -ETIMEDOUT);
	(void)close(fd);
	(void)unlink(path);
}

__attribute__((__constructor__)) static void
make_dir(void)
{
	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/db.sock", dir);
	if (hs_log_init("test", "/dev/null", LOG_DEBUG) < 0)
		abort();
}

__attribute__((__destructor__)) static void
remove_dir(void)
{
	hs_log_fini();
	(void)rmdir(dir);
}

/* clang-format off */
HS_SUITE(agent_ctl,
	HS_TEST(request_is_answered),
	HS_TEST(malformed_requests_are_refused),
	HS_TEST(answer_may_come_later),
	HS_TEST(gone_client_is_no_error),
	HS_TEST(request_outlives_the_socket),
	HS_TEST(others_may_look_only),
	HS_TEST(path_is_taken_over_from_the_dead_only),
	HS_TEST(absent_agent_is_told_apart))
/* clang-format on */
