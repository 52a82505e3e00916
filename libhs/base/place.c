/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/place.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void
hs_place_text(const void *pc, char buf[HS_PLACE_BYTES])
{
	const uintptr_t at = (uintptr_t)pc;
	const char *file;
	Dl_info in;

	if (pc == NULL || dladdr(pc, &in) == 0 || in.dli_fname == NULL) {
		(void)snprintf(buf, HS_PLACE_BYTES, "%p", pc);
		return;
	}
	file = strrchr(in.dli_fname, '/');
	file = file != NULL ? file + 1 : in.dli_fname;
	if (in.dli_sname != NULL)
		(void)snprintf(buf, HS_PLACE_BYTES, "%.48s+%#zx (%.32s)",
		    in.dli_sname, (size_t)(at - (uintptr_t)in.dli_saddr), file);
	else
		(void)snprintf(buf, HS_PLACE_BYTES, "%.64s+%#zx", file,
		    (size_t)(at - (uintptr_t)in.dli_fbase));
}
