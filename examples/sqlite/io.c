/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/sqlite/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <hotspare/hs.h>

#include "examples/sqlite/lock.h"
#include "examples/sqlite/store.h"
#include "examples/sqlite/vfs.h"

#define SECTOR_BYTES 512	/* nothing is torn, so the least SQLite takes */

/* The last bytes of a journal that names a super-journal. */
static const uint8_t journal_magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1,
	0x63, 0xd7 };

struct io_file {
	sqlite3_file base;
	struct io_shared *shared;
	struct store_file *file;	/* guarded by the gate */
	struct lock_node *node;
	struct lock_claim claim;
	enum gate_policy policy;
	int type;			/* SQLITE_OPEN_MAIN_DB, ... */
	bool wanted;	/* synced: the end of the commit is to be held */
	bool persist_wal;
	char name[STORE_NAME_BYTES];	/* the file may have lost its own */
};

static struct io_file *
file_of(sqlite3_file *file)
{
	return (struct io_file *)(void *)file;
}

int
io_file_bytes(int parents)
{
	int ours = (int)sizeof(struct io_file);

	return parents > ours ? parents : ours;
}

/* Once when it begins, and once when it is over. */
static void
note_protection(struct io_shared *s, bool unprotected)
{
	if (__atomic_exchange_n(&s->unprotected, unprotected,
		__ATOMIC_RELAXED) == unprotected)
		return;
	if (unprotected)
		sqlite3_log(SQLITE_WARNING,
		    "hotspare: no spare holds what is committed now");
	else
		sqlite3_log(SQLITE_NOTICE,
		    "hotspare: what is committed is held by a spare again");
}

static int
hold(struct io_shared *s, enum gate_policy policy, const char *name, int error)
{
	int rc = gate_hold(&s->gate, policy);

	if (rc < 0) {
		sqlite3_log(error, "hotspare: %s is not held: %s", name,
		    rc == HS_ESTOP || rc == HS_ELOCK ? hsmessage()
						     : hsstrerror(rc));
		return error;
	}
	note_protection(s, rc == GATE_KEPT);
	return SQLITE_OK;
}

/* f goes when it has neither a name nor a user.  Within the gate. */
static bool
drop_unused(struct io_shared *s, struct store_file *f)
{
	if (store_is_named(f) || lock_in_use(s->locks, f))
		return false;
	store_drop(s->store, f);
	return true;
}

static int
close_file(sqlite3_file *file)
{
	struct io_file *io = file_of(file);
	struct io_shared *s = io->shared;
	bool changed;

	lock_index_unmap(io->node, &io->claim);
	(void)lock_lower(io->node, &io->claim, SQLITE_LOCK_NONE);
	gate_begin(&s->gate);
	(void)lock_put(s->locks, io->node);
	changed = drop_unused(s, io->file);
	if (io->type == SQLITE_OPEN_MAIN_DB)
		s->open[io->policy]--;
	gate_end(&s->gate, changed);
	return SQLITE_OK;
}

static int
read_file(sqlite3_file *file, void *buf, int n, sqlite3_int64 off)
{
	struct io_file *io = file_of(file);
	size_t len;

	gate_enter(&io->shared->gate);
	len = store_read(io->file, buf, (size_t)n, (uint64_t)off);
	gate_leave(&io->shared->gate);
	if (len == (size_t)n)
		return SQLITE_OK;
	memset((uint8_t *)buf + len, 0, (size_t)n - len);
	return SQLITE_IOERR_SHORT_READ;
}

/* What a change of the store answered, as SQLite says it. */
static int
change_code(int rc, int otherwise)
{
	if (rc == 0)
		return SQLITE_OK;
	return rc == HS_EARENA || rc == -EFBIG ? SQLITE_FULL : otherwise;
}

static int
write_file(sqlite3_file *file, const void *buf, int n, sqlite3_int64 off)
{
	struct io_file *io = file_of(file);
	int rc;

	gate_begin(&io->shared->gate);
	rc = store_write(io->file, buf, (size_t)n, (uint64_t)off);
	gate_end(&io->shared->gate, rc == 0);
	return change_code(rc, SQLITE_IOERR_WRITE);
}

static int
truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
	struct io_file *io = file_of(file);
	int rc;

	gate_begin(&io->shared->gate);
	rc = store_resize(io->file, (uint64_t)size);
	gate_end(&io->shared->gate, rc == 0);
	return change_code(rc, SQLITE_IOERR_TRUNCATE);
}

/* The file that SQLite keeps beside the database; within the gate. */
static struct store_file *
find_beside(const struct io_file *io, const char *suffix)
{
	char name[STORE_NAME_BYTES];
	int len;

	len = snprintf(name, sizeof(name), "%s%s", io->name, suffix);
	if (len < 0 || (size_t)len >= sizeof(name))
		return NULL;
	return store_find(io->shared->store, name);
}

