/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared objects with and without a build-id, for the tests of code pointers.
 */
int plugin_answer(void);

int
plugin_answer(void)
{
	return 42;
}
