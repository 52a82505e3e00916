/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be carried over for want of a part of the kernel, of a right or
 * of /proc: the refusal says what is missing.  Each in a child of its own, for
 * what is taken from a process does not come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fdhigh.h"
#include "state/fd_ops.h"
#include "tests/forbid.h"
#include "tests/unit/state_tools.h"
#include "tests/unit/suite.h"

#ifndef UDP_GRO
#define UDP_GRO 104			/* linux/udp.h */
#endif
#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

/* fn says whether all was as it should be. */
static void
in_child(bool fn(void))
{
	int status = -1;
	pid_t pid;

	state_begin();
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		const bool good = fn();

		(void)fflush(stdout);
		_exit(good ? 0 : 1);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	state_end();
}

static bool
refused_so(int fd, unsigned how, int want, const char *says)
{
	const int rc = hs_fd_register(fd, how);

	if (rc != want)
		printf("\n  fd %d: %d and not %d\n", fd, rc, want);
	return rc == want && state_says(says);
}

static bool
refused(int fd, const char *says)
{
	return refused_so(fd, 0, HS_EFD, says);
}

/* ---- one of each kind ---- */

static int
open_pipe(void)
{
	int end[2];

	return pipe(end) == 0 ? end[0] : -1;
}

static int
open_pair(void)
{
	int end[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, end) == 0 ? end[0] : -1;
}

static int
open_signal(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	return signalfd(-1, &set, 0);
}

enum kind {
	EVENT,
	TIMER,
	SIGNAL,
	EPOLL,
	INOTIFY,
	PIPE,
	PAIR,
	DIRECTORY,
	N
};

static void
open_all(int fd[N])
{
	fd[EVENT] = eventfd(5, 0);
	fd[TIMER] = timerfd_create(CLOCK_MONOTONIC, 0);
	fd[SIGNAL] = open_signal();
	fd[EPOLL] = epoll_create1(0);
	fd[INOTIFY] = inotify_init1(0);
	fd[PIPE] = open_pipe();
	fd[PAIR] = open_pair();
	fd[DIRECTORY] = open("/", O_RDONLY | O_DIRECTORY);
}

static bool
each_refuses_a_how(void)
{
	int fd[N];
	bool good = true;

	open_all(fd);
	for (int i = 0; i < N; i++)
		good &= refused_so(fd[i], HS_FD_SAME, HS_EMISUSE, "how ");
	return good;
}

static void
a_how_is_for_files(void)
{
	in_child(each_refuses_a_how);
}

/* ---- /proc ---- */

/* This process alone sees an empty directory there. */
static bool
hide(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", path, "tmpfs", 0, NULL) == 0;
}

/* What an empty /proc would say of fd; info NULL: it does not. */
static bool
show(int fd, const char *link, const char *info)
{
	char path[64];
	FILE *f;

	(void)mkdir("/proc/self", 0700);
	(void)mkdir("/proc/self/fd", 0700);
	(void)mkdir("/proc/self/fdinfo", 0700);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (symlink(link, path) < 0)
		return false;
	if (info == NULL)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "w");
	if (f == NULL)
		return false;
	(void)fputs(info, f);
	return fclose(f) == 0;
}

static bool
none_without_proc(void)
{
	const int udp = socket(AF_INET, SOCK_DGRAM, 0);
	bool good;
	int fd[N];

	open_all(fd);
	good = hide("/proc");
	for (int i = 0; i < N; i++)
		good &= refused(fd[i], "mount /proc where the service runs");
	/* Who needs none has none to mount. */
	return good && hs_fd_register(udp, HS_FD_EMPTY) == 0;
}

static bool
none_without_fdinfo(void)
{
	int fd[N];

	open_all(fd);
	return hide("/proc") && show(fd[EVENT], "anon_inode:[eventfd]", NULL) &&
	    show(fd[TIMER], "anon_inode:[timerfd]", NULL) &&
	    show(fd[SIGNAL], "anon_inode:[signalfd]", NULL) &&
	    refused(fd[EVENT], "/proc/self/fdinfo: No such file") &&
	    refused(fd[TIMER], "does not tell its state: mount /proc") &&
	    refused(fd[SIGNAL], "does not tell its mask: mount /proc");
}

static void
without_proc_it_is_to_be_mounted(void)
{
	in_child(none_without_proc);
	in_child(none_without_fdinfo);
}

/* As Linux 6.4 shows it. */
static bool
an_eventfd_of_before(void)
{
	const int fd = eventfd(5, 0);

	return hide("/proc") &&
	    show(fd, "anon_inode:[eventfd]",
		"pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t1057\n"
		"eventfd-count:                5\neventfd-id: 4\n") &&
	    refused(fd, "use Linux 6.5 or later, or a pipe");
}

