/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place in the program's code, for a person to find.
 */
#ifndef HS_BASE_PLACE_H
#define HS_BASE_PLACE_H

#include <stddef.h>

#define HS_PLACE_BYTES 96

/*
 * "transfer+0x31 (bank)", or "bank+0x1189" where the function has no name in
 * the dynamic symbols: addr2line -e bank 0x1189.  buf has HS_PLACE_BYTES.
 */
void hs_place_text(const void *pc, char buf[HS_PLACE_BYTES]);

#endif
