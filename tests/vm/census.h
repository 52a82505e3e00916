/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel has allocated, before and after: something that is left
 * behind once in each of many rounds is found, whatever it is.
 */
#ifndef HS_VM_CENSUS_H
#define HS_VM_CENSUS_H

/*
 * Verdicts about that many rounds of what, which run() makes.  Caches fill and
 * shrink by themselves as well: what counts is what grows each time.
 */
void census_judge(void (*run)(long rounds), long rounds, const char *what);

#endif
