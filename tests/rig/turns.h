/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the services share that are killed again and again and check by
 * themselves whether all of their state came back.  They work in turns, each of
 * which ends with a held checkpoint; the number of the last held one goes to a
 * file, which outlives them.
 */
#ifndef HS_TESTS_RIG_TURNS_H
#define HS_TESTS_RIG_TURNS_H

#include <stdint.h>

/* Say so and end: "wrong: ..." */
_Noreturn void hs_turns_wrong(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * After hsinit(), whose answer is rc: say "serves PID TURN".  turn is the
 * number in the restored state: the last held one, or a later one that nobody
 * was told of.
 */
void hs_turns_begin(const char *path, int rc, uint64_t turn);
/* Take the checkpoint of this turn, and note it once it is held. */
void hs_turns_end(uint64_t turn);

#endif
