/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/root.h"

#include <stdbool.h>
#include <string.h>

static bool
is_name(const char *name)
{
	size_t len;

	if (name == NULL)
		return false;
	len = strnlen(name, HS_LAYOUT_NAME_BYTES);
	return len != 0 && len < HS_LAYOUT_NAME_BYTES;
}

/* The place of name; "" finds an empty one.  NULL: there is none. */
static struct hs_layout_root *
find_place(const struct hs_heap *h, const char *name)
{
	struct hs_layout_root *r;

	for (r = h->head->root; r < h->head->root + HS_LAYOUT_ROOTS; r++)
		if (strncmp(r->name, name, sizeof(r->name)) == 0)
			return r;
	return NULL;
}

static bool
is_data(const struct hs_heap *h, const void *p)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)h->base;

	return off < (uintptr_t)h->npages * HS_ARENA_PAGE_BYTES &&
	    hs_layout_desc(h, (uint32_t)(off / HS_ARENA_PAGE_BYTES)) != NULL;
}

int
hs_root_set(struct hs_heap *h, const char *name, const void *p)
{
	struct hs_layout_root *r;

	if (!is_name(name) || (p != NULL && !is_data(h, p)))
		return HS_EMISUSE;
	r = find_place(h, name);
	if (p == NULL) {
		if (r != NULL)
			memset(r, 0, sizeof(*r));
		return 0;
	}
	if (r == NULL)
		r = find_place(h, "");
	if (r == NULL)
		return HS_EARENA;
	memset(r->name, 0, sizeof(r->name));
	memcpy(r->name, name, strlen(name));
	r->addr = (uintptr_t)p;
	return 0;
}

int
hs_root_get(const struct hs_heap *h, const char *name, void **out)
{
	const struct hs_layout_root *r;

	if (!is_name(name))
		return HS_EMISUSE;
	r = find_place(h, name);
	if (r == NULL)
		return -ENOENT;
	*out = (void *)(uintptr_t)r->addr;
	return 0;
}
