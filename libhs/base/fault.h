/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fault points: places where a test can make something fail that otherwise
 * fails once in a year.  They exist in builds with configure --enable-faults
 * (HS_FAULTS) alone; elsewhere hs_fault() is constant false and costs nothing.
 *
 * A point is armed by hs_fault_arm(), or by the environment:
 *
 *	HS_FAULT="memfd_create:1,xport_send:3"
 *
 * fails the first memfd_create() and the third send, each once;
 * "xport_send:3+" fails the third and all that follow.  Points may be given by
 * number, too.  A set-user-ID program ignores the environment.
 */
#ifndef HS_BASE_FAULT_H
#define HS_BASE_FAULT_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdbool.h>

#include "base/err.h"

/* Permanent: a number is never given another meaning. */
#define HS_FAULT_POINTS(POINT)                                                 \
	POINT(1, MEMFD_CREATE, memfd_create)                                   \
	POINT(2, MMAP_ARENA, mmap_arena)                                       \
	POINT(3, USERFAULTFD, userfaultfd)                                     \
	POINT(4, PAGEMAP_OPEN, pagemap_open)                                   \
	POINT(5, STAGE_ALLOC, stage_alloc)                                     \
	POINT(6, XPORT_SEND, xport_send)                                       \
	POINT(7, CHUNK_CORRUPT, chunk_corrupt) /* flip a bit of a chunk */     \
	POINT(8, CHUNK_DROP, chunk_drop)                                       \
	POINT(9, ACK_DROP, ack_drop)                                           \
	POINT(10, IMAGE_FALLOCATE, image_fallocate)                            \
	POINT(11, TERM_FSYNC, term_fsync)                                      \
	POINT(12, HSCPT_OPEN, hscpt_open)                                      \
	POINT(13, CUT_STALE, cut_stale)

#define HS_FAULT_ENUM(number, upper, lower) HS_FAULT_##upper = (number),
enum hs_fault_id {
	HS_FAULT_POINTS(HS_FAULT_ENUM)
};
#undef HS_FAULT_ENUM

#define HS_FAULT_END (HS_FAULT_CUT_STALE + 1)

#ifdef HS_FAULTS

/* Fail here?  Counts a pass.  Any thread; not async-signal-safe. */
bool hs_fault(enum hs_fault_id id);

/* Fail the nth pass from now on, once; nth 0: none. */
void hs_fault_arm(enum hs_fault_id id, unsigned nth);

/* How often id has failed: a test's proof that its point was reached. */
unsigned hs_fault_fired(enum hs_fault_id id);

#else

static inline bool
hs_fault(enum hs_fault_id id)
{
	(void)id;
	return false;
}

#endif

#endif
