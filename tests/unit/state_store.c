/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/state_store.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"

/* Of the directory, where the address of the slots is. */
#define SLOTS_OFF 16

static int
lend(void *arg, size_t len, void **out)
{
	struct state_lender *l = arg;

	*out = malloc(len);
	if (*out == NULL)
		return -ENOMEM;
	l->live++;
	return 0;
}

static void
take(void *arg, void *p)
{
	struct state_lender *l = arg;

	l->live--;
	free(p);
}

static bool
is_lent(void *arg, const void *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
	return true;
}

struct hs_store *
state_store_open(struct state_lender *l)
{
	const struct hs_store_mem mem = { .arg = l,
		.alloc = lend,
		.free = take,
		.has = is_lent };
	struct hs_store *s = NULL;

	*l = (struct state_lender){ .live = 0 };
	CU_ASSERT_EQUAL_FATAL(hs_store_create(&s, &mem), 0);
	return s;
}

void
state_store_close(struct hs_store *s, struct state_lender *l)
{
	void *dir = hs_store_dir(s);
	struct hs_store_rec rec;
	uint64_t slots;

	for (uint16_t kind = 0; kind < 16; kind++)
		while (hs_store_next(s, kind, 0, &rec) == 1)
			CU_ASSERT_EQUAL(hs_store_del(s, kind, rec.key), 0);
	CU_ASSERT_EQUAL(l->live, 2);
	memcpy(&slots, (uint8_t *)dir + SLOTS_OFF, sizeof(slots));
	hs_store_destroy(s);
	free((void *)(uintptr_t)slots);
	free(dir);
}
