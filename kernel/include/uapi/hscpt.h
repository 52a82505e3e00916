/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/hscpt: checkpoint memory whose modified pages the MMU itself records.
 *
 *	device		HSCPT_INFO, HSCPT_CREATE, HSCPT_ATTACH, HSCPT_DESTROY
 *	arena		HSCPT_POPULATE, HSCPT_HARVEST, HSCPT_SNAPSHOT,
 *			HSCPT_STAT; mmap(MAP_SHARED)
 *	snapshot	HSCPT_SNAP_BITMAP, HSCPT_SNAP_DRAIN, HSCPT_SNAP_COMMIT,
 *			HSCPT_SNAP_ABORT, HSCPT_SNAP_STATUS; pread(),
 *			mmap(PROT_READ, MAP_SHARED)
 *
 * Arena and snapshot are file descriptors, O_CLOEXEC.  A mapping of either
 * is not inherited by fork(), unless madvise(MADV_DOFORK) asks for it: the
 * child then writes to the same memory, and counts.
 *
 * What is promised
 *
 *  H1  No lost write.  A write to an arena that was finished before a call of
 *      HSCPT_HARVEST or HSCPT_SNAPSHOT began is in its set or in an earlier
 *      one; one that runs at the same time is in that or in the next.
 *  H2  A page of a set may be unchanged, never the reverse.  A page that was
 *      never written reads as zeroes and is in no set.
 *  H3  A snapshot is the memory as it was at one instant, the cut, which lies
 *      between the begin and the end of HSCPT_SNAPSHOT.  With
 *      HSCPT_SNAPSHOT_QUIESCED this holds if nothing writes during the call.
 *  H4  What cannot be reported is not forgotten: the pages of a call that
 *      failed, of a snapshot that was aborted and of one that was closed
 *      without HSCPT_SNAP_COMMIT are modified pages again.
 *  H5  Want of memory fails a snapshot (ESTALE), never the program that writes.
 *
 * Writes that go by no page table of the program count when they complete:
 * those of devices to pages pinned for them (O_DIRECT reads in flight), and
 * those of other processes (process_vm_writev(), ptrace, /proc/PID/mem).  One
 * that is under way at a cut may show in its pages, in part too (H3), and is in
 * a later set (H1).
 *
 * The structs
 *
 * Each begins with size, sizeof of the struct as the caller knows it, and
 * flags.  A newer struct is longer; what the caller does not have is 0, and
 * what the module does not know must be 0, else E2BIG.  A size below that of
 * the struct's first version, an unknown flag and a `reserved' that is not 0
 * are EINVAL.  Fields below the word `out' are written on success only,
 * as far as size goes, and are ignored as input.  offsets and lengths are in
 * bytes, multiples of the page size; len 0 is everything from off on.
 * Pointers are to the caller's memory, as __u64.
 *
 * Errors of every call: EFAULT (a pointer), EINVAL (above, or an alignment),
 * ERANGE (a range that is not in the arena), ENOMEM, ENOTTY (no such call
 * here), EINTR.  On failure nothing has changed, unless a call says otherwise.
 */
#ifndef _UAPI_HSCPT_H
#define _UAPI_HSCPT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define HSCPT_ABI		1

#define HSCPT_DEVICE		"/dev/hscpt"
#define HSCPT_NAME_BYTES	32	/* with its NUL */

/*
 * The calls.  Their numbers do not depend on the structs' sizes.
 */
#define HSCPT_IOC		0xBC

#define HSCPT_INFO		_IO(HSCPT_IOC, 0x00)	/* hscpt_info */
#define HSCPT_CREATE		_IO(HSCPT_IOC, 0x01)	/* hscpt_create */
#define HSCPT_ATTACH		_IO(HSCPT_IOC, 0x02)	/* hscpt_attach */
#define HSCPT_DESTROY		_IO(HSCPT_IOC, 0x03)	/* hscpt_destroy */

#define HSCPT_POPULATE		_IO(HSCPT_IOC, 0x10)	/* hscpt_populate */
#define HSCPT_HARVEST		_IO(HSCPT_IOC, 0x11)	/* hscpt_harvest */
#define HSCPT_SNAPSHOT		_IO(HSCPT_IOC, 0x12)	/* hscpt_snapshot */
#define HSCPT_STAT		_IO(HSCPT_IOC, 0x13)	/* hscpt_stat */

#define HSCPT_SNAP_BITMAP	_IO(HSCPT_IOC, 0x20)	/* hscpt_snap_bitmap */
#define HSCPT_SNAP_DRAIN	_IO(HSCPT_IOC, 0x21)	/* hscpt_snap_drain */
#define HSCPT_SNAP_COMMIT	_IO(HSCPT_IOC, 0x22)	/* hscpt_snap_commit */
#define HSCPT_SNAP_ABORT	_IO(HSCPT_IOC, 0x23)	/* hscpt_snap_abort */
#define HSCPT_SNAP_STATUS	_IO(HSCPT_IOC, 0x24)	/* hscpt_snap_status */

/* ---- the device ---- */

/*
 * Features.  Without HW_DIRTY the module finds modified pages by taking them
 * out of the page tables, so that each page's first access after a harvest is a
 * fault; what user space can do by itself is faster then.
 */
#define HSCPT_FEAT_HW_DIRTY	(1ULL << 0)	/* the MMU's modified bits */
#define HSCPT_FEAT_FAULT_POINT	(1ULL << 1)	/* built with fault injection */
#define HSCPT_FEAT_BROKEN	(1ULL << 2)	/* for tests: loses data */

/**
 * struct hscpt_info - what the module is and can do
 * @size: sizeof(struct hscpt_info)
 * @flags: 0
 * @abi: out: HSCPT_ABI of the module; it changes when a promise is broken
 * @page_bytes: out: the unit of all sets; a page-table page, 4096 on x86-64
 * @features: out: HSCPT_FEAT_*
 * @max_bytes: out: the largest arena
 * @max_snapshots: out: of one arena, open at a time
 * @narenas: out: arenas that exist now
 * @broken: out: which cure was left out (HSCPT_FEAT_BROKEN), else 0
 * @reserved: out: 0
 */
struct hscpt_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 page_bytes;
	__u64 features;
	__u64 max_bytes;
	__u32 max_snapshots;
	__u32 narenas;
	__u32 broken;
	__u32 reserved;
};

/*
 * PERSIST: the arena has a name and outlives its descriptors, mappings and
 * processes, until HSCPT_DESTROY: contents and set of modified pages.
 * RESERVE: charge and allocate every page now, so that no access can fail.
 */
#define HSCPT_CREATE_PERSIST	(1U << 0)
#define HSCPT_CREATE_RESERVE	(1U << 1)

/**
 * struct hscpt_create - make an arena of zeroes
 * @size: sizeof(struct hscpt_create)
 * @flags: HSCPT_CREATE_*
 * @bytes: its length: address space, not memory
 * @name: with PERSIST: 1 to 31 of A-Z a-z 0-9 . _ - and then NULs; else NULs
 * @fd: out: the arena
 * @reserved: out: 0
 *
 * A page is allocated and charged at its first access or by HSCPT_POPULATE:
 * to the memory cgroup of who does that, and to the RLIMIT_MEMLOCK of the user
 * who created the arena, unless that one had CAP_IPC_LOCK: the pages are
 * neither swapped nor moved.  Copies that a snapshot makes are charged alike.
 * An access that cannot be charged is a SIGBUS (or EFAULT, in a system call);
 * HSCPT_POPULATE says ENOMEM.  The module's own sets, 4 bits a page of the
 * length, are charged when the arena is made, and 2 or, with FULL, 3 bits a
 * page while a snapshot is open; of each less than a page is not counted.
 *
 * EEXIST: an arena of this name exists.  ENOMEM: also for the limits.
 */
struct hscpt_create {
	__u32 size;
	__u32 flags;
	__u64 bytes;
	char name[HSCPT_NAME_BYTES];
	/* out */
	__s32 fd;
	__u32 reserved;
};

/**
 * struct hscpt_attach - open a PERSIST arena that nobody has open
 * @size: sizeof(struct hscpt_attach)
 * @flags: 0
 * @name: its name
 * @fd: out: the arena
 * @reserved: out: 0
 * @bytes: out: its length
 * @gen: out: number of the newest snapshot taken; 0: none yet
 * @committed: out: number of the newest snapshot committed; 0: none yet
 * @cookie: out: what HSCPT_SNAP_COMMIT of that one said
 *
 * Contents and modified pages are as the last process left them; snapshots
 * that it had not committed are aborted.  The user who created it goes on
 * paying, up to the RLIMIT_MEMLOCK of who attached it last.
 *
 * ENOENT: no such arena.  EPERM: neither its creator's user nor CAP_SYS_ADMIN.
 * EBUSY: it is open, or one of its snapshots is; the exit of a process closes
 * both before its parent is told.
 */
struct hscpt_attach {
	__u32 size;
	__u32 flags;
	char name[HSCPT_NAME_BYTES];
	/* out */
	__s32 fd;
	__u32 reserved;
	__u64 bytes;
	__u64 gen;
	__u64 committed;
	__u64 cookie;
};

/**
 * struct hscpt_destroy - take a PERSIST arena's name away
 * @size: sizeof(struct hscpt_destroy)
 * @flags: 0
 * @name: its name; may be used again at once
 *
 * The memory is freed when the last descriptor and mapping are gone.
 *
 * ENOENT, EPERM: as HSCPT_ATTACH.
 */
struct hscpt_destroy {
	__u32 size;
	__u32 flags;
	char name[HSCPT_NAME_BYTES];
};

/* ---- an arena ---- */

/*
 * mmap() of an arena: MAP_SHARED only, PROT_READ with or without PROT_WRITE,
 * any page-aligned part, any number of times, by any process that has the
 * descriptor; all mappings count for all sets.  No huge pages; mremap() cannot
 * make one longer.  MADV_DONTNEED drops page-table entries, not contents.
 */

/**
 * struct hscpt_populate - allocate and charge the pages of a range
 * @size: sizeof(struct hscpt_populate)
 * @flags: 0
 * @off: begin
 * @len: length
 *
 * Accesses to these pages cannot fail any more.  Pages that exist are left as
 * they are.  All are made, or none.
 */
struct hscpt_populate {
	__u32 size;
	__u32 flags;
	__u64 off;
	__u64 len;
};

/*
 * PEEK: report and forget nothing: the pages are in the next set as well.
 */
#define HSCPT_HARVEST_PEEK	(1U << 0)

/**
 * struct hscpt_harvest - which pages were written since the last one?
 * @size: sizeof(struct hscpt_harvest)
 * @flags: HSCPT_HARVEST_PEEK
 * @off: begin of the range; other pages' state is left as it is
 * @len: length
 * @bitmap: one bit a page of the range, in 64-bit words of the machine's byte
 *	order, bit 0 of word 0 for the page at @off; (npages + 63) / 64 words
 *	are written, bits past the range are 0.  May be 0 with PEEK
 * @ndirty: out: bits set
 *
 * Writers may run; what they write meanwhile is in this set or in the next.
 * After the call the pages' present contents are at least as new as every
 * write that is in the set.  EFAULT loses nothing (H4).
 */
struct hscpt_harvest {
	__u32 size;
	__u32 flags;
	__u64 off;
	__u64 len;
	__u64 bitmap;
	/* out */
	__u64 ndirty;
};

/*
 * Modes of a snapshot.  None (lazy): writers may run; all pages are
 * write-protected, so that the first write to any page is a fault afterwards.
 * QUIESCED: the caller has stopped all writers, and only the pages of the set
 * are protected.  If one writes nevertheless, H3 is lost, H1 is not.
 * EAGER: the set is copied before the call returns, if it has at most
 * eager_pages pages; with QUIESCED nothing is protected then and later writes
 * cost nothing.  FULL: the set is every page that exists, modified or not; the
 * modified ones are accounted for as ever.
 */
#define HSCPT_SNAPSHOT_QUIESCED	(1U << 0)
#define HSCPT_SNAPSHOT_FULL	(1U << 1)
#define HSCPT_SNAPSHOT_EAGER	(1U << 2)

/* In state of a snapshot. */
#define HSCPT_SNAP_IS_EAGER	(1U << 0)	/* all of it was copied */
#define HSCPT_SNAP_IS_STALE	(1U << 1)	/* a copy failed */
#define HSCPT_SNAP_IS_CLOSED	(1U << 2)	/* committed or aborted */

/**
 * struct hscpt_snapshot - take the modified pages as they are now
 * @size: sizeof(struct hscpt_snapshot)
 * @flags: HSCPT_SNAPSHOT_*
 * @copy_budget: most bytes that its copies may take at a time; 0: no limit
 *	but those of the user and of the memory cgroup
 * @eager_pages: with EAGER: the largest set that is copied at once, else
 *	the snapshot is as without EAGER; 0: any
 * @fd: out: the snapshot
 * @state: out: HSCPT_SNAP_IS_*
 * @npages: out: pages in its set
 * @ndirty: out: of these, modified ones: differs with FULL only
 * @gen: out: its number in the arena; the first is 1
 *
 * A page of the set that is written while the snapshot has not been told to
 * forget it (DRAIN, COMMIT, ABORT) is copied first.  When that fails (memory,
 * limits, the budget), the snapshot is stale: every use of it but STATUS and
 * ABORT says ESTALE, and the writer goes on.
 *
 * Snapshots of an arena may be open at the same time, and are independent:
 * each has what was modified since the one before it.  Who aborts one gets its
 * pages with the next one that is taken.
 *
 * EBUSY: max_snapshots are open.  ENOSPC: EAGER, and the budget is too small.
 */
struct hscpt_snapshot {
	__u32 size;
	__u32 flags;
	__u64 copy_budget;
	__u64 eager_pages;
	/* out */
	__s32 fd;
	__u32 state;
	__u64 npages;
	__u64 ndirty;
	__u64 gen;
};

/**
 * struct hscpt_stat - an arena's figures; counters never go back
 * @size: sizeof(struct hscpt_stat)
 * @flags: 0
 * @bytes: out: its length
 * @populated: out: bytes of pages that exist
 * @copied: out: bytes of copies that its snapshots hold now
 * @gen: out: as HSCPT_ATTACH
 * @committed: out: as HSCPT_ATTACH
 * @cookie: out: as HSCPT_ATTACH
 * @snapshots: out: open ones
 * @state: out: 1: PERSIST
 * @nharvest: out: harvests and snapshots
 * @npasses: out: walks of the page tables that these took
 * @nmkwrite: out: write faults that were let through
 * @ncopies: out: pages copied for snapshots, eagerly or by a write
 * @nstale: out: snapshots that went stale
 * @nputback: out: modified pages that H4 put back
 * @cut_ns: out: how long the newest snapshot kept write faults waiting
 */
struct hscpt_stat {
	__u32 size;
	__u32 flags;
	/* out */
	__u64 bytes;
	__u64 populated;
	__u64 copied;
	__u64 gen;
	__u64 committed;
	__u64 cookie;
	__u32 snapshots;
	__u32 state;
	__u64 nharvest;
	__u64 npasses;
	__u64 nmkwrite;
	__u64 ncopies;
	__u64 nstale;
	__u64 nputback;
	__u64 cut_ns;
};

/* ---- a snapshot ---- */

/*
 * pread() at the page's offset in the arena reads pages of the set, as many in
 * a row as there are; at one that is not in it, or was forgotten: ENODATA; at
 * the arena's end: 0; of a stale or closed one: ESTALE.  The offset and the
 * length need no alignment.
 *
 * mmap(): PROT_READ and MAP_SHARED only, offsets as above; an access to what
 * pread() would refuse is SIGBUS.  The first access to a page makes the copy
 * that a write would make, so pread() and DRAIN need less memory.  What is
 * forgotten is unmapped.
 */

/**
 * struct hscpt_snap_bitmap - the snapshot's set
 * @size: sizeof(struct hscpt_snap_bitmap)
 * @flags: 0
 * @off: begin
 * @len: length
 * @bitmap: as in struct hscpt_harvest; not 0
 * @npages: out: bits set
 *
 * The set does not change, whatever was forgotten; also of a stale snapshot.
 * ESTALE: committed or aborted.
 */
struct hscpt_snap_bitmap {
	__u32 size;
	__u32 flags;
	__u64 off;
	__u64 len;
	__u64 bitmap;
	/* out */
	__u64 npages;
};

/*
 * DISCARD: forget the range's pages without handing them out.
 */
#define HSCPT_DRAIN_DISCARD	(1U << 0)

/**
 * struct hscpt_snap_drain - hand pages out, and forget them
 * @size: sizeof(struct hscpt_snap_drain)
 * @flags: HSCPT_DRAIN_DISCARD
 * @off: begin of the range
 * @len: its length
 * @max_pages: the budget: at most so many pages in this call; 0 with DISCARD
 * @pages: room for max_pages pages' contents, one after the other; 0 with
 *	DISCARD
 * @offsets: room for max_pages __u64: each page's offset in the arena,
 *	ascending; 0 with DISCARD
 * @npages: out: pages handed out or, with DISCARD, forgotten
 * @next: out: where to go on: the offset behind the last page of those, or
 *	the end of the range when nothing is left in it
 *
 * A page that was handed out is forgotten: its copy is freed, and a write to
 * it costs no copy any more.  Forgetting is not committing: ABORT reports it
 * as modified all the same.  EFAULT: nothing was forgotten; if some pages were
 * handed out before the fault, the call succeeds with these.  ESTALE as
 * pread().
 */
struct hscpt_snap_drain {
	__u32 size;
	__u32 flags;
	__u64 off;
	__u64 len;
	__u64 max_pages;
	__u64 pages;
	__u64 offsets;
	/* out */
	__u64 npages;
	__u64 next;
};

/**
 * struct hscpt_snap_commit - the set has arrived: never report it again
 * @size: sizeof(struct hscpt_snap_commit)
 * @flags: 0
 * @cookie: kept with the arena, for HSCPT_ATTACH: the caller's own number
 *
 * Frees the copies; then the snapshot is closed.  committed and cookie of
 * the arena do not go back when an older snapshot is committed later.
 *
 * ESTALE: it is stale (abort it) or closed.
 */
struct hscpt_snap_commit {
	__u32 size;
	__u32 flags;
	__u64 cookie;
};

/**
 * struct hscpt_snap_abort - the set has not arrived: its pages are modified
 * @size: sizeof(struct hscpt_snap_abort)
 * @flags: 0
 * @nputback: out: pages put back; those of FULL that were not modified are not
 *
 * Closing the last descriptor and mapping does the same.  ESTALE: closed.
 * EFAULT: it is aborted all the same.
 */
struct hscpt_snap_abort {
	__u32 size;
	__u32 flags;
	/* out */
	__u64 nputback;
};

/**
 * struct hscpt_snap_status - how it is
 * @size: sizeof(struct hscpt_snap_status)
 * @flags: 0
 * @state: out: HSCPT_SNAP_IS_*
 * @reserved: out: 0
 * @gen: out: its number
 * @npages: out: of its set
 * @ncopied: out: copies that it holds now
 * @nleft: out: pages neither copied nor forgotten: still the arena's own
 *
 * Works in every state: being stale is an answer here, no error.
 */
struct hscpt_snap_status {
	__u32 size;
	__u32 flags;
	/* out */
	__u32 state;
	__u32 reserved;
	__u64 gen;
	__u64 npages;
	__u64 ncopied;
	__u64 nleft;
};

#endif /* _UAPI_HSCPT_H */
