/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of the game, and nothing else: no clock, no I/O, no allocation.
 * What follows depends on the state and on the input alone, so a game that is
 * restored from a checkpoint goes on as it would have gone on.
 *
 * A struct game holds no pointers and may be copied.  G1: hash is the chain
 *
 *	hash(tick) = H(hash(tick - 1), tick, score, lines, board)
 *
 * where H is FNV-1a (64 bits) over the five words, little-endian, and board
 * digests everything else that the game goes on from.  Whoever sees the line of
 * each tick can so prove that none was lost, doubled or changed.
 */
#ifndef EXAMPLES_TETRIS_GAME_H
#define EXAMPLES_TETRIS_GAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GAME_ROWS 20
#define GAME_COLS 10
#define GAME_KINDS 7
#define GAME_NAME 20	/* bytes of a player's name, without the nul */
#define GAME_PAST 512	/* ticks that can be asked for again */

enum game_key {
	GAME_LEFT = 'l',
	GAME_RIGHT = 'r',
	GAME_TURN = 't',
	GAME_DOWN = 'd',
	GAME_DROP = 'D',
	GAME_PAUSE = 'p',
	GAME_NEW = 'n',	/* does nothing unless the game is over */
};

struct game_piece {
	uint8_t kind;	/* 1 to GAME_KINDS */
	uint8_t turn;	/* quarter turns, 0 to 3 */
	int8_t row;	/* of the upper left corner of its 4 x 4 box */
	int8_t col;
};

struct game_past {
	uint64_t tick;
	uint64_t score;
	uint64_t lines;
	uint64_t board;
	uint64_t hash;
	uint64_t prev;	/* hash of the tick before */
};

struct game {
	uint64_t tick;
	uint64_t score;
	uint64_t lines;
	uint64_t hash;
	uint64_t rng;
	uint32_t fall_ticks;	/* until the piece falls by a row */
	struct game_piece piece;
	uint8_t next;
	uint8_t bag_left;
	uint8_t bag[GAME_KINDS];
	uint8_t over;
	uint8_t paused;
	char name[GAME_NAME + 1];
	uint8_t cell[GAME_ROWS][GAME_COLS];	/* 0 free, else a kind */
	struct game_past past[GAME_PAST];	/* of tick t: t % GAME_PAST */
};

/* What players did since the last tick. */
struct game_input {
	const enum game_key *keys;
	size_t nkeys;
	bool seated;		/* nothing falls while nobody plays */
	const char *name;	/* NULL: as before */
};

void game_init(struct game *g, uint64_t seed);
void game_tick(struct game *g, const struct game_input *in);

/* The line of tick, or NULL if it lies ahead or is forgotten. */
const struct game_past *game_at(const struct game *g, uint64_t tick);

/* Kind at a place of the board, falling piece included; 0 if free. */
unsigned game_cell(const struct game *g, int row, int col);

/* Whether kind, turned so often, fills this place of its 4 x 4 box. */
bool game_shape(unsigned kind, unsigned turn, int row, int col);

unsigned game_level(const struct game *g);

/* H of G1. */
uint64_t game_chain(const struct game_past *p);

#endif
