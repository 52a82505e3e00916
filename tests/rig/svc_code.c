/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svc_code plain|refs REPORT: a service whose state is full of pointers to
 * code: a table of functions, some of them the C library's, a list of objects
 * with their methods, and what sorts them.  Each turn changes pointers, follows
 * all of them and takes a checkpoint.
 *
 * plain	the pointers as they are: for a program that is linked to a
 *		fixed address, or run with hs-agent --no-aslr
 * refs		by hscoderef(): for any
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hs.h"
#include "tests/rig/turns.h"

#define NFN 16
#define NENTRY 200
#define NSHAPE 30

/* ---- what is pointed to ---- */

#define FUNCTION(n)                             \
	static long fn_##n(long x)              \
	{                                       \
		return (2 * (n) + 1) * x + (n); \
	}

FUNCTION(0)
FUNCTION(1)
FUNCTION(2)
FUNCTION(3)
FUNCTION(4)
FUNCTION(5)
FUNCTION(6)
FUNCTION(7)
FUNCTION(8)
FUNCTION(9)
FUNCTION(10)
FUNCTION(11)
FUNCTION(12)
FUNCTION(13)
FUNCTION(14)

/* The last is the C library's. */
static long (*const fns[NFN])(long) = { fn_0, fn_1, fn_2, fn_3, fn_4, fn_5,
	fn_6, fn_7, fn_8, fn_9, fn_10, fn_11, fn_12, fn_13, fn_14, labs };

static long
expect_fn(unsigned which, long x)
{
	return which == NFN - 1 ? labs(x) : (2 * (long)which + 1) * x + which;
}

struct shape;

struct shape_ops {
	const char *name;
	long (*area)(const struct shape *s);
	void (*grow)(struct shape *s);
};

struct shape {
	struct shape *next;
	const struct shape_ops *ops; /* plain */
	struct hs_code area, grow; /* refs */
	int kind;
	long side;
};

static long
area_of_square(const struct shape *s)
{
	return s->side * s->side;
}

static long
area_of_line(const struct shape *s)
{
	(void)s;
	return 0;
}

static void
grow_by_one(struct shape *s)
{
	s->side++;
}

static void
grow_and_wrap(struct shape *s)
{
	s->side = (s->side + 1) % 100;
}

static const struct shape_ops kinds[2] = {
	{ "square", area_of_square, grow_and_wrap },
	{ "line", area_of_line, grow_by_one },
};

typedef int compare_fn(const void *a, const void *b);
typedef void sort_fn(void *base, size_t n, size_t len, compare_fn *compare);

static int
compare_longs(const void *a, const void *b)
{
	const long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

/* ---- the state ---- */

struct entry {
	unsigned which;
	long (*fn)(long); /* plain */
	struct hs_code ref; /* refs */
};

struct state {
	uint64_t turn;
	struct entry entry[NENTRY];
	struct shape *shapes;
	compare_fn *compare;
	sort_fn *sort;
	struct hs_code compare_ref, sort_ref;
};

static bool refs;

static void *
follow(const void *plain, const struct hs_code *ref)
{
	void *p = refs ? hscodeptr(ref) : (void *)plain;

	if (p == NULL)
		hs_turns_wrong("a reference leads nowhere: %s", hsmessage());
	return p;
}

static void
refer(const void *fn, struct hs_code *out)
{
	if (refs && hscoderef(fn, out) < 0)
		hs_turns_wrong("hscoderef: %s", hsmessage());
}

static void
point(struct entry *e, unsigned which)
{
	e->which = which;
	if (refs)
		refer((const void *)fns[which], &e->ref);
	else
		e->fn = fns[which];
}

static struct state *
build(void)
{
	struct state *s = hscalloc(1, sizeof(*s));

	if (s == NULL || hsroot("state", s) < 0)
		hs_turns_wrong("no memory");
	for (unsigned i = 0; i < NENTRY; i++)
		point(&s->entry[i], i % NFN);
	for (int i = 0; i < NSHAPE; i++) {
		struct shape *shape = hscalloc(1, sizeof(*shape));

		if (shape == NULL)
			hs_turns_wrong("no memory");
		shape->kind = i % 2;
		shape->side = i;
		shape->ops = refs ? NULL : &kinds[shape->kind];
		refer((const void *)kinds[shape->kind].area, &shape->area);
		refer((const void *)kinds[shape->kind].grow, &shape->grow);
		shape->next = s->shapes;
		s->shapes = shape;
	}
	s->compare = refs ? NULL : compare_longs;
	s->sort = refs ? NULL : qsort;
	refer((const void *)compare_longs, &s->compare_ref);
	refer((const void *)qsort, &s->sort_ref);
	return s;
}

/* A bad pointer is told, not followed. */
static void
check_table(const struct state *s)
{
	for (unsigned i = 0; i < NENTRY; i++) {
		const struct entry *e = &s->entry[i];
		long (*fn)(long) =
		    (long (*)(long))follow((const void *)e->fn, &e->ref);
		const long x = (long)s->turn - 50;

		if (e->which >= NFN || fn != fns[e->which])
			hs_turns_wrong("entry %u points elsewhere", i);
		if (fn(x) != expect_fn(e->which, x))
			hs_turns_wrong("entry %u answers wrong", i);
	}
}

static void
work_shapes(struct state *s)
{
	for (struct shape *p = s->shapes; p != NULL; p = p->next) {
		const struct shape_ops *is = &kinds[p->kind];
		long (*area)(const struct shape *);
		void (*grow)(struct shape *);

		if (!refs && p->ops != is)
			hs_turns_wrong("the methods of a %s are elsewhere",
			    is->name);
		area = (long (*)(
		    const struct shape *))follow((const void *)is->area,
		    &p->area);
		grow = (void (*)(struct shape *))follow((const void *)is->grow,
		    &p->grow);
		if (area != is->area || grow != is->grow)
			hs_turns_wrong("a method of a %s is elsewhere",
			    is->name);
		if (area(p) != (p->kind == 0 ? p->side * p->side : 0))
			hs_turns_wrong("the area of a %s is wrong", is->name);
		grow(p);
	}
}

static void
work_sort(const struct state *s)
{
	sort_fn *sort = (sort_fn *)follow((const void *)s->sort, &s->sort_ref);
	compare_fn *compare =
	    (compare_fn *)follow((const void *)s->compare, &s->compare_ref);
	long some[] = { 3, 1, 2 };

	if (sort != qsort || compare != compare_longs)
		hs_turns_wrong("what sorts is elsewhere");
	sort(some, 3, sizeof(some[0]), compare);
	if (some[0] != 1 || some[1] != 2 || some[2] != 3)
		hs_turns_wrong("sorted wrong");
}

int
main(int argc, char **argv)
{
	struct state *s;
	int rc;

	if (argc != 3)
		hs_turns_wrong("usage: svc_code plain|refs REPORT");
	refs = strcmp(argv[1], "refs") == 0;
	rc = hsinit(NULL);
	s = rc == HS_FRESH ? build() : hsfind("state");
	hs_turns_begin(argv[2], rc, s != NULL ? s->turn : 0);
	if (s == NULL)
		hs_turns_wrong("the state is not there");
	for (;;) {
		check_table(s);
		work_shapes(s);
		work_sort(s);
		s->turn++;
		for (unsigned i = 0; i < 5; i++)
			point(&s->entry[(s->turn * 7 + i) % NENTRY],
			    (unsigned)((s->turn + i) % NFN));
		hs_turns_end(s->turn);
	}
}
