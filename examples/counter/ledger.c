/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "examples/counter/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <hotspare/hs.h>

#define BUCKETS 1024
#define PAGE_BYTES 4096
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))
#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

struct account {
	struct account *next;
	char id[LEDGER_ID + 1];
	uint64_t last_no;
	uint64_t total;
	uint64_t answer[LEDGER_PAST];	/* of request no: no % LEDGER_PAST */
};

struct page {
	uint64_t writes;
	uint64_t seal;		/* of writes and of the page's place */
	uint64_t noise[PAGE_WORDS - 2];
};

struct ledger {
	uint64_t requests;
	uint64_t total;
	uint64_t order;
	uint64_t page_writes;
	uint64_t rng;
	size_t npages;
	struct page *ballast;
	struct account *bucket[BUCKETS];
};

static uint64_t
hash_bytes(uint64_t h, const void *p, size_t len)
{
	const unsigned char *b = p;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ b[i]) * FNV_PRIME;
	return h;
}

static uint64_t
next_random(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng;
}

static uint64_t
seal_page(uint64_t writes, size_t place)
{
	return (writes + 1) * FNV_PRIME ^ place;
}

static int
add_ballast(struct ledger *l, size_t bytes)
{
	size_t i, j;

	l->npages = bytes / PAGE_BYTES;
	if (l->npages == 0)
		return 0;
	l->ballast = hsmemalign(PAGE_BYTES, l->npages * PAGE_BYTES);
	if (l->ballast == NULL)
		return -errno;
	for (i = 0; i < l->npages; i++) {
		l->ballast[i].writes = 0;
		l->ballast[i].seal = seal_page(0, i);
		for (j = 0; j < PAGE_WORDS - 2; j++)
			l->ballast[i].noise[j] = next_random(&l->rng);
	}
	return 0;
}

int
ledger_create(struct ledger **out, size_t ballast_bytes)
{
	struct ledger *l;
	int rc;

	l = hscalloc(1, sizeof(*l));
	if (l == NULL)
		return -errno;
	l->rng = FNV_BASIS;
	l->order = FNV_BASIS;
	rc = add_ballast(l, ballast_bytes);
	if (rc == 0)
		rc = hsroot("ledger", l);
	if (rc < 0) {
		(void)hsfree(l->ballast);
		(void)hsfree(l);
		return rc;
	}
	*out = l;
	return 0;
}

struct ledger *
ledger_find(void)
{
	return hsfind("ledger");
}

static struct account *
find_account(const struct ledger *l, const char *id)
{
	uint64_t h = hash_bytes(FNV_BASIS, id, strlen(id));
	struct account *a = l->bucket[h % BUCKETS];

	while (a != NULL && strcmp(a->id, id) != 0)
		a = a->next;
	return a;
}

static struct account *
open_account(struct ledger *l, const char *id)
{
	uint64_t h = hash_bytes(FNV_BASIS, id, strlen(id));
	struct account *a;

	a = hscalloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	(void)snprintf(a->id, sizeof(a->id), "%s", id);
	a->next = l->bucket[h % BUCKETS];
	l->bucket[h % BUCKETS] = a;
	return a;
}

static void
count_request(struct ledger *l, struct account *a, uint64_t amount)
{
	a->last_no++;
	a->total += amount;
	a->answer[a->last_no % LEDGER_PAST] = a->total;
	l->requests++;
	l->total += amount;
	l->order = hash_bytes(l->order, a->id, strlen(a->id));
	l->order = hash_bytes(l->order, &a->last_no, sizeof(a->last_no));
	l->order = hash_bytes(l->order, &amount, sizeof(amount));
}

enum ledger_result
ledger_add(struct ledger *l, const char *id, uint64_t no, uint64_t amount,
    uint64_t *out)
{
	struct account *a = find_account(l, id);
	uint64_t last = a != NULL ? a->last_no : 0;

	*out = last;
	if (no == 0 || no > last + 1)
		return LEDGER_GAP;
	if (no + LEDGER_PAST <= last)
		return LEDGER_OLD;
	if (no <= last) {
		*out = a->answer[no % LEDGER_PAST];
		return LEDGER_REPEAT;
	}
	if (a == NULL)
		a = open_account(l, id);
	if (a == NULL)
		return LEDGER_FULL;
	count_request(l, a, amount);
	*out = a->total;
	return LEDGER_OK;
}

void
ledger_dirty(struct ledger *l, unsigned n)
{
	size_t place;

	if (l->npages == 0)
		return;
	while (n-- > 0) {
		place = next_random(&l->rng) % l->npages;
		l->ballast[place].writes++;
		l->ballast[place].seal =
		    seal_page(l->ballast[place].writes, place);
		l->page_writes++;
	}
}

void
ledger_show(const struct ledger *l, const char *id, uint64_t *no,
    uint64_t *total)
{
	const struct account *a = find_account(l, id);

	*no = a != NULL ? a->last_no : 0;
	*total = a != NULL ? a->total : 0;
}

void *
ledger_page(struct ledger *l, size_t place)
{
	return place < l->npages ? &l->ballast[place] : NULL;
}

void
ledger_sum(const struct ledger *l, struct ledger_sum *out)
{
	*out = (struct ledger_sum){
		.requests = l->requests,
		.total = l->total,
		.order = l->order,
		.pages = l->npages,
		.page_writes = l->page_writes,
	};
}

int
ledger_check(const struct ledger *l)
{
	uint64_t requests = 0, total = 0, writes = 0;
	const struct account *a;
	size_t i;

	for (i = 0; i < BUCKETS; i++) {
		for (a = l->bucket[i]; a != NULL; a = a->next) {
			if (a->answer[a->last_no % LEDGER_PAST] != a->total)
				return 1;
			requests += a->last_no;
			total += a->total;
		}
	}
	if (requests != l->requests || total != l->total)
		return 2;
	for (i = 0; i < l->npages; i++) {
		if (l->ballast[i].seal != seal_page(l->ballast[i].writes, i))
			return 3;
		writes += l->ballast[i].writes;
	}
	return writes == l->page_writes ? 0 : 3;
}