static void
an_older_kernels_eventfd_is_refused(void)
{
	in_child(an_eventfd_of_before);
}

/* ---- parts of the kernel ---- */

static bool
no_checkpoint_restore(void)
{
	int fd[N];

	open_all(fd);
	return forbid_call(SYS_ioctl, ENOTTY) &&
	    refused(fd[TIMER], "use a kernel with CONFIG_CHECKPOINT_RESTORE") &&
	    refused(fd[INOTIFY], "use a kernel with CONFIG_CHECKPOINT_RESTORE");
}

static bool
no_kcmp(void)
{
	const int fd = eventfd(0, 0), other = eventfd(0, 0), again = dup(fd);
	int end[2];

	if (pipe(end) < 0 || !forbid_call(SYS_kcmp, ENOSYS))
		return false;
	/* One that shares nothing needs it not. */
	return hs_fd_register(end[0], 0) == 0 && hs_fd_register(fd, 0) == 0 &&
	    refused(again, "allow kcmp(2) to the service") &&
	    refused(other, "(kcmp: Function not implemented)");
}

static bool
no_unix_diag(void)
{
	const int fd = open_pair();

	return forbid_call(SYS_socket, EAFNOSUPPORT) &&
	    refused(fd, "modprobe unix_diag");
}

static void
what_the_kernel_lacks_is_named(void)
{
	in_child(no_checkpoint_restore);
	in_child(no_kcmp);
	in_child(no_unix_diag);
}

/* ---- rights ---- */

static bool
no_right_to_read(void)
{
	char name[] = "/tmp/hotspare-refuse-XXXXXX";
	int fd;

	if (!hide("/tmp"))
		return false;
	fd = mkstemp(name);
	return fd >= 0 && fchmod(fd, 0) == 0 && seteuid(65534) == 0 &&
	    refused_so(fd, HS_FD_CONTENT, HS_EFD,
		"(Permission denied): let the service read the file, or ");
}

static void
what_the_service_may_not_is_named(void)
{
	in_child(no_right_to_read);
}

/* ---- what leads elsewhere ---- */

static bool
a_long_path(void)
{
	char name[251];
	int fd;

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	if (!hide("/tmp") || chdir("/tmp") < 0)
		return false;
	for (int i = 0; i < 9; i++)
		if (mkdir(name, 0700) < 0 || chdir(name) < 0)
			return false;
	fd = open("file", O_RDWR | O_CREAT, 0600);
	return refused(fd, "more than 2047 bytes: open it by a shorter one");
}

static bool
no_path(void)
{
	const int ns = open("/proc/self/ns/net", O_RDONLY);
	const int pid = (int)syscall(SYS_pidfd_open, getpid(), 0);

	return refused(ns, "open it anew after HS_RESTORED") &&
	    refused(pid, "open it anew after HS_RESTORED");
}

/* It would be another process's, or none, on a spare. */
static bool
files_of_a_process(void)
{
	const int maps = open("/proc/self/maps", O_RDONLY);
	const int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);

	return refused(maps, "which stays behind: open it anew") &&
	    refused(dir, "which stays behind: open it anew");
}

/* What is read is not what fstat(2) says of it. */
static bool
files_of_the_kernel(void)
{
	const int proc = open("/proc/meminfo", O_RDONLY);
	const int sys = open("/sys/kernel/uevent_seqnum", O_RDONLY);
	const char *why = "makes the file's content when it is read";

	return refused_so(proc, HS_FD_CONTENT, HS_EFD, why) &&
	    refused_so(proc, HS_FD_SAME, HS_EFD, why) &&
	    (sys < 0 || refused_so(sys, HS_FD_CONTENT, HS_EFD, why)) &&
	    hs_fd_register(proc, 0) == 0;
}

static bool
deleted_directories(void)
{
	char name[] = "/tmp/hotspare-unit.XXXXXX";
	int fd;

	if (mkdtemp(name) == NULL)
		return false;
	fd = open(name, O_RDONLY | O_DIRECTORY);
	return rmdir(name) == 0 && refused(fd, "was deleted") &&
	    !state_says("HS_FD_CONTENT");
}

static bool
numbers_of_the_library(void)
{
	const int high = hs_fdhigh_move(open("/dev/null", O_RDONLY));
	int first, last;

	return hs_fdhigh_range(&first, &last) && high >= first &&
	    high <= last && refused(high, "register a lower number, which") &&
	    dup2(high, first - 1) == first - 1 &&
	    hs_fd_register(first - 1, 0) == 0;
}

