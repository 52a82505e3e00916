/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_TESTS_UNIT_API_SAYS_H
#define HS_TESTS_UNIT_API_SAYS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "hs.h"

/* Does hsmessage() have that in it?  Prints it if not. */
static inline bool
says(const char *text)
{
	const bool has = strstr(hsmessage(), text) != NULL;

	if (!has)
		printf("\n  \"%s\" is not in: %s\n", text, hsmessage());
	return has;
}

#endif
