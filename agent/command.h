/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the control socket: an hs_ctl_fn whose arg is the node.
 */
#ifndef HS_AGENT_COMMAND_H
#define HS_AGENT_COMMAND_H

#include "agent/node.h"

void hs_command_run(void *arg, const char *cmd, struct json_object *body,
    struct hs_ctl_req *req);

#endif