static bool
uses_wal(const struct io_file *io)
{
	struct io_shared *s = io->shared;
	const struct store_file *wal;
	bool used;

	gate_enter(&s->gate);
	wal = find_beside(io, "-wal");
	used = wal != NULL && lock_in_use(s->locks, wal);
	gate_leave(&s->gate);
	return used;
}

/*
 * Part of a commit of several databases: that is decided by the deletion of the
 * super-journal, which is held, and what follows it decides nothing.
 */
static bool
has_super(const struct io_file *io)
{
	uint8_t tail[sizeof(journal_magic)];
	const struct store_file *journal;
	bool found = false;

	gate_enter(&io->shared->gate);
	journal = find_beside(io, "-journal");
	if (journal != NULL && store_size(journal) >= sizeof(tail))
		found =
		    store_read(journal, tail, sizeof(tail),
			store_size(journal) - sizeof(tail)) == sizeof(tail) &&
		    memcmp(tail, journal_magic, sizeof(tail)) == 0;
	gate_leave(&io->shared->gate);
	return found;
}

static int
sync_file(sqlite3_file *file, int flags)
{
	struct io_file *io = file_of(file);

	(void)flags;
	if (io->type == SQLITE_OPEN_WAL ||
	    (io->type == SQLITE_OPEN_MAIN_DB && uses_wal(io)))
		return hold(io->shared, io->policy, io->name,
		    SQLITE_IOERR_FSYNC);
	if (io->type == SQLITE_OPEN_MAIN_DB)
		io->wanted = !has_super(io);
	return SQLITE_OK;
}

static int
end_commit(struct io_file *io)
{
	if (!io->wanted)
		return SQLITE_OK;
	io->wanted = false;
	return hold(io->shared, io->policy, io->name, SQLITE_IOERR_FSYNC);
}

static int
tell_size(sqlite3_file *file, sqlite3_int64 *out)
{
	struct io_file *io = file_of(file);

	gate_enter(&io->shared->gate);
	*out = (sqlite3_int64)store_size(io->file);
	gate_leave(&io->shared->gate);
	return SQLITE_OK;
}

static int
lock_file(sqlite3_file *file, int level)
{
	struct io_file *io = file_of(file);

	return lock_raise(io->node, &io->claim, level);
}

static int
unlock_file(sqlite3_file *file, int level)
{
	struct io_file *io = file_of(file);

	return lock_lower(io->node, &io->claim, level);
}

static int
check_reserved(sqlite3_file *file, int *out)
{
	*out = lock_reserved(file_of(file)->node);
	return SQLITE_OK;
}

/* PRAGMA hotspare: how the databases of this process are protected. */
static char *
tell_protection(void)
{
	static const char *const names[] = {
		[HS_ALONE] = "alone",
		[HS_PROTECTED] = "protected",
		[HS_UNPROTECTED] = "unprotected",
		[HS_BLOCKED] = "blocked",
		[HS_FENCED] = "fenced",
	};
	struct hs_status st = { .size = sizeof(st) };
	const char *name = "unknown";

	if (hsstatus(&st) < 0)
		return sqlite3_mprintf("no checkpointing in this process");
	if (st.protection >= 0 &&
	    (size_t)st.protection < sizeof(names) / sizeof(names[0]))
		name = names[st.protection];
	return sqlite3_mprintf("%s spares=%d sealed=%llu held=%llu", name,
	    st.spares, (unsigned long long)st.epoch_sealed,
	    (unsigned long long)st.epoch_held);
}

