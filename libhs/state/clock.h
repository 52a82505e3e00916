/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The application's clock, hsclock(): nanoseconds since the service first
 * started, on whichever machine.  Here, it is CLOCK_MONOTONIC plus an offset
 * that is set once, by the restore.
 *
 * K1  It never goes backwards, and after a restore it is not below anything
 *     that the restored memory may have been told.
 * K2  What passed from the checkpoint to the restore is what CLOCK_REALTIME
 *     says, here less there: not below 0, not above HS_CLOCK_GAP_NS.
 *
 * The record, HS_STORE_CLOCK, key 0, 32 bytes; it is there once the clock was
 * read, or something registered needs it:
 *
 * off len field
 *   0   1 version = 1
 *   1   7 reserved, 0
 *   8   8 app_ns	the clock when this was written
 *  16   8 real_ns	CLOCK_REALTIME then
 *  24   8 floor_ns	K1: never restored below; at least app_ns
 */
#ifndef HS_STATE_CLOCK_H
#define HS_STATE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "state/section.h"

/* A clock that says more than that is taken for wrong, and is cut. */
#define HS_CLOCK_GAP_NS (3600 * UINT64_C(1000000000))

struct hs_clock_mark {
	uint64_t app_ns;
	uint64_t real_ns;
	uint64_t floor_ns;
};

extern const struct hs_section_ops hs_clock_section;

/* A service that begins with nothing; where the clock runs, it goes on. */
void hs_clock_begin(void);
/* For who keeps times of this clock: have the record in each checkpoint. */
void hs_clock_need(void);
bool hs_clock_needed(void);

/* 0 before hs_clock_begin() or a restore.  Async-signal-safe. */
uint64_t hs_clock_app(void);
/* This clock's time for one of CLOCK_MONOTONIC here, and back; 0 at least. */
uint64_t hs_clock_from_mono(uint64_t mono_ns);
uint64_t hs_clock_to_mono(uint64_t app_ns);
/* What the restore took for passed (K2); 0 without one. */
uint64_t hs_clock_gap(void);

/* The rule: what the clock is when CLOCK_REALTIME is real_ns (K1, K2). */
uint64_t hs_clock_resume(const struct hs_clock_mark *m, uint64_t real_ns);

#endif
