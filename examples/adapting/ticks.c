/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include <hotspare/hs.h>

struct state {
	timer_t timer;
	unsigned long ticks;
};

static struct state *
create_state(void)
{
	const struct itimerspec each = { .it_value = { .tv_sec = 1 },
		.it_interval = { .tv_sec = 1 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGRTMIN };
	struct state *s = hscalloc(1, sizeof(*s));

	if (s == NULL || hsroot("state", s) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &ev, &s->timer) < 0 ||
	    hssigreg(SIGRTMIN) < 0 ||
	    hstimerreg(&s->timer, CLOCK_MONOTONIC, &ev) < 0 ||
	    timer_settime(s->timer, 0, &each, NULL) < 0)
		return NULL;
	return s;
}

int
main(void)
{
	struct state *s;
	siginfo_t tick;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGRTMIN);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	s = hsinit(NULL) == HS_RESTORED ? hsfind("state") : create_state();
	if (s == NULL) {
		(void)fprintf(stderr, "%s\n", hsmessage());
		return 1;
	}
	for (;;) {
		if (sigwaitinfo(&set, &tick) < 0)
			continue;
		s->ticks += 1 + (unsigned long)tick.si_overrun;
		if (hscpt(HS_HELD, NULL) == HS_EFENCED)
			return 1;
		(void)printf("%lu\n", s->ticks);
		(void)fflush(stdout);
	}
}
