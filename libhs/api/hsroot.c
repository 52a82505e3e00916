/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/self.h"
#include "mem/arena.h"

int
hsroot(const char *name, void *ptr)
{
	struct hs_arena *a = hs_self_arena();

	if (a == NULL)
		return HS_ESTATE;
	return name == NULL ? HS_EMISUSE : hs_arena_root_set(a, name, ptr);
}

void *
hsfind(const char *name)
{
	struct hs_arena *a = hs_self_arena();
	void *p = NULL;

	if (a == NULL)
		errno = ENXIO;
	else if (name == NULL || hs_arena_root_get(a, name, &p) < 0)
		errno = ENOENT;
	return p;
}
