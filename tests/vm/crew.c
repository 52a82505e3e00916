/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vm/crew.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/vm/tap.h"

#define DISK	"/dev/ram0"
#define REGION	(2UL << 20)	/* what one page table maps */
#define TRIED	8		/* times, at least */

/* What this process has of the arena, for its adversary. */
static struct {
	struct crew *crew;
	uint64_t *at[2 * CREW_MOST];
	unsigned n;
} here;

static void *
shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(at != MAP_FAILED, "mmap() of %zu bytes", bytes);
	return at;
}

uint64_t
crew_place(const struct crew *c, unsigned w, uint64_t s)
{
	uint64_t x = s * 0x9e3779b97f4a7c15ULL + w;
	uint64_t page, sector;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	page = x % c->npages;
	/* A sector has one writer: a disk writes all of it. */
	sector = (x >> 40) % (WORDS / SECTOR_WORDS / c->n) * c->n + w;
	return page * WORDS + sector * SECTOR_WORDS + (x >> 48) % SECTOR_WORDS;
}

/* Across the border of two page tables, which nothing else uses. */
static uint64_t *
map_across(const struct crew *c, void **room)
{
	size_t bytes = c->npages * PAGE;
	uintptr_t border;
	uint64_t *at;

	*room = mmap(NULL, 4 * REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	must(*room != MAP_FAILED && bytes <= REGION, "room for a mapping");
	border = ((uintptr_t)*room + 2 * REGION) & -REGION;
	at = mmap((void *)(border - bytes / 2), bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED, c->arena->fd, 0);
	must(at != MAP_FAILED, "a second mapping");
	return at;
}

static bool
write_vm(const struct writer *w, uint64_t place, uint64_t value)
{
	struct iovec from = { .iov_base = &value, .iov_len = sizeof(value) };
	struct iovec to = { .iov_base = &w->at[0][place],
		.iov_len = sizeof(value) };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) ==
	    sizeof(value);
}

/* What was sent and could not be read stays in the pipe. */
static bool
write_pipe(const struct writer *w, uint64_t place, uint64_t value, bool *sent)
{
	if (!*sent)
		must(write(w->pipe[1], &value, sizeof(value)) == sizeof(value),
		    "write to a pipe");
	*sent = true;
	return read(w->pipe[0], &w->at[0][place], sizeof(value)) ==
	    sizeof(value);
}

static bool
write_direct(const struct writer *w, uint64_t place, uint64_t value)
{
	uint64_t first = place - place % SECTOR_WORDS;
	off_t off = w->index * (off_t)PAGE;

	memcpy(w->sector, &w->crew->model[first], SECTOR_BYTES);
	w->sector[place - first] = value;
	must(pwrite(w->disk, w->sector, SECTOR_BYTES, off) == SECTOR_BYTES,
	    "O_DIRECT write to the disk");
	return pread(w->disk, &w->at[0][first], SECTOR_BYTES, off) ==
	    SECTOR_BYTES;
}

static void
write_word(struct writer *w, uint64_t place, uint64_t value)
{
	unsigned manners = w->crew->manners, bit, manner;
	bool done = false, sent = false;

	do
		bit = (unsigned)(draw(&w->seed) % MANNERS);
	while ((manners & 1U << bit) == 0);
	manner = 1U << bit;
	/* EFAULT while a foe has it read-only. */
	while (!done) {
		switch (manner) {
		case BY_VM_WRITEV:
			done = write_vm(w, place, value);
			break;
		case BY_PIPE:
			done = write_pipe(w, place, value, &sent);
			break;
		case BY_DIRECT:
			done = write_direct(w, place, value);
			break;
		default:
			__atomic_store_n(&w->at[manner == BY_SECOND][place],
			    value, __ATOMIC_RELAXED);
			done = true;
		}
		must(done || errno == EFAULT, "a write in manner %#x", manner);
		if (!done)
			atomic_fetch_add(&w->crew->refused, 1);
	}
	atomic_fetch_add(&w->crew->written[bit], 1);
}

static void
pause_for(uint64_t turns)
{
	for (; turns > 0; turns--)
		__asm__ volatile("pause");
}

static void
rest(struct writer *w)
{
	struct crew *c = w->crew;

	pause_for(draw(&w->seed) % (c->rest + 1));
	if (!atomic_load(&c->park))
		return;
	atomic_fetch_add(&c->parked, 1);
	while (atomic_load(&c->park) && !atomic_load(&c->stop))
		usleep(200);
	atomic_fetch_sub(&c->parked, 1);
}

