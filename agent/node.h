/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node: one resource at one node.  Everything here runs in the one loop.
 *
 *	 EMPTY <-------> SYNCING ------> READY <------> PRIMARY
 *	                    ^              |               |
 *	                    +--- STALE <---+            FAILED: dead, until
 *	                                                        demoted
 *	 INCOMPATIBLE: from any that is no PRIMARY, while the reason lasts
 *
 * PRIMARY is a node whose service runs, or is being restarted there after its
 * process died (restart.h): nobody else can tell the difference.
 *
 * S1  chain: the image is what the primary's stream says as of id; each epoch
 *     that is applied names id as its base, or is a full one.
 * S2  ACK(term, epoch) is sent only for an epoch that is verified and whose
 *     memory is taken, by a quorate node that is READY and not the primary's.
 * S3  Messages of a term older than `term`, and DATA of any process but
 *     `primary`, change nothing.
 * S4  A node whose image is older than held_max has a score of -INFINITY and
 *     refuses to be promoted.
 * S5  GO is given only after the node's own TERM came back in the group's
 *     order: all that was sent before it under older terms is in the image.
 * S6  Protection is UNPROTECTED only if no node is in `lost`: each spare that
 *     went away is known to be fenced, ended, or back.
 * S7  A restart begins with no process that serves, and ends within a bound: in
 *     RUNNING, in FAILED, or because this node is to be primary no more.
 * S8  A restart begins, announces its term and gives GO only with quorum, with
 *     an unbroken chain and with no node in `lost`: nobody can have been
 *     promoted meanwhile.
 */
#ifndef HS_AGENT_NODE_H
#define HS_AGENT_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <json-c/json.h>
#include <qb/qbloop.h>

#include "agent/cluster.h"
#include "agent/ctl.h"
#include "agent/fence.h"
#include "agent/image.h"
#include "agent/intake.h"
#include "agent/keep.h"
#include "agent/peer.h"
#include "agent/quorum.h"
#include "agent/restart.h"
#include "agent/service.h"
#include "agent/sync.h"
#include "net/xport.h"

/* In standalone mode the service and its spare are two nodes of one process. */
#define HS_NODE_STANDALONE_SERVICE 1
#define HS_NODE_STANDALONE_SPARE 2

#define HS_NODE_MAX_SPARES 60
#define HS_NODE_MAX_PING_S 86400

struct hs_node_config {
	struct hs_service_config service;
	const char *resource;
	const char *run_dir, *state_dir;
	bool standalone;
	bool any_build; /* restore another build's image */
	unsigned min_spares;
	unsigned ping_timeout_ms; /* 0: off */
	unsigned local_restarts; /* in HS_RESTART_WINDOW_S; 0: off */
};

/* Why messages were refused; counted, shown by hsctl status. */
enum hs_refusal {
	HS_REFUSED_DAMAGED, /* length, magic, records, digest */
	HS_REFUSED_VERSION,
	HS_REFUSED_TERM, /* of an older term */
	HS_REFUSED_SENDER, /* not the registered primary */
	HS_REFUSED_REPLAY, /* an epoch that is already here */
	HS_REFUSED_GAP, /* a chunk or an epoch is missing before it */
	HS_REFUSED_GEOMETRY, /* another arena */
	HS_REFUSED_MEMORY, /* no memory to hold it */
	HS_REFUSED_COUNT
};

struct hs_node {
	const struct hs_node_config *cfg;
	unsigned min_spares, ping_timeout_ms;	/* cfg's, until set anew */
	qb_loop_t *loop;
	struct hs_ctl *ctl;
	struct hs_quorum *quorum; /* NULL: standalone */
	struct hs_cluster *cluster; /* NULL: standalone */
	struct hs_fence *fence; /* NULL: standalone */

	/* group.c */
	struct hs_xport *xport;
	uint32_t nodeid;
	bool joined, quorate;
	bool settled; /* no join or leave for a while */
	qb_loop_timer_handle settle_timer;
	struct hs_peers peers;
	struct hs_outbox *outbox; /* what the transport would not take yet */
	uint64_t refused[HS_REFUSED_COUNT];
	uint64_t refused_logged[HS_REFUSED_COUNT];

