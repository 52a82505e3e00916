# SPDX-License-Identifier: GPL-2.0-or-later
# CUnit programs, one a layer; tests/unit/main.c tells how to add a suite.
# A layer's program links what that layer may use and nothing else.
if HAVE_CUNIT
UNIT_MAIN = tests/unit/main.c tests/unit/suite.h

UNIT_BASE = \
	tests/unit/test_base_crc.c \
	tests/unit/test_base_cursor.c \
	tests/unit/test_base_digest.c \
	tests/unit/test_base_err.c \
	tests/unit/test_base_fault.c \
	tests/unit/test_base_sock.c
check_PROGRAMS += tests/unit/unit_base
TESTS += tests/unit/unit_base
tests_unit_unit_base_SOURCES = $(UNIT_MAIN) $(UNIT_BASE)
tests_unit_unit_base_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS) $(XXHASH_CFLAGS)
tests_unit_unit_base_LDADD = libhsbase.la $(CUNIT_LIBS)
endif
