/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/tetris/crowd.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/tetris/draw.h"

#define KEYS_A_TICK 64	/* more than a hand can press; the rest is dropped */

static const char greeting[] =
    "Tetris on hotspare.  Keys: a d w s, space drops, p pauses, q quits.\r\n"
    "In line mode Enter sends the keys; for keys without it leave, and say\r\n"
    "  stty raw -echo; nc HOST PORT; stty sane\r\n"
    "Your name to play, Enter alone to look on, 'watch' for a line a tick.\r\n"
    "name: ";

enum role {
	ROLE_NEW,	/* has not said what it wants */
	ROLE_SCREEN,	/* plays or looks on */
	ROLE_WATCH,	/* wants lines */
};

struct person {
	enum role role;
	bool drawn;		/* has had the prologue */
	unsigned char escape;	/* bytes of an arrow key seen so far */
	uint64_t next_tick;	/* ROLE_WATCH: 0 is "from now on" */
};

struct crowd {
	struct net_conn *player;	/* or NULL */
	char name[GAME_NAME + 1];
	bool renamed;
	size_t nkeys;
	enum game_key keys[KEYS_A_TICK];
	enum game_key taken[KEYS_A_TICK];	/* lent by crowd_input() */
	char screen[DRAW_SCREEN_BYTES];		/* crowd_show()'s */
};

struct crowd *
crowd_create(void)
{
	return calloc(1, sizeof(struct crowd));
}

void
crowd_destroy(struct crowd *w)
{
	free(w);
}

void
crowd_input(struct crowd *w, struct game_input *in)
{
	memcpy(w->taken, w->keys, w->nkeys * sizeof(w->keys[0]));
	*in = (struct game_input){
		.keys = w->taken,
		.nkeys = w->nkeys,
		.seated = w->player != NULL,
		.name = w->renamed ? w->name : NULL,
	};
	w->nkeys = 0;
	w->renamed = false;
}

static void
send_text(struct net_conn *c, const char *text)
{
	net_send(c, text, strlen(text));
}

/*
 * The seat is free, or the one who sits there came back by another connection
 * while the old one has not been found dead.
 */
static void
take_seat(struct crowd *w, struct net_conn *c, const char *name)
{
	if (w->player != NULL && strcmp(w->name, name) != 0) {
		send_text(c, "Somebody plays: you look on.\r\n");
		return;
	}
	if (w->player != NULL)
		net_close(w->player);
	w->player = c;
	w->renamed = true;
	(void)snprintf(w->name, sizeof(w->name), "%.*s", GAME_NAME, name);
}

/* Printable, without blanks around it, of GAME_NAME bytes at most. */
static void
clean_name(char *s)
{
	size_t from, to = 0;

	for (from = 0; s[from] != '\0' && to < GAME_NAME; from++) {
		unsigned char ch = (unsigned char)s[from];

		if (ch < 0x80 && isprint(ch) && (to > 0 || ch != ' '))
			s[to++] = (char)ch;
	}
	while (to > 0 && s[to - 1] == ' ')
		to--;
	s[to] = '\0';
}

static void
answer_greeting(struct crowd *w, struct net_conn *c)
{
	struct person *p = net_user(c);
	char line[NET_IN_BYTES + 1];

	if (net_line(c, line, sizeof(line)) < 0)
		return;
	clean_name(line);
	if (strcmp(line, "watch") == 0 || strncmp(line, "watch ", 6) == 0) {
		p->role = ROLE_WATCH;
		p->next_tick = strtoull(line + 5, NULL, 10);
		return;
	}
	p->role = ROLE_SCREEN;
	if (line[0] != '\0')
		take_seat(w, c, line);
}

/* The game's key for a byte, 0 if it is none.  ESC [ A is an arrow key. */
static int
decode_key(struct person *p, char ch)
{
	static const char from[] = "adwshlkj pn", to[] = "lrtdlrtdDpn";
	const char *at;

	if (p->escape == 2) {
		p->escape = 0;
		return ch >= 'A' && ch <= 'D' ? "tdrl"[ch - 'A'] : 0;
	}
	if (ch == '\033' || (p->escape == 1 && ch == '[')) {
		p->escape = ch == '[' ? 2 : 1;
		return 0;
	}
	p->escape = 0;
	at = ch != '\0' ? strchr(from, ch) : NULL;
	return at != NULL ? to[at - from] : 0;
}

