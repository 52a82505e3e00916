/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lives of one service in one process: hsinit() over a peer that keeps the
 * image, and again over that image.
 */
#ifndef HS_TESTS_UNIT_API_LIFE_H
#define HS_TESTS_UNIT_API_LIFE_H

#include "hs.h"
#include "tests/unit/test_ckpt_peer.h"

extern struct peer life_peer;

/* The first one; HS_FRESH or the test fails for good. */
void life_begin(void);
/* It ends, without another checkpoint. */
void life_stop(void);
/* The next one: what hsinit() says. */
int life_restore(void);
/* After life_stop(), or an hsinit() that failed. */
void life_end(void);

#endif
