/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * squat HOW [TRACKER]: a program that gets in hsinit()'s way;
 * squat personality CMD...: one that gets in another's.
 *
 *	nothing		it does not
 *	arena		the arena's default address is taken
 *	EPERM ENOSYS	userfaultfd(2) fails with this
 *	link		HOTSPARE_FD names no link
 *	personality	personality(2) fails with EPERM in CMD
 *
 * One line: "ok TRACKER" once a checkpoint was taken, status 0; or what
 * hsmessage() says, status 1.  Without hs-agent the tracker is "none".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <hotspare/hs.h>

#include "mem/arena.h"
#include "tests/forbid.h"

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(2);
}

static void
take_arena(void)
{
	void *want = (void *)(HS_ARENA_DEFAULT_BASE + (5ul << 20));

	if (mmap(want, 4096, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		0) != want)
		die("mmap");
}

static void
refuse_call(unsigned nr, unsigned err)
{
	if (!forbid_call(nr, err))
		die("seccomp");
}

static void
get_in_the_way(const char *how)
{
	if (strcmp(how, "arena") == 0)
		take_arena();
	else if (strcmp(how, "EPERM") == 0)
		refuse_call(SYS_userfaultfd, EPERM);
	else if (strcmp(how, "ENOSYS") == 0)
		refuse_call(SYS_userfaultfd, ENOSYS);
	else if (strcmp(how, "link") == 0)
		(void)setenv("HOTSPARE_FD", "0", 1);
	else if (strcmp(how, "nothing") != 0) {
		(void)fprintf(stderr, "squat: what is %s?\n", how);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	struct hs_status st = { .size = sizeof(st) };
	struct hs_options opt = HS_OPTIONS;
	int rc;

	if (argc < 2)
		return 2;
	if (argc > 2 && strcmp(argv[1], "personality") == 0) {
		refuse_call(SYS_personality, EPERM);
		(void)execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	get_in_the_way(argv[1]);
	if (argc > 2)
		opt.tracker = argv[2];
	rc = hsinit(&opt);
	if (rc < 0) {
		(void)printf("%s (%d)\n", hsmessage(), rc);
		return 1;
	}
	if (hscpt(HS_SEALED, NULL) < 0 || hsstatus(&st) < 0)
		return 3;
	(void)printf("ok %s\n", st.tracker);
	return 0;
}
