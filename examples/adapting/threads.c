/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <hotspare/hs.h>

struct shop {
	struct hs_mutex lock;
	struct hs_cond sold;
	long stock, cash; /* of lock: their sum is 0 */
	unsigned long day;
};

/* A worker: it finds in the shop how far the shop is. */
static void
sell(void *arg)
{
	struct shop *s = arg;

	if (hsthreadreg("seller", sell, s) < 0)
		return;
	for (;;) {
		hsmutexlock(&s->lock);
		s->stock--;
		s->cash++;
		hscondsignal(&s->sold);
		hsmutexunlock(&s->lock);
		hsblock(); /* who sleeps need not be waited for */
		usleep(1000);
		hsunblock();
	}
}

static void *
run_seller(void *arg)
{
	sell(arg);
	return NULL;
}

static struct shop *
open_shop(void)
{
	struct shop *s = hscalloc(1, sizeof(*s));
	pthread_t t;

	if (s == NULL || hsroot("shop", s) < 0)
		return NULL;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&t, NULL, run_seller, s) != 0)
			return NULL;
	return s;
}

int
main(void)
{
	struct shop *s;
	int rc;

	s = hsinit(NULL) == HS_RESTORED ? hsfind("shop") : open_shop();
	if (s == NULL || hsthreadstart() < 0) {
		(void)fprintf(stderr, "%s\n", hsmessage());
		return 1;
	}
	for (;;) {
		hsmutexlock(&s->lock);
		while (s->cash < 100 * (long)(s->day + 1))
			hscondwait(&s->sold, &s->lock);
		s->day++;
		hsmutexunlock(&s->lock);
		rc = hscpt(HS_HELD, NULL);
		if (rc < 0 && rc != HS_ENOSPARE) {
			(void)fprintf(stderr, "%s: %s\n", hsstrerror(rc),
			    hsmessage());
			return 1;
		}
		(void)printf("%lu\n", s->day);
		(void)fflush(stdout);
	}
}
