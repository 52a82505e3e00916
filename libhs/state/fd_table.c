/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/fd_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 16

/* T1  by[] ascends by fd, and no two are equal. */
static struct {
	struct hs_fd_reg **by;
	size_t n;
	size_t cap;
} table;

/* The first whose number is not below fd. */
static size_t
find_place(int fd)
{
	size_t low = 0, high = table.n;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (table.by[mid]->fd < fd)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct hs_fd_reg *
hs_fd_table_get(int fd)
{
	const size_t i = find_place(fd);

	return i < table.n && table.by[i]->fd == fd ? table.by[i] : NULL;
}

struct hs_fd_reg *
hs_fd_table_next(int after)
{
	const size_t i = find_place(after + 1);

	return i < table.n ? table.by[i] : NULL;
}

struct hs_fd_reg *
hs_fd_table_find(dev_t dev, ino_t ino, int after)
{
	struct hs_fd_reg *d = hs_fd_table_next(after);

	while (d != NULL && (d->st.st_dev != dev || d->st.st_ino != ino))
		d = hs_fd_table_next(d->fd);
	return d;
}

static int
grow_table(void)
{
	const size_t cap = table.cap == 0 ? FIRST_CAP : table.cap * 2;
	struct hs_fd_reg **by;

	if (table.n < table.cap)
		return 0;
	by = realloc(table.by, cap * sizeof(struct hs_fd_reg *));
	if (by == NULL)
		return -ENOMEM;
	table.by = by;
	table.cap = cap;
	return 0;
}

struct hs_fd_reg *
hs_fd_table_add(int fd)
{
	const size_t i = find_place(fd);
	struct hs_fd_reg *d;

	assert(i == table.n || table.by[i]->fd != fd);		/* T1 */
	d = calloc(1, sizeof(*d));
	if (d == NULL || grow_table() < 0) {
		free(d);
		return NULL;
	}
	d->fd = d->as = fd;
	memmove(&table.by[i + 1], &table.by[i],
	    (table.n - i) * sizeof(struct hs_fd_reg *));
	table.by[i] = d;
	table.n++;
	return d;
}

void
hs_fd_table_del(struct hs_fd_reg *d)
{
	const size_t i = find_place(d->fd);

	if (d->ops != NULL && d->ops->forget != NULL)
		d->ops->forget(d);
	table.n--;
	memmove(&table.by[i], &table.by[i + 1],
	    (table.n - i) * sizeof(struct hs_fd_reg *));
	free(d);
}

void
hs_fd_table_clear(void)
{
	while (table.n > 0)
		hs_fd_table_del(table.by[table.n - 1]);
	free(table.by);
	table.by = NULL;
	table.cap = 0;
}
