/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered threads as records: what a thread is made of, as its kernel and
 * the C library say, and how to make another one like it.
 *
 * The record, HS_STORE_THREAD, key a number from 1 on, 232 bytes:
 *
 * off len field
 *   0   1 version = 1
 *   1   3 reserved, 0
 *   4   4 policy, of sched(7)
 *   8   4 priority
 *  12   4 nice, signed
 *  16   8 stack_bytes
 *  24   8 guard_bytes
 *  32   8 arg, an address in checkpoint memory, or 0
 *  40   8 signals that are blocked, bit n - 1 for signal n
 *  48 128 cpus, bit n for CPU n; all zeros: any
 * 176  16 name, ended by a NUL
 * 192  40 worker, a reference to code (state/code.h)
 */
#ifndef HS_STATE_THREAD_H
#define HS_STATE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "state/section.h"
#include "state/store.h"

#define HS_THREAD_BYTES 232
#define HS_THREAD_NAME_BYTES 16
#define HS_THREAD_CPU_BYTES 128

struct hs_thread_plan {
	char name[HS_THREAD_NAME_BYTES];
	struct hs_code worker;
	uint64_t arg;
	uint64_t stack_bytes, guard_bytes;
	uint64_t blocked;
	uint32_t policy, priority;
	int32_t nice;
	uint8_t cpus[HS_THREAD_CPU_BYTES];
};

/* Checks all records and counts them as pending. */
extern const struct hs_section_ops hs_thread_section;

/* Of a restored program: threads that it has not started again. */
unsigned hs_thread_pending(void);
void hs_thread_all_started(void);

/* All but name, worker and arg, of the calling thread.  -errno. */
HS_MUST_CHECK int hs_thread_describe(struct hs_thread_plan *p);
void hs_thread_encode(const struct hs_thread_plan *p,
    uint8_t buf[HS_THREAD_BYTES]);
/* HS_ECORRUPT with hs_why(). */
HS_MUST_CHECK int hs_thread_decode(const struct hs_store_rec *rec,
    struct hs_thread_plan *p);

/* attr for a thread that then calls hs_thread_become(); to be destroyed. */
HS_MUST_CHECK int hs_thread_attr(const struct hs_thread_plan *p,
    pthread_attr_t *attr);
/*
 * Make the calling thread what p says, but for its stack.  -errno with
 * hs_why().  CPUs that this machine has none of are left out.
 */
HS_MUST_CHECK int hs_thread_become(const struct hs_thread_plan *p);

#endif
