/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "api/self.h"
#include "base/why.h"
#include "ckpt/extra.h"
#include "mem/arena.h"
#include "state/memreg.h"

/* The records, or NULL before hsinit(), when there are none to be locked. */
static int
lock_records(struct hs_ckpt *c, struct hs_store **s)
{
	int rc;

	*s = NULL;
	if (hs_self_forked())
		return hs_why(HS_ESTATE,
		    "called in a child of fork(): the checkpointing is its "
		    "parent's");
	rc = c != NULL ? hs_extra_lock(c, s) : 0;
	if (rc == HS_EARENA || rc == -ENOMEM)
		return hs_why(rc, "hsmemreg: %s", hs_err_text(rc));
	return rc;
}

static void
unlock_records(struct hs_ckpt *c)
{
	if (c != NULL)
		hs_extra_unlock(c);
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
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	if (meets_arena(ptr, len))
		return hs_why(HS_EMISUSE,
		    "hsmemreg: %p is in checkpoint memory, which needs no "
		    "registration",
		    ptr);
	rc = lock_records(c, &s);
	if (rc < 0)
		return rc;
	rc = hs_memreg_add(s, name, ptr, len);
	unlock_records(c);
	return rc;
}

int
hsmemunreg(const char *name)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_store *s;
	int rc;

	rc = lock_records(c, &s);
	if (rc < 0)
		return rc;
	rc = hs_memreg_del(s, name);
	unlock_records(c);
	return rc;
}

int
hsmemquery(size_t i, struct hs_mem_area *out)
{
	struct hs_ckpt *c = hs_self_ckpt();
	struct hs_mem_area now = { .size = 0 };
	struct hs_store *s;
	size_t size;
	int rc;

	if (out == NULL || out->size <= offsetof(struct hs_mem_area, name))
		return hs_why(HS_EMISUSE,
		    "hsmemquery: size is not set: begin with struct "
		    "hs_mem_area a = HS_MEM_AREA");
	rc = lock_records(c, &s);
	if (rc < 0)
		return rc;
	rc = hs_memreg_show(s, i, &now);
	unlock_records(c);
	if (rc < 0)
		return rc;
	now.size = size = out->size;
	/* What this library does not know reads as zero. */
	if (size > sizeof(now))
		memset((uint8_t *)out + sizeof(now), 0, size - sizeof(now));
	memcpy(out, &now, size < sizeof(now) ? size : sizeof(now));
	return 0;
}
