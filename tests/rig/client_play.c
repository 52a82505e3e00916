/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client_play: the game at a terminal, through an address that may move.  When
 * the connection breaks it connects again by itself and tells how long it took.
 * Capital letters are no keys of the game: each is written as a line to the
 * file that -c names, for the demo to act upon.
 */
#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tests/rig/client_link.h"

#define SILENT_NS (400 * LINK_MS)
#define HELP_ROW 24

struct play {
	struct client_link link;
	const char *name;
	int commands;		/* descriptor, -1: none */
	uint64_t heard_ns;	/* the last byte of a connection */
	bool lost;		/* and not back yet */
	struct termios saved;
};

static void
put_bytes(const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(STDOUT_FILENO, p, len);
		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void
put_row(int row, const char *text)
{
	char buf[256];
	int len;

	len = snprintf(buf, sizeof(buf), "\033[%d;3H%s\033[K", row, text);
	put_bytes(buf, (size_t)len);
}

static void
put_help(void)
{
	put_row(HELP_ROW,
	    "K kills the game's process   P powers its node off   "
	    "O powers it on   q ends");
}

static void
note_loss(struct play *p)
{
	if (p->lost || p->heard_ns == 0)
		return;
	p->lost = true;
	put_row(HELP_ROW + 1, "connection lost");
}

static void
note_return(struct play *p, uint64_t now)
{
	char text[80];

	if (p->lost) {
		(void)snprintf(text, sizeof(text), "back after %" PRIu64 " ms",
		    (now - p->heard_ns) / LINK_MS);
		put_row(HELP_ROW + 1, text);
	}
	p->lost = false;
	put_help();
}

/* The greeting, which ends with the prologue's ESC [ 2 J, is for people. */
static void
show_input(struct play *p, uint64_t now)
{
	static const char clear[] = "\033[2J";
	struct client_link *l = &p->link;
	char *from = l->in;

	if (l->in_len == 0)
		return;
	if (p->heard_ns == 0 || p->lost) {
		from = memmem(l->in, l->in_len, clear, sizeof(clear) - 1);
		if (from == NULL)
			return;	/* not yet: it stays in l->in */
	}
	put_bytes(from, l->in_len - (size_t)(from - l->in));
	link_discard(l);
	if (p->heard_ns == 0 || p->lost)
		note_return(p, now);
	p->heard_ns = now;
}

static void
step_game(struct play *p, short revents, uint64_t now)
{
	char line[64];

	if (link_step(&p->link, revents, now)) {
		(void)snprintf(line, sizeof(line), "%s\n", p->name);
		(void)link_put(&p->link, line);
	}
	show_input(p, now);
	link_flush(&p->link, now);
	if (p->link.state == LINK_UP && now - p->link.heard_ns > SILENT_NS)
		link_break(&p->link, now);
	if (p->link.state != LINK_UP)
		note_loss(p);
}

/* False: enough. */
static bool
take_keys(struct play *p)
{
	char buf[64], line[2] = { 0, '\n' }, key[2] = { 0 };
	ssize_t i, len;

	len = read(STDIN_FILENO, buf, sizeof(buf));
	if (len <= 0)
		return false;
	for (i = 0; i < len; i++) {
		if (buf[i] == 'q' || buf[i] == 3 || buf[i] == 4)
			return false;
		/* The letter of an arrow key is not one of ours. */
		if (isupper((unsigned char)buf[i]) &&
		    (i == 0 || buf[i - 1] != '[')) {
			line[0] = buf[i];
			if (p->commands >= 0 &&
			    write(p->commands, line, sizeof(line)) < 0)
				put_row(HELP_ROW + 1, "nobody listens");
			continue;
		}
		key[0] = buf[i];
		(void)link_put(&p->link, key);
	}
	return true;
}

static void
run_play(struct play *p)
{
	struct pollfd fds[2];
	uint64_t now;

	for (;;) {
		fds[0] = link_pollfd(&p->link);
		fds[1] =
		    (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
		if (poll(fds, 2, 10) < 0)
			continue;
		now = link_now_ns();
		if (fds[1].revents != 0 && !take_keys(p))
			return;
		step_game(p, fds[0].revents, now);
	}
}

static _Noreturn void
usage(int status)
{
	(void)fprintf(status == 0 ? stdout : stderr,
	    "usage: client_play [-c file] [-n name] ADDRESS PORT\n");
	exit(status);
}

int
main(int argc, char **argv)
{
	/* Plain colours, the cursor back, an empty screen. */
	static const char goodbye[] = "\033[0m\033[?25h\033[2J\033[H";
	static struct play p = { .name = "you", .commands = -1 };
	struct termios raw;
	int o;

	while ((o = getopt(argc, argv, "c:hn:")) != -1) {
		if (o == 'n')
			p.name = optarg;
		else if (o != 'c')
			usage(o == 'h' ? 0 : 2);
		else if ((p.commands = open(optarg,
			      O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
			usage(2);
	}
	if (argc - optind != 2 ||
	    !link_init(&p.link, argv[optind], argv[optind + 1]))
		usage(2);
	if (tcgetattr(STDIN_FILENO, &p.saved) < 0) {
		(void)fprintf(stderr, "client_play: wants a terminal\n");
		return 2;
	}
	raw = p.saved;
	cfmakeraw(&raw);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	run_play(&p);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &p.saved);
	put_bytes(goodbye, sizeof(goodbye) - 1);
	return 0;
}
