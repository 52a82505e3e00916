/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered timers: those of setitimer(2), and POSIX timers, whose ids the
 * kernel gives anew, so that they are kept in a slot in checkpoint memory.
 *
 * M1  A restored timer runs from hs_timer_arm() on, when hooks and handlers are
 *     in place; what expired meanwhile comes then, once.
 * M2  What is kept is when a timer expires, which does not change as time
 *     goes by: so a checkpoint at which nothing expired writes nothing.
 *
 * Records are HS_STORE_TIMER, the key 0, 1, 2 for ITIMER_*, else the slot's
 * address.
 *
 * off len field		rule
 *   0   1 version		1
 *   1   1 notify		enum in timer.c; 0 for ITIMER_*
 *   2   2 reserved		0
 *   4   4 clock		CLOCK_*; of ITIMER_* the one that it is like
 *   8   4 signo		0 without one
 *  12   4 reserved		0
 *  16   8 value		sigev_value
 *  24   8 id			as it is in the slot; 0 for ITIMER_*
 *  32   8 expiry_ns		0: not armed.  Of CLOCK_REALTIME and CLOCK_TAI
 *				the date; of clocks that count a process's time
 *				what is left; else of the service's clock
 *  40   8 interval_ns		0: once
 *  48  40 function		of SIGEV_THREAD, else zeros
 */
#ifndef HS_STATE_TIMER_H
#define HS_STATE_TIMER_H

#include "base/err.h"
#include "state/section.h"

struct sigevent;

extern const struct hs_section_ops hs_timer_section;

/* All with hs_why(): HS_EMISUSE, HS_ECODE. */
HS_MUST_CHECK int hs_timer_add_itimer(struct hs_store *s, int which);
HS_MUST_CHECK int hs_timer_del_itimer(struct hs_store *s, int which);
/* slot: a timer_t in checkpoint memory, of a timer that exists. */
HS_MUST_CHECK int hs_timer_add(struct hs_store *s, void *slot, int clock,
    const struct sigevent *ev);
HS_MUST_CHECK int hs_timer_del(struct hs_store *s, void *slot);

/* Does no timer send signo?  HS_EMISUSE. */
HS_MUST_CHECK int hs_timer_check_unused(const struct hs_store *s, int signo);

/* Let those run that were restored (M1); s may be NULL if none were. */
void hs_timer_arm(const struct hs_store *s);

#endif
