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

UNIT_WIRE = \
	tests/unit/test_wire_delta.c \
	tests/unit/test_wire_golden.c \
	tests/unit/test_wire_msg.c \
	tests/unit/test_wire_rec.c
check_PROGRAMS += tests/unit/unit_wire
TESTS += tests/unit/unit_wire
tests_unit_unit_wire_SOURCES = $(UNIT_MAIN) $(UNIT_WIRE) \
	tests/unit/golden.c tests/unit/golden.h \
	tests/fuzz/roundtrip.c tests/fuzz/roundtrip.h
tests_unit_unit_wire_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS) \
	-DHS_GOLDEN_DIR='"$(abs_top_srcdir)/tests/golden"' \
	-DHS_FORMAT_DIR='"$(abs_top_srcdir)/docs/format"'
tests_unit_unit_wire_LDADD = libhswire.la libhsbase.la $(CUNIT_LIBS)
endif
