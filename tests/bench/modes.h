/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service that the benchmarks protect; each mode is in a file of its own.
 * All end by exit().
 */
#ifndef HS_BENCH_MODES_H
#define HS_BENCH_MODES_H

#include <stddef.h>
#include <stdint.h>

#include <hotspare/hs.h>

/* pause.c, below hs-agent --standalone */
_Noreturn void mode_pause(size_t mib, uint64_t seed);
/* memreg.c, below hs-agent --standalone */
_Noreturn void mode_memreg(uint64_t seed);
/* bytes.c, below hs-agent --standalone */
_Noreturn void mode_bytes(uint64_t seed);
/* restore.c, below hs-agent --standalone */
_Noreturn void mode_restore(size_t mib, uint64_t seed, const char *kill_file);
/* cost.c, without an agent */
_Noreturn void mode_cost(uint64_t seed);
/* safepoint.c; stops only below hs-agent --standalone */
_Noreturn void mode_safepoint(void);
_Noreturn void mode_stops(uint64_t seed);
/* answer.c, in a cluster */
_Noreturn void mode_answer(uint16_t port, uint64_t seed);

/*
 * hsinit() for a state of bytes, or the end: HS_FRESH or HS_RESTORED.
 * The arena has room for the allocator's own records besides.
 */
int modes_init(size_t bytes);
/* Checkpoint memory, page-aligned, filled with what is not zero. */
uint8_t *modes_state(const char *root, size_t bytes, uint64_t *random);
/* A checkpoint, held; returns its number. */
uint64_t modes_hold(void);
void modes_status(struct hs_status *st);

#endif
