/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Good records of pipes and socket pairs, which refer to each other, changed in
 * some bytes: the restore takes them or refuses them, closes what it made, and
 * what it took can be told again.
 *
 * Input, any number of times: 1 byte which record, 2 bytes where, 1 byte what
 * is xored; a place beyond the record cuts it there instead.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rd.h"
#include "state/fd.h"
#include "state/fd_table.h"
#include "state/store.h"

#define FIRST_FD 400
#define MOST_RECORDS 32
#define MOST_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
	uint64_t key;
	size_t len;
	uint8_t bytes[MOST_BYTES];
};

static struct record good[MOST_RECORDS];
static size_t ngood;

static void
require(int ok)
{
	if (!ok)
		abort();
}

static int
lend(void *arg, size_t len, void **out)
{
	(void)arg;
	*out = malloc(len);
	return *out != NULL ? 0 : HS_EARENA;
}

static void
take(void *arg, void *p)
{
	(void)arg;
	free(p);
}

static bool
is_lent(void *arg, const void *p, size_t len)
{
	(void)arg;
	(void)len;
	return p != NULL;
}

static const struct hs_store_mem mem = { .alloc = lend,
	.free = take,
	.has = is_lent };

static void
empty_store(struct hs_store *s)
{
	char *dir = hs_store_dir(s);
	void *slots;
	struct hs_store_rec rec;

	while (hs_store_next(s, HS_STORE_FD, 0, &rec) == 1)
		require(hs_store_del(s, HS_STORE_FD, rec.key) == 0);
	memcpy(&slots, dir + 16, sizeof(slots));	/* store.h */
	free(slots);
	free(dir);
	hs_store_destroy(s);
}

static void
close_registered(void)
{
	for (const struct hs_fd_reg *d = hs_fd_table_next(-1); d != NULL;
	     d = hs_fd_table_next(d->fd))
		(void)close(d->fd);
	hs_fd_section.forget();
}

static void
add_pair(int *next, const int end[2])
{
	for (int i = 0; i < 2; i++) {
		require(dup2(end[i], *next) == *next);
		(void)close(end[i]);
		require(hs_fd_register(*next, 0) == 0);
		(*next)++;
	}
	require(write(*next - 1, "content", 7) == 7);
}

static void
make_good(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	struct hs_store_rec rec;
	struct hs_store *s;
	int next = FIRST_FD, end[2];
	uint64_t key = 0;

	require(hs_store_create(&s, &mem) == 0);
	require(pipe2(end, O_NONBLOCK | O_DIRECT) == 0);
	add_pair(&next, end);
	for (size_t i = 0; i < 3; i++) {
		require(socketpair(AF_UNIX, types[i], 0, end) == 0);
		add_pair(&next, end);
		require(send(next - 2, "back", 4, 0) == 4);
	}
	require(hs_fd_section.query(s) == 0);
	while (hs_store_next(s, HS_STORE_FD, key, &rec) == 1) {
		require(ngood < MOST_RECORDS && rec.len <= MOST_BYTES);
		good[ngood].key = rec.key;
		good[ngood].len = rec.len;
		memcpy(good[ngood].bytes, rec.bytes, rec.len);
		key = rec.key + 1;
		ngood++;
	}
	close_registered();
	empty_store(s);
}

static void
change_record(struct hs_store *s, struct hs_rd *r)
{
	const struct record *g = &good[hs_rd_u8(r) % ngood];
	const size_t at = hs_rd_u16(r);
	const uint8_t bits = hs_rd_u8(r);
	uint8_t bytes[MOST_BYTES];
	struct hs_store_rec rec;
	size_t len;

	if (r->err != 0)
		return;
	require(hs_store_get(s, HS_STORE_FD, g->key, &rec) == 0);
	len = rec.len;
	memcpy(bytes, rec.bytes, len);
	if (at < len)
		bytes[at] ^= bits;
	else
		len = at % (len + 1);
	require(hs_store_put(s, HS_STORE_FD, g->key, bytes, len) == 0);
}

static int
open_numbers(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_store *s;
	struct hs_rd r;
	int before, rc;

	if (ngood == 0)
		make_good();
	require(hs_store_create(&s, &mem) == 0);
	for (size_t i = 0; i < ngood; i++)
		require(hs_store_put(s, HS_STORE_FD, good[i].key, good[i].bytes,
			    good[i].len) == 0);
	hs_rd_init(&r, data, size);
	while (r.err == 0 && r.left > 0)
		change_record(s, &r);
	before = open_numbers();
	rc = hs_fd_section.restore(s);
	require(rc <= 0);
	if (rc == 0) {
		rc = hs_fd_section.query(s);
		require(rc == 0 || rc == HS_EFD);
	}
	close_registered();
	require(open_numbers() == before);
	empty_store(s);
	return 0;
}
