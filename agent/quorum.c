/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/quorum.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#include <corosync/corotypes.h>
#include <corosync/quorum.h>
#include <qb/qblog.h>

/* corosync may be busy forming a membership; a bounded 5 s, like cpg's. */
#define CONNECT_TRIES 50
#define CONNECT_PAUSE_NS 100000000L

struct hs_quorum {
	qb_loop_t *loop;
	hs_quorum_fn *fn;
	void *arg;
	quorum_handle_t handle;
	int fd;
	bool lost;		/* the connection; sticky: never quorate */
};

static void
quorum_changed(quorum_handle_t handle, uint32_t quorate,
    struct quorum_ring_id ring, uint32_t n, const uint32_t *members)
{
	const void *context = NULL;
	struct hs_quorum *q;

	(void)ring;
	(void)n;
	(void)members;
	if (quorum_context_get(handle, &context) != CS_OK || context == NULL)
		return;
	q = (struct hs_quorum *)(uintptr_t)context;
	q->fn(q->arg, quorate != 0);
}

/* Membership comes to the node by its group; this only fills the table. */
static void /* libquorum's: NOLINTNEXTLINE(readability-function-size) */
nodes_changed(quorum_handle_t handle, struct quorum_ring_id ring,
    uint32_t nmember, const uint32_t *members, uint32_t njoined,
    const uint32_t *joined, uint32_t nleft, const uint32_t *left)
{
	(void)handle;
	(void)ring;
	(void)nmember;
	(void)members;
	(void)njoined;
	(void)joined;
	(void)nleft;
	(void)left;
}

static void
lose_quorum(struct hs_quorum *q, cs_error_t e)
{
	if (q->lost)
		return;
	q->lost = true;
	qb_log(LOG_ERR,
	    "the connection to corosync's quorum service is lost "
	    "(error %d): counted as no quorum",
	    (int)e);
}

static int32_t
quorum_ready(int32_t fd, int32_t revents, void *data)
{
	struct hs_quorum *q = data;
	cs_error_t e = CS_ERR_LIBRARY;

	(void)fd;
	if ((revents & POLLIN) != 0)
		e = quorum_dispatch(q->handle, CS_DISPATCH_ALL);
	if (e == CS_OK || e == CS_ERR_TRY_AGAIN)
		return 0;
	lose_quorum(q, e);
	q->fn(q->arg, false);
	return -1;	/* out of the loop */
}

static int
explain(cs_error_t e, char *why, size_t why_size)
{
	if (e == CS_ERR_ACCESS) {
		(void)snprintf(why, why_size,
		    "no permission to use corosync: run as root, or admit this "
		    "user or group in /etc/corosync/uidgid.d and run "
		    "corosync-cfgtool -R");
		return -EACCES;
	}
	if (e == CS_ERR_NO_SPACE) {
		(void)snprintf(why, why_size,
		    "no room for corosync's buffers: make room in /dev/shm");
		return -ENOSPC;
	}
	(void)snprintf(why, why_size,
	    "corosync does not answer (error %d): see that it runs on this "
	    "node",
	    (int)e);
	return HS_ETRANSPORT;
}

static cs_error_t
connect_quorum(struct hs_quorum *q, uint32_t *type)
{
	quorum_model_v1_data_t model = {
		.model = QUORUM_MODEL_V1,
		.quorum_notify_fn = quorum_changed,
		.nodelist_notify_fn = nodes_changed,
	};
	const struct timespec pause = { .tv_nsec = CONNECT_PAUSE_NS };
	cs_error_t e = CS_ERR_TRY_AGAIN;

	for (int i = 0; i < CONNECT_TRIES && e == CS_ERR_TRY_AGAIN; i++) {
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		e = quorum_model_initialize(&q->handle, QUORUM_MODEL_V1,
		    (quorum_model_data_t *)&model, type, q);
	}
	return e;
}

static int
watch_quorum(struct hs_quorum *q, char *why, size_t why_size)
{
	cs_error_t e;
	int rc;

	e = quorum_fd_get(q->handle, &q->fd);
	if (e == CS_OK)
		e = quorum_trackstart(q->handle, CS_TRACK_CHANGES);
	if (e != CS_OK)
		return explain(e, why, why_size);
	rc = qb_loop_poll_add(q->loop, QB_LOOP_HIGH, q->fd, POLLIN, q,
	    quorum_ready);
	if (rc < 0)
		(void)snprintf(why, why_size,
		    "cannot watch corosync's "
		    "quorum: %s",
		    hs_err_text(rc));
	return rc;
}

int
hs_quorum_create(struct hs_quorum **out, qb_loop_t *loop, hs_quorum_fn *fn,
    void *arg, char *why, size_t why_size)
{
	struct hs_quorum *q = calloc(1, sizeof(*q));
	uint32_t type = QUORUM_FREE;
	cs_error_t e;
	int rc;

	if (q == NULL) {
		(void)snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	q->loop = loop;
	q->fn = fn;
	q->arg = arg;
	e = connect_quorum(q, &type);
	if (e != CS_OK) {
		free(q);
		return explain(e, why, why_size);
	}
	if (type == QUORUM_FREE) {
		/* corosync would call every lone node quorate. */
		(void)snprintf(why, why_size,
		    "corosync has no quorum provider: put provider: "
		    "corosync_votequorum into the quorum section of "
		    "corosync.conf");
		rc = HS_EQUORUM;
	} else {
		rc = watch_quorum(q, why, why_size);
	}
	if (rc < 0) {
		(void)quorum_finalize(q->handle);
		free(q);
		return rc;
	}
	*out = q;
	return 0;
}

void
hs_quorum_destroy(struct hs_quorum *q)
{
	if (q == NULL)
		return;
	(void)qb_loop_poll_del(q->loop, q->fd);
	(void)quorum_finalize(q->handle);
	free(q);
}

bool
hs_quorum_ask(struct hs_quorum *q)
{
	int quorate = 0;
	cs_error_t e;

	if (q->lost)
		return false;
	e = quorum_getquorate(q->handle, &quorate);
	if (e == CS_ERR_LIBRARY || e == CS_ERR_BAD_HANDLE)
		lose_quorum(q, e);
	return e == CS_OK && quorate == 1;
}
