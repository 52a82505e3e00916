/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <unistd.h>

#include <hotspare/hs.h>

struct job {
	struct hs_code run;	/* was: void (*run)(unsigned long *); */
	unsigned long turn;
};

static void
count(unsigned long *turn)
{
	++*turn;
}

static struct job *
create_job(void (*run)(unsigned long *))
{
	struct job *j = hscalloc(1, sizeof(*j));

	if (j == NULL || hscoderef((void *)run, &j->run) < 0 ||
	    hsroot("job", j) < 0)
		return NULL;
	return j;
}

int
main(void)
{
	void (*run)(unsigned long *) = NULL;
	struct job *j;

	j = hsinit(NULL) == HS_RESTORED ? hsfind("job") : create_job(count);
	if (j != NULL)
		run = (void (*)(unsigned long *))hscodeptr(&j->run);
	if (run == NULL) {
		(void)fprintf(stderr, "%s\n", hsmessage());
		return 1;
	}
	for (;;) {
		run(&j->turn);
		if (hscpt(HS_HELD, NULL) == HS_EFENCED)
			return 1;
		(void)printf("%lu\n", j->turn);
		(void)fflush(stdout);
		sleep(1);
	}
}