static bool
a_terminal_of_a_session(void)
{
	const int master = posix_openpt(O_RDWR | O_NOCTTY);
	int tty;

	if (master < 0 || unlockpt(master) < 0 || setsid() < 0 ||
	    open(ptsname(master), O_RDWR) < 0) /* NOLINT: one thread */
		return false;
	tty = open("/dev/tty", O_RDWR | O_NOCTTY);
	return tty >= 0 &&
	    refused(tty, "open the terminal by its own name, see ttyname(3)") &&
	    refused(master, "open one anew after HS_RESTORED");
}

static bool
signals_to_a_process(void)
{
	int end[2];

	return pipe(end) == 0 && fcntl(end[0], F_SETFL, O_ASYNC) == 0 &&
	    refused(end[0],
		"take it off (fcntl(F_SETFL)), and set it again ") &&
	    fcntl(end[0], F_SETFL, 0) == 0 && hs_fd_register(end[0], 0) == 0;
}

static void
what_leads_elsewhere_is_refused(void)
{
	in_child(a_long_path);
	in_child(no_path);
	in_child(files_of_a_process);
	in_child(files_of_the_kernel);
	in_child(deleted_directories);
	in_child(numbers_of_the_library);
	in_child(a_terminal_of_a_session);
	in_child(signals_to_a_process);
}

/* ---- sockets ---- */

static bool
udp_option_refused(int option, int value)
{
	const int fd = socket(AF_INET, SOCK_DGRAM, 0), off = 0;
	bool good;

	/* A kernel without it has nothing to refuse. */
	if (setsockopt(fd, IPPROTO_UDP, option, &value, sizeof(value)) < 0)
		return errno == ENOPROTOOPT;
	good = refused(fd, "is not carried over: turn the option off");
	return good &&
	    setsockopt(fd, IPPROTO_UDP, option, &off, sizeof(off)) == 0 &&
	    hs_fd_register(fd, 0) == 0;
}

static bool
udp_options(void)
{
	return udp_option_refused(UDP_GRO, 1) &&
	    udp_option_refused(UDP_ENCAP, UDP_ENCAP_ESPINUDP) &&
	    udp_option_refused(UDP_CORK, 1);
}

/* A program that takes every packet; -1: the kernel has no eBPF. */
static int
load_filter(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0xffff },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = 2,
		.insns = (uintptr_t)code,
		.license = (uintptr_t) "GPL",
	};

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static bool
filter_refused(int fd, int option, const void *filter, size_t len)
{
	const int any = 0;
	bool good;

	if (setsockopt(fd, SOL_SOCKET, option, filter, (socklen_t)len) < 0)
		return false;
	good = refused(fd, "detach it (SO_DETACH_FILTER), and attach it after");
	return good &&
	    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &any, sizeof(any)) ==
	    0 &&
	    hs_fd_register(fd, 0) == 0;
}

static bool
socket_filters(void)
{
	struct sock_filter all = { BPF_RET | BPF_K, 0, 0, 0xffff };
	const struct sock_fprog prog = { 1, &all };
	const int ebpf = load_filter();

	if (ebpf < 0 && errno != ENOSYS)
		return false;
	return filter_refused(socket(AF_INET6, SOCK_DGRAM, 0), SO_ATTACH_FILTER,
		   &prog, sizeof(prog)) &&
	    filter_refused(open_pair(), SO_ATTACH_FILTER, &prog,
		sizeof(prog)) &&
	    (ebpf < 0 ||
		(filter_refused(socket(AF_INET, SOCK_DGRAM, 0), SO_ATTACH_BPF,
		     &ebpf, sizeof(ebpf)) &&
		    filter_refused(open_pair(), SO_ATTACH_BPF, &ebpf,
			sizeof(ebpf))));
}

static void
sockets_that_do_more_are_refused(void)
{
	in_child(udp_options);
	in_child(socket_filters);
}

/* With the rights of the system's administrator, who mounts and loads. */
HS_SUITE(state_fd_refuse, HS_TEST(a_how_is_for_files),
    HS_TEST(without_proc_it_is_to_be_mounted),
    HS_TEST(an_older_kernels_eventfd_is_refused),
    HS_TEST(what_the_kernel_lacks_is_named),
    HS_TEST(what_the_service_may_not_is_named),
    HS_TEST(what_leads_elsewhere_is_refused),
    HS_TEST(sockets_that_do_more_are_refused))
