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
MODULE_PARM_DESC(delay_us, "hold each race's window open for so long");

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
 *
 * Context: any, also below a page-table lock.
 */
void hscpt_fault_delay(void)
{
	unsigned int us = READ_ONCE(delay_us);

	if (us)
		udelay(min(us, 10000U));
}
