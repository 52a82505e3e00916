/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/xport.h"

void
hs_xport_close(struct hs_xport **x)
{
	if (*x == NULL)
		return;
	(*x)->ops->close(*x);
	*x = NULL;
}
