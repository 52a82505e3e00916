/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of the additional state as a release wrote them: they are restored,
 * and what is then asked for is written as it was.  So a change of what is
 * written, or of what is read, does not go unnoticed.
 *
 * Each file of tests/golden/state is records of one section, one after the
 * other: kind (2), key (8), len (4), the bytes.  HS_GOLDEN_ADD=DIRECTORY writes
 * those that are not there yet.
 *
 * In a child with namespaces, files and addresses of its own.
 */
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/tsan.h"
#include "base/why.h"
#include "base/wr.h"
#include "state/clock.h"
#include "state/context.h"
#include "state/fd.h"
#include "state/fd_inotify.h"
#include "state/memreg.h"
#include "state/signal.h"
#include "state/store.h"
#include "state/thread.h"
#include "state/timer.h"
#include "tests/unit/suite.h"

#define FILE_BYTES ((size_t)64 << 10)
#define MEMORY_BASE ((uintptr_t)0x200000000000)
#define MEMORY_BYTES ((size_t)1 << 20)
#define FIRST_FD 400
/* Of the records of sockets what comes before their options, which differ. */
#define HEAD 24
#define NAME 40
/* 2100-01-01. */
#define LATER 4102444800

static void
require(int ok, const char *what)
{
	if (ok)
		return;
	printf("\n  %s: %s\n", what, hs_why_line());
	(void)fflush(stdout);
	_exit(1);
}

#define REQUIRE(ok) require(ok, #ok)

/* ---- a machine of its own, and memory at addresses that records have ---- */

static void
begin_life(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	hs_signal_home();
	REQUIRE(unshare(CLONE_NEWNS | CLONE_NEWNET) == 0);
	REQUIRE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	REQUIRE(mount("none", "/tmp", "tmpfs", 0, NULL) == 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	REQUIRE(ioctl(fd, SIOCSIFFLAGS, &lo) == 0);
	REQUIRE(close(fd) == 0);
	REQUIRE(mmap((void *)MEMORY_BASE, MEMORY_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) == (void *)MEMORY_BASE);
}

/* From the end of it; the beginning is for what has its place. */
static int
lend(void *arg, size_t len, void **out)
{
	size_t *left = arg;

	if (len > *left)
		return HS_EARENA;
	*left = (*left - len) & ~(size_t)15;
	*out = (void *)(MEMORY_BASE + *left);
	return 0;
}

static void
take(void *arg, void *p)
{
	(void)arg;
	(void)p;
}

static bool
is_lent(void *arg, const void *p, size_t len)
{
	const uintptr_t at = (uintptr_t)p - MEMORY_BASE;

	(void)arg;
	return at <= MEMORY_BYTES && len <= MEMORY_BYTES - at;
}

static struct hs_store *
create_store(void)
{
	static size_t left = MEMORY_BYTES;
	const struct hs_store_mem mem = { .arg = &left,
		.alloc = lend,
		.free = take,
		.has = is_lent };
	struct hs_store *s = NULL;

	REQUIRE(hs_store_create(&s, &mem) == 0);
	return s;
}

/* ---- what is there ---- */

static int
place(int fd, int number)
{
	REQUIRE(fd >= 0 && dup2(fd, number) == number && close(fd) == 0);
	return number;
}

static void
keep(int fd, int number, unsigned how)
{
	REQUIRE(hs_fd_register(place(fd, number), how) == 0);
}

static void
keep_two(const int end[2], int number)
{
	(void)place(end[0], number);
	(void)place(end[1], number + 1);
	REQUIRE(hs_fd_register(number, 0) == 0);
	REQUIRE(hs_fd_register(number + 1, 0) == 0);
}

static void
write_file(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);

	REQUIRE(write(fd, "content", 7) == 7 && close(fd) == 0);
}

/* Files that the restore looks for. */
static void
prepare_fds(struct hs_store *s)
{
	(void)s;
	(void)umask(022);
	write_file("/tmp/plain");
}

static void
make_files(int n)
{
	int fd;

	fd = open("/tmp/carried", O_RDWR | O_CREAT, 0640);
	REQUIRE(write(fd, "carried content", 15) == 15);
	REQUIRE(lseek(fd, 7, SEEK_SET) == 7);
	keep(fd, n, HS_FD_CONTENT);
	keep(dup(n), n + 1, 0);
	keep(open("/tmp/plain", O_WRONLY | O_APPEND | O_CLOEXEC), n + 2, 0);
	keep(open("/tmp/plain", O_RDONLY), n + 3, HS_FD_SAME);
	keep(open("/tmp", O_RDONLY | O_DIRECTORY), n + 4, 0);
	keep(open("/dev/null", O_RDWR), n + 5, 0);
}