static void
leave(struct net_conn *c)
{
	send_text(c, draw_epilogue);
	net_close(c);
}

static void
read_keys(struct crowd *w, struct net_conn *c)
{
	char buf[256];
	size_t i, len;
	int key;

	while ((len = net_take(c, buf, sizeof(buf))) > 0) {
		for (i = 0; i < len; i++) {
			/* ^C and ^D too: a raw terminal sends them. */
			if (buf[i] == 'q' || buf[i] == 3 || buf[i] == 4) {
				leave(c);
				return;
			}
			key = decode_key(net_user(c), buf[i]);
			if (key != 0 && c == w->player &&
			    w->nkeys < KEYS_A_TICK)
				w->keys[w->nkeys++] = (enum game_key)key;
		}
	}
}

static void
conn_opened(void *arg, struct net_conn *c)
{
	struct person *p = calloc(1, sizeof(*p));

	(void)arg;
	net_set_user(c, p);
	if (p == NULL)
		net_close(c);
	else
		send_text(c, greeting);
}

static void
conn_input(void *arg, struct net_conn *c)
{
	struct person *p = net_user(c);
	char waste[256];

	if (p->role == ROLE_NEW)
		answer_greeting(arg, c);
	if (p->role == ROLE_SCREEN)
		read_keys(arg, c);
	else if (p->role == ROLE_WATCH)
		while (net_take(c, waste, sizeof(waste)) > 0)
			;
}

static void
conn_closed(void *arg, struct net_conn *c)
{
	struct crowd *w = arg;

	if (w->player == c)
		w->player = NULL;
	free(net_user(c));
}

const struct net_ops crowd_ops = {
	.opened = conn_opened,
	.input = conn_input,
	.closed = conn_closed,
};

/*
 * A program that comes back says from which tick on; then it can check that
 * what it saw is what is remembered.
 */
static void
show_lines(struct net_conn *c, struct person *p, const struct game *g,
    uint64_t epoch)
{
	const struct game_past *past;
	char line[DRAW_LINE_BYTES];

	if (p->next_tick == 0)
		p->next_tick = g->tick;
	if (p->next_tick > g->tick + 1 ||
	    (p->next_tick <= g->tick && game_at(g, p->next_tick) == NULL)) {
		(void)snprintf(line, sizeof(line),
		    "NONE asked=%" PRIu64 " tick=%" PRIu64 "\n", p->next_tick,
		    g->tick);
		send_text(c, line);
		p->next_tick = g->tick;
	}
	for (; p->next_tick <= g->tick; p->next_tick++) {
		past = game_at(g, p->next_tick);
		net_send(c, line,
		    draw_line(line, past, past->tick == g->tick ? epoch : 0));
	}
}

static void
show_screen(struct net_conn *c, struct person *p, const char *screen,
    size_t len)
{
	/* Whoever reads slowly sees fewer screens, never a torn one. */
	if (net_queued(c) > 0)
		return;
	if (!p->drawn)
		send_text(c, draw_prologue);
	p->drawn = true;
	net_send(c, screen, len);
}

void
crowd_show(struct crowd *w, struct net *n, const struct game *g, uint64_t epoch,
    const char *status)
{
	struct net_conn *c;
	struct person *p;
	size_t len = 0;

	for (c = net_next(n, NULL); c != NULL; c = net_next(n, c)) {
		p = net_user(c);
		if (p == NULL || p->role == ROLE_NEW)
			continue;
		if (p->role == ROLE_WATCH) {
			show_lines(c, p, g, epoch);
			continue;
		}
		if (len == 0)
			len = draw_screen(w->screen, g, status);
		show_screen(c, p, w->screen, len);
	}
}

void
crowd_status(struct net *n, const char *status)
{
	char text[DRAW_LINE_BYTES];
	struct net_conn *c;
	struct person *p;

	(void)snprintf(text, sizeof(text), "\033[%d;3H%s\033[K", GAME_ROWS + 2,
	    status);
	for (c = net_next(n, NULL); c != NULL; c = net_next(n, c)) {
		p = net_user(c);
		if (p != NULL && p->drawn && net_queued(c) == 0)
			send_text(c, text);
	}
}
