/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every dirty-tracking backend under its contract (contract.h), in TAP.
 *
 *	HS_CONTRACT_SECONDS	for the whole run (default 12)
 *	HS_SEED			repeats the choices of the run that printed it
 *
 * With the name of a backend as its argument: that one alone, which is to be
 * there; "keep": what kmod keeps of a process that is killed.  Without, those
 * that this machine does not have are skipped.  A second argument is as
 * HS_CONTRACT_SECONDS.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel/include/uapi/hscpt.h"
#include "tests/contract/contract.h"
#include "tests/forbid.h"

static const struct contract contracts[] = {
	{ .name = "full, anonymous",
	    .ops = &hs_dirty_full,
	    .bytes = 16 * MIB,
	    .adversary = true },
	{ .name = "full, restored",
	    .ops = &hs_dirty_full,
	    .bytes = 16 * MIB,
	    .restored = true,
	    .adversary = true },
	{ .name = "wpa, anonymous", .ops = &hs_dirty_wpa, .bytes = 16 * MIB },
	{ .name = "wpa, anonymous, adversaries",
	    .ops = &hs_dirty_wpa,
	    .bytes = 64 * MIB,
	    .adversary = true },
	{ .name = "wpa, anonymous, huge pages",
	    .ops = &hs_dirty_wpa,
	    .bytes = 64 * MIB,
	    .huge = true,
	    .adversary = true },
	{ .name = "wpa, anonymous, 1.25 GiB",
	    .ops = &hs_dirty_wpa,
	    .bytes = 1280 * MIB },
	{ .name = "wpa, restored",
	    .ops = &hs_dirty_wpa,
	    .bytes = 64 * MIB,
	    .restored = true },
	{ .name = "wpa, restored, adversaries",
	    .ops = &hs_dirty_wpa,
	    .bytes = 128 * MIB,
	    .restored = true,
	    .adversary = true },
	{ .name = "wpa, restored, huge pages",
	    .ops = &hs_dirty_wpa,
	    .bytes = 64 * MIB,
	    .restored = true,
	    .huge = true,
	    .adversary = true },
	/* In a guest, where memory is slow. */
	{ .name = "kmod, anonymous",
	    .ops = &hs_dirty_kmod,
	    .bytes = 8 * MIB,
	    .kept = true },
	{ .name = "kmod, anonymous, adversaries",
	    .ops = &hs_dirty_kmod,
	    .bytes = 16 * MIB,
	    .kept = true,
	    .adversary = true },
	{ .name = "kmod, restored, adversaries",
	    .ops = &hs_dirty_kmod,
	    .bytes = 16 * MIB,
	    .restored = true,
	    .kept = true,
	    .adversary = true },
	{ .name = "kmod, by cuts",
	    .ops = &hs_dirty_kmod,
	    .bytes = 8 * MIB,
	    .kept = true,
	    .cuts = true },
	{ .name = "kmod, by cuts, restored, adversaries",
	    .ops = &hs_dirty_kmod,
	    .bytes = 16 * MIB,
	    .restored = true,
	    .kept = true,
	    .cuts = true,
	    .adversary = true },
	{ .name = "wpa with swap, restored",
	    .ops = &contract_wpa_swap,
	    .bytes = 128 * MIB,
	    .restored = true,
	    .adversary = true },
};

#define NCONTRACTS (sizeof(contracts) / sizeof(contracts[0]))

static unsigned ntests, nfailed;
static const char *only;	/* the backend that is to be tested, or NULL */

static void
report(bool ok, const char *name, const char *detail)
{
	ntests++;
	nfailed += !ok;
	printf("%s %u - %s%s%s\n", ok ? "ok" : "not ok", ntests, name,
	    detail[0] != '\0' ? ": " : "", detail);
	(void)fflush(stdout);
}

/* Is ops, of the backend `name', to be tested?  A skip is said here. */
static bool
is_wanted(const struct hs_dirty_ops *ops, const char *name)
{
	if (only != NULL)
		return strcmp(only, ops->name) == 0;
	if (ops != &hs_dirty_kmod || access(HSCPT_DEVICE, R_OK | W_OK) == 0)
		return true;
	ntests++;
	printf("ok %u - %s # SKIP %s: %s\n", ntests, name, HSCPT_DEVICE,
	    strerrordesc_np(errno));
	return false;
}

