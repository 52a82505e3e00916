// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fault injection: built in by FAULT=1 only.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

#include "fault.h"

static atomic_t nfail = ATOMIC_INIT(0);

static int set_nfail(const char *val, const struct kernel_param *kp)
{
	unsigned int n;
	int err = kstrtouint(val, 0, &n);

	if (!err)
		atomic_set(&nfail, n);
	return err;
}

static int get_nfail(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&nfail));
}

static const struct kernel_param_ops nfail_ops = {
	.set = set_nfail,
	.get = get_nfail,
};

module_param_cb(fail_copies, &nfail_ops, NULL, 0600);
MODULE_PARM_DESC(fail_copies, "so many copies from now on fail");

static unsigned int delay_us;
module_param(delay_us, uint, 0600);
MODULE_PARM_DESC(delay_us, "hold the windows of races open for so long");

static unsigned int delay_race;
module_param(delay_race, uint, 0600);
MODULE_PARM_DESC(delay_race, "only those of race 1, 2 or 3; 0: all");

/**
 * hscpt_fault_copy() - is this copy to fail?
 *
 * Return: true if so.
 */
bool hscpt_fault_copy(void)
{
	return atomic_dec_if_positive(&nfail) >= 0;
}

/**
 * hscpt_fault_delay() - in the window of a race
 * @race: its number
 *
 * Context: any, also below a page-table lock.
 */
void hscpt_fault_delay(unsigned int race)
{
	unsigned int us = min(READ_ONCE(delay_us), 20000U);
	unsigned int only = READ_ONCE(delay_race);

	for (; us && (!only || only == race); us -= min(us, 1000U))
		udelay(min(us, 1000U));
}
