/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checkpoint memory that outlives its process: arenas of /dev/hscpt with names
 * that hs-agent chooses (GO), the library makes, and whoever ends on purpose
 * takes away (HSCPT_DESTROY): NAME, the memory, and NAME.t, a table of what is
 * where.
 */
#ifndef HS_BASE_KEEP_H
#define HS_BASE_KEEP_H

#define HS_KEEP_BYTES 32	/* of a name, with its NULs */
#define HS_KEEP_MAX 28		/* characters of NAME: A-Z a-z 0-9 . _ - */
#define HS_KEEP_TABLE ".t"

#endif