static void
make_pairs(int n)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int end[2];

	REQUIRE(pipe2(end, O_NONBLOCK) == 0);
	REQUIRE(write(end[1], "in a pipe", 9) == 9);
	keep_two(end, n);
	for (int i = 0; i < 3; i++) {
		n += 2;
		REQUIRE(socketpair(AF_UNIX, types[i], 0, end) == 0);
		keep_two(end, n);
		REQUIRE(send(n, "there", 5, 0) == 5);
		REQUIRE(send(n + 1, "and back", 8, 0) == 8);
	}
}

static void
make_events(int n)
{
	const struct itimerspec when = { .it_value = { .tv_sec = LATER },
		.it_interval = { .tv_sec = 3 } };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET,
		.data = { .u64 = 0x1122334455667788 } };
	sigset_t set;
	int fd;

	fd = eventfd(5, EFD_SEMAPHORE);
	keep(fd, n, 0);
	fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	REQUIRE(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
	keep(fd, n + 1, 0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGRTMAX);
	keep(signalfd(-1, &set, SFD_CLOEXEC), n + 2, 0);
	fd = epoll_create1(0);
	REQUIRE(epoll_ctl(fd, EPOLL_CTL_ADD, n, &ev) == 0);
	keep(fd, n + 3, 0);
	keep(inotify_init1(0), n + 4, 0);
	REQUIRE(
	    hs_fd_inotify_watch(n + 4, "/tmp", IN_CREATE | IN_ONLYDIR) == 1);
}

static void
make_names(int n)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/listening");
	REQUIRE(bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	REQUIRE(listen(fd, 9) == 0);
	keep(fd, n, 0);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/datagrams");
	REQUIRE(bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	keep(fd, n + 1, 0);
}

static void
make_fds(struct hs_store *s)
{
	prepare_fds(s);
	make_files(FIRST_FD);
	make_pairs(FIRST_FD + 10);
	make_events(FIRST_FD + 20);
	make_names(FIRST_FD + 30);
}

static void
make_sockets(struct hs_store *s)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_port = htons(4711),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(4712) };
	const int tcp = socket(AF_INET, SOCK_STREAM, 0);
	const int udp = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)s;
	REQUIRE(bind(tcp, (struct sockaddr *)&v4, sizeof(v4)) == 0);
	REQUIRE(listen(tcp, 9) == 0);
	keep(tcp, FIRST_FD, 0);
	REQUIRE(bind(udp, (struct sockaddr *)&v6, sizeof(v6)) == 0);
	keep(udp, FIRST_FD + 1, HS_FD_EMPTY);
}

static void
make_signals(struct hs_store *s)
{
	const int rt = SIGRTMIN + 3;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, rt);
	(void)sigaddset(&set, SIGUSR2);
	REQUIRE(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	(void)signal(SIGUSR1, SIG_IGN);
	REQUIRE(kill(getpid(), SIGUSR2) == 0);
	for (int i = 5; i < 7; i++) {
		const union sigval v = { .sival_int = i };

		REQUIRE(sigqueue(getpid(), rt, v) == 0);
	}
	REQUIRE(hs_signal_add(s, SIGUSR1) == 0);
	REQUIRE(hs_signal_add(s, SIGUSR2) == 0);
	REQUIRE(hs_signal_add(s, rt) == 0);
}

static void
make_timers(struct hs_store *s)
{
	const struct itimerspec when = { .it_value = { .tv_sec = LATER },
		.it_interval = { .tv_sec = 3 } };
	struct sigevent ev = { .sigev_notify = SIGEV_NONE,
		.sigev_value = { .sival_int = 12 } };
	timer_t *slot = (timer_t *)MEMORY_BASE;

	REQUIRE(hs_signal_add(s, SIGALRM) == 0);
	REQUIRE(timer_create(CLOCK_REALTIME, &ev, slot) == 0);
	REQUIRE(timer_settime(*slot, TIMER_ABSTIME, &when, NULL) == 0);
	REQUIRE(hs_timer_add(s, slot, CLOCK_REALTIME, &ev) == 0);
	REQUIRE(hs_timer_add_itimer(s, ITIMER_REAL) == 0);
}

