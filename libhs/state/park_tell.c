/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/park_tell.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"

/* A lock, and what to do with it. */
#define DOING_BYTES (HS_PARK_TELL_BYTES + 32)

#define LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)

/* One line of a file of /proc/self/task/TID; "" if there is none. */
static void
read_task(pid_t tid, const char *file, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	buf[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid,
	    file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, buf, size - 1);
	(void)close(fd);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

void
hs_park_tell_name(const struct hs_park_thread *t, char buf[HS_PARK_TELL_BYTES])
{
	char comm[32];

	if (t->name[0] != '\0')
		(void)snprintf(comm, sizeof(comm), "%.16s", t->name);
	else
		read_task(t->tid, "comm", comm, sizeof(comm));
	(void)snprintf(buf, HS_PARK_TELL_BYTES, "thread \"%s\" (%d)", comm,
	    (int)t->tid);
}

void
hs_park_tell_lock(const struct hs_park_held *h, char buf[HS_PARK_TELL_BYTES])
{
	const char *name = LOAD(&h->name), *kind = LOAD(&h->kind);
	char place[HS_PLACE_BYTES], called[HS_LOCK_NAME_BYTES + 4] = "";

	if (name != NULL && name[0] != '\0')
		(void)snprintf(called, sizeof(called), "\"%.*s\" ",
		    HS_LOCK_NAME_BYTES, name);
	hs_place_text(LOAD(&h->place), place);
	(void)snprintf(buf, HS_PARK_TELL_BYTES, "%s %s(%p), locked at %s",
	    kind != NULL ? kind : "lock", called, LOAD(&h->lock), place);
}

/* The system call in which the kernel sees it; -1: none, it runs. */
static long
find_call(const struct hs_park_thread *t)
{
	char call[HS_PARK_TELL_BYTES];
	char *end;
	long number;

	read_task(t->tid, "syscall", call, sizeof(call));
	number = strtol(call, &end, 10);
	return end == call ? -1 : number;
}

/* What a thread that does not come does, and is to do instead. */
static void
tell_doing(const struct hs_park_thread *t, char buf[DOING_BYTES])
{
	const unsigned locks = LOAD(&t->self->locks);
	const long number = find_call(t);
	char lock[HS_PARK_TELL_BYTES], what[48] = "runs";

	if (number >= 0)
		(void)snprintf(what, sizeof(what), "waits in system call %ld",
		    number);
	if (locks != 0) {
		hs_park_tell_lock(&t->held[locks - 1], lock);
		(void)snprintf(buf, DOING_BYTES, "holds %s; release it sooner",
		    lock);
	} else if (LOAD(&t->self->busy) > LOAD(&t->self->base))
		(void)snprintf(buf, DOING_BYTES,
		    "%s between hsenter() and hsleave(); leave sooner", what);
	else
		(void)snprintf(buf, DOING_BYTES, "%s; call %s", what,
		    number < 0 ? "hssafepoint() in its loop"
			       : "hsblock() before and hsunblock() after what "
				 "waits");
}

void
hs_park_tell_late(const struct hs_park_thread *t, int ms,
    char line[HS_WHY_BYTES])
{
	char who[HS_PARK_TELL_BYTES], doing[DOING_BYTES];

	hs_park_tell_name(t, who);
	tell_doing(t, doing);
	(void)snprintf(line, HS_WHY_BYTES,
	    "hscpt: %s came to no safepoint within %d ms: it %s, or raise "
	    "hsthreadtimeout()",
	    who, ms, doing);
}

void
hs_park_tell_end(const struct hs_park_thread *t, char line[HS_WHY_BYTES])
{
	char who[HS_PARK_TELL_BYTES], what[HS_PARK_TELL_BYTES];

	hs_park_tell_name(t, who);
	if (t->self->locks == 0)
		(void)snprintf(what, sizeof(what),
		    "it was between hsenter() and hsleave()");
	else
		hs_park_tell_lock(&t->held[t->self->locks - 1], what);
	(void)snprintf(line, HS_WHY_BYTES,
	    "hscpt: %s has ended and left half done what no checkpoint may be "
	    "taken of: %s%s; end the program, so that the spare goes on",
	    who, t->self->locks == 0 ? "" : "it holds ", what);
}
