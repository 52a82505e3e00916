/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_order: is a checkpoint of SQLite's files like a disk that writes in
 * order?  One thread writes a number to one file, then to another one, then
 * the next number, as fast as it can.  Another thread takes checkpoints, with
 * much to copy between the two files, until it kills the process.  Its spare
 * looks: the first file has the second one's number, or the next.  After ROUNDS
 * images it says so; the status is 0 in any case, for hs-agent would go on
 * otherwise.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <hotspare/hs.h>
#include <sqlite3.h>

#include "examples/sqlite/vfs.h"

#define ROUNDS 12
#define SHORT_MS 60
/* hs-agent gives up what dies five times in a row within 2 s. */
#define LONG_EVERY 4
#define LONG_MS 2100
#define GIVE_UP_MS 10000
#define PAGES 512	/* between the two files */
#define PAGE_BYTES 4096

/* In the order in which this round writes them. */
static sqlite3_file *file[2];
static sqlite3_file *between;

static _Noreturn void
end(const char *text)
{
	(void)printf("%s\n", text);
	(void)fflush(stdout);
	exit(0);
}

static sqlite3_file *
open_file(const char *name)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(VFS_NAME);
	sqlite3_file *f = calloc(1, (size_t)vfs->szOsFile);

	if (f == NULL ||
	    vfs->xOpen(vfs, name, f,
		SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_CREATE |
		    SQLITE_OPEN_READWRITE,
		NULL) != SQLITE_OK)
		end("broken: no file");
	return f;
}

static uint64_t
read_number(sqlite3_file *f)
{
	uint64_t n = 0;

	(void)f->pMethods->xRead(f, &n, sizeof(n), 0);
	return n;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
write_number(sqlite3_file *f, uint64_t n)
{
	if (f->pMethods->xWrite(f, &n, sizeof(n), 0) != SQLITE_OK)
		end("broken: a write failed");
}

static void *
write_numbers(void *arg)
{
	uint64_t n = *(uint64_t *)arg;

	for (;;) {
		n++;
		write_number(file[0], n);
		write_number(file[1], n);
	}
	return NULL;
}

/* What is copied after the one file and before the other. */
static void
write_between(void)
{
	static uint64_t n;

	n++;
	for (int i = 0; i < PAGES; i++)
		if (between->pMethods->xWrite(between, &n, sizeof(n),
			(sqlite3_int64)i * PAGE_BYTES) != SQLITE_OK)
			end("broken: a write failed");
}

/* The other way round each time: no order of pages is to help. */
static void
order_files(unsigned round)
{
	static sqlite3_file *both[2];

	if (both[0] == NULL) {
		both[0] = open_file("a");
		write_number(both[0], read_number(both[0]));
		between = open_file("between");
		write_between();
		both[1] = open_file("b");
		write_number(both[1], read_number(both[1]));
	}
	file[0] = both[round % 2];
	file[1] = both[1 - round % 2];
}

static uint64_t
check(void)
{
	uint64_t first = read_number(file[0]), second = read_number(file[1]);
	char text[96];

	if (first != second && first != second + 1) {
		(void)snprintf(text, sizeof(text), "torn: %llu, %llu",
		    (unsigned long long)first, (unsigned long long)second);
		end(text);
	}
	return first;
}

static void
take_checkpoints(uint64_t ms)
{
	uint64_t begun = now_ms();
	int rc;

	do {
		write_between();
		rc = hscpt(HS_HELD, NULL);
		if (now_ms() - begun > ms + GIVE_UP_MS)
			end("broken: nothing is held");
	} while (rc < 0 || now_ms() - begun < ms);
}

int
main(void)
{
	const char *why = "";
	pthread_t writer;
	unsigned *round;
	uint64_t n;

	if (vfs_start(false, &why) < 0)
		end(why);
	round = hsfind("round");
	if (round == NULL &&
	    ((round = hscalloc(1, sizeof(*round))) == NULL ||
		hsroot("round", round) < 0))
		end("broken: no memory");
	order_files(*round);
	n = check();
	if (*round == ROUNDS)
		end("whole");
	write_number(file[1], n);
	order_files(++*round);
	if (pthread_create(&writer, NULL, write_numbers, &n) != 0)
		end("broken: no thread");
	take_checkpoints(*round % LONG_EVERY == 0 ? LONG_MS : SHORT_MS);
	return raise(SIGKILL);
}
