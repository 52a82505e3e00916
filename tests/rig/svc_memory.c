/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svc_memory REPORT: a service whose state is in static data and in malloc()'s
 * memory.  Of each area there is a mirror in checkpoint memory, changed in the
 * same turns: after a restore both must be the same.
 *
 * table	static, registered before hsinit()
 * heap		registered after it
 * lazy		the same, but only every other process claims it
 * guest	registered in some turns, and not in others
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hs.h"
#include "tests/rig/turns.h"

#define TABLE_BYTES ((1 << 20) + 77)
#define HEAP_BYTES 300001
#define LAZY_BYTES 5000
#define GUEST_BYTES 70

enum {
	TABLE,
	HEAP,
	LAZY,
	GUEST,
	NAREA
};

struct state {
	uint64_t turn;
	uint64_t random;
	bool guest; /* is registered */
	uint8_t *mirror[NAREA];
};

static const char *const names[NAREA] = { "table", "heap", "lazy", "guest" };
static const size_t lens[NAREA] = { TABLE_BYTES, HEAP_BYTES, LAZY_BYTES,
	GUEST_BYTES };
static uint8_t table[TABLE_BYTES];
static uint8_t *area[NAREA];
static bool claimed[NAREA];

static size_t
random_below(struct state *s, size_t n)
{
	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(s->random >> 33) % n;
}

static struct state *
build(void)
{
	struct state *s = hscalloc(1, sizeof(*s));

	if (s == NULL || hsroot("state", s) < 0)
		hs_turns_wrong("no memory");
	for (int i = 0; i < NAREA; i++) {
		s->mirror[i] = hscalloc(1, lens[i]);
		if (s->mirror[i] == NULL)
			hs_turns_wrong("no memory");
	}
	return s;
}

/* want: HS_FRESH, HS_RESTORED. */
static void
claim(int i, int want)
{
	const int rc = hsmemreg(names[i], area[i], lens[i]);

	if (rc != want)
		hs_turns_wrong("hsmemreg(%s) is %d: %s", names[i], rc,
		    hsmessage());
	claimed[i] = true;
}

static void
allocate(void)
{
	area[TABLE] = table;
	for (int i = HEAP; i < NAREA; i++) {
		/* Whatever was there before. */
		area[i] = malloc(lens[i] + 1);
		if (area[i] == NULL)
			hs_turns_wrong("no memory");
		memset(area[i], i == GUEST ? 0 : 0xee, lens[i] + 1);
		if (i == LAZY)
			area[i]++; /* at an odd address */
	}
}

static void
claim_all(struct state *s, int rc)
{
	if (rc == HS_FRESH)
		for (int i = HEAP; i < NAREA; i++)
			memset(area[i], 0, lens[i]);
	claim(HEAP, rc);
	if (rc == HS_FRESH || getpid() % 2 != 0)
		claim(LAZY, rc);
	if (s->guest)
		claim(GUEST, HS_RESTORED);
}

static void
check_area(const struct state *s, int i)
{
	for (size_t k = 0; claimed[i] && k < lens[i]; k++)
		if (area[i][k] != s->mirror[i][k])
			hs_turns_wrong("byte %zu of %s: %02x, not %02x", k,
			    names[i], area[i][k], s->mirror[i][k]);
}

/* Nothing has changed since the checkpoint, and all areas are there. */
static void
check_query(const struct state *s)
{
	struct hs_mem_area a = HS_MEM_AREA;
	size_t n = 0;

	for (; hsmemquery(n, &a) == 0; n++)
		if (a.dirty_bytes != 0)
			hs_turns_wrong("%zu bytes of %s are dirty",
			    a.dirty_bytes, a.name);
	if (n != (s->guest ? 4u : 3u))
		hs_turns_wrong("%zu areas are registered", n);
}

static void
change_area(struct state *s, int i)
{
	const size_t n = random_below(s, 20);

	for (size_t k = 0; claimed[i] && k < n; k++) {
		const size_t at = random_below(s, lens[i]);
		const uint8_t byte = (uint8_t)random_below(s, 256);

		area[i][at] = s->mirror[i][at] = byte;
	}
}

static void
let_guest_in_or_out(struct state *s)
{
	if (random_below(s, 4) != 0)
		return;
	if (s->guest && hsmemunreg("guest") < 0)
		hs_turns_wrong("the guest cannot leave");
	s->guest = !s->guest;
	claimed[GUEST] = s->guest;
	memset(area[GUEST], 0, GUEST_BYTES);
	memset(s->mirror[GUEST], 0, GUEST_BYTES);
	if (s->guest)
		claim(GUEST, HS_FRESH);
}

int
main(int argc, char **argv)
{
	struct state *s;
	int rc;

	if (argc != 2)
		hs_turns_wrong("usage: svc_memory REPORT");
	allocate();
	claim(TABLE, HS_FRESH);
	rc = hsinit(NULL);
	s = rc == HS_FRESH ? build() : hsfind("state");
	if (rc < 0 || s == NULL)
		hs_turns_wrong("hsinit: %d: %s", rc, hsmessage());
	claim_all(s, rc);
	if (rc == HS_RESTORED)
		check_query(s);
	for (int i = 0; i < NAREA; i++)
		check_area(s, i);
	hs_turns_begin(argv[1], rc, s->turn);
	for (;;) {
		for (int i = 0; i < NAREA; i++)
			change_area(s, i);
		let_guest_in_or_out(s);
		s->turn++;
		hs_turns_end(s->turn);
		check_query(s);
	}
}
