/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fault.h"

#ifdef HS_FAULTS

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct point {
	const char *name;
	unsigned left;		/* passes until it fails; 0: not armed */
	bool sticky;		/* fails for ever once it has failed */
	unsigned fired;
};

#define NAME(number, upper, lower) [HS_FAULT_##upper] = { .name = #lower },
static struct point points[HS_FAULT_END] = { HS_FAULT_POINTS(NAME) };
#undef NAME

static pthread_mutex_t points_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t env_once = PTHREAD_ONCE_INIT;

static struct point *
find_point(const char *s, size_t len)
{
	char *end;
	unsigned long number = strtoul(s, &end, 10);

	if (end == s + len && number > 0 && number < HS_FAULT_END)
		return &points[number];
	for (int i = 1; i < HS_FAULT_END; i++) {
		if (strlen(points[i].name) == len &&
		    memcmp(points[i].name, s, len) == 0)
			return &points[i];
	}
	return NULL;
}

/* One "name:nth" or "name:nth+" at s. */
static bool
arm_from_text(const char *s)
{
	size_t len = strcspn(s, ":,");
	struct point *p = find_point(s, len);
	unsigned long nth;
	char *end;

	if (p == NULL || s[len] != ':')
		return false;
	nth = strtoul(s + len + 1, &end, 10);
	p->left = (unsigned)nth;
	p->sticky = *end == '+';
	end += p->sticky;
	return nth > 0 && (*end == ',' || *end == '\0');
}

/* A mistyped fault would make a test pass for the wrong reason: stop. */
static void
read_environment(void)
{
	const char *s = secure_getenv("HS_FAULT");

	while (s != NULL && *s != '\0') {
		if (!arm_from_text(s))
			abort();
		s += strcspn(s, ",");
		s += *s == ',';
	}
}

bool
hs_fault(enum hs_fault_id id)
{
	struct point *p = &points[id];
	bool fails = false;

	(void)pthread_once(&env_once, read_environment);
	(void)pthread_mutex_lock(&points_lock);
	if (p->left > 0) {
		fails = --p->left == 0;
		p->left += fails && p->sticky;
		p->fired += fails;
	}
	(void)pthread_mutex_unlock(&points_lock);
	return fails;
}

void
hs_fault_arm(enum hs_fault_id id, unsigned nth)
{
	(void)pthread_once(&env_once, read_environment);
	(void)pthread_mutex_lock(&points_lock);
	points[id].left = nth;
	points[id].sticky = false;
	(void)pthread_mutex_unlock(&points_lock);
}

unsigned
hs_fault_fired(enum hs_fault_id id)
{
	unsigned n;

	(void)pthread_mutex_lock(&points_lock);
	n = points[id].fired;
	(void)pthread_mutex_unlock(&points_lock);
	return n;
}

#else

/* ISO C wants a declaration in every file. */
typedef int hs_fault_none;

#endif
