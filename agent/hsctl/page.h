/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An agent's status for people. */
#ifndef HS_HSCTL_PAGE_H
#define HS_HSCTL_PAGE_H

#include <stdio.h>

#include <json-c/json.h>

/* Members that are missing, or null, are left out of the page. */
void hs_page_print(FILE *f, struct json_object *status);

#endif