static void *
run_writer(void *arg)
{
	struct writer *w = arg;
	struct crew *c = w->crew;
	const struct writer *next = &c->writer[(w->index + 1) % c->n];

	rest(w);
	for (uint64_t s = 1; !atomic_load(&c->stop); s++) {
		uint64_t place = crew_place(c, w->index, s);
		uint64_t seen = atomic_load(&next->done);
		uint64_t value = s | seen << 32;

		write_word(w, place, value);
		c->model[place] = value;
		atomic_store(&w->done, s);
		rest(w);
	}
	return NULL;
}

static void
prepare_writer(struct writer *w)
{
	int flags = O_RDWR | O_DIRECT | O_CLOEXEC;

	w->at[0] = w->pid == 0 ? w->crew->arena->at : arena_map(w->crew->arena);
	w->at[1] = map_across(w->crew, &w->room);
	here.at[here.n++] = w->at[0];
	here.at[here.n++] = w->at[1];
	if ((w->crew->manners & BY_DIRECT) != 0) {
		w->disk = open(DISK, flags);
		must(w->disk >= 0, "open(%s)", DISK);
	}
	must(pipe(w->pipe) == 0, "pipe()");
	must(posix_memalign((void **)&w->sector, PAGE, PAGE) == 0, "memory");
}

static size_t
count_entries(void *at, uint64_t n)
{
	unsigned char in[REGION / PAGE];
	size_t sum = 0;

	must(n <= sizeof(in) && mincore(at, n * PAGE, in) == 0, "mincore()");
	for (uint64_t i = 0; i < n; i++)
		sum += in[i] & 1;
	return sum;
}

static void
drop_entries(struct crew *c, void *at, uint64_t n)
{
	size_t present = count_entries(at, n);

	must(madvise(at, n * PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	atomic_fetch_add(&c->dropped, present);
}

/* Read-only at times for long enough to be met by a write. */
static void
flip_protection(void *at, uint64_t n, uint64_t random)
{
	must(mprotect(at, n * PAGE, PROT_READ) == 0, "mprotect()");
	if (random % 4 == 0)
		usleep(50);
	else
		pause_for(random % 200);
	must(mprotect(at, n * PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect()");
}

static void *
run_foe(void *arg)
{
	struct crew *c = arg;
	uint64_t seed = (now_ms() ^ (uint64_t)getpid() << 32) | 1, turn = 0;

	while (!atomic_load(&c->stop)) {
		uint64_t first = draw(&seed) % c->npages;
		uint64_t n = 1 + draw(&seed) % (c->npages - first);
		uint64_t *at = here.at[draw(&seed) % here.n] + first * WORDS;
		bool both = c->against == (AGAINST_DONTNEED | AGAINST_MPROTECT);

		if (both ? turn++ % 2 == 0 : c->against == AGAINST_DONTNEED)
			drop_entries(c, at, n);
		else
			flip_protection(at, n, draw(&seed));
		if (draw(&seed) % 4 == 0)
			usleep(100);
		pause_for(draw(&seed) % 3000);
	}
	return NULL;
}

static void
start_foe(struct crew *c, pthread_t *foe)
{
	must(pthread_create(foe, NULL, run_foe, c) == 0, "a thread");
}

static void
start_writer(struct crew *c, unsigned index, uint64_t seed)
{
	struct writer *w = &c->writer[index];
	pthread_t foe;
	pid_t pid;

	w->crew = c;
	w->index = index;
	w->disk = -1;
	w->seed = seed * (index + 1) | 1;
	if (index % 2 == 0) {
		prepare_writer(w);
		must(pthread_create(&w->thread, NULL, run_writer, w) == 0,
		    "a thread");
		return;
	}
	fflush(stdout);
	/* Not in *w at once: both see that, and each would see the other's. */
	pid = fork();
	must(pid >= 0, "fork()");
	w->pid = pid > 0 ? pid : getpid();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		here.n = 0;
		prepare_writer(w);
		if (c->against != 0)
			start_foe(c, &foe);
		run_writer(w);
		_exit(0);
	}
}

/* A store to what a foe has made read-only for a moment is tried again. */
static void
on_segv(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code != SEGV_ACCERR) {
		signal(number, SIG_DFL);
		return;
	}
	atomic_fetch_add(&here.crew->refused, 1);
	sched_yield();
}

struct crew *
crew_start(struct arena *a, unsigned n, unsigned manners, unsigned against,
    uint64_t seed)
{
	struct sigaction action = { .sa_sigaction = on_segv,
		.sa_flags = SA_SIGINFO };
	struct sched_param first = { .sched_priority = 1 };
	struct crew *c = shared(sizeof(*c));

	must(n <= CREW_MOST, "at most %d writers", CREW_MOST);
	sigaction(SIGSEGV, &action, NULL);
	/* Whoever looks at memory does it while others write, not after. */
	must(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first) ==
		0,
	    "sched_setscheduler()");
	here.crew = c;
	here.n = 0;
	c->arena = a;
	c->n = n;
	c->manners = manners;
	c->against = against;
	c->npages = a->npages;
	c->rest = 400;
	c->model = shared(a->npages * PAGE);
	atomic_store(&c->park, true);
	for (unsigned i = 0; i < n; i++)
		start_writer(c, i, seed);
	if (against != 0)
		start_foe(c, &c->foe);
	crew_park(c);
	return c;
}

void
crew_go(struct crew *c)
{
	atomic_store(&c->park, false);
	while (atomic_load(&c->parked) > 0)
		usleep(50);
}

void
crew_park(struct crew *c)
{
	uint64_t limit = now_ms() + 30000;

	atomic_store(&c->park, true);
	while (atomic_load(&c->parked) < c->n) {
		must(now_ms() < limit, "the writers do not come to rest");
		usleep(100);
	}
}

void
crew_end(struct crew *c)
{
	int status;

	atomic_store(&c->stop, true);
	if (c->against != 0)
		pthread_join(c->foe, NULL);
	for (unsigned i = 0; i < c->n; i++) {
		struct writer *w = &c->writer[i];

		if (w->pid > 0) {
			must(waitpid(w->pid, &status, 0) == w->pid &&
				status == 0,
			    "writer %u has ended", i);
			continue;
		}
		pthread_join(w->thread, NULL);
		munmap(w->room, 4 * REGION);
		if (w->disk >= 0)
			close(w->disk);
		close(w->pipe[0]);
		close(w->pipe[1]);
		free(w->sector);
	}
	signal(SIGSEGV, SIG_DFL);
	munmap(c->model, c->npages * PAGE);
	munmap(c, sizeof(*c));
}

uint64_t
crew_writes(const struct crew *c)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < c->n; w++)
		n += atomic_load(&c->writer[w].done);
	return n;
}

