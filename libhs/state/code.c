/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/code.h"

#include <string.h>

#include "base/module.h"
#include "base/why.h"

_Static_assert(sizeof(((struct hs_code *)NULL)->build_id) == HS_MODULE_ID_BYTES,
    "hs.h");
_Static_assert(HS_MODULE_ID_BYTES + 8 == HS_CODE_BYTES, "state/code.h");

static const char *
name_module(const struct hs_module *m)
{
	return m->program ? "the program" : m->name;
}

int
hs_code_ref(const void *p, struct hs_code *out)
{
	struct hs_module m;

	if (p == NULL) {
		*out = (struct hs_code){ .off = 0 };
		return 0;
	}
	if (hs_module_of_code(p, &m) < 0)
		return hs_why(HS_ECODE,
		    "%p is no code of the program or of a shared object: code "
		    "that was made at run time cannot be found again on a "
		    "spare",
		    p);
	if (m.kernels)
		return hs_why(HS_ECODE,
		    "%p is code of the kernel's vDSO, which another machine "
		    "may not have: point to the C library's function instead",
		    p);
	if (m.id_len == 0)
		return hs_why(HS_ECODE,
		    "%s has no build-id, by which a spare could tell that it "
		    "has the same code: link it with -Wl,--build-id",
		    name_module(&m));
	memcpy(out->build_id, m.id, sizeof(out->build_id));
	out->off = (uintptr_t)p - m.bias;
	return 0;
}

static bool
is_null(const struct hs_code *c)
{
	static const uint8_t none[HS_MODULE_ID_BYTES];

	return c->off == 0 && memcmp(c->build_id, none, sizeof(none)) == 0;
}

int
hs_code_ptr(const struct hs_code *c, void **out)
{
	const uint8_t *id = c->build_id;
	int rc;

	if (is_null(c)) {
		*out = NULL;
		return 0;
	}
	rc = hs_module_code(id, c->off, out);
	if (rc == -ENOENT)
		return hs_why(HS_ECODE,
		    "no module with build-id %02x%02x%02x%02x... is loaded "
		    "here: install the same build on all nodes, and dlopen() "
		    "what the program loads at run time first",
		    id[0], id[1], id[2], id[3]);
	if (rc < 0)
		return hs_why(HS_ECODE,
		    "the module with build-id %02x%02x%02x%02x... has no code "
		    "at %#llx: the reference is damaged",
		    id[0], id[1], id[2], id[3], (unsigned long long)c->off);
	return 0;
}

void
hs_code_encode(struct hs_wr *w, const struct hs_code *c)
{
	hs_wr_bytes(w, c->build_id, sizeof(c->build_id));
	hs_wr_u64(w, c->off);
}

void
hs_code_decode(struct hs_rd *r, struct hs_code *out)
{
	hs_rd_copy(r, out->build_id, sizeof(out->build_id));
	out->off = hs_rd_u64(r);
}