static void
make_context(struct hs_store *s)
{
	(void)umask(027);
	REQUIRE(chdir("/tmp") == 0);
	REQUIRE(hs_context_keep(s, HS_CTX_CWD | HS_CTX_UMASK) == 0);
}

static char area[16];

static void
prepare_memory(struct hs_store *s)
{
	REQUIRE(hs_memreg_add(s, "area", area, sizeof(area)) == HS_RESTORED);
}

static void
make_memory(struct hs_store *s)
{
	REQUIRE(hs_memreg_add(s, "area", area, sizeof(area)) == HS_FRESH);
}

static void
make_clock(struct hs_store *s)
{
	(void)s;
	hs_clock_begin();
	hs_clock_need();
}

static void
make_threads(struct hs_store *s)
{
	struct hs_thread_plan p = { .name = "worker",
		.worker = { .build_id = { 1, 2, 3, 4 }, .off = 0x1234 },
		.arg = MEMORY_BASE,
		.stack_bytes = 1 << 20,
		.guard_bytes = 4096,
		.blocked = 0x8001,
		.policy = SCHED_BATCH,
		.nice = 5,
		.cpus = { 3 } };
	uint8_t buf[HS_THREAD_BYTES];

	hs_thread_encode(&p, buf);
	REQUIRE(hs_store_put(s, HS_STORE_THREAD, 1, buf, sizeof(buf)) == 0);
}

/* A record of a thread is written once: again, as it is read. */
static void
rewrite_threads(struct hs_store *s)
{
	struct hs_thread_plan p;
	struct hs_store_rec rec;
	uint8_t buf[HS_THREAD_BYTES];

	REQUIRE(hs_store_get(s, HS_STORE_THREAD, 1, &rec) == 0);
	REQUIRE(hs_thread_decode(&rec, &p) == 0);
	REQUIRE(strcmp(p.name, "worker") == 0 && p.nice == 5);
	hs_thread_encode(&p, buf);
	REQUIRE(hs_store_put(s, HS_STORE_THREAD, 1, buf, sizeof(buf)) == 0);
}

/* ---- the files ---- */

struct section {
	const char *name;
	const struct hs_section_ops *ops;	/* NULL: of threads */
	void (*make)(struct hs_store *s);
	void (*before)(struct hs_store *s);	/* the restore; may be NULL */
	/* What a machine may say otherwise, of the record key (0: of all). */
	uint64_t key;
	size_t from, to;
};

static const struct section sections[] = {
	{ .name = "descriptors",
	    .ops = &hs_fd_section,
	    .make = make_fds,
	    .before = prepare_fds,
	    /* The timerfd's date is found as now and what is left. */
	    .key = FIRST_FD + 21,
	    .from = HEAD + 12,
	    .to = HEAD + 20 },
	{ .name = "sockets",
	    .ops = &hs_fd_section,
	    .make = make_sockets,
	    .from = HEAD + NAME + 4,
	    .to = SIZE_MAX },
	{ .name = "signals", .ops = &hs_signal_section, .make = make_signals },
	/* The id is the kernel's. */
	{ .name = "timers",
	    .ops = &hs_timer_section,
	    .make = make_timers,
	    .key = MEMORY_BASE,
	    .from = 24,
	    .to = 32 },
	{ .name = "context", .ops = &hs_context_section, .make = make_context },
	{ .name = "memory",
	    .ops = &hs_memreg_section,
	    .make = make_memory,
	    .before = prepare_memory },
	/* Time goes by. */
	{ .name = "clock",
	    .ops = &hs_clock_section,
	    .make = make_clock,
	    .from = 8,
	    .to = 32 },
	/* Its worker is of no program that is here. */
	{ .name = "threads", .make = make_threads },
};

static size_t
dump_records(struct hs_store *s, uint8_t *buf)
{
	struct hs_store_rec rec;
	uint64_t key;
	struct hs_wr w;

	hs_wr_init(&w, buf, FILE_BYTES);
	for (uint16_t kind = HS_STORE_MEMORY; kind <= HS_STORE_LOCK; kind++)
		for (key = 0; hs_store_next(s, kind, key, &rec) == 1;
		     key = rec.key + 1) {
			hs_wr_u16(&w, kind);
			hs_wr_u64(&w, rec.key);
			hs_wr_u32(&w, (uint32_t)rec.len);
			hs_wr_bytes(&w, rec.bytes, rec.len);
		}
	REQUIRE(hs_wr_end(&w) >= 0);
	return w.len;
}

