/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <stdio.h>

#include <hotspare/hs.h>

#define SECOND UINT64_C(1000000000)

struct lease {
	uint64_t expires;	/* by hsclock() */
	unsigned long renewed;
};

static struct lease *
create_lease(void)
{
	struct lease *l = hscalloc(1, sizeof(*l));

	if (l == NULL || hsroot("lease", l) < 0)
		return NULL;
	l->expires = hsclock() + SECOND;
	return l;
}

int
main(void)
{
	struct lease *l;

	l = hsinit(NULL) == HS_RESTORED ? hsfind("lease") : create_lease();
	if (l == NULL) {
		(void)fprintf(stderr, "%s\n", hsmessage());
		return 1;
	}
	for (;;) {
		if (poll(NULL, 0, hsclockms(l->expires)) < 0)
			continue;
		l->expires += SECOND;
		l->renewed++;
		if (hscpt(HS_HELD, NULL) == HS_EFENCED)
			return 1;
		(void)printf("%lu\n", l->renewed);
		(void)fflush(stdout);
	}
}
