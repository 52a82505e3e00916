/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAP for the programs that run inside a guest: see boot.sh.
 */
#ifndef HS_VM_TAP_H
#define HS_VM_TAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One result; returns good.  Says errno where it is not. */
bool ok(bool good, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A test that cannot be made here, and why. */
void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What a test cannot do without: ends it, saying errno, if it is not good. */
void must(bool good, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The plan, and main()'s status. */
int tap_end(void);

#endif