/* ---- backends under the contract ---- */

static void
add_result(struct contract_result *sum, const struct contract_result *r)
{
	sum->collects += r->collects;
	sum->pages += r->pages;
	sum->writes += r->writes;
	sum->settles += r->settles;
	sum->cuts += r->cuts;
	sum->failed_cuts += r->failed_cuts;
	if (r->largest > sum->largest)
		sum->largest = r->largest;
	if (r->huge_bytes > sum->huge_bytes)
		sum->huge_bytes = r->huge_bytes;
	memcpy(sum->broken, r->broken, sizeof(sum->broken));
}

static void
test_contract(const struct contract *c, uint64_t seed, double seconds)
{
	struct contract_result r, sum = { .broken = "" };
	/* A restored image settles but once: begin anew a few times. */
	const unsigned n = c->restored && c->ops->settle != NULL ? 4 : 1;
	char detail[400];
	unsigned i;

	if (!is_wanted(c->ops, c->name))
		return;

	for (i = 0; i < n && sum.broken[0] == '\0'; i++) {
		contract_run(c, seed + i * NCONTRACTS, seconds / n, &r);
		add_result(&sum, &r);
	}
	r = sum;
	(void)snprintf(detail, sizeof(detail),
	    "%zu writes, %zu collects of %zu pages (largest %zu), %zu settles,"
	    " %zu MiB in huge pages, %zu cuts, %zu given up%s%s",
	    r.writes, r.collects, r.pages, r.largest, r.settles,
	    r.huge_bytes / MIB, r.cuts, r.failed_cuts,
	    r.broken[0] != '\0' ? "; " : "", r.broken);
	/* A run in which nothing happened shows nothing. */
	report(r.broken[0] == '\0' && r.writes > 1000 &&
		(!c->cuts || (r.cuts > 0 && r.failed_cuts > 0)),
	    c->name, detail);
}

/* ---- the harness finds faults: backends that break a rule ---- */

static unsigned ncollect;

static void
take_out(struct hs_pageset *out, size_t victim)
{
	struct hs_pageset *copy;
	size_t page;

	if (hs_pageset_create(&copy, 64 * MIB / PAGE) < 0)
		abort();
	hs_pageset_merge(copy, out);
	hs_pageset_clear(out);
	for (page = 0; hs_pageset_next(copy, page, &page); page++)
		if (page != victim)
			hs_pageset_add(out, page, 1);
	hs_pageset_destroy(copy);
}

/* Forgets one page, once in a while. */
static int
collect_and_forget(void *priv, struct hs_pageset *out)
{
	size_t page = 0;
	int rc = hs_dirty_wpa.collect(priv, out);

	if (rc == 0 && ++ncollect % 16 == 0 && hs_pageset_next(out, 0, &page))
		take_out(out, page);
	return rc;
}

/* Arms again what was written after it had looked. */
static int
collect_and_rearm(void *priv, struct hs_pageset *out)
{
	struct hs_pageset *late;
	int rc = hs_dirty_wpa.collect(priv, out);

	if (rc < 0)
		return rc;
	if (hs_pageset_create(&late, 64 * MIB / PAGE) < 0)
		return -ENOMEM;
	(void)usleep(200);
	rc = hs_dirty_wpa.collect(priv, late);
	hs_pageset_destroy(late);
	return rc;
}

static void
test_forgetful(const char *name, int (*collect)(void *, struct hs_pageset *),
    uint64_t seed)
{
	struct hs_dirty_ops ops = hs_dirty_wpa;
	struct contract c = { .name = name, .ops = &ops, .bytes = 64 * MIB };
	struct contract_result r;

	ops.collect = collect;
	contract_run(&c, seed, 2, &r);
	report(r.broken[0] != '\0', name, r.broken);
}

/* ---- exactness: D2 allows to be sloppy, but not where it can be told ---- */

