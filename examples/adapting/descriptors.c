/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <hotspare/hs.h>

struct state {
	int timer;
	int spool;		/* a line a second; it has no name */
};

static struct state *
create_state(void)
{
	const struct itimerspec each = { .it_value = { .tv_nsec = 500000000 },
		.it_interval = { .tv_sec = 1 } };
	struct state *s = hscalloc(1, sizeof(*s));

	if (s == NULL || hsroot("state", s) < 0)
		return NULL;
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	s->spool = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->timer < 0 || timerfd_settime(s->timer, 0, &each, NULL) < 0 ||
	    hsfdreg(s->timer, 0) < 0 || hsfdreg(s->spool, HS_FD_CONTENT) < 0)
		return NULL;
	return s;
}

int
main(void)
{
	struct state *s;
	uint64_t ticks;

	s = hsinit(NULL) == HS_RESTORED ? hsfind("state") : create_state();
	if (s == NULL) {
		(void)fprintf(stderr, "%s\n", hsmessage());
		return 1;
	}
	while (read(s->timer, &ticks, sizeof(ticks)) == sizeof(ticks)) {
		(void)dprintf(s->spool, "tick\n");
		switch (hscpt(HS_HELD, NULL)) {
		case HS_EFD:		/* nothing was taken: mend it */
			(void)fprintf(stderr, "%s\n", hsmessage());
			return 1;
		case HS_EFENCED:
			return 1;
		}
		(void)printf("%ld lines\n",
		    (long)lseek(s->spool, 0, SEEK_CUR) / 5);
		(void)fflush(stdout);
	}
	return 1;
}
