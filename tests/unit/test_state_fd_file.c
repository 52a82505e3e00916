/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/why.h"
#include "state/fd_content.h"
#include "state/fd_table.h"
#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

static char dir[64];

static const char *
in_dir(const char *name)
{
	static char path[2][128];
	static int turn;

	turn ^= 1;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void
begin(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/hotspare-unit.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	state_begin();
}

static void
end(void)
{
	state_end();
	(void)unlink(in_dir("a"));
	(void)unlink(in_dir("b"));
	(void)rmdir(in_dir("sub"));
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

/* What is in the file now, by name. */
static bool
file_is(const char *name, const char *want)
{
	char buf[64] = "";
	int fd = open(in_dir(name), O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	(void)close(fd);
	return n == (ssize_t)strlen(want) && strcmp(buf, want) == 0;
}

static void
write_file(const char *name, const char *text)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0640);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static int
open_file(const char *name, int flags, unsigned how)
{
	int fd = open(in_dir(name), flags, 0640);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, how), 0);
	return fd;
}

static void
offset_and_flags_come_back(void)
{
	int fd, again;
	char c;

	begin();
	write_file("a", "0123456789");
	fd = open_file("a", O_RDWR | O_APPEND | O_NONBLOCK | O_SYNC, 0);
	again = dup(fd);
	CU_ASSERT_EQUAL(hs_fd_register(again, 0), 0);
	CU_ASSERT_EQUAL(lseek(fd, 4, SEEK_SET), 4);
	state_takeover();
	CU_ASSERT_EQUAL(read(fd, &c, 1), 1);
	CU_ASSERT_EQUAL(c, '4');
	/* dup(2)ed: one offset. */
	CU_ASSERT_EQUAL(read(again, &c, 1), 1);
	CU_ASSERT_EQUAL(c, '5');
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFL) &
		(O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC),
	    O_RDWR | O_APPEND | O_NONBLOCK | O_SYNC);
	end();
}

/* Opened with O_CREAT, O_TRUNC, O_EXCL: a restore does none of them. */
static void
nothing_is_truncated_or_created(void)
{
	int fd;

	begin();
	fd = open_file("a", O_RDWR | O_CREAT | O_TRUNC | O_EXCL, 0);
	CU_ASSERT_EQUAL(write(fd, "kept", 4), 4);
	state_takeover();
	CU_ASSERT(file_is("a", "kept"));
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_CUR), 4);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	(void)unlink(in_dir("a"));
	CU_ASSERT_EQUAL(state_restore(), HS_EFD);
	CU_ASSERT(state_says("the spare needs what the service"));
	CU_ASSERT_EQUAL(access(in_dir("a"), F_OK), -1);
	write_file("a", "");
	CU_ASSERT_EQUAL(state_restore(), 0);
	end();
}

