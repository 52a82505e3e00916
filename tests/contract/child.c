/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/contract.h"

#define UNTRIED 77		/* exit status */

void
contract_give_up_user(void)
{
	if (setresgid(65534, 65534, 65534) < 0 ||
	    setresuid(65534, 65534, 65534) < 0)
		contract_untried();
}

void
contract_untried(void)
{
	_exit(UNTRIED);
}

void
contract_in_child(contract_report *report, const char *name,
    bool (*holds)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		bool ok = holds(arg);

		(void)fflush(stdout);
		_exit(ok ? 0 : 1);
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFEXITED(status) && WEXITSTATUS(status) == UNTRIED)
		report(true, name, "# SKIP not permitted to try");
	else
		report(status == 0, name, "");
}

uint8_t *
contract_map(size_t bytes)
{
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}
