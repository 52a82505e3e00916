/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libstonithd is loaded here and not linked: hotspare is built, and hsctl runs,
 * where there is no Pacemaker.  stonith_api_time() is what its header offers to
 * programs that do so; dlm_controld asks in the same way.
 */
#include "agent/hsctl/fenced.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

typedef time_t api_time_fn(uint32_t nodeid, const char *uname,
    bool in_progress);

/* Pacemaker 2, Pacemaker 3. */
static const char *const sonames[] = { "libstonithd.so.26", "libstonithd.so.56",
	"libstonithd.so" };

/* The library may print what is meant for a log. */
static time_t
ask_silently(api_time_fn *ask, uint32_t nodeid)
{
	int saved, null;
	time_t when;

	(void)fflush(stderr);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	when = ask(nodeid, NULL, false);
	if (saved >= 0) {
		(void)dup2(saved, STDERR_FILENO);
		(void)close(saved);
	}
	if (null >= 0)
		(void)close(null);
	return when;
}

int
hs_fenced_when(uint32_t nodeid, time_t *when)
{
	union {
		void *p;
		api_time_fn *fn;
	} sym;
	void *lib = NULL;

	for (size_t i = 0;
	     lib == NULL && i < sizeof(sonames) / sizeof(sonames[0]); i++)
		lib = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL)
		return -ENOENT;
	sym.p = dlsym(lib, "stonith_api_time");
	if (sym.p == NULL)
		return -ENOENT;
	/* Never unloaded: the libraries below it leave handlers behind. */
	*when = ask_silently(sym.fn, nodeid);
	return 0;
}