static void
content_goes_to_another_machine(void)
{
	struct stat st, now;
	int fd, other;
	mode_t mask;

	begin();
	write_file("a", "first");
	fd = open_file("a", O_WRONLY | O_APPEND, HS_FD_CONTENT);
	other = open_file("a", O_RDONLY, 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	CU_ASSERT_EQUAL(write(fd, " second", 7), 7);
	CU_ASSERT_EQUAL(lseek(other, 3, SEEK_SET), 3);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	/* A machine that has no such file. */
	(void)unlink(in_dir("a"));
	mask = umask(0777);
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	(void)umask(mask);
	CU_ASSERT(file_is("a", "first second"));
	CU_ASSERT_EQUAL(stat(in_dir("a"), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0640);
	CU_ASSERT_EQUAL(lseek(other, 0, SEEK_CUR), 3);
	CU_ASSERT_EQUAL(fstat(other, &now), 0);
	CU_ASSERT_EQUAL(now.st_ino, st.st_ino);
	/* One that has an older one: the same inode, other content. */
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	write_file("a", "something longer than that");
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	CU_ASSERT(file_is("a", "first second"));
	CU_ASSERT_EQUAL(stat(in_dir("a"), &now), 0);
	CU_ASSERT_EQUAL(now.st_ino, st.st_ino);
	CU_ASSERT_EQUAL(write(fd, "!", 1), 1);
	CU_ASSERT(file_is("a", "first second!"));
	end();
}

/* It is equal there (shared storage, say): so it is not touched. */
static void
equal_content_is_not_written(void)
{
	struct stat st, now;

	begin();
	write_file("a", "as it is");
	(void)open_file("a", O_RDWR, HS_FD_CONTENT);
	CU_ASSERT_EQUAL(stat(in_dir("a"), &st), 0);
	state_takeover();
	CU_ASSERT_EQUAL(stat(in_dir("a"), &now), 0);
	CU_ASSERT_EQUAL(now.st_mtim.tv_nsec, st.st_mtim.tv_nsec);
	CU_ASSERT_EQUAL(now.st_ctim.tv_nsec, st.st_ctim.tv_nsec);
	end();
}

static void
a_deleted_file_comes_back_nameless(void)
{
	struct stat st;
	char buf[8];
	int fd, other;
	mode_t mask;

	begin();
	write_file("a", "temp");
	fd = open_file("a", O_RDWR, HS_FD_CONTENT);
	other = open_file("a", O_RDONLY, 0);
	(void)unlink(in_dir("a"));
	mask = umask(0777);	/* the mode is the file's all the same */
	state_takeover();
	(void)umask(mask);
	CU_ASSERT_EQUAL(access(in_dir("a"), F_OK), -1);
	CU_ASSERT_EQUAL(read(fd, buf, 8), 4);
	CU_ASSERT_EQUAL(memcmp(buf, "temp", 4), 0);
	CU_ASSERT_EQUAL(write(fd, "+", 1), 1);
	CU_ASSERT_EQUAL(read(other, buf, 8), 5);
	CU_ASSERT_EQUAL(fstat(fd, &st), 0);
	CU_ASSERT_EQUAL(st.st_nlink, 0);
	end();
	/* One that never had a name: its flags have O_DIRECTORY. */
	begin();
	fd = open(dir, O_TMPFILE | O_RDWR, 0600);
	CU_ASSERT_EQUAL_FATAL(hs_fd_register(fd, HS_FD_CONTENT), 0);
	CU_ASSERT_EQUAL(write(fd, "spool", 5), 5);
	state_takeover();
	CU_ASSERT_EQUAL(pread(fd, buf, 8, 0), 5);
	CU_ASSERT_EQUAL(memcmp(buf, "spool", 5), 0);
	end();
}

/* A change that keeps size and, within a tick, the time stamps is seen (C1). */
static void
changes_are_seen_however_quick(void)
{
	struct hs_random rnd;
	char text[2] = "?";
	int fd;

	hs_random_init(&rnd);
	begin();
	fd = open_file("a", O_RDWR | O_CREAT, HS_FD_CONTENT);
	for (int i = 0; i < 300; i++) {
		text[0] = (char)('a' + hs_random_below(&rnd, 26));
		CU_ASSERT_EQUAL(pwrite(fd, text, 1, 0), 1);
		CU_ASSERT_EQUAL_FATAL(state_query(), 0);
		if (i % 10 != 0)
			continue;
		state_die();
		(void)unlink(in_dir("a"));
		CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
		CU_ASSERT_FATAL(file_is("a", text));
	}
	end();
}

static void
make_old(const char *name)
{
	const struct timespec old[2] = { { .tv_sec = 1000000000 },
		{ .tv_sec = 1000000000 } };

	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, in_dir(name), old, 0), 0);
}

/* Settled content is not read again, and its parts stay in the store. */
static void
settled_content_is_kept(void)
{
	const struct timespec wait = { .tv_sec = 1, .tv_nsec = 100000000 };
	const size_t len = 300000;
	char *text = malloc(len);
	void *one, *two;
	size_t none, ntwo;
	int fd;

	begin();
	memset(text, 'x', len);
	fd = open_file("a", O_RDWR | O_CREAT, HS_FD_CONTENT);
	CU_ASSERT_EQUAL(write(fd, text, len), (ssize_t)len);
	make_old("a");
	(void)nanosleep(&wait, NULL);	/* the inode's own time */
	CU_ASSERT_EQUAL(state_query(), 0);
	none = state_dump(&one);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	ntwo = state_dump(&two);
	CU_ASSERT_EQUAL(none, ntwo);
	CU_ASSERT(none > len);
	CU_ASSERT_EQUAL(hs_fd_table_get(fd)->body_len, len);
	/* Shorter: the parts that are too many go. */
	CU_ASSERT_EQUAL(ftruncate(fd, 70000), 0);
	state_takeover();
	free(one);
	none = state_dump(&one);
	CU_ASSERT(none < len);
	free(one);
	free(two);
	free(text);
	end();
}