	/* follow.c: the stream and the image */
	uint64_t term; /* newest TERM in the group's order */
	struct hs_xport_addr primary; /* whose DATA counts; 0: nobody's */
	struct hs_image *image; /* NULL: none yet; then id.epoch is 0 */
	struct hs_image_id id;
	uint8_t build[HS_MSG_DIGEST_BYTES]; /* of the image's maker */
	bool chain; /* S1 */
	uint64_t held_term, held_epoch; /* held_max: newest ACK seen */
	struct hs_intake *intake;
	uint64_t rx_off, rx_told; /* stream received, and said so */

	/* catchup.c: an image on its way to this node */
	struct hs_intake *sync_intake;
	struct hs_image *incoming;
	struct hs_rec_begin sync_begin;
	uint32_t source; /* nodeid; 0: not asked */
	uint64_t sync_rx, sync_told, sync_seen;
	qb_loop_timer_handle sync_timer;
	bool sync_timer_armed;
	struct hs_epoch *queue, **queue_tail; /* whole epochs after the image */
	size_t queue_bytes;

	/* serve.c: an image on its way from this node */
	struct hs_sync *sync;
	uint32_t asker; /* waits for the end of an epoch; 0: none */

	/* node.c */
	enum hs_msg_state_kind kind;
	bool incompatible;
	bool failed; /* the service died as primary; until demote */
	bool penalty; /* it died here; until a new term */
	char why[HS_MSG_TEXT_BYTES]; /* one line about kind */
	struct hs_msg_policy policy;
	int score; /* as told to Pacemaker; and so `shown` */
	enum hs_msg_state_kind shown;
	uint64_t shown_restarts;
	enum hs_msg_state_kind publish_kind; /* when the timer was armed */
	uint64_t publish_term;		     /* likewise */
	uint64_t role_ns; /* when it became the primary, or a spare */
	bool published, publish_armed, lost_timer_armed;
	qb_loop_timer_handle publish_timer;
	qb_loop_timer_handle lost_timer;

	/* child.c */
	struct hs_service *active, *waiting;
	unsigned deaths; /* of waiting ones, in a row */
	char death_text[HS_MSG_TEXT_BYTES];
	bool respawn_armed;
	bool ping_timer_armed;
	qb_loop_timer_handle respawn_timer, ping_timer;
	void (*on_ready)(void *arg, int rc, const char *text); /* main's */
	void *on_ready_arg;

	/* tenure.c */
	/*
	 * Terms up to term_floor may have been used before this process began;
	 * terms up to term_disk are reserved on disk and need no write.
	 */
	uint64_t term_floor, term_disk;
	bool reserve_armed;
	qb_loop_timer_handle reserve_timer;
	struct hs_ctl_req *promote, *demote, *stop;
	bool promoting;
	uint64_t promote_term; /* of the TERM that was sent; 0: not yet */
	bool demoting, stopping, superseded;
	unsigned crashes; /* standalone: soon after the start, in a row */
	int peer_fd; /* standalone: the service's end of the pair */
	uint64_t promote_ns, go_ns, go_epoch;
	double to_go_ms, to_running_ms;
	uint64_t promoted_ms; /* CLOCK_REALTIME, of the request to promote */
	int exit_status;

	struct hs_restart restart;
	struct hs_keep keep;
	/*
	 * The tenure whose process's memory is kept, if it could be, and which
	 * the image is of; 0: none.
	 */
	uint64_t kept_term;
};

/* PRIMARY, also before that was derived. */
static inline bool
hs_node_serves(const struct hs_node *n)
{
	return n->active != NULL || hs_restart_busy(&n->restart);
}

/* node.c */
HS_MUST_CHECK int hs_node_create(struct hs_node **out, qb_loop_t *loop,
    const struct hs_node_config *cfg, char *why, size_t why_size);
void hs_node_destroy(struct hs_node *n);
/*
 * Derive kind, score, policy and attributes from the rest; tell who must know.
 */
