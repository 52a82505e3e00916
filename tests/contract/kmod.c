/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the kmod backend is chosen, and what its limits look like.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/include/uapi/hscpt.h"
#include "tests/contract/contract.h"

/* What there is of it depends on the kernel: see docs/KERNEL.md. */
static void
test_choice(contract_report *report)
{
	struct hs_dirty_range r = { .len = MIB, .fresh = true };
	struct hscpt_info info = { .size = sizeof(info) };
	int fd = open(HSCPT_DEVICE, O_RDWR | O_CLOEXEC), rc;
	struct hs_dirty *d;
	char why[240];
	bool hardware;

	if (fd < 0 || ioctl(fd, HSCPT_INFO, &info) < 0) {
		report(false, "the device tells about itself", strerror(errno));
		return;
	}
	(void)close(fd);
	hardware = (info.features & HSCPT_FEAT_HW_DIRTY) != 0;
	r.base = contract_map(MIB);
	rc = hs_dirty_create(&d, "auto", &r, why, sizeof(why));
	report(rc == 0 && hardware == (strcmp(hs_dirty_name(d), "kmod") == 0) &&
		hardware == (why[0] == '\0'),
	    hardware ? "auto chooses kmod here"
		     : "auto passes over a device that is slow, and says so",
	    why);
	if (rc == 0)
		hs_dirty_destroy(d);
	rc = hs_dirty_create(&d, "kmod", &r, why, sizeof(why));
	report(rc == 0, "kmod can be had by its name", why);
	if (rc == 0)
		hs_dirty_destroy(d);
	(void)munmap(r.base, MIB);
}

/* What `auto' makes of a device that it may not have. */
static bool
is_refused(void *arg)
{
	struct hs_dirty_range r = { .len = 64 * MIB, .fresh = true };
	struct hs_dirty *d;
	char why[240] = "";
	bool ok;

	(void)arg;
	r.base = contract_map(r.len);
	if (chmod(HSCPT_DEVICE, 0660) < 0)
		contract_untried();
	contract_give_up_user();
	ok = hs_dirty_create(&d, "kmod", &r, why, sizeof(why)) == HS_ETRACK &&
	    strstr(why, "permission denied") != NULL;
	printf("# %s\n", why);
	ok = ok && hs_dirty_create(&d, "auto", &r, why, sizeof(why)) == 0 &&
	    strcmp(hs_dirty_name(d), "kmod") != 0 && why[0] != '\0';
	printf("# auto: %s\n", why);
	return ok;
}

static void
lower_memlock(void)
{
	const struct rlimit small = { .rlim_cur = MIB, .rlim_max = MIB };

	if (chmod(HSCPT_DEVICE, 0666) < 0 ||
	    setrlimit(RLIMIT_MEMLOCK, &small) < 0)
		contract_untried();
	contract_give_up_user();
}

/*
 * Growing past the limit of locked memory fails where it can be told, and what
 * there was goes on.
 */
static bool
is_limited(void *arg)
{
	struct hs_dirty_range r = { .len = 64 * MIB, .fresh = true };
	struct hs_pageset *set;
	struct hs_dirty *d;
	char why[240] = "";
	bool ok;

	(void)arg;
	r.base = contract_map(r.len);
	lower_memlock();
	ok = hs_pageset_create(&set, r.len / PAGE) == 0 &&
	    hs_dirty_create(&d, "kmod", &r, why, sizeof(why)) == 0 &&
	    hs_dirty_arm(d, MIB / 2) == 0 &&
	    hs_dirty_arm(d, 64 * MIB) == -ENOMEM;
	if (ok)
		((uint8_t *)r.base)[PAGE] = 1;
	ok = ok && hs_dirty_collect(d, set) == 0 &&
	    hs_pageset_count(set) == 1 && hs_pageset_has(set, 1);
	printf("# %s\n", why);
	return ok;
}

void
contract_kmod(contract_report *report)
{
	test_choice(report);
	contract_in_child(report,
	    "no permission: another, and a line that says so", is_refused,
	    NULL);
	contract_in_child(report,
	    "growing past the limit of locked memory is told", is_limited,
	    NULL);
}
