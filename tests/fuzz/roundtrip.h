/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_TESTS_FUZZ_ROUNDTRIP_H
#define HS_TESTS_FUZZ_ROUNDTRIP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Read the message in buf to its last field, as its type says, and write what
 * was read.  0 if it was good, else the decoder's error.  A good message that
 * is written with other bytes aborts: each meaning has one form on the wire.
 */
int hs_roundtrip(const uint8_t *buf, size_t len);

#endif
