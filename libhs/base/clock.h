/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HS_BASE_CLOCK_H
#define HS_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC: for intervals and deadlines, never a date. */
uint64_t hs_clock_ns(void);

#endif
