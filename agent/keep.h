/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checkpoint memory that the kernel's helper keeps when a process dies, so that
 * the next one on this node finds it there.  Whoever ends a service on purpose
 * frees it: here, after any death that no local restart follows.  Without the
 * helper there is nothing to free, and nothing to say.
 */
#ifndef HS_AGENT_KEEP_H
#define HS_AGENT_KEEP_H

#include <stdbool.h>

#include "base/keep.h"

struct hs_keep {
	char name[HS_KEEP_BYTES]; /* "": nothing may be kept */
	bool locked; /* standalone: for as long as the name is used */
	int lock;
};

/*
 * The name is the resource's on this node, where node means the directory of
 * its terms: agents of several nodes may share a kernel.  Standalone agents
 * have no such directory; one in a network namespace and of a user gets the
 * resource's name, and those beside it none.
 */
void hs_keep_open(struct hs_keep *k, const char *resource,
    const char *state_dir, bool standalone);
/* What is kept under the name, by whomever. */
void hs_keep_free(const struct hs_keep *k);
/* Free it, and the name too. */
void hs_keep_close(struct hs_keep *k);

#endif
