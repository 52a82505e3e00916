/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svc_state REPORT DIR [LOG [TERMINAL]]: a service with a registered
 * descriptor, or several, of each kind.  In each turn all of them change at
 * random, and a checkpoint is held.  After a restore each must be as the
 * restored memory says that it was; "same KIND" is said of each that is, in LOG
 * or on standard output (-).  Its own files are in DIR.
 *
 * svc_state --terminal FILE: keep a terminal; its name goes to FILE.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hs.h"
#include "tests/rig/state_file.h"
#include "tests/rig/state_kind.h"
#include "tests/rig/turns.h"

#define MOST_KINDS 32
/* The kernel sets it where it likes; fcntl.h has 0 for it. */
#define LARGEFILE 0100000

struct state {
	uint64_t turn;
	struct state_mirror *mirror[MOST_KINDS];
};

static const char *dir, *tty;

/* ---- for the kinds ---- */

uint64_t
state_random(struct state_mirror *m, uint64_t n)
{
	m->random = m->random * 6364136223846793005u + 1442695040888963407u;
	return (m->random >> 33) % n;
}

void
state_register(struct state_mirror *m, int i, int fd, unsigned how)
{
	if (fd < 0)
		hs_turns_wrong("a descriptor cannot be opened: %m");
	if (hsfdreg(fd, how) < 0)
		hs_turns_wrong("%s", hsmessage());
	m->fd[i] = fd;
}

void
state_toggle(struct state_mirror *m, int n)
{
	for (int i = 0; i < n; i++)
		if (state_random(m, 4) == 0)
			(void)fcntl(m->fd[i], F_SETFD,
			    state_random(m, 2) != 0 ? FD_CLOEXEC : 0);
}

void
state_show_flags(FILE *out, const struct state_mirror *m, int n)
{
	for (int i = 0; i < n; i++)
		(void)fprintf(out, "fd %d %#x %d\n", m->fd[i],
		    (unsigned)(fcntl(m->fd[i], F_GETFL) & ~LARGEFILE),
		    fcntl(m->fd[i], F_GETFD));
}

void
state_letters(struct state_mirror *m, char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (char)('a' + state_random(m, 26));
}

/* As FNV-1a goes on. */
uint64_t
state_sum(uint64_t sum, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ b[i]) * 0x100000001b3u;
	return sum;
}

const char *
state_path(const char *name)
{
	static char path[2][256];
	static int turn;

	turn ^= 1;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/svc_state.%s", dir,
	    name);
	return path[turn];
}

const char *
state_tty(void)
{
	return tty;
}

static FILE *
open_info(int fd)
{
	char name[32];
	FILE *in;

	(void)snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	in = fopen(name, "re");
	if (in == NULL)
		hs_turns_wrong("%s: %m", name);
	return in;
}

void
state_show_info(FILE *out, int fd, const char *key)
{
	const size_t len = strlen(key);
	FILE *in = open_info(fd);
	char line[256];

	while (fgets(line, sizeof(line), in) != NULL)
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			(void)fprintf(out, "%s %s", key,
			    line + len + 1 + strspn(line + len + 1, " \t"));
	(void)fclose(in);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(a, b);
}

void
state_show_lines(FILE *out, int fd, const char *begin, const char *until)
{
	static char line[64][256];
	FILE *in = open_info(fd);
	size_t n = 0;
	char *end;

	while (n < 64 && fgets(line[n], sizeof(line[n]), in) != NULL) {
		end = strstr(line[n], until);
		if (strncmp(line[n], begin, strlen(begin)) != 0 || end == NULL)
			continue;
		*end = '\0';
		n++;
	}
	(void)fclose(in);
	qsort(line, n, sizeof(line[0]), compare_lines);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(out, "%s\n", line[i]);
}

/* ---- the service ---- */

static void
show(const struct state_kind *k, const struct state_mirror *m, char *text)
{
	FILE *out;

	memset(text, 0, STATE_TEXT_BYTES);
	out = fmemopen(text, STATE_TEXT_BYTES, "w");
	if (out == NULL)
		hs_turns_wrong("no memory");
	k->show(m, out);
	if (fclose(out) != 0)
		hs_turns_wrong("%s shows too much", k->name);
}

static struct state *
build(void)
{
	struct state *s = hscalloc(1, sizeof(*s));

	if (s == NULL || hsroot("state", s) < 0)
		hs_turns_wrong("no memory");
	for (int i = 0; state_kinds[i] != NULL; i++) {
		s->mirror[i] = hscalloc(1, sizeof(*s->mirror[i]));
		if (s->mirror[i] == NULL)
			hs_turns_wrong("no memory");
		s->mirror[i]->random = (uint64_t)i + 1;
		state_kinds[i]->open(s->mirror[i]);
	}
	return s;
}

/* Where two texts part. */
static void
complain(const char *name, const char *was, const char *is)
{
	size_t at = 0;

	while (was[at] == is[at])
		at++;
	while (at > 0 && was[at - 1] != '\n')
		at--;
	hs_turns_wrong("%s was: %.*s; is: %.*s", name,
	    (int)strcspn(was + at, "\n"), was + at, (int)strcspn(is + at, "\n"),
	    is + at);
}

static void
check(const struct state *s)
{
	static char text[STATE_TEXT_BYTES];

	for (int i = 0; state_kinds[i] != NULL; i++) {
		const struct state_kind *k = state_kinds[i];
		const struct state_mirror *m = s->mirror[i];

		show(k, m, text);
		if (memcmp(text, m->text, sizeof(text)) != 0)
			complain(k->name, m->text, text);
		if (k->check != NULL)
			k->check(m);
		(void)printf("same %s\n", k->name);
	}
	(void)fflush(stdout);
}

static _Noreturn void
keep_terminal(const char *file)
{
	const int fd = posix_openpt(O_RDWR | O_NOCTTY);
	FILE *to = fopen(file, "we");

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || to == NULL)
		hs_turns_wrong("a terminal: %m");
	(void)fprintf(to, "%s\n", ptsname(fd)); /* NOLINT: one thread */
	(void)fclose(to);
	for (;;)
		(void)pause();
}

int
main(int argc, char **argv)
{
	struct state *s;
	int rc;

	if (argc == 3 && strcmp(argv[1], "--terminal") == 0)
		keep_terminal(argv[2]);
	if (argc < 3 || argc > 5)
		hs_turns_wrong("usage: svc_state REPORT DIR [LOG [TERMINAL]]");
	dir = argv[2];
	if (argc > 3 && strcmp(argv[3], "-") != 0 &&
	    freopen(argv[3], "ae", stdout) == NULL)
		return 1;
	if (argc > 4)
		tty = argv[4];
	if (hsfdkind(&state_named_memory) < 0)
		hs_turns_wrong("%s", hsmessage());
	rc = hsinit(NULL);
	if (rc < 0)
		hs_turns_wrong("hsinit: %d: %s", rc, hsmessage());
	s = rc == HS_FRESH ? build() : hsfind("state");
	if (s == NULL)
		hs_turns_wrong("there is no state");
	if (rc == HS_RESTORED)
		check(s);
	hs_turns_begin(argv[1], rc, s->turn);
	for (;;) {
		for (int i = 0; state_kinds[i] != NULL; i++) {
			state_kinds[i]->change(s->mirror[i]);
			show(state_kinds[i], s->mirror[i], s->mirror[i]->text);
		}
		s->turn++;
		hs_turns_end(s->turn);
	}
}
