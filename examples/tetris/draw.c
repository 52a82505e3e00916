/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/tetris/draw.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Clear, hide the cursor; show it again. */
const char draw_prologue[] = "\033[2J\033[?25l";
const char draw_epilogue[] = "\033[0m\033[?25h\r\n";

struct text {
	char *buf;
	size_t len;
	size_t size;
};

/* What does not fit is cut off. */
static void __attribute__((format(printf, 2, 3)))
put_text(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	t->len += (size_t)n;
	if (t->len >= t->size)
		t->len = t->size - 1;
}

/* A place is two characters wide, so that it is about square. */
static void
put_cell(struct text *t, unsigned kind)
{
	/* background colours of I, J, L, O, S, T, Z */
	static const unsigned char colour[] = { 46, 44, 47, 43, 42, 45, 41 };

	if (kind == 0)
		put_text(t, " .");
	else
		put_text(t, "\033[%dm[]\033[0m", colour[kind - 1]);
}

static void
put_next(struct text *t, const struct game *g, int row)
{
	int col;

	put_text(t, "   ");
	for (col = 0; col < 4; col++) {
		if (game_shape(g->next, 0, row, col))
			put_cell(t, g->next);
		else
			put_text(t, "  ");
	}
}

static void
put_side(struct text *t, const struct game *g, int row)
{
	switch (row) {
	case 1:
		put_text(t, "   player %s", g->name[0] != '\0' ? g->name : "-");
		break;
	case 2:
		put_text(t, "   score  %" PRIu64, g->score);
		break;
	case 3:
		put_text(t, "   lines  %" PRIu64, g->lines);
		break;
	case 4:
		put_text(t, "   level  %u", game_level(g));
		break;
	case 6:
	case 7:
		put_next(t, g, row - 6);
		break;
	case 9:
		if (g->over)
			put_text(t, "   GAME OVER: n for a new one");
		else if (g->paused)
			put_text(t, "   paused: p goes on");
		break;
	case 11:
		put_text(t, "   a d  left, right");
		break;
	case 12:
		put_text(t, "   w    turn");
		break;
	case 13:
		put_text(t, "   s    down, space drops");
		break;
	case 14:
		put_text(t, "   p q  pause, quit");
		break;
	}
}

size_t
draw_screen(char *out, const struct game *g, const char *status)
{
	struct text t = { .buf = out, .size = DRAW_SCREEN_BYTES };
	int row, col;

	put_text(&t, "\033[H");
	for (row = 0; row < GAME_ROWS; row++) {
		put_text(&t, "  |");
		for (col = 0; col < GAME_COLS; col++)
			put_cell(&t, game_cell(g, row, col));
		put_text(&t, " |");
		put_side(&t, g, row);
		put_text(&t, "\033[K\r\n");
	}
	/* The row below is where a terminal in line mode echoes. */
	put_text(&t, "  +---------------------+\033[K\r\n  %s\033[K\r\n\033[K",
	    status);
	return t.len;
}

size_t
draw_line(char *out, const struct game_past *p, uint64_t epoch)
{
	struct text t = { .buf = out, .size = DRAW_LINE_BYTES };

	put_text(&t,
	    "STATE epoch=%" PRIu64 " tick=%" PRIu64 " score=%" PRIu64
	    " lines=%" PRIu64 " hash=%016" PRIx64 " prev=%016" PRIx64
	    " board=%016" PRIx64 "\n",
	    epoch, p->tick, p->score, p->lines, p->hash, p->prev, p->board);
	return t.len;
}
