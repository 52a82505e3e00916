# SPDX-License-Identifier: GPL-2.0-or-later
# Services people copy from.  They include <hotspare/hs.h> as users do, and
# are installed where a cluster can start them.
examplesdir = $(libexecdir)/hotspare
examples_PROGRAMS = examples/tetris/tetris examples/counter/counter

examples_tetris_tetris_SOURCES = \
	examples/common/net.c examples/common/net.h \
	examples/tetris/crowd.c examples/tetris/crowd.h \
	examples/tetris/draw.c examples/tetris/draw.h \
	examples/tetris/game.c examples/tetris/game.h \
	examples/tetris/main.c
examples_tetris_tetris_LDADD = libhotspare.la

examples_counter_counter_SOURCES = \
	examples/common/net.c examples/common/net.h \
	examples/counter/gate.c examples/counter/gate.h \
	examples/counter/ledger.c examples/counter/ledger.h \
	examples/counter/main.c
examples_counter_counter_LDADD = libhotspare.la

# The program of docs/ADAPTING.md: what is printed there compiles.
noinst_PROGRAMS += examples/tenlines/tenlines
examples_tenlines_tenlines_SOURCES = examples/tenlines/tenlines.c
examples_tenlines_tenlines_LDADD = libhotspare.la

if HAVE_CUNIT
check_PROGRAMS += tests/unit/unit_examples
TESTS += tests/unit/unit_examples
tests_unit_unit_examples_SOURCES = tests/unit/main.c tests/unit/suite.h \
	examples/counter/ledger.c examples/counter/ledger.h \
	examples/tetris/game.c examples/tetris/game.h \
	tests/unit/test_examples_counter.c tests/unit/test_examples_tetris.c
tests_unit_unit_examples_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
tests_unit_unit_examples_LDADD = libhotspare.la $(CUNIT_LIBS)
endif
dist_check_SCRIPTS += examples/tenlines/adapting.test
TESTS += examples/tenlines/adapting.test

# What docs/ADAPTING.md prints of single steps.
noinst_PROGRAMS += examples/adapting/code examples/adapting/memory
noinst_PROGRAMS += examples/adapting/descriptors
examples_adapting_descriptors_SOURCES = examples/adapting/descriptors.c
examples_adapting_descriptors_LDADD = libhotspare.la
noinst_PROGRAMS += examples/adapting/hooks examples/adapting/lease \
	examples/adapting/threads examples/adapting/ticks
examples_adapting_code_SOURCES = examples/adapting/code.c
examples_adapting_code_LDADD = libhotspare.la
examples_adapting_hooks_SOURCES = examples/adapting/hooks.c
examples_adapting_hooks_LDADD = libhotspare.la
examples_adapting_lease_SOURCES = examples/adapting/lease.c
examples_adapting_lease_LDADD = libhotspare.la
examples_adapting_threads_SOURCES = examples/adapting/threads.c
examples_adapting_threads_LDADD = libhotspare.la
examples_adapting_ticks_SOURCES = examples/adapting/ticks.c
examples_adapting_ticks_LDADD = libhotspare.la
examples_adapting_memory_SOURCES = examples/adapting/memory.c
examples_adapting_memory_LDADD = libhotspare.la
dist_check_SCRIPTS += examples/adapting/adapting.test
TESTS += examples/adapting/adapting.test
