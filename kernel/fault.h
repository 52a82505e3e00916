/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switches for tests.
 *
 * With FAULT=1 copies can be made to fail, and the windows of races 1 to 3 be
 * held open, with their cures in place or not.
 *
 * hscpt_broken(n) is true in a build without the cure of
 * race n, in order to show that the tests find it:
 *
 *	1  a write that is being let through while a snapshot protects (K3)
 *	2  mprotect() makes a dirty, protected entry writable again (K2)
 *	3  an entry is zapped while the bits are collected (K1)
 *	4  a page is left marked dirty, so that it is not marked again (K4)
 */
#ifndef HSCPT_FAULT_H
#define HSCPT_FAULT_H

#include <linux/types.h>

#ifndef HSCPT_BREAK
#define HSCPT_BREAK 0
#endif

#define hscpt_broken(n) (HSCPT_BREAK == (n))

#ifdef HSCPT_FAULT_POINT
#define HSCPT_HAS_FAULT_POINT 1
bool hscpt_fault_copy(void);
void hscpt_fault_delay(unsigned int race);
#else
#define HSCPT_HAS_FAULT_POINT 0
static inline bool hscpt_fault_copy(void)
{
	return false;
}

static inline void hscpt_fault_delay(unsigned int race)
{
}
#endif

#endif
