/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is where in this process's memory, from /proc/self/maps.
 */
#ifndef HS_BASE_MAPS_H
#define HS_BASE_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_maps_entry {
	uintptr_t from, to;	/* [from, to) */
	bool readable, writable;
	const char *name;	/* a path, "[stack]"; "": anonymous */
};

/*
 * By ascending address, until fn returns other than 0, which is returned.
 * -errno: there is no /proc.
 */
int hs_maps_each(int (*fn)(void *arg, const struct hs_maps_entry *e),
    void *arg);

#endif
