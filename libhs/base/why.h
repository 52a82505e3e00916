/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line about why a call was refused: what is wrong and what to do next.
 * Kept for the calling thread until its next refusal; hsmessage() shows it.
 */
#ifndef HS_BASE_WHY_H
#define HS_BASE_WHY_H

#include <stddef.h>

#include "base/err.h"

#define HS_WHY_BYTES 512

/* Keep the line and return rc; what does not fit is cut. */
int hs_why(int rc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* This thread's line, HS_WHY_BYTES of it; "" if there was none. */
char *hs_why_line(void);

#endif
