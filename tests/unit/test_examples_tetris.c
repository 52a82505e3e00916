/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "examples/tetris/game.h"
#include "tests/unit/suite.h"

static void
press(struct game *g, enum game_key key)
{
	struct game_input in = { .keys = &key, .nkeys = 1 };

	game_tick(g, &in);
}

static void
wait_ticks(struct game *g, unsigned n, bool seated)
{
	struct game_input in = { .seated = seated };

	while (n-- > 0)
		game_tick(g, &in);
}

static enum game_key
random_key(struct hs_random *r)
{
	static const enum game_key keys[] = { GAME_LEFT, GAME_RIGHT, GAME_TURN,
		GAME_DOWN, GAME_DROP, GAME_NEW };

	return keys[hs_random_below(r, sizeof(keys) / sizeof(keys[0]))];
}

static void
play_random(struct game *g, struct hs_random *r, unsigned ticks)
{
	enum game_key keys[4];
	struct game_input in = { .keys = keys, .seated = true };
	size_t i;

	while (ticks-- > 0) {
		in.nkeys = hs_random_below(r, 4);
		for (i = 0; i < in.nkeys; i++)
			keys[i] = random_key(r);
		game_tick(g, &in);
	}
}

static unsigned
count_cells(const struct game *g)
{
	unsigned n = 0;
	int row, col;

	for (row = 0; row < GAME_ROWS; row++)
		for (col = 0; col < GAME_COLS; col++)
			n += g->cell[row][col] != 0;
	return n;
}

/* Kinds known, no full line left standing, and 4 cells a piece. */
static void
check_board(const struct game *g)
{
	int row;

	CU_ASSERT(g->piece.kind >= 1 && g->piece.kind <= GAME_KINDS);
	CU_ASSERT(g->next >= 1 && g->next <= GAME_KINDS);
	CU_ASSERT_EQUAL((count_cells(g) + GAME_COLS * g->lines) % 4, 0);
	for (row = 0; row < GAME_ROWS; row++)
		CU_ASSERT_PTR_NOT_NULL(memchr(g->cell[row], 0, GAME_COLS));
}

static void
board_stays_sound_in_random_play(void)
{
	struct hs_random r;
	static struct game g;
	unsigned i;

	hs_random_init(&r);
	for (i = 0; i < 200; i++) {
		game_init(&g, hs_random_u64(&r));
		play_random(&g, &r, 100);
		check_board(&g);
	}
}

static void
restored_game_goes_on_alike(void)
{
	struct hs_random r, same;
	static struct game g, copy;

	hs_random_init(&r);
	game_init(&g, 42);
	play_random(&g, &r, 300);
	memcpy(&copy, &g, sizeof(copy));
	same = r;
	play_random(&g, &r, 300);
	play_random(&copy, &same, 300);
	CU_ASSERT_EQUAL(g.tick, 600);
	CU_ASSERT_EQUAL(g.hash, copy.hash);
	CU_ASSERT_EQUAL(memcmp(&g, &copy, sizeof(g)), 0);
}

static void
other_input_gives_another_hash(void)
{
	static struct game g, other;

	game_init(&g, 42);
	memcpy(&other, &g, sizeof(other));
	press(&g, GAME_LEFT);
	press(&other, GAME_RIGHT);
	CU_ASSERT_NOT_EQUAL(g.hash, other.hash);
	game_init(&other, 43);
	press(&other, GAME_LEFT);
	CU_ASSERT_NOT_EQUAL(g.hash, other.hash);
}

static void
chain_holds_over_all_that_is_remembered(void)
{
	const struct game_past *p;
	struct hs_random r;
	static struct game g;
	uint64_t t, prev = 0;

	hs_random_init(&r);
	game_init(&g, 7);
	play_random(&g, &r, GAME_PAST + 100);
	CU_ASSERT_PTR_NULL(game_at(&g, 0));
	CU_ASSERT_PTR_NULL(game_at(&g, 100));
	CU_ASSERT_PTR_NULL(game_at(&g, g.tick + 1));
	for (t = 101; t <= g.tick; t++) {
		p = game_at(&g, t);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		CU_ASSERT_EQUAL(p->tick, t);
		CU_ASSERT_EQUAL(p->hash, game_chain(p));
		if (t > 101)
			CU_ASSERT_EQUAL(p->prev, prev);
		prev = p->hash;
	}
	CU_ASSERT_EQUAL(prev, g.hash);
}

/* A board with n full lines but for the last column, and a standing I. */
static void
prepare_lines(struct game *g, int n)
{
	int row;

	game_init(g, 1);
	for (row = GAME_ROWS - n; row < GAME_ROWS; row++)
		memset(g->cell[row], 1, GAME_COLS - 1);
	g->cell[GAME_ROWS - 5][0] = 7;	/* must sink by n */
	g->piece = (struct game_piece){ .kind = 1, .turn = 1, .col = 7 };
}

static void
lines_clear_and_score(void)
{
	static const unsigned worth[] = { 0, 100, 300, 500, 800 };
	static struct game g;
	int n;

	for (n = 1; n <= 4; n++) {
		prepare_lines(&g, n);
		press(&g, GAME_DROP);
		CU_ASSERT_EQUAL(g.lines, (unsigned)n);
		CU_ASSERT_EQUAL(g.score, worth[n] + 2 * (GAME_ROWS - 4));
		CU_ASSERT_EQUAL(g.cell[GAME_ROWS - 5 + n][0], 7);
		CU_ASSERT_EQUAL(count_cells(&g), (unsigned)(1 + 4 - n));
	}
}

