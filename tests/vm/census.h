/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel has allocated, before and after: something that is left
 * behind once in each of many rounds is found, whatever it is.
 */
#ifndef HS_VM_CENSUS_H
#define HS_VM_CENSUS_H

#define CENSUS_CACHES	400

struct census {
	unsigned ncaches;
	struct {
		char name[40];
		long objects;
	} cache[CENSUS_CACHES];		/* slab caches */
	long free_pages;
};

void census_take(struct census *c);
/* A verdict about `rounds' rounds of what, between before and now. */
void census_judge(const struct census *before, long rounds, const char *what);

#endif
