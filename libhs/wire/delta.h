/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where two versions of a page differ.
 */
#ifndef HS_WIRE_DELTA_H
#define HS_WIRE_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/msg.h"

#define HS_DELTA_WORDS (HS_MSG_PAGE_BYTES / 64)

/* A run's header takes 4 bytes: joining across fewer equal ones is shorter. */
#define HS_DELTA_JOIN_BYTES 4
/* Of one byte each, as close together as separate runs can be. */
#define HS_DELTA_MAX_RUNS 820

struct hs_delta_map {
	uint64_t bits[HS_DELTA_WORDS];	/* bit i of word j: byte 64j + i */
	uint64_t words;			/* bit j: bits[j] is not 0 */
	bool zero;			/* the new version is all zero */
};

struct hs_delta_run {
	uint16_t off;
	uint16_t len;
};

/* Map the bytes in which now differs from twin, both of a page. */
void hs_delta_compare(struct hs_delta_map *map, const uint8_t *twin,
    const uint8_t *now);

/*
 * The runs of differing bytes, ascending, those closer than HS_DELTA_JOIN_BYTES
 * joined; their number, or -EMSGSIZE once their headers and bytes
 * would take more than limit.  *bytes is what they take.
 */
HS_MUST_CHECK int hs_delta_runs(const struct hs_delta_map *map,
    struct hs_delta_run runs[HS_DELTA_MAX_RUNS], uint32_t limit,
    uint32_t *bytes);

bool hs_delta_is_zero(const uint8_t *page);

/*
 * The ways of comparing that this processor has, the fastest first and the
 * portable one last; NULL beyond it.  hs_delta_compare() takes the first.
 */
struct hs_delta_way {
	const char *name;
	void (*compare)(struct hs_delta_map *map, const uint8_t *twin,
	    const uint8_t *now);
};
const struct hs_delta_way *hs_delta_way(unsigned i);

#endif
