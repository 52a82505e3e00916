/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program's registered threads: their records, and the threads that are
 * made of them after a restore.
 *
 * W1  A registered thread with a worker has a record, in every checkpoint from
 *     its registration to its end, and no other thread has it.
 * W2  After a restore no checkpoint is taken until all of them were started:
 *     it would be of a program that has lost them.
 */
#ifndef HS_CKPT_CREW_H
#define HS_CKPT_CREW_H

#include <stdint.h>

#include "base/err.h"

struct hs_ckpt;

typedef void hs_crew_fn(void *arg);

/* As hsthreadreg(); end is called in the thread when it ends. */
HS_MUST_CHECK int hs_crew_reg(struct hs_ckpt *c, const char *name,
    hs_crew_fn *fn, void *arg, hs_crew_fn *end);
/* As hsthreadunreg(). */
HS_MUST_CHECK int hs_crew_unreg(struct hs_ckpt *c);
/* As hsthreadstart(). */
HS_MUST_CHECK int hs_crew_start(struct hs_ckpt *c, hs_crew_fn *end);

#endif