static void
the_spares_file_must_be_the_same(void)
{
	begin();
	write_file("a", "dictionary");
	(void)open_file("a", O_RDONLY, HS_FD_SAME);
	state_takeover();
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	write_file("a", "dictionarx");
	CU_ASSERT_EQUAL(state_restore(), HS_EINCOMPATIBLE);
	CU_ASSERT(state_says("make them equal"));
	write_file("a", "dictionary!");
	CU_ASSERT_EQUAL(state_restore(), HS_EINCOMPATIBLE);
	CU_ASSERT(state_says("has 11 bytes here and had 10"));
	write_file("a", "dictionary");
	CU_ASSERT_EQUAL(state_restore(), 0);
	end();
}

static void
directories_and_plain_devices(void)
{
	int d, null;

	begin();
	CU_ASSERT_EQUAL(mkdir(in_dir("sub"), 0700), 0);
	d = open_file("sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	null = open("/dev/null", O_RDWR);
	CU_ASSERT_EQUAL(hs_fd_register(null, 0), 0);
	state_takeover();
	CU_ASSERT_EQUAL(faccessat(d, "../sub", F_OK, 0), 0);
	CU_ASSERT_EQUAL(write(null, "x", 1), 1);
	end();
}

/* ---- refusals: each says what to do ---- */

static void
expect_refusal(int fd, unsigned how, int want, const char *says)
{
	CU_ASSERT_EQUAL(hs_fd_register(fd, how), want);
	CU_ASSERT(state_says(says));
}

static void
what_cannot_come_back_is_refused(void)
{
	int fd;

	begin();
	write_file("a", "x");
	fd = open(in_dir("a"), O_RDONLY);
	expect_refusal(fd, HS_FD_CONTENT | HS_FD_SAME, HS_EMISUSE, "either");
	(void)unlink(in_dir("a"));
	expect_refusal(fd, 0, HS_EFD, "register it with HS_FD_CONTENT");
	write_file("a", "another");
	(void)link(in_dir("a"), in_dir("b"));
	(void)close(fd);
	fd = open(in_dir("a"), O_RDONLY);
	(void)unlink(in_dir("a"));
	write_file("a", "a third");
	expect_refusal(fd, 0, HS_EFD, "now another file");
	(void)close(fd);
	fd = open(in_dir("a"), O_PATH);
	expect_refusal(fd, 0, HS_EFD, "O_PATH");
	(void)close(fd);
	fd = memfd_create("m", 0);
	expect_refusal(fd, 0, HS_EFD, "in checkpoint memory");
	(void)close(fd);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	expect_refusal(fd, HS_FD_SAME, HS_EMISUSE, "how must be 0");
	(void)close(fd);
	fd = open("/dev/zero", O_RDONLY);
	expect_refusal(fd, HS_FD_CONTENT, HS_EMISUSE, "how must be 0");
	(void)close(fd);
	fd = open("/dev/kmsg", O_RDONLY);
	if (fd >= 0)
		expect_refusal(fd, 0, HS_EFD, "cannot be carried");
	(void)close(fd);
	expect_refusal(999, 0, HS_EFD, "Bad file descriptor");
	end();
}

static void
too_much_content_is_refused(void)
{
	int fd;

	begin();
	fd = open(in_dir("a"), O_RDWR | O_CREAT, 0600);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)HS_FD_CONTENT_MAX + 1), 0);
	expect_refusal(fd, HS_FD_CONTENT, HS_EFD, "on storage that the spare");
	CU_ASSERT_EQUAL(ftruncate(fd, 1), 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, HS_FD_CONTENT), 0);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)HS_FD_CONTENT_MAX + 1), 0);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("on storage that the spare"));
	end();
}

