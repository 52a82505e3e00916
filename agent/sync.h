/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sync: sends a whole image, as of the epoch at which it was started, while
 * the image itself goes on.  A page that changes before it was sent is
 * saved first (hs_sync_save).
 *
 * The transfer never has more than a window of bytes on the way that the
 * receiver has not confirmed, so that checkpoints keep their place in the ring.
 */
#ifndef HS_AGENT_SYNC_H
#define HS_AGENT_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/image.h"
#include "base/err.h"

struct hs_sync;

/* 0; -EAGAIN: later; else the transfer is over. */
typedef int hs_sync_send_fn(void *arg, const uint8_t *buf, size_t len);

struct hs_sync_plan {
	uint32_t to; /* nodeid */
	uint64_t term;
	struct hs_image_id id;
	uint64_t arena_base, arena_bytes;
	const struct hs_image *image; /* NULL: an empty one */
	hs_sync_send_fn *send;
	void *arg;
};

HS_MUST_CHECK int hs_sync_create(struct hs_sync **out,
    const struct hs_sync_plan *p);
void hs_sync_destroy(struct hs_sync *s);
uint32_t hs_sync_to(const struct hs_sync *s);
uint64_t hs_sync_sent(const struct hs_sync *s);
/*
 * The content of page before a change; false: no memory, give the transfer up.
 */
bool hs_sync_save(struct hs_sync *s, uint32_t page, const uint8_t *old);
/* The receiver has off bytes. */
void hs_sync_confirm(struct hs_sync *s, uint64_t off);
/*
 * Send what the window allows.  1: all was sent.  0: call again when confirmed.
 * -EAGAIN: call again soon.  Else it failed.
 */
HS_MUST_CHECK int hs_sync_pump(struct hs_sync *s);

#endif
