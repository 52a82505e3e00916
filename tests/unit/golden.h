/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of tests/golden: one good one of each type, and one bad one for
 * each rule of docs/format that a reader of bytes can check.
 */
#ifndef HS_TESTS_UNIT_GOLDEN_H
#define HS_TESTS_UNIT_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/msg.h"

#define HS_GOLDEN_MAX_BYTES 16384

struct hs_golden {
	const char *name;	/* of the file, without .bin */
	const char *rule;	/* broken: M of message.md, R of records.md */
	size_t (*build)(uint8_t *buf);
	struct {
		unsigned off;
		unsigned len;
		uint8_t bytes[24];
	} patch;	/* written over what build() gave */
	bool torn;	/* the crc is as before the patch */
	int rc;		/* what reading it gives */
};

/* Ended by a name of NULL. */
extern const struct hs_golden hs_golden_cases[];

/* The bytes of g, at most HS_GOLDEN_MAX_BYTES; their number. */
size_t hs_golden_build(const struct hs_golden *g, uint8_t *buf);

#endif