/* arg: [0] the answer, [1] the pragma's name, [2] its value. */
static int
answer_pragma(char **arg)
{
	if (sqlite3_stricmp(arg[1], VFS_NAME) != 0)
		return SQLITE_NOTFOUND;
	arg[0] = tell_protection();
	return arg[0] == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static int
control_file(sqlite3_file *file, int op, void *arg)
{
	struct io_file *io = file_of(file);

	switch (op) {
	case SQLITE_FCNTL_COMMIT_PHASETWO:
		return end_commit(io);
	case SQLITE_FCNTL_LOCKSTATE:
		*(int *)arg = io->claim.level;
		return SQLITE_OK;
	case SQLITE_FCNTL_PERSIST_WAL:
		if (*(int *)arg >= 0)
			io->persist_wal = *(int *)arg != 0;
		*(int *)arg = io->persist_wal;
		return SQLITE_OK;
	case SQLITE_FCNTL_POWERSAFE_OVERWRITE:
		*(int *)arg = 1;
		return SQLITE_OK;
	case SQLITE_FCNTL_HAS_MOVED:
		*(int *)arg = 0;
		return SQLITE_OK;
	case SQLITE_FCNTL_VFSNAME:
		*(char **)arg = sqlite3_mprintf("%s", VFS_NAME);
		return SQLITE_OK;
	case SQLITE_FCNTL_PRAGMA:
		return answer_pragma(arg);
	default:
		return SQLITE_NOTFOUND;
	}
}

static int
sector_bytes(sqlite3_file *file)
{
	(void)file;
	return SECTOR_BYTES;
}

/* Each is a consequence of G1. */
static int
characteristics(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL |
	    SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int
map_index(sqlite3_file *file, int region, int bytes, int extend,
    void volatile **out)
{
	struct io_file *io = file_of(file);

	return lock_index_map(io->node, &io->claim, region, bytes, extend != 0,
	    out);
}

static int
lock_index(sqlite3_file *file, int first, int count, int flags)
{
	struct io_file *io = file_of(file);

	return lock_index_lock(io->node, &io->claim, first, count, flags);
}

static void
index_barrier(sqlite3_file *file)
{
	/* The way into a lock and out of it is a barrier. */
	(void)lock_reserved(file_of(file)->node);
}

static int
unmap_index(sqlite3_file *file, int forget)
{
	struct io_file *io = file_of(file);

	(void)forget;	/* it never outlives its users */
	lock_index_unmap(io->node, &io->claim);
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = close_file,
	.xRead = read_file,
	.xWrite = write_file,
	.xTruncate = truncate_file,
	.xSync = sync_file,
	.xFileSize = tell_size,
	.xLock = lock_file,
	.xUnlock = unlock_file,
	.xCheckReservedLock = check_reserved,
	.xFileControl = control_file,
	.xSectorSize = sector_bytes,
	.xDeviceCharacteristics = characteristics,
	.xShmMap = map_index,
	.xShmLock = lock_index,
	.xShmBarrier = index_barrier,
	.xShmUnmap = unmap_index,
};

/* Within the gate. */
static int
find_or_create(struct io_shared *s, const char *name, int flags,
    struct store_file **out, bool *created)
{
	struct store_file *f = store_find(s->store, name);

	*created = false;
	if (f == NULL && (flags & SQLITE_OPEN_CREATE) != 0) {
		*created = true;
		return change_code(store_create(s->store, name, out),
		    SQLITE_CANTOPEN);
	}
	if (f == NULL || (flags & SQLITE_OPEN_EXCLUSIVE) != 0)
		return SQLITE_CANTOPEN;
	*out = f;
	return SQLITE_OK;
}

/* Within the gate. */
static int
attach_file(struct io_shared *s, const char *name, int flags,
    struct io_file *io, bool *changed)
{
	int rc;

	rc = find_or_create(s, name, flags, &io->file, changed);
	if (rc != SQLITE_OK) {
		*changed = false;
		return rc;
	}
	io->node = lock_get(s->locks, io->file);
	if (io->node == NULL) {
		if (*changed)
			store_drop(s->store, io->file);
		return SQLITE_NOMEM;
	}
	if (io->type == SQLITE_OPEN_MAIN_DB)
		s->open[io->policy]++;
	return SQLITE_OK;
}

int
io_open(struct io_shared *s, const char *name, int flags,
    enum gate_policy policy, sqlite3_file *out)
{
	struct io_file *io = file_of(out);
	bool changed;
	int rc;

	memset(io, 0, sizeof(*io));	/* no methods: not to be closed */
	if (snprintf(io->name, sizeof(io->name), "%s", name) >=
	    (int)sizeof(io->name))
		return SQLITE_CANTOPEN;
	io->shared = s;
	io->policy = policy;
	io->type = flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL);
	gate_begin(&s->gate);
	rc = attach_file(s, name, flags, io, &changed);
	gate_end(&s->gate, changed);
	if (rc == SQLITE_OK)
		io->base.pMethods = &methods;
	return rc;
}

/* The policy of a deletion, which is of no one database. */
static enum gate_policy
strictest(struct io_shared *s)
{
	int p = GATE_POLICIES - 1;

	gate_enter(&s->gate);
	while (p > GATE_OPTIONAL && s->open[p] == 0)
		p--;
	gate_leave(&s->gate);
	return (enum gate_policy)p;
}

int
io_delete(struct io_shared *s, const char *name, bool sync)
{
	struct store_file *f;

	gate_begin(&s->gate);
	f = store_find(s->store, name);
	if (f != NULL) {
		store_unname(f);
		(void)drop_unused(s, f);
	}
	gate_end(&s->gate, f != NULL);
	if (f == NULL)
		return SQLITE_IOERR_DELETE_NOENT;
	return sync ? hold(s, strictest(s), name, SQLITE_IOERR_DIR_FSYNC)
		    : SQLITE_OK;
}