void hs_node_update(struct hs_node *n);
/* Ask the fencer about lost nodes now, not at the next poll. */
void hs_node_ask_lost(struct hs_node *n);
/* The policy to the service, with the stream's position. */
void hs_node_tell_policy(struct hs_node *n);
const char *hs_node_kind_name(enum hs_msg_state_kind kind);
/* Spares that hold what is held. */
unsigned hs_node_spares(const struct hs_node *n);
/* May this node start the service from nothing? */
bool hs_node_cold(const struct hs_node *n);

/* group.c: transport, membership, what comes in */
HS_MUST_CHECK int hs_group_open(struct hs_node *n, char *why, size_t why_size);
HS_MUST_CHECK int hs_group_pair(struct hs_node *n, uint32_t pid);
void hs_group_close(struct hs_node *n);
void hs_group_send(struct hs_node *n, const uint8_t *buf, size_t len);
void hs_group_send_state(struct hs_node *n);
void hs_group_send_bare(struct hs_node *n, uint8_t type, uint32_t to,
    uint64_t off);
void hs_group_refuse(struct hs_node *n, enum hs_refusal r, const char *what,
    const struct hs_msg_head *h);
const char *hs_group_refusal_name(enum hs_refusal r);

/* follow.c */
void hs_follow_data(struct hs_node *n, const struct hs_msg_head *h,
    const uint8_t *body, size_t len);
/* Apply a whole epoch; takes e.  false: the chain is broken. */
bool hs_follow_epoch(struct hs_node *n, struct hs_epoch *e);
void hs_follow_break(struct hs_node *n, const char *why);
void hs_follow_reset(struct hs_node *n);

void hs_follow_ack(struct hs_node *n);

/* catchup.c */
HS_MUST_CHECK int hs_catchup_init(struct hs_node *n);
void hs_catchup_fini(struct hs_node *n);
void hs_catchup_update(struct hs_node *n); /* ask, or stop asking */
void hs_catchup_image(struct hs_node *n, const struct hs_msg_head *h,
    const uint8_t *body, size_t len);
void hs_catchup_epoch(struct hs_node *n, struct hs_epoch *e); /* takes e */
void hs_catchup_abort(struct hs_node *n);

/* serve.c: n->asker wants the image */
void hs_serve_start(struct hs_node *n);
void hs_serve_pump(struct hs_node *n);
void hs_serve_stop(struct hs_node *n);
/* A peer's STATE: is it the end of its asking? */
void hs_serve_state(struct hs_node *n, uint32_t nodeid, uint8_t kind);

/* child.c */
HS_MUST_CHECK int hs_child_prepare(struct hs_node *n, char *why,
    size_t why_size);
void hs_child_later(struct hs_node *n, unsigned ms);
/* A process waits soon where one is of use, and none where it is not. */
void hs_child_stand_by(struct hs_node *n);
void hs_child_pids(struct hs_node *n);
void hs_child_watch_pings(struct hs_node *n);
HS_MUST_CHECK int hs_child_check(struct hs_node *n, char *why, size_t why_size);

/* tenure.c: promote, demote, stop */
void hs_tenure_promote(struct hs_node *n, struct hs_ctl_req *req);
void hs_tenure_demote(struct hs_node *n, struct hs_ctl_req *req);
void hs_tenure_stop(struct hs_node *n, struct hs_ctl_req *req);
void hs_tenure_go_on(struct hs_node *n); /* whatever waits may proceed */
/* A restart that is under way ends in FAILED. */
void hs_tenure_give_up(struct hs_node *n, const char *why);
void hs_tenure_term(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const struct hs_msg_term *m);
/* A peer's STATE tells of a tenure that this node did not see begin. */
void hs_tenure_learn(struct hs_node *n, const struct hs_xport_addr *from,
    const struct hs_msg_head *h, const struct hs_msg_state *m);
void hs_tenure_running(struct hs_node *n);
void hs_tenure_dead(struct hs_node *n); /* the active service ended */
/* What was kept of a process that died is of no use any more. */
void hs_tenure_drop_kept(struct hs_node *n);
void hs_tenure_reserve(struct hs_node *n);
void hs_tenure_fini(struct hs_node *n);

/* status.c */
struct json_object *hs_status_json(const struct hs_node *n);
int hs_status_monitor(const struct hs_node *n, const char **text);

#endif
