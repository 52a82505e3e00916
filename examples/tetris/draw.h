/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The game as a screen for an ANSI terminal, and as a line for a program.
 */
#ifndef EXAMPLES_TETRIS_DRAW_H
#define EXAMPLES_TETRIS_DRAW_H

#include <stddef.h>
#include <stdint.h>

#include "examples/tetris/game.h"

#define DRAW_SCREEN_BYTES 8192
#define DRAW_LINE_BYTES 256

/* Sent once, before the first screen; and what undoes it. */
extern const char draw_prologue[];
extern const char draw_epilogue[];

/* Both return the length; out holds DRAW_SCREEN_BYTES or DRAW_LINE_BYTES. */
size_t draw_screen(char *out, const struct game *g, const char *status);
size_t draw_line(char *out, const struct game_past *p, uint64_t epoch);

#endif
