/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is connected: one player, those who look on, and programs that watch.
 * Forgotten at a takeover, as the connections are; the game is not.
 */
#ifndef EXAMPLES_TETRIS_CROWD_H
#define EXAMPLES_TETRIS_CROWD_H

#include "examples/common/net.h"
#include "examples/tetris/game.h"

struct crowd;

/* The crowd is the net's arg, crowd_ops its ops. */
extern const struct net_ops crowd_ops;

struct crowd *crowd_create(void);
void crowd_destroy(struct crowd *w);

/* What was pressed since the last call; *in is good until the next one. */
void crowd_input(struct crowd *w, struct game_input *in);

/*
 * Show g to all: its screen, and to programs a line for each tick that they
 * have not seen.  g must be held: nobody may see what could be taken back.
 */
void crowd_show(struct crowd *w, struct net *n, const struct game *g,
    uint64_t epoch, const char *status);

/* Only the line below the board, while there is nothing new to show. */
void crowd_status(struct net *n, const char *status);

#endif
