/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <unistd.h>

#include <hotspare/hs.h>

static unsigned long turn;	/* of a library that keeps it to itself */

static void
bring_in(void *arg)
{
	unsigned long *kept = hsfind("turn");

	(void)arg;
	*kept = turn;
}

static void
bring_back(void *arg)
{
	const unsigned long *kept = hsfind("turn");

	(void)arg;
	turn = *kept;
}

int
main(void)
{
	if (hshook(HS_BEFORE_CHECKPOINT, 0, bring_in, NULL) < 0 ||
	    hshook(HS_AFTER_RESTORE, 0, bring_back, NULL) < 0)
		return 1;
	switch (hsinit(NULL)) {
	case HS_FRESH:
		if (hsroot("turn", hscalloc(1, sizeof(turn))) == 0 &&
		    hsctxreg(HS_CTX_CWD | HS_CTX_UMASK | HS_CTX_ENV) == 0)
			break;
		/* fall through */
	default:
		(void)fprintf(stderr, "%s\n", hsmessage());
		return 1;
	case HS_RESTORED:
		break;
	}
	for (;;) {
		turn++;
		if (hscpt(HS_HELD, NULL) == HS_EFENCED)
			return 1;
		(void)printf("%lu\n", turn);
		(void)fflush(stdout);
		sleep(1);
	}
}
