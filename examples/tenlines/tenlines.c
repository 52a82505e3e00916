/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest service: it counts, and never counts backwards. */
#include <stdio.h>
#include <unistd.h>

#include <hotspare/hs.h>

int
main(void)
{
	unsigned long *n;

	switch (hsinit(NULL)) {
	case HS_FRESH:
		n = hscalloc(1, sizeof(*n));
		if (n == NULL || hsroot("n", n) < 0)
			return 1;
		break;
	case HS_RESTORED:
		n = hsfind("n");
		break;
	default:
		(void)fprintf(stderr, "%s\n", hsmessage());
		return 1;
	}
	for (;;) {
		++*n;
		if (hscpt(HS_HELD, NULL) == HS_EFENCED)
			return 1;
		(void)printf("%lu\n", *n);	/* held: may be seen */
		(void)fflush(stdout);
		sleep(1);
	}
}
