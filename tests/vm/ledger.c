/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger MEGABYTES: a service whose state shows whether it is of one instant.
 * Each page says, all over, in which turn it was written last, and a table says
 * the same of all pages.  What a restore brings back is looked at byte by byte.
 *
 *	serving PID TURN PAGES	hsinit() has returned; PAGES as rolled_back of
 *				hsstatus(3)
 *	held TURN		an hscpt() says so
 *	wrong ...		and that is the end
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "hs.h"

#define PAGE 4096u
#define WORDS (PAGE / sizeof(uint64_t))
/* A turn writes less than one page of so many. */
#define PART 64

struct ledger {
	uint64_t turn;
	uint64_t random;
	uint64_t npages;
	uint64_t *page;		/* npages of them */
	uint64_t *written;	/* of each page: in which turn */
};

__attribute__((format(printf, 1, 2), noreturn)) static void
end_wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)printf("wrong ");
	(void)vprintf(fmt, ap);
	(void)printf(" (%s)\n", hsmessage());
	va_end(ap);
	_exit(EXIT_FAILURE);
}

static uint64_t
random_below(struct ledger *l, uint64_t n)
{
	l->random = l->random * 6364136223846793005u + 1442695040888963407u;
	return (l->random >> 33) % n;
}

/* What word i of a page holds that was written in this turn. */
static uint64_t
word(uint64_t page, uint64_t turn, uint64_t i)
{
	return (page << 40 ^ turn << 12 ^ i) * 0x9e3779b97f4a7c15u;
}

static void
write_page(struct ledger *l, uint64_t page)
{
	uint64_t *w = l->page + page * WORDS;

	for (uint64_t i = 0; i < WORDS; i++)
		w[i] = word(page, l->turn, i);
	l->written[page] = l->turn;
}

static void
check_page(const struct ledger *l, uint64_t page)
{
	const uint64_t *w = l->page + page * WORDS;
	const uint64_t turn = l->written[page];

	if (turn > l->turn)
		end_wrong("page %lu is of turn %lu, and now is %lu",
		    (unsigned long)page, (unsigned long)turn,
		    (unsigned long)l->turn);
	for (uint64_t i = 0; i < WORDS; i++)
		if (w[i] != word(page, turn, i))
			end_wrong("page %lu, word %lu, turn %lu",
			    (unsigned long)page, (unsigned long)i,
			    (unsigned long)l->turn);
}

static struct ledger *
build(uint64_t npages)
{
	struct ledger *l = hscalloc(1, sizeof(*l));

	if (l == NULL || hsroot("ledger", l) < 0)
		end_wrong("no memory");
	l->npages = npages;
	l->random = (uint64_t)time(NULL);
	l->page = hsmemalign(PAGE, npages * PAGE);
	l->written = hscalloc(npages, sizeof(*l->written));
	if (l->page == NULL || l->written == NULL)
		end_wrong("no memory");
	for (uint64_t page = 0; page < npages; page++)
		write_page(l, page);
	return l;
}

static void
take_turn(struct ledger *l)
{
	const uint64_t n = random_below(l, l->npages / PART);
	const uint64_t hot = random_below(l, l->npages);
	int rc;

	l->turn++;
	for (uint64_t i = 0; i < n; i++)
		write_page(l,
		    i % 8 == 0 ? random_below(l, l->npages)
			       : (hot + i) % l->npages);
	/* Some are in flight when it is killed. */
	if (random_below(l, 4) != 0) {
		rc = hscpt(HS_HELD | HS_NOWAIT, NULL);
	} else {
		rc = hscpt(HS_HELD, NULL);
		if (rc == 0)
			(void)printf("held %lu\n", (unsigned long)l->turn);
	}
	if (rc < 0)
		end_wrong("hscpt() is %d", rc);
}

int
main(int argc, char **argv)
{
	const uint64_t megs = argc > 1 ? strtoul(argv[1], NULL, 10) : 16;
	struct hs_status st = { .size = sizeof(st) };
	struct ledger *l;
	int rc;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	rc = hsinit(NULL);
	if (rc < 0)
		end_wrong("hsinit() is %d", rc);
	l = rc == HS_RESTORED ? hsfind("ledger") : build(megs << 8);
	if (l == NULL)
		end_wrong("no ledger");
	for (uint64_t page = 0; page < l->npages; page++)
		check_page(l, page);
	if (hscpt(HS_HELD, NULL) < 0 || hsstatus(&st) < 0)
		end_wrong("not held");
	(void)printf("serving %d %lu %lld\n", (int)getpid(),
	    (unsigned long)l->turn, (long long)st.rolled_back);
	for (;;)
		take_turn(l);
}