struct exact {
	const struct hs_dirty_ops *ops;
	void *priv;
	uint8_t *base;
	size_t npages;
	struct hs_pageset *want;
	struct hs_pageset *set;
};

static bool
is_exact(struct exact *x)
{
	size_t page, n = 0;
	bool ok;

	ok = x->ops->collect(x->priv, x->set) == 0;
	for (page = 0; hs_pageset_next(x->set, page, &page); page++, n++)
		ok = ok && hs_pageset_has(x->want, page);
	ok = ok && n == hs_pageset_count(x->want);
	hs_pageset_clear(x->set);
	hs_pageset_clear(x->want);
	return ok;
}

static void
write_pages(struct exact *x, size_t n, size_t stride)
{
	size_t i, page;

	for (i = 0; i < n; i++) {
		page = i * stride % x->npages;
		hs_pageset_add(x->want, page, 1);
		x->base[page * PAGE + 8] ^= 0x5a;
	}
}

/* n pages before, while and after a bite is settled; then none. */
static bool
is_exact_round(struct exact *x, size_t n)
{
	bool ok;

	write_pages(x, n, 3);
	ok = is_exact(x);
	write_pages(x, n, 5);
	if (ok && x->ops->settle != NULL)
		ok = x->ops->settle(x->priv) >= 0;
	write_pages(x, n, 7);
	ok = ok && is_exact(x);
	return ok && is_exact(x);
}

static void
test_exact(const char *name, const struct hs_dirty_ops *ops, size_t bytes,
    bool restored)
{
	static const size_t counts[] = { 0, 1, 16, 256, 512, 513, 1024, 4096 };
	struct exact x = { .ops = ops, .npages = bytes / PAGE };
	size_t i;
	struct hs_dirty_range all = { .len = bytes,
		.used = restored ? bytes : 0,
		.fresh = !restored };
	char why[200] = "";
	int fd = -1;
	bool ok;

	if (!is_wanted(ops, name))
		return;
	if (restored) {
		fd = memfd_create("image", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
			abort();
	}
	x.base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | (restored ? 0 : MAP_ANONYMOUS), fd, 0);
	if (x.base == MAP_FAILED || hs_pageset_create(&x.set, x.npages) < 0 ||
	    hs_pageset_create(&x.want, x.npages) < 0)
		abort();
	all.base = x.base;
	ok = ops->open(&x.priv, &all, why, sizeof(why)) == 0;
	if (ok) {
		ok = ops->arm(x.priv, bytes) == 0;
		for (i = 0; ok && i < sizeof(counts) / sizeof(counts[0]); i++)
			ok = is_exact_round(&x, counts[i]);
		ops->close(x.priv);
	}
	report(ok, name, why);
	hs_pageset_destroy(x.set);
	hs_pageset_destroy(x.want);
	(void)munmap(x.base, bytes);
	if (fd >= 0)
		(void)close(fd);
}

/* ---- choice ---- */

