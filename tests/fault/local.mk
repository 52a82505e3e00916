# SPDX-License-Identifier: GPL-2.0-or-later
# What must hold when something is in the way: a call that fails, an address
# that is taken, a program that is none.  Without a cluster; tests/rig has one.
noinst_PROGRAMS += tests/fault/squat
tests_fault_squat_SOURCES = tests/fault/squat.c tests/forbid.h
tests_fault_squat_LDADD = libhsapi.la libhsckpt.la libhsnet.la libhsstate.la \
	libhsmem.la libhswire.la libhsbase.la

dist_check_SCRIPTS += tests/fault/refuse.test
TESTS += tests/fault/refuse.test
