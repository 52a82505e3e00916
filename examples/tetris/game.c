/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/tetris/game.h"

#include <string.h>

#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

/*
 * The 4 x 4 box of each kind in its four turns, row by row from the highest
 * bit: the shapes and turns that players know.
 */
static const uint16_t shapes[GAME_KINDS][4] = {
	{ 0x0f00, 0x2222, 0x00f0, 0x4444 },	/* I */
	{ 0x8e00, 0x6440, 0x0e20, 0x44c0 },	/* J */
	{ 0x2e00, 0x4460, 0x0e80, 0xc440 },	/* L */
	{ 0x6600, 0x6600, 0x6600, 0x6600 },	/* O */
	{ 0x6c00, 0x4620, 0x06c0, 0x8c40 },	/* S */
	{ 0x4e00, 0x4640, 0x0e40, 0x4c40 },	/* T */
	{ 0xc600, 0x2640, 0x0c60, 0x4c80 },	/* Z */
};

static uint64_t
hash_bytes(uint64_t h, const void *p, size_t len)
{
	const uint8_t *b = p;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ b[i]) * FNV_PRIME;
	return h;
}

static uint64_t
hash_word(uint64_t h, uint64_t v)
{
	uint8_t b[8];
	int i;

	for (i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	return hash_bytes(h, b, sizeof(b));
}

uint64_t
game_chain(const struct game_past *p)
{
	uint64_t h = FNV_BASIS;

	h = hash_word(h, p->prev);
	h = hash_word(h, p->tick);
	h = hash_word(h, p->score);
	h = hash_word(h, p->lines);
	return hash_word(h, p->board);
}

/* Field by field: padding is no part of the game. */
static uint64_t
digest_board(const struct game *g)
{
	uint64_t h = FNV_BASIS;

	h = hash_word(h, g->rng);
	h = hash_word(h, g->fall_ticks);
	h = hash_bytes(h, &g->piece.kind, 1);
	h = hash_bytes(h, &g->piece.turn, 1);
	h = hash_bytes(h, &g->piece.row, 1);
	h = hash_bytes(h, &g->piece.col, 1);
	h = hash_bytes(h, &g->next, 1);
	h = hash_bytes(h, &g->bag_left, 1);
	h = hash_bytes(h, g->bag, sizeof(g->bag));
	h = hash_bytes(h, &g->over, 1);
	h = hash_bytes(h, &g->paused, 1);
	h = hash_bytes(h, g->name, sizeof(g->name));
	return hash_bytes(h, g->cell, sizeof(g->cell));
}

/* xorshift64: never 0, and 0 is never its seed. */
static uint64_t
draw_random(struct game *g)
{
	g->rng ^= g->rng << 13;
	g->rng ^= g->rng >> 7;
	g->rng ^= g->rng << 17;
	return g->rng;
}

/* Kinds come out of a bag of all seven, so none stays away for long. */
static uint8_t
draw_kind(struct game *g)
{
	uint8_t kind;
	unsigned i;

	if (g->bag_left == 0)
		for (i = 0; i < GAME_KINDS; i++)
			g->bag[g->bag_left++] = (uint8_t)(i + 1);
	i = (unsigned)(draw_random(g) % g->bag_left);
	kind = g->bag[i];
	g->bag[i] = g->bag[--g->bag_left];
	return kind;
}

bool
game_shape(unsigned kind, unsigned turn, int row, int col)
{
	return (shapes[kind - 1][turn] >> (15 - row * 4 - col)) & 1;
}

static bool
piece_fits(const struct game *g, const struct game_piece *p)
{
	int i, row, col;

	for (i = 0; i < 16; i++) {
		if (!game_shape(p->kind, p->turn, i / 4, i % 4))
			continue;
		row = p->row + i / 4;
		col = p->col + i % 4;
		if (row < 0 || row >= GAME_ROWS || col < 0 ||
		    col >= GAME_COLS || g->cell[row][col] != 0)
			return false;
	}
	return true;
}

static bool
move_piece(struct game *g, int rows, int cols)
{
	struct game_piece p = g->piece;

	p.row = (int8_t)(p.row + rows);
	p.col = (int8_t)(p.col + cols);
	if (!piece_fits(g, &p))
		return false;
	g->piece = p;
	return true;
}

/* At a wall the piece gives way by a column, the long one by two. */
static void
turn_piece(struct game *g)
{
	static const int8_t kick[] = { 0, -1, 1, -2, 2 };
	struct game_piece p;
	size_t i, n = g->piece.kind == 1 ? 5 : 3;

	for (i = 0; i < n; i++) {
		p = g->piece;
		p.turn = (uint8_t)((p.turn + 1) % 4);
		p.col = (int8_t)(p.col + kick[i]);
		if (piece_fits(g, &p)) {
			g->piece = p;
			return;
		}
	}
}

unsigned
game_level(const struct game *g)
{
	return (unsigned)(g->lines / 10) + 1;
}

static uint32_t
fall_interval(const struct game *g)
{
	unsigned level = game_level(g);

	return level < 12 ? 13 - level : 1;
}

static void
next_piece(struct game *g)
{
	g->piece = (struct game_piece){ .kind = g->next, .row = 0, .col = 3 };
	g->next = draw_kind(g);
	g->fall_ticks = fall_interval(g);
	if (!piece_fits(g, &g->piece))
		g->over = 1;
}

static bool
row_full(const struct game *g, int row)
{
	return memchr(g->cell[row], 0, GAME_COLS) == NULL;
}

static void
clear_lines(struct game *g)
{
	static const uint16_t worth[] = { 0, 100, 300, 500, 800 };
	unsigned level = game_level(g), cleared = 0;
	int row;

	for (row = GAME_ROWS - 1; row >= 0;) {
		if (!row_full(g, row)) {
			row--;
			continue;
		}
		memmove(g->cell[1], g->cell[0], (size_t)row * GAME_COLS);
		memset(g->cell[0], 0, GAME_COLS);
		cleared++;
	}
	g->lines += cleared;
	g->score += (uint64_t)worth[cleared] * level;
}

static void
land_piece(struct game *g)
{
	const struct game_piece *p = &g->piece;
	int i;

	for (i = 0; i < 16; i++)
		if (game_shape(p->kind, p->turn, i / 4, i % 4))
			g->cell[p->row + i / 4][p->col + i % 4] = p->kind;
	clear_lines(g);
	next_piece(g);
}

static void
start_game(struct game *g)
{
	memset(g->cell, 0, sizeof(g->cell));
	g->score = 0;
	g->lines = 0;
	g->over = 0;
	g->paused = 0;
	g->bag_left = 0;
	g->next = draw_kind(g);
	next_piece(g);
}

void
game_init(struct game *g, uint64_t seed)
{
	memset(g, 0, sizeof(*g));
	g->rng = seed != 0 ? seed : FNV_BASIS;
	start_game(g);
}

static void
press_key(struct game *g, enum game_key key)
{
	if (g->over) {
		if (key == GAME_NEW)
			start_game(g);
		return;
	}
	if (key == GAME_PAUSE)
		g->paused = !g->paused;
	if (g->paused)
		return;
	switch (key) {
	case GAME_LEFT:
		(void)move_piece(g, 0, -1);
		break;
	case GAME_RIGHT:
		(void)move_piece(g, 0, 1);
		break;
	case GAME_TURN:
		turn_piece(g);
		break;
	case GAME_DOWN:
		g->score += move_piece(g, 1, 0);
		break;
	case GAME_DROP:
		while (move_piece(g, 1, 0))
			g->score += 2;
		land_piece(g);
		break;
	case GAME_PAUSE:
	case GAME_NEW:
		break;
	}
}

static void
fall_piece(struct game *g)
{
	if (g->over || g->paused || --g->fall_ticks > 0)
		return;
	g->fall_ticks = fall_interval(g);
	if (!move_piece(g, 1, 0))
		land_piece(g);
}

static void
keep_past(struct game *g)
{
	struct game_past *p = &g->past[g->tick % GAME_PAST];

	p->tick = g->tick;
	p->score = g->score;
	p->lines = g->lines;
	p->board = digest_board(g);
	p->prev = g->hash;
	p->hash = game_chain(p);
	g->hash = p->hash;
}

void
game_tick(struct game *g, const struct game_input *in)
{
	size_t i;

	if (in->name != NULL) {
		memset(g->name, 0, sizeof(g->name));
		memcpy(g->name, in->name, strnlen(in->name, GAME_NAME));
	}
	for (i = 0; i < in->nkeys; i++)
		press_key(g, in->keys[i]);
	if (in->seated)
		fall_piece(g);
	g->tick++;
	keep_past(g);
}

const struct game_past *
game_at(const struct game *g, uint64_t tick)
{
	const struct game_past *p = &g->past[tick % GAME_PAST];

	return tick != 0 && p->tick == tick ? p : NULL;
}

unsigned
game_cell(const struct game *g, int row, int col)
{
	const struct game_piece *p = &g->piece;
	int r = row - p->row, c = col - p->col;

	if (r >= 0 && r < 4 && c >= 0 && c < 4 &&
	    game_shape(p->kind, p->turn, r, c))
		return p->kind;
	return g->cell[row][col];
}
