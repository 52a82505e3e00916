/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A part of the additional state: a family of records (store.h), how they are
 * brought up to date at a checkpoint and brought back to life at a restore.
 * ckpt/extra.c has the table of all of them, in the order of their restore.
 */
#ifndef HS_STATE_SECTION_H
#define HS_STATE_SECTION_H

#include <stdint.h>

#include "base/err.h"
#include "state/store.h"

#define HS_SECTION_ABI 1

struct hs_section_ops {
	uint32_t abi;
	const char *name;
	/*
	 * In hscpt(), registered threads stopped, the seal lock held: ask the
	 * kernel and put what it says into s.  Within the pause: no call that
	 * may wait.  Negative, with hs_why(): nothing is taken, and the program
	 * learns it from hscpt().
	 */
	int (*query)(struct hs_store *s);
	/*
	 * In hsinit(), of a promoted spare: the memory is as of the checkpoint,
	 * no other thread of the library runs.  What it writes to checkpoint
	 * memory is part of the next checkpoint.  Negative, with hs_why(): the
	 * promotion fails.  What can be known at registration is refused there.
	 */
	int (*restore)(struct hs_store *s);
	/*
	 * The checkpointing ends, or hsinit() failed: free what this process
	 * keeps beside the records.  May be NULL.
	 */
	void (*forget)(void);
};

#endif
