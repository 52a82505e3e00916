/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "api/records.h"
#include "api/self.h"
#include "base/why.h"
#include "mem/arena.h"
#include "state/memreg.h"

/* The records, or NULL before hsinit(), when there are none to be locked. */
static int
lock_early(const char *call, struct hs_store **s)
{
	*s = NULL;
	if (hs_self_ckpt() == NULL && !hs_self_forked())
		return 0;
	return hs_records_lock(call, s);
}

static void
unlock_early(const struct hs_store *s)
{
	if (s != NULL)
		hs_records_unlock();
}

static bool
meets_arena(const void *p, size_t len)
{
	const struct hs_arena *a = hs_self_arena();
	uintptr_t at = (uintptr_t)p, base;

	if (a == NULL)
		return false;
	base = (uintptr_t)hs_arena_base(a);
	return at < base + hs_arena_bytes(a) && base < at + len;
}

int
hsmemreg(const char *name, void *ptr, size_t len)
{
	struct hs_store *s;
	int rc;

	if (meets_arena(ptr, len))
		return hs_why(HS_EMISUSE,
		    "hsmemreg: %p is in checkpoint memory, which needs no "
		    "registration",
		    ptr);
	rc = lock_early("hsmemreg", &s);
	if (rc < 0)
		return rc;
	rc = hs_memreg_add(s, name, ptr, len);
	unlock_early(s);
	return rc;
}

int
hsmemunreg(const char *name)
{
	struct hs_store *s;
	int rc;

	rc = lock_early("hsmemunreg", &s);
	if (rc < 0)
		return rc;
	rc = hs_memreg_del(s, name);
	unlock_early(s);
	return rc;
}

int
hsmemquery(size_t i, struct hs_mem_area *out)
{
	struct hs_mem_area now = { .size = 0 };
	struct hs_store *s;
	size_t size;
	int rc;

	if (out == NULL || out->size <= offsetof(struct hs_mem_area, name))
		return hs_why(HS_EMISUSE,
		    "hsmemquery: size is not set: begin with struct "
		    "hs_mem_area a = HS_MEM_AREA");
	rc = lock_early("hsmemquery", &s);
	if (rc < 0)
		return rc;
	rc = hs_memreg_show(s, i, &now);
	unlock_early(s);
	if (rc < 0)
		return rc;
	now.size = size = out->size;
	/* What this library does not know reads as zero. */
	if (size > sizeof(now))
		memset((uint8_t *)out + sizeof(now), 0, size - sizeof(now));
	memcpy(out, &now, size < sizeof(now) ? size : sizeof(now));
	return 0;
}
