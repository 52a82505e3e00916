/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <unistd.h>

#include <hotspare/hs.h>

static struct {
	unsigned long turn;
	unsigned long sum;
} game;

int
main(void)
{
	if (hsmemreg("game", &game, sizeof(game)) < 0 || hsinit(NULL) < 0) {
		(void)fprintf(stderr, "%s\n", hsmessage());
		return 1;
	}
	for (;;) {
		game.turn++;
		game.sum += game.turn;
		if (hscpt(HS_HELD, NULL) == HS_EFENCED)
			return 1;
		(void)printf("%lu %lu\n", game.turn, game.sum);
		(void)fflush(stdout);
		sleep(1);
	}
}
