/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that a pause can be on this machine by write-protect tracking: one
 * PAGEMAP_SCAN and a plain copy, in a process that has nothing else to do.
 *
 * With one thread it is the reference of the pause.  With a second one that
 * ran once since the last round, and sleeps by now, it is the least for a
 * process that sends from another thread: arming pages has to interrupt each
 * processor on which the process ran.
 */
#ifndef HS_BENCH_FLOOR_H
#define HS_BENCH_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct floor {
	int fd;
	int pid;
};

/*
 * Start the process: arena_bytes of memory, of which each round changes as many
 * pages as it is told, those that a struct picks made of seed names.  Call it
 * while the process has one thread.
 */
void floor_start(struct floor *f, size_t arena_bytes, size_t most_pages,
    uint64_t seed);
/*
 * One round: how long scan and copy took.  second: the second thread has its
 * turn before.
 */
uint64_t floor_round(struct floor *f, size_t npages, bool second);
void floor_stop(struct floor *f);

#endif