static void
load_records(struct hs_store *s, const uint8_t *buf, size_t len)
{
	struct hs_rd r = { .p = buf, .left = len };

	while (r.left > 0) {
		const uint16_t kind = hs_rd_u16(&r);
		const uint64_t key = hs_rd_u64(&r);
		const size_t n = hs_rd_u32(&r);
		const uint8_t *bytes = hs_rd_bytes(&r, n);

		REQUIRE(r.err == 0);
		REQUIRE(hs_store_put(s, kind, key, bytes, n) == 0);
	}
}

/* As the file has them, but for what another machine says otherwise. */
static void
compare_records(const struct section *c, struct hs_store *s, const uint8_t *buf,
    size_t len)
{
	struct hs_rd r = { .p = buf, .left = len };
	struct hs_store_rec rec;

	while (r.left > 0) {
		const uint16_t kind = hs_rd_u16(&r);
		const uint64_t key = hs_rd_u64(&r);
		const size_t n = hs_rd_u32(&r);
		const uint8_t *bytes = hs_rd_bytes(&r, n);

		REQUIRE(hs_store_get(s, kind, key, &rec) == 0);
		REQUIRE(
		    rec.len == n || (c->to == SIZE_MAX && rec.len >= c->from));
		for (size_t i = 0; i < n; i++) {
			const bool any = i >= c->from && i < c->to &&
			    (c->key == 0 || c->key == key);

			if (any || rec.bytes[i] == bytes[i])
				continue;
			printf("\n  %s.bin: record %u/%llu differs at %zu\n",
			    c->name, kind, (unsigned long long)key, i);
			REQUIRE(false);
		}
	}
}

static void
file_path(char path[1024], const char *dir, const char *name)
{
	(void)snprintf(path, 1024, "%s/%s.bin", dir, name);
}

static size_t
read_file(const struct section *c, uint8_t *buf)
{
	char path[1024];
	size_t len;
	FILE *f;

	file_path(path, HS_GOLDEN_DIR "/state", c->name);
	f = fopen(path, "rbe");
	if (f == NULL)
		return 0;
	len = fread(buf, 1, FILE_BYTES, f);
	(void)fclose(f);
	return len;
}

static void
restore_section(const struct section *c)
{
	static uint8_t file[FILE_BYTES];
	const size_t len = read_file(c, file);
	struct hs_store *s;

	REQUIRE(len > 0);
	begin_life();
	s = create_store();
	load_records(s, file, len);
	if (c->before != NULL)
		c->before(s);
	if (c->ops != NULL) {
		REQUIRE(c->ops->restore(s) == 0);
		REQUIRE(c->ops->query(s) == 0);
	} else
		rewrite_threads(s);
	compare_records(c, s, file, len);
}

static void
make_section(const struct section *c)
{
	static uint8_t file[FILE_BYTES];
	const int dir = open(getenv("HS_GOLDEN_ADD"), O_RDONLY | O_DIRECTORY);
	char name[64];
	struct hs_store *s;
	size_t len;
	int fd;

	begin_life();
	s = create_store();
	c->make(s);
	if (c->ops != NULL)
		REQUIRE(c->ops->query(s) == 0);
	len = dump_records(s, file);
	(void)snprintf(name, sizeof(name), "%s.bin", c->name);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd >= 0)
		REQUIRE(write(fd, file, len) == (ssize_t)len &&
		    fchmod(fd, 0644) == 0);
}

static void
in_child(void run(const struct section *c), const struct section *c)
{
	int status = -1;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run(c);
		(void)fflush(stdout);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	if (status != 0)
		printf("\n  %s.bin: %#x\n", c->name, (unsigned)status);
	CU_ASSERT_EQUAL(status, 0);
}

static void
what_was_written_is_restored_and_written_again(void)
{
	/* The address in the records is none that TSan lends. */
	size_t n = HS_TSAN ? 0 : sizeof(sections) / sizeof(sections[0]);

	for (size_t i = 0; i < n; i++) {
		if (getenv("HS_GOLDEN_ADD") != NULL)
			in_child(make_section, &sections[i]);
		in_child(restore_section, &sections[i]);
	}
}

HS_SUITE(state_golden, HS_TEST(what_was_written_is_restored_and_written_again))
