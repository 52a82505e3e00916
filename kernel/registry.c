// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arenas by name.  A name holds a reference: contents and modified pages
 * outlive the processes.
 *
 *  R1  A named arena has at most one opener at a time: attaching needs nopen to
 *      be 0, and makes it 1 under the same lock.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "internal.h"

static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(registry);

static struct hscpt_arena *find_name(const char *name)
{
	struct hscpt_arena *a;

	lockdep_assert_held(&registry_lock);
	list_for_each_entry(a, &registry, names) {
		if (!strcmp(a->name, name))
			return a;
	}
	return NULL;
}

static bool may_have(const struct hscpt_arena *a)
{
	return uid_eq(a->owner, current_euid()) || capable(CAP_SYS_ADMIN);
}

/**
 * hscpt_registry_add() - make an arena findable by its name
 * @a: takes a reference of its own
 *
 * Return: 0, or -EEXIST.
 */
int hscpt_registry_add(struct hscpt_arena *a)
{
	int err = -EEXIST;

	mutex_lock(&registry_lock);
	if (!find_name(a->name)) {
		kref_get(&a->ref);
		list_add_tail(&a->names, &registry);
		err = 0;
	}
	mutex_unlock(&registry_lock);
	return err;
}

/**
 * hscpt_registry_remove() - take its name away, if it has one still
 * @a: the caller holds another reference
 */
void hscpt_registry_remove(struct hscpt_arena *a)
{
	bool named;

	mutex_lock(&registry_lock);
	named = !list_empty(&a->names);
	if (named)
		list_del_init(&a->names);
	mutex_unlock(&registry_lock);
	if (named)
		hscpt_arena_put(a);
}

/**
 * hscpt_registry_attach() - find an arena that nobody has open (R1)
 * @name: its name
 * @out: the arena, with a reference and opened once
 *
 * Return: 0, -ENOENT, -EPERM or -EBUSY.
 */
int hscpt_registry_attach(const char *name, struct hscpt_arena **out)
{
	struct hscpt_arena *a;
	int err = 0;

	mutex_lock(&registry_lock);
	a = find_name(name);
	if (!a) {
		err = -ENOENT;
	} else if (!may_have(a)) {
		err = -EPERM;
	} else if (a->nopen) {
		err = -EBUSY;
	} else {
		kref_get(&a->ref);
		a->nopen = 1;
		WRITE_ONCE(a->limit_pages,
			   rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT);
		*out = a;
	}
	mutex_unlock(&registry_lock);
	return err;
}

/**
 * hscpt_registry_destroy() - take a name away
 * @name: may be used again at once; the arena lives until it is closed
 *
 * Return: 0, -ENOENT or -EPERM.
 */
int hscpt_registry_destroy(const char *name)
{
	struct hscpt_arena *a;
	int err = 0;

	mutex_lock(&registry_lock);
	a = find_name(name);
	if (!a)
		err = -ENOENT;
	else if (!may_have(a))
		err = -EPERM;
	else
		list_del_init(&a->names);
	mutex_unlock(&registry_lock);
	if (!err)
		hscpt_arena_put(a);
	return err;
}

/**
 * hscpt_registry_opened() - note an open file of the arena or a snapshot
 * @a: the caller holds a reference
 */
void hscpt_registry_opened(struct hscpt_arena *a)
{
	mutex_lock(&registry_lock);
	a->nopen++;
	mutex_unlock(&registry_lock);
}

/**
 * hscpt_registry_closed() - undo hscpt_registry_opened()
 * @a: the caller holds a reference
 */
void hscpt_registry_closed(struct hscpt_arena *a)
{
	mutex_lock(&registry_lock);
	a->nopen--;
	mutex_unlock(&registry_lock);
}
