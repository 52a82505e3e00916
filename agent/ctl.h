/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: one JSON object a packet each way, over a UNIX SEQPACKET
 * socket.  {"cmd": "status", ...} is answered by {"rc": 0, ...}; an answer may
 * come later than the request (promote, demote, stop).  rc is 0, an OCF return
 * code where the command is one of the OCF agent's, or a negative error with
 * "text".
 *
 * Whoever may open the socket may look (status, monitor); what changes
 * anything is for root and the agent's own user, and is refused to others
 * here.
 */
#ifndef HS_AGENT_CTL_H
#define HS_AGENT_CTL_H

#include <json-c/json.h>
#include <qb/qbloop.h>

#include "base/err.h"

struct hs_ctl;
struct hs_ctl_req;

/*
 * Called from the loop; must end in one hs_ctl_reply(req, ...), now or later.
 * req_body is borrowed: valid until the call returns.
 */
typedef void hs_ctl_fn(void *arg, const char *cmd, struct json_object *req_body,
    struct hs_ctl_req *req);

/*
 * Listen at path (0660, group "hotspare" where it exists).  A socket left by a
 * dead agent is replaced; -EADDRINUSE if a live one answers.
 */
HS_MUST_CHECK int hs_ctl_create(struct hs_ctl **out, qb_loop_t *loop,
    const char *path, hs_ctl_fn *fn, void *arg);
void hs_ctl_destroy(struct hs_ctl *c);	/* unlinks path */

/* Takes req and body (may be NULL).  A client that went away is no error. */
void hs_ctl_reply(struct hs_ctl_req *req, int rc, const char *text,
    struct json_object *body);

/* The client's side: one request, one answer.  *out is the caller's to put. */
HS_MUST_CHECK int hs_ctl_call(const char *path, struct json_object *body,
    int timeout_ms, struct json_object **out);

#endif