bool
crew_is_tried(const struct crew *c)
{
	bool tried = true;

	for (unsigned i = 0; i < MANNERS; i++)
		tried = tried &&
		    ((c->manners & 1U << i) == 0 ||
			atomic_load(&c->written[i]) >= TRIED);
	if ((c->against & AGAINST_DONTNEED) != 0)
		tried = tried && atomic_load(&c->dropped) >= TRIED;
	if ((c->against & AGAINST_MPROTECT) != 0)
		tried = tried && atomic_load(&c->refused) >= TRIED;
	return tried;
}

void
crew_note(const struct crew *c)
{
	note("%lu writes: %lu stores, %lu to the second mapping, %lu by "
	     "process_vm_writev, %lu from a pipe, %lu by O_DIRECT; %lu met "
	     "read-only memory; %lu entries dropped",
	    crew_writes(c), c->written[0], c->written[1], c->written[2],
	    c->written[3], c->written[4], c->refused, c->dropped);
}

void
judge_init(struct judge *j, const struct crew *c)
{
	*j = (struct judge){ .crew = c };
	j->expect = calloc(c->npages * WORDS, sizeof(*j->expect));
	must(j->expect != NULL, "calloc()");
}

void
judge_fini(struct judge *j)
{
	free(j->expect);
}

/* Word i belongs to the writer of its sector. */
static unsigned
writer_of(const struct crew *c, uint64_t i)
{
	return (unsigned)(i / SECTOR_WORDS % c->n);
}

uint64_t
judge_image(struct judge *j, const uint64_t *image)
{
	const struct crew *c = j->crew;
	uint64_t newest[CREW_MOST] = { 0 }, bad = 0;

	for (uint64_t i = 0; i < c->npages * WORDS; i++) {
		unsigned w = writer_of(c, i);

		if ((uint32_t)image[i] > (uint32_t)newest[w])
			newest[w] = image[i];
	}
	for (unsigned w = 0; w < c->n; w++) {
		uint64_t m = (uint32_t)newest[w];

		bad += m < j->m[w];	/* older than the image before it */
		for (uint64_t s = j->m[w] + 1; s <= m; s++)
			j->expect[crew_place(c, w, s)] = (uint32_t)s;
		if (m > j->m[w])
			j->m[w] = m;
	}
	for (unsigned w = 0; w < c->n; w++)		/* P2 */
		bad += newest[w] >> 32 > j->m[(w + 1) % c->n];
	for (uint64_t i = 0; i < c->npages * WORDS; i++)	/* P1 */
		bad += (uint32_t)image[i] != j->expect[i];
	return bad;
}
