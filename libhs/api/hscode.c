/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/why.h"
#include "state/code.h"

int
hscoderef(const void *fn, struct hs_code *out)
{
	if (out == NULL)
		return hs_why(HS_EMISUSE, "hscoderef: no place for the answer");
	return hs_code_ref(fn, out);
}

void *
hscodeptr(const struct hs_code *code)
{
	void *p = NULL;

	if (code == NULL) {
		(void)hs_why(HS_EMISUSE, "hscodeptr: no reference");
		errno = EINVAL;
	} else if (hs_code_ptr(code, &p) < 0) {
		errno = ENOENT;
	}
	return p;
}