static void
test_choice(void)
{
	uint8_t *base = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct hs_dirty_range r = { .base = base,
		.len = MIB,
		.fresh = true };
	struct hs_dirty *d, *second;
	char why[200];
	int rc;

	rc = hs_dirty_create(&d, NULL, &r, why, sizeof(why));
	report(rc == 0 && strcmp(hs_dirty_name(d), "wpa") == 0 &&
		why[0] == '\0',
	    "auto chooses wpa here", why);
	if (rc < 0)
		return;
	rc = hs_dirty_create(&second, "wpa", &r, why, sizeof(why));
	report(rc == HS_ETRACK && strstr(why, "another userfaultfd") != NULL,
	    "a second tracker of the same memory is refused", why);
	rc = hs_dirty_create(&second, "best", &r, why, sizeof(why));
	report(rc == HS_EMISUSE && strstr(why, "\"best\"") != NULL,
	    "an unknown tracker is refused", why);
	/* What the program moves away is not tracked any more: say so. */
	if (hs_dirty_arm(d, MIB) < 0)
		abort();
	(void)mremap(base, MIB / 2, MIB / 2, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	(void)munmap(base, MIB / 2);
	(void)mmap(base, MIB / 2, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct hs_pageset *set;
	if (hs_pageset_create(&set, MIB / PAGE) < 0)
		abort();
	report(hs_dirty_collect(d, set) == HS_ETRACK,
	    "a collect over memory that was replaced fails", "");
	hs_pageset_destroy(set);
	hs_dirty_destroy(d);
}

/* ---- where it is not to be had ---- */

static void
forbid_userfaultfd(void)
{
	if (!forbid_call(SYS_userfaultfd, EPERM))
		contract_untried();
}

struct refusal {
	void (*refuse)(void);
	const char *cause;
};

/* auto falls back and says why, wpa by name fails with the same. */
static bool
is_refused(void *arg)
{
	const struct refusal *how = arg;
	struct hs_dirty_range r = { .len = MIB, .fresh = true };
	struct hs_dirty *d;
	char why[240] = "";
	bool ok;

	r.base = contract_map(MIB);
	how->refuse();
	ok = hs_dirty_create(&d, "auto", &r, why, sizeof(why)) == 0 &&
	    strcmp(hs_dirty_name(d), "full") == 0 &&
	    strstr(why, how->cause) != NULL;
	ok = ok &&
	    hs_dirty_create(&d, "wpa", &r, why, sizeof(why)) == HS_ETRACK &&
	    strstr(why, how->cause) != NULL &&
	    strstr(why, "tracker=full") != NULL;
	printf("# %s\n", why);
	return ok;
}

static void
test_refused(void)
{
	struct refusal call = { forbid_userfaultfd,
		"userfaultfd is not permitted" };
	/* What a daemon is after it has changed its user: not dumpable. */
	struct refusal file = { contract_give_up_user,
		"/proc/self/pagemap cannot be opened" };

	contract_in_child(report,
	    "no userfaultfd: full, and a line that says so", is_refused, &call);
	contract_in_child(report, "no pagemap: full, and a line that says so",
	    is_refused, &file);
}

static void
test_kmod(void)
{
	if (access(HSCPT_DEVICE, R_OK | W_OK) < 0) {
		(void)is_wanted(&hs_dirty_kmod, "kmod is chosen where it pays");
		return;
	}
	contract_kmod(report);
	test_exact("kmod is exact on new memory", &hs_dirty_kmod, 32 * MIB,
	    false);
	test_exact("kmod is exact on a restored image", &hs_dirty_kmod,
	    32 * MIB, true);
}

static void
test_others(uint64_t seed)
{
	test_choice();
	test_refused();
	test_exact("wpa is exact on anonymous memory", &hs_dirty_wpa, 128 * MIB,
	    false);
	test_exact("wpa is exact on a restored image, while settling",
	    &hs_dirty_wpa, 128 * MIB, true);
	test_exact("wpa with swap is exact on a restored image",
	    &contract_wpa_swap, 128 * MIB, true);
	test_forgetful("a backend that forgets a page is found out",
	    collect_and_forget, seed);
	test_forgetful("a backend that arms late writes is found out",
	    collect_and_rearm, seed);
}

int
main(int argc, char **argv)
{
	const char *s = getenv("HS_SEED"), *t = getenv("HS_CONTRACT_SECONDS");
	uint64_t seed = s != NULL ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);
	double seconds;
	size_t i;

	if (argc > 2)
		t = argv[2];
	seconds = t != NULL ? strtod(t, NULL) : 12;
	printf("# HS_SEED=%" PRIu64 "\n", seed);
	if (argc > 1)
		only = argv[1];
	if (only == NULL)
		test_others(seed);
	if (only == NULL || strcmp(only, "kmod") == 0)
		test_kmod();
	if (only != NULL && strcmp(only, "keep") == 0)
		contract_keep(report, seed, seconds / 3);
	for (i = 0; i < NCONTRACTS; i++)
		test_contract(&contracts[i], seed + i,
		    seconds / (double)NCONTRACTS);
	printf("1..%u\n", ntests);
	return nfailed != 0;
}
