/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dirty tracking: which pages of the arena were written since the last collect.
 * Backends are one file each and are chosen at run time by a round trip (write,
 * collect, see exactly that page), never by a version.
 *
 * D1  A write that was finished before collect() began is in that collect's
 *     set or in an earlier one; one that runs at the same time is in that or in
 *     the next.  None is in no set.
 * D2  A page of the set may be unchanged; never the reverse.
 * D3  Pages at or above the armed length are in no set.
 *
 * What no method sees that goes by page tables: writes by way of io_uring's
 * registered buffers, O_DIRECT reads or RDMA in flight across a collect, and
 * writes through a second mapping.  Reads, receives and other processes'
 * process_vm_writev() are seen.
 */
#ifndef HS_MEM_DIRTY_H
#define HS_MEM_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/pageset.h"

#define HS_DIRTY_ABI 3

struct hs_dirty;

/*
 * Wanted: memory that outlives this process.  A backend that cannot do that
 * goes without.
 */
struct hs_dirty_keep {
	const char *name;	/* for it (base/keep.h) */
	uint64_t term;		/* of this process */
	uint64_t epoch;		/* whose content the range has */
	uint64_t warm_term;	/* memory that is kept under the name, if it is
				   of this term, differs from the range by what
				   was not in `epoch'; 0: by anything */
};

/*
 * What is to be tracked: [base, base + len), of which the first `used' bytes
 * have content and the rest was never touched.  fresh: anonymous memory; else
 * the used part is a private mapping of an image, whose pages are all clean.
 */
struct hs_dirty_range {
	void *base;
	size_t len;
	size_t used;
	bool fresh;
	const struct hs_dirty_keep *keep;	/* or NULL */
};

/* One call at a time on one tracker; hs_dirty_*() below sees to that. */
struct hs_dirty_ops {
	uint32_t abi;		/* HS_DIRTY_ABI, else it is not chosen */
	const char *name;
	/*
	 * Optional: is it better here than the backends after it?  0, or
	 * HS_ETRACK and a line in why, which stays empty if the backend is not
	 * there at all.  For the choice of "auto".
	 */
	int (*prefer)(const struct hs_dirty_range *r, char *why,
	    size_t why_size);
	/*
	 * Get ready for the range: syscalls, memory.  The backend's state is
	 * *priv.  Of a range that is not fresh, the first arm() is of the used
	 * part.  No other thread uses the range; the backend may put other
	 * memory in its place, with the same content.  On failure one line in
	 * why: what is missing, what to do.
	 */
	int (*open)(void **priv, const struct hs_dirty_range *r, char *why,
	    size_t why_size);
	void (*close)(void *priv);
	/*
	 * Track [0, len) from now on; it only grows, len is a multiple of the
	 * page size.  Pages in the new part are clean now, whether or not
	 * they were touched before.  Other threads may write below the old
	 * length.
	 */
	int (*arm)(void *priv, size_t len);
	/*
	 * Add the pages written since the last collect to out and re-arm
	 * them, as one step a page.  No allocation.  Threads may write
	 * meanwhile (D1).  After a failure nothing is known: the next epoch
	 * must be a full one.
	 */
	int (*collect)(void *priv, struct hs_pageset *out);
	/*
	 * Optional: background work in small bites that makes later collects
	 * cheaper.  1: more to do; 0: done until the program has touched more
	 * of its memory: ask again after some collects.
	 */
	int (*settle)(void *priv);
	/*
	 * Optional, in place of collect and of copying at once: a cut, see
	 * hs_dirty_cut_begin().  cut_read runs beside all other calls but
	 * those for cuts and collect.
	 */
	int (*cut_begin)(void *priv, struct hs_pageset *out);
	int (*cut_read)(void *priv, const uint32_t *page, uint8_t *const *buf,
	    size_t n);
	int (*cut_end)(void *priv, bool arrived);
	/* Optional, for what is kept: hs_dirty_epoch(), hs_dirty_warm(). */
	void (*epoch)(void *priv, uint64_t epoch);
	int64_t (*warm)(void *priv);
};

extern const struct hs_dirty_ops
    hs_dirty_full; /* the oracle: all armed pages */
extern const struct hs_dirty_ops hs_dirty_wpa;	/* userfaultfd WP_ASYNC */
extern const struct hs_dirty_ops hs_dirty_kmod;	/* memory of /dev/hscpt */

/*
 * Choose a backend: NULL or "auto" takes the first that is preferred and
 * passes its round trip on a scratch range (kmod, wpa, full), a name takes that
 * one or fails.  HS_ETRACK and one line in why[] (what is missing, what to do)
 * if none works; HS_EMISUSE for an unknown name.  If auto passed over one that
 * should be there, or if memory was to be kept, why says so, or what became of
 * it, and the return is 0.  why is emptied else.
 *
 * The calls on a tracker exclude each other.
 */
HS_MUST_CHECK int hs_dirty_create(struct hs_dirty **out, const char *name,
    const struct hs_dirty_range *r, char *why, size_t why_size);
void hs_dirty_destroy(struct hs_dirty *d);
HS_MUST_CHECK int hs_dirty_arm(struct hs_dirty *d, size_t len);
HS_MUST_CHECK int hs_dirty_collect(struct hs_dirty *d, struct hs_pageset *out);
/*
 * 1: call again; 0: nothing to do now, but ask again after some collects, which
 * costs microseconds.  A bite takes up to a millisecond.
 */
int hs_dirty_settle(struct hs_dirty *d);
const char *hs_dirty_name(const struct hs_dirty *d);
/* What `why' was left at by hs_dirty_create(). */
const char *hs_dirty_passed(const struct hs_dirty *d);
/*
 * What is collected and cut from now on is for this epoch, or, where that is
 * not sealed, for a later one.  Epochs never go back.
 */
void hs_dirty_epoch(struct hs_dirty *d, uint64_t epoch);
/* The range's content was found kept but for so many pages; -1: it was not. */
int64_t hs_dirty_warm(const struct hs_dirty *d);

/*
 * A cut: the pages written since the last collect or cut, kept as they are now,
 * while the program writes on.
 *
 *	hs_dirty_cut_begin(d, out)	as collect; the writers rest
 *	hs_dirty_cut_read(d, page, buf, n)	...
 *	hs_dirty_cut_end(d, arrived)
 *
 * One at a time, and no collect meanwhile.  Pages are read in the order of out,
 * which was empty, each once.  -ESTALE: they could not be kept.
 *
 * D4  A cut that failed, or was ended without having arrived, is as none: its
 *     pages are in the next set.
 */
bool hs_dirty_can_cut(const struct hs_dirty *d);
HS_MUST_CHECK int hs_dirty_cut_begin(struct hs_dirty *d,
    struct hs_pageset *out);
HS_MUST_CHECK int hs_dirty_cut_read(struct hs_dirty *d, const uint32_t *page,
    uint8_t *const *buf, size_t n);
int hs_dirty_cut_end(struct hs_dirty *d, bool arrived);

#endif
