# SPDX-License-Identifier: GPL-2.0-or-later
# CUnit programs, one a source file under test: tests/unit/test_arena.c.
# Link only what is tested: the directory's convenience library and base.
if HAVE_CUNIT
#check_PROGRAMS += tests/unit/test_rd
#TESTS += tests/unit/test_rd
#tests_unit_test_rd_SOURCES = tests/unit/test_rd.c
#tests_unit_test_rd_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
#tests_unit_test_rd_LDADD = libhsbase.la $(CUNIT_LIBS)
endif
