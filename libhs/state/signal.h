/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered signals: their dispositions, whether the home thread blocks them,
 * and what is pending.  The home thread is the one that called hsinit().
 *
 * G1  From the restore until hs_signal_release() every registered signal is
 *     blocked in the home thread.
 * G2  A query leaves pending what was pending, in its order.  To see what is
 *     queued of a realtime signal it has to take it out and put it back: what
 *     comes in between comes before the rest.
 *
 * One record a signal, HS_STORE_SIGNAL, key its number:
 *
 * off len field		rule
 *   0   1 version		1
 *   1   1 disposition		0 default, 1 ignored, 2 handler
 *   2   1 bits			1 blocked, 2 pending (not of realtime signals)
 *   3   1 reserved		0
 *   4   4 flags		SA_*
 *   8   8 mask			bit n - 1: signal n; while the handler runs
 *  16  40 handler		state/code.h; zeros without one
 *  56   4 n			queued, of a realtime signal
 *  60   4 reserved		0
 *  64 48n queue		siginfo_t, cut to the kernel's part
 */
#ifndef HS_STATE_SIGNAL_H
#define HS_STATE_SIGNAL_H

#include <stdbool.h>

#include "base/err.h"
#include "state/section.h"

extern const struct hs_section_ops hs_signal_section;

/* The calling thread is the home thread. */
void hs_signal_home(void);

/*
 * HS_EMISUSE, HS_ECODE, each with hs_why(): a signal or a handler that cannot
 * be carried over.
 */
HS_MUST_CHECK int hs_signal_add(struct hs_store *s, int signo);
/* HS_EMISUSE with hs_why(): it is not registered. */
HS_MUST_CHECK int hs_signal_del(struct hs_store *s, int signo);
bool hs_signal_is_kept(const struct hs_store *s, int signo);

/* In the home thread: let come what waited for the restore (G1). */
void hs_signal_release(void);

#endif
