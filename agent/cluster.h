/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Pacemaker is told: transient node attributes, by attrd_updater, one
 * process at a time and only on change (a change aborts the transition that is
 * in progress).  Setting never blocks; a newer value of the same name replaces
 * one that waits; the promotion score goes first.  Failures are retried with
 * a delay and logged once.
 */
#ifndef HS_AGENT_CLUSTER_H
#define HS_AGENT_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include <qb/qbloop.h>

#include "base/err.h"

struct hs_cluster;

/* resource: the instance's name without ":N", e.g. "db". */
HS_MUST_CHECK int hs_cluster_create(struct hs_cluster **out, qb_loop_t *loop,
    const char *resource);
void hs_cluster_destroy(struct hs_cluster *c);

#define HS_SCORE_NONE INT_MIN		/* attribute deleted */
#define HS_SCORE_NEVER (-1000000)	/* -INFINITY */

/* The attribute "master-<resource>". */
void hs_cluster_score(struct hs_cluster *c, int score);
/* The attribute "hs-<resource>-<key>"; value NULL deletes it. */
void hs_cluster_attr(struct hs_cluster *c, const char *key, const char *value);
/*
 * Look every period_ms whether the cluster's configuration has the score of
 * this node, which corosync knows as nodeid.  A Pacemaker that was restarted
 * while its resources ran, as in maintenance mode, loses it there, and its
 * attribute daemon takes the same value for no change.  So where it is missing
 * twice in a row, all that is wanted is deleted and set anew.
 */
void hs_cluster_watch(struct hs_cluster *c, uint32_t nodeid,
    unsigned period_ms);
/*
 * Delete all that was set, and call done(arg) from the loop when Pacemaker has
 * it, or after 5 s.  done may destroy c.
 */
void hs_cluster_clear(struct hs_cluster *c, void (*done)(void *arg), void *arg);

#endif