static void
level_grows_with_lines_and_pays(void)
{
	static struct game g;

	prepare_lines(&g, 1);
	g.lines = 10;
	CU_ASSERT_EQUAL(game_level(&g), 2);
	press(&g, GAME_DROP);
	CU_ASSERT_EQUAL(g.score, 200 + 2 * (GAME_ROWS - 4));
}

static void
walls_and_floor_hold(void)
{
	static struct game g;
	unsigned i;
	int row;

	for (i = 0; i < 2; i++) {
		game_init(&g, 3);
		g.piece = (struct game_piece){ .kind = 4, .col = 3 };
		for (row = 0; row < 20; row++)
			press(&g, i == 0 ? GAME_LEFT : GAME_RIGHT);
		press(&g, GAME_DROP);
		CU_ASSERT_EQUAL(g.cell[GAME_ROWS - 1][i == 0 ? 0 : 9], 4);
		CU_ASSERT_EQUAL(g.cell[GAME_ROWS - 2][i == 0 ? 1 : 8], 4);
		CU_ASSERT_EQUAL(count_cells(&g), 4);
	}
}

static void
turn_gives_way_at_a_wall(void)
{
	static struct game g;

	game_init(&g, 3);
	g.piece = (struct game_piece){ .kind = 1, .turn = 1, .col = -2 };
	press(&g, GAME_TURN);
	CU_ASSERT_EQUAL(g.piece.turn, 2);
	CU_ASSERT_EQUAL(g.piece.col, 0);
	/* No room at all: it stays as it is. */
	prepare_lines(&g, 0);
	memset(g.cell, 2, sizeof(g.cell));
	for (int row = 0; row < 4; row++)
		g.cell[row][9] = 0;
	press(&g, GAME_TURN);
	CU_ASSERT_EQUAL(g.piece.turn, 1);
}

static void
nothing_falls_while_paused_or_alone(void)
{
	static struct game g;

	game_init(&g, 5);
	wait_ticks(&g, 50, false);
	CU_ASSERT_EQUAL(g.piece.row, 0);
	wait_ticks(&g, 12, true);
	CU_ASSERT_EQUAL(g.piece.row, 1);
	press(&g, GAME_PAUSE);
	wait_ticks(&g, 50, true);
	press(&g, GAME_DROP);
	CU_ASSERT_EQUAL(g.piece.row, 1);
	press(&g, GAME_PAUSE);
	wait_ticks(&g, 12, true);
	CU_ASSERT_EQUAL(g.piece.row, 2);
	CU_ASSERT_EQUAL(g.tick, 127);
}

static void
full_board_ends_the_game_and_n_starts_one(void)
{
	static struct game g;
	unsigned i;

	game_init(&g, 9);
	press(&g, GAME_NEW);
	CU_ASSERT_EQUAL(g.over, 0);
	for (i = 0; i < 20 && !g.over; i++)
		press(&g, GAME_DROP);
	CU_ASSERT_EQUAL(g.over, 1);
	i = count_cells(&g);
	press(&g, GAME_DROP);
	wait_ticks(&g, 50, true);
	CU_ASSERT_EQUAL(count_cells(&g), i);
	press(&g, GAME_NEW);
	CU_ASSERT_EQUAL(g.over, 0);
	CU_ASSERT_EQUAL(g.score, 0);
	CU_ASSERT_EQUAL(count_cells(&g), 0);
}

static void
every_bag_holds_each_kind_once(void)
{
	unsigned seen, bag, i;
	static struct game g;

	game_init(&g, 11);	/* two are drawn: the falling and the next */
	seen = 1u << g.piece.kind | 1u << g.next;
	for (bag = 0; bag < 50; bag++) {
		for (i = bag == 0 ? 2 : 0; i < GAME_KINDS; i++) {
			memset(g.cell, 0, sizeof(g.cell));
			press(&g, GAME_DROP);
			seen |= 1u << g.next;
		}
		CU_ASSERT_EQUAL(seen, 0xfe);
		seen = 0;
	}
}

static void
long_name_is_cut(void)
{
	static const char name[] = "a name of more than twenty bytes";
	struct game_input in = { .name = name };
	static struct game g;

	game_init(&g, 1);
	game_tick(&g, &in);
	CU_ASSERT_EQUAL(strlen(g.name), GAME_NAME);
	CU_ASSERT_EQUAL(strncmp(g.name, name, GAME_NAME), 0);
	in.name = "b";
	game_tick(&g, &in);
	in.name = NULL;
	game_tick(&g, &in);
	CU_ASSERT_STRING_EQUAL(g.name, "b");
}

HS_SUITE(examples_tetris, HS_TEST(board_stays_sound_in_random_play),
    HS_TEST(restored_game_goes_on_alike),
    HS_TEST(other_input_gives_another_hash),
    HS_TEST(chain_holds_over_all_that_is_remembered),
    HS_TEST(lines_clear_and_score), HS_TEST(level_grows_with_lines_and_pays),
    HS_TEST(walls_and_floor_hold), HS_TEST(turn_gives_way_at_a_wall),
    HS_TEST(nothing_falls_while_paused_or_alone),
    HS_TEST(full_board_ends_the_game_and_n_starts_one),
    HS_TEST(every_bag_holds_each_kind_once), HS_TEST(long_name_is_cut))
