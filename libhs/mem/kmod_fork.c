/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem/kmod_fork.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/copy.h"

#define PAGE 4096u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hs_kmod_fork *list;
static bool watched;
/* Between prepare and what follows it, with lock held: the child is done. */
static int done[2] = { -1, -1 };

static void
before_fork(void)
{
	(void)pthread_mutex_lock(&lock);
	/* Without it the parent does not wait. */
	if (list == NULL || pipe2(done, O_CLOEXEC) < 0)
		done[0] = done[1] = -1;
}

static void
after_in_parent(void)
{
	char c;

	if (done[0] >= 0) {
		(void)close(done[1]);
		/* The end of the file: the child is gone, or there is none. */
		while (read(done[0], &c, 1) < 0 && errno == EINTR)
			continue;
		(void)close(done[0]);
	}
	(void)pthread_mutex_unlock(&lock);
}

/* Where there is no memory for it the child has none there, and may exec. */
static void
copy_memory(const struct hs_kmod_fork *f)
{
	const uint8_t *from;
	uint8_t *to;

	to = mmap(f->base, f->len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	from = f->used == 0
	    ? MAP_FAILED
	    : mmap(NULL, f->used, PROT_READ, MAP_SHARED, f->fd, 0);
	if (to != MAP_FAILED && from != MAP_FAILED)
		for (size_t off = 0; off < f->used; off += PAGE)
			hs_copy_page_around(to + off, from + off);
	if (from != MAP_FAILED)
		(void)munmap((void *)(uintptr_t)from, f->used);
}

static void
after_in_child(void)
{
	struct hs_kmod_fork *f;

	for (f = list; f != NULL; f = f->next) {
		copy_memory(f);
		/* Else the arena would be in use for as long as the child. */
		(void)close(f->fd);
		if (f->cut_fd >= 0)
			(void)close(f->cut_fd);
		f->fd = f->cut_fd = -1;
	}
	list = NULL;
	if (done[0] >= 0) {
		(void)close(done[0]);
		if (write(done[1], "", 1) < 0)
			done[0] = -1;	/* the parent was killed */
		(void)close(done[1]);
	}
	(void)pthread_mutex_unlock(&lock);
}

int
hs_kmod_fork_watch(void)
{
	int rc = 0;

	(void)pthread_mutex_lock(&lock);
	if (!watched)
		rc = pthread_atfork(before_fork, after_in_parent,
		    after_in_child);
	watched = watched || rc == 0;
	(void)pthread_mutex_unlock(&lock);
	return -rc;
}

void
hs_kmod_fork_add(struct hs_kmod_fork *f)
{
	(void)pthread_mutex_lock(&lock);
	f->next = list;
	list = f;
	(void)pthread_mutex_unlock(&lock);
}

void
hs_kmod_fork_del(struct hs_kmod_fork *f)
{
	struct hs_kmod_fork **p;

	(void)pthread_mutex_lock(&lock);
	for (p = &list; *p != NULL; p = &(*p)->next) {
		if (*p == f) {
			*p = f->next;
			break;
		}
	}
	(void)pthread_mutex_unlock(&lock);
}

void
hs_kmod_fork_resize(struct hs_kmod_fork *f, size_t used)
{
	(void)pthread_mutex_lock(&lock);
	f->used = used;
	(void)pthread_mutex_unlock(&lock);
}

void
hs_kmod_fork_cut(struct hs_kmod_fork *f, int cut_fd)
{
	(void)pthread_mutex_lock(&lock);
	f->cut_fd = cut_fd;
	(void)pthread_mutex_unlock(&lock);
}
