/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service: the agent's child process and the link to its libhs.
 *
 *	SPAWNED --HELLO--> WAITING --GO--> GOING --RUNNING--> RUNNING
 *	   \________________\______________\_________________\---> DEAD
 *
 * SPAWNED -> WAITING  on_message(HELLO)
 * WAITING -> GOING    hs_service_go()
 * GOING   -> RUNNING  on_message(RUNNING)
 * any     -> DEAD     on_pidfd()
 *
 * A service never outlives its agent (PR_SET_PDEATHSIG), nor does what is left
 * of its process group outlive it.
 */
#ifndef HS_AGENT_SERVICE_H
#define HS_AGENT_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <qb/qbloop.h>

#include "base/err.h"
#include "wire/msg.h"

enum hs_service_phase {
	HS_SERVICE_SPAWNED,
	HS_SERVICE_WAITING,
	HS_SERVICE_GOING,
	HS_SERVICE_RUNNING,
	HS_SERVICE_DEAD,
};

struct hs_service_config {
	char *const *argv; /* NULL-terminated; argv[0] is the path */
	const char *resource;
	const char *directory; /* NULL: as the agent's */
	const char *log_file; /* NULL: stdout and stderr as the agent's */
	bool own_user; /* use uid, gid, user */
	const char *user;
	uid_t uid;
	gid_t gid;
	bool own_group; /* a process group of its own */
	bool no_aslr; /* the same addresses in each process */
	unsigned grace_ms; /* from SIGTERM to SIGKILL */
};

struct hs_service;

/* All from the loop; each may call hs_service_destroy() as its last act. */
struct hs_service_events {
	void (*hello)(void *arg, struct hs_service *s);
	void (*running)(void *arg, struct hs_service *s);
	void (*dead)(void *arg, struct hs_service *s);
};

struct hs_service_owner {
	qb_loop_t *loop;
	const struct hs_service_events *ev;
	void *arg;		/* of the events */
};

/*
 * Start the program.  Fails with -errno of the exec (-ENOENT, -EACCES), and one
 * line for the operator in why.
 */
HS_MUST_CHECK int hs_service_spawn(struct hs_service **out,
    const struct hs_service_owner *owner, const struct hs_service_config *cfg,
    char *why, size_t why_size);
/* Kills what still runs, at once. */
void hs_service_destroy(struct hs_service *s);

/*
 * Let hsinit() return.  fds go along: the image if m->restored, then the data
 * socket for the unix transport; borrowed.
 */
HS_MUST_CHECK int hs_service_go(struct hs_service *s,
    const struct hs_msg_head *h, const struct hs_msg_go *m, const int *fds,
    int nfd);
void hs_service_policy(struct hs_service *s, const struct hs_msg_head *h,
    const struct hs_msg_policy *m);
/* SIGTERM, then SIGKILL after the grace; one that only waits gets SIGKILL. */
void hs_service_stop(struct hs_service *s);
void hs_service_kill(struct hs_service *s);

enum hs_service_phase hs_service_phase(const struct hs_service *s);
const char *hs_service_phase_name(enum hs_service_phase p);
pid_t hs_service_pid(const struct hs_service *s);
const struct hs_msg_hello *hs_service_hello(const struct hs_service *s);
const struct hs_msg_stats *hs_service_stats(const struct hs_service *s);
uint64_t hs_service_held_epoch(const struct hs_service *s);
/* CLOCK_MONOTONIC ns of the last hsping(); 0: it never pinged. */
uint64_t hs_service_pinged(const struct hs_service *s);
/* What the service said of its own failure; "" if nothing, or it is over. */
const char *hs_service_text(const struct hs_service *s);
void hs_service_forget_text(struct hs_service *s);
/* As waitpid(2) gives it; only when DEAD. */
int hs_service_status(const struct hs_service *s);
/* "killed by SIGSEGV", "exited with 1": only when DEAD. */
const char *hs_service_end(const struct hs_service *s);

#endif