static void
a_number_that_changed_is_found(void)
{
	int fd, other;

	begin();
	write_file("a", "a");
	write_file("b", "b");
	fd = open_file("a", O_RDONLY, 0);
	(void)close(fd);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("before close()"));
	other = open(in_dir("b"), O_RDONLY);
	CU_ASSERT_EQUAL(dup2(other, fd), fd);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("(file) is now another file than was "));
	CU_ASSERT_EQUAL(hs_fd_unregister(state_store(), fd), 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	/* A number that was dup(2)ed and is not any more. */
	if (other != fd)
		(void)close(other);
	other = dup(fd);
	CU_ASSERT_EQUAL(hs_fd_register(other, 0), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	(void)close(other);
	CU_ASSERT_EQUAL(open(in_dir("b"), O_RDONLY), other);
	CU_ASSERT_EQUAL(state_query(), HS_EFD);
	CU_ASSERT(state_says("no longer shares"));
	end();
}

static void
a_number_that_is_taken_stops_the_restore(void)
{
	int a, b, before;

	begin();
	write_file("a", "a");
	write_file("b", "b");
	a = open_file("a", O_RDONLY, 0);
	b = open_file("b", O_RDONLY, 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	CU_ASSERT_EQUAL(open("/dev/null", O_RDONLY), a);
	CU_ASSERT_EQUAL(dup2(a, b), b);
	(void)close(a);
	before = state_open_fds();
	CU_ASSERT_EQUAL(state_restore(), HS_EFD);
	CU_ASSERT(state_says("is taken (/dev/null)"));
	/* Nothing was left behind. */
	CU_ASSERT_EQUAL(state_open_fds(), before);
	(void)close(b);
	CU_ASSERT_EQUAL(state_restore(), 0);
	end();
}

/* ---- terminals ---- */

static int
open_terminal(int *master)
{
	int fd;

	*master = posix_openpt(O_RDWR | O_NOCTTY);
	CU_ASSERT_FATAL(*master >= 0);
	CU_ASSERT_EQUAL(grantpt(*master), 0);
	CU_ASSERT_EQUAL(unlockpt(*master), 0);
	fd = open(ptsname(*master), O_RDWR | O_NOCTTY); /* NOLINT: one thread */
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static void
a_terminals_attributes_come_back(void)
{
	struct termios t, now;
	int master, fd;

	begin();
	fd = open_terminal(&master);
	CU_ASSERT_EQUAL(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	t.c_cc[VMIN] = 3;
	(void)cfsetispeed(&t, B9600);
	(void)cfsetospeed(&t, B9600);
	CU_ASSERT_EQUAL(tcsetattr(fd, TCSANOW, &t), 0);
	CU_ASSERT_EQUAL(hs_fd_register(fd, 0), 0);
	CU_ASSERT_EQUAL(state_query(), 0);
	state_die();
	/* Another machine's: as it is when it is opened first. */
	fd = open(ptsname(master), O_RDWR | O_NOCTTY); /* NOLINT */
	t.c_cc[VMIN] = 1;
	t.c_lflag |= ICANON;
	CU_ASSERT_EQUAL(tcsetattr(fd, TCSANOW, &t), 0);
	(void)close(fd);
	CU_ASSERT_EQUAL_FATAL(state_restore(), 0);
	CU_ASSERT_EQUAL(tcgetattr(fd, &now), 0);
	CU_ASSERT_EQUAL(now.c_cc[VMIN], 3);
	CU_ASSERT_EQUAL(now.c_lflag & ICANON, 0);
	CU_ASSERT_EQUAL(cfgetospeed(&now), B9600);
	end();
	(void)close(master);
}

static void
a_terminals_other_side_is_refused(void)
{
	int master, fd;

	begin();
	fd = open_terminal(&master);
	expect_refusal(master, 0, HS_EFD, "open one anew after HS_RESTORED");
	expect_refusal(fd, HS_FD_SAME, HS_EMISUSE, "how must be 0");
	(void)close(fd);
	(void)close(master);
	end();
}

HS_SUITE(state_fd_file, HS_TEST(offset_and_flags_come_back),
    HS_TEST(nothing_is_truncated_or_created),
    HS_TEST(content_goes_to_another_machine),
    HS_TEST(equal_content_is_not_written),
    HS_TEST(a_deleted_file_comes_back_nameless),
    HS_TEST(changes_are_seen_however_quick), HS_TEST(settled_content_is_kept),
    HS_TEST(the_spares_file_must_be_the_same),
    HS_TEST(directories_and_plain_devices),
    HS_TEST(what_cannot_come_back_is_refused),
    HS_TEST(too_much_content_is_refused),
    HS_TEST(a_number_that_changed_is_found),
    HS_TEST(a_number_that_is_taken_stops_the_restore),
    HS_TEST(a_terminals_attributes_come_back),
    HS_TEST(a_terminals_other_side_is_refused))
